"""Paths of imports: hand in a file, ask how far it is, call it off."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse

from crosslens.api import bodies, openapi
from crosslens.api.access import Caller
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.jobs import Job
from crosslens.api.keys import Role
from crosslens.api.problems import InvalidBody
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import ImportPathIn, JobOut
from crosslens.corpora.sources import SUFFIXES
from crosslens.errors import Forbidden, InvalidRequest, StorageFull

router = APIRouter(tags=["imports"])

JobId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
Reads = allow(Role.WRITE, lambda lanes: lanes.read)
_LINES = "application/x-ndjson"


@router.post(
    "/import",
    status_code=202,
    response_model=JobOut,
    responses=openapi.problems(413, 415, 422, 507),
    openapi_extra=openapi.import_body(),
)
async def start_import(
    request: Request, caller: Annotated[Caller, allow(Role.WRITE, lambda lanes: lanes.write)]
) -> Response:
    """Import an uploaded file, or with the role admin a path of the server, in the background."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    if sent.form is not None:
        job = await runtime.lanes.write.run(_upload, runtime, sent.form)
    else:
        body = await bodies.parsed(sent.content or b"", ImportPathIn, runtime.lanes.write)
        if not caller.role.permits(Role.ADMIN):
            raise Forbidden("to import from a path of the server needs the role admin")
        job = await runtime.lanes.write.run(_path, runtime, body)
    return _shown(job, 202)


@router.get("/import", dependencies=[Reads], response_model=list[JobOut])
async def list_imports(request: Request) -> Response:
    """List imports, newest first."""
    runtime = runtime_of(request)
    jobs = await runtime.lanes.read.run(runtime.jobs.all)
    return json_response(written([job.shown() for job in jobs]))


@router.get(
    "/import/{job}",
    dependencies=[Reads],
    response_model=JobOut,
    responses=openapi.problems(404, 422),
)
async def show_import(request: Request, job: JobId) -> Response:
    """Say how far an import is: read = stored + skipped + failed, at every moment."""
    runtime = runtime_of(request)
    found = runtime.jobs.of_own(job)
    if found is None:
        found = await runtime.lanes.read.run(runtime.jobs.get, job)
    return _shown(found, 200)


@router.get(
    "/import/{job}/left-out",
    dependencies=[Reads],
    response_class=Response,
    responses=openapi.problems(404, 422, 503) | openapi.LINES,
)
async def show_left_out(request: Request, job: JobId) -> Response:
    """Tell everything that was left out, however much: a JSON object per line."""
    runtime = runtime_of(request)
    left_out = await runtime.lanes.read.run(runtime.jobs.left_out, job)
    if isinstance(left_out, Path):
        return FileResponse(left_out, media_type=_LINES)
    return Response(b"".join(written(each) + b"\n" for each in left_out), media_type=_LINES)


@router.delete(
    "/import/{job}",
    dependencies=[Reads],
    response_model=JobOut,
    responses=openapi.problems(404, 409, 422),
)
async def cancel_import(request: Request, job: JobId) -> Response:
    """Stop an import after the batch at hand; what is stored stays."""
    runtime = runtime_of(request)
    return _shown(await runtime.lanes.read.run(runtime.jobs.cancel, job), 200)


def _upload(runtime: Runtime, form: FormData) -> Job:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidBody([{"field": "file", "message": "no file; send one: -F file=@FILE"}])
    if unknown := set(form.keys()) - {"file", "map"}:
        raise InvalidBody([{"field": sorted(unknown)[0], "message": "there is no such field"}])
    suffix = Path(file.filename or "").suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidRequest(
            f"file {(file.filename or '')[:80]!r} is of an unknown kind, allowed are "
            f"{', '.join(SUFFIXES)}"
        )
    map = [text for text in form.getlist("map") if isinstance(text, str)]
    folder = runtime.jobs.place()
    try:
        path = folder / f"items{suffix}"
        _copy(file, path)
        name = Path(file.filename or "").name[:200]
        return runtime.jobs.submit(path, name, map, folder=folder, uploaded=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _copy(file: UploadFile, path: Path) -> None:
    try:
        with path.open("wb") as out:
            shutil.copyfileobj(file.file, out, 1 << 20)
    except OSError as exc:
        raise StorageFull(f"the upload cannot be kept: {exc.strerror}") from exc


def _path(runtime: Runtime, body: ImportPathIn) -> Job:
    folder = runtime.jobs.place()
    try:
        path = Path(body.path)
        return runtime.jobs.submit(path, path.name, body.map, folder=folder, uploaded=False)
    except ValueError as exc:  # a null character
        raise InvalidRequest(f"path cannot be read: {exc}") from exc
    finally:
        if not (folder / "job.json").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _shown(job: Job, status: int) -> Response:
    headers: dict[str, Any] = {"location": f"/import/{job.job}"} if status == 202 else {}
    return json_response(written(job.shown()), status, headers)
