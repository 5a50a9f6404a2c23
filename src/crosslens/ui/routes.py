"""What a browser fetches beside the page itself: pictures, uploads, reports, and the door."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from crosslens.client import Client
from crosslens.errors import CrosslensError, NotFound, Unauthenticated
from crosslens.ui.house import COOKIE, house
from crosslens.ui.pictures import MOST_BYTES, HandedIn, media_type

MOST_IMPORT_BYTES = 2_000_000_000
MOST_JUDGEMENT_BYTES = 20_000
_FOR_EVER = "private, max-age=31536000, immutable"
_NAME = re.compile(r"[^\w.-]+")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_USED = 10
_USES = {"search": ("/", {}), "draft": ("/catalogue", {"product": "new"})}
_SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        self.status = status
        self.why = why


def routes(handed_in: HandedIn) -> list[BaseRoute]:
    """List the paths of the page server that are not Streamlit's."""

    async def show(request: Request) -> Response:
        return await run_in_threadpool(_picture, request)

    async def show_asked(request: Request) -> Response:
        content = await run_in_threadpool(handed_in.get, request.path_params["digest"])
        return Response(status_code=404) if content is None else _shown(content)

    async def ask(request: Request) -> Response:
        content = b"".join([part async for part in _body(request, MOST_BYTES)])
        digest = await run_in_threadpool(handed_in.put, content)
        if digest is None:
            raise _Refused(422, "no picture")
        return JSONResponse({"picture": digest}, 201)

    return [
        Route("/picture/{product:int}/{n:int}", _guarded(show)),
        Route("/asked/{digest}", _guarded(show_asked)),
        Route("/asked", _guarded(ask), methods=["POST"]),
        Route("/drawn/{digest}", _guarded(_drawn)),
        Route("/use/{how}", _guarded(_use)),
        Route("/handed", _guarded(_import), methods=["POST"]),
        Route("/report/{job}", _guarded(_report)),
        Route("/judgement", _guarded(_judge), methods=["POST"]),
        Route("/door", _guarded(_enter), methods=["POST"]),
        Route("/door", _guarded(_leave), methods=["DELETE"]),
    ]


def visitor(request: Request) -> Client:
    """Return the client of whoever asks."""
    return house.client(request.cookies.get(COOKIE))


def csv_of(rows: Iterable[dict[str, Any]]) -> str:
    """Write bad records as CSV; a cell that a spreadsheet would compute is kept as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["line", "key", "reason"])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in ("line", "key", "reason")])
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _guarded(serve: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Answer errors with their status, and let no other site write."""

    async def guarded(request: Request) -> Response:
        try:
            if request.method not in ("GET", "HEAD"):
                _require_own_page(request)
            answer: Response = await serve(request)
        except _Refused as exc:
            return JSONResponse({"why": exc.why}, exc.status)
        except CrosslensError as exc:
            return JSONResponse({"why": exc.message, "hint": exc.hint, "code": exc.code}, 400)
        return answer

    return guarded


def _require_own_page(request: Request) -> None:
    origin = urlsplit(request.headers.get("origin", "")).netloc
    if not origin or origin != request.headers.get("host"):
        raise _Refused(403, "only this page may ask this")


def _picture(request: Request) -> Response:
    wanted = request.query_params
    size = wanted.get("size", "")
    product, n = request.path_params["product"], request.path_params["n"]
    try:
        content = visitor(request).picture(
            product, n, size=int(size) if size.isdecimal() and len(size) < 6 else 512
        )
    except NotFound:
        return Response(status_code=404)
    return _shown(content, "image/jpeg", "private, no-cache" if "v" not in wanted else _FOR_EVER)


async def _drawn(request: Request) -> Response:
    digest = request.path_params["digest"]
    if not _DIGEST.fullmatch(digest):
        return Response(status_code=404)
    try:
        content = await run_in_threadpool(visitor(request).drawn_picture, digest)
    except NotFound:
        return Response(status_code=404)
    return _shown(content, "image/png")


async def _use(request: Request) -> Response:
    """Hand pictures in that were drawn, and lead to the page that goes on with them."""
    asked = request.query_params
    path, params = _USES.get(request.path_params["how"], ("/", {}))
    digests = [each for each in asked.getlist("picture") if _DIGEST.fullmatch(each)]
    for digest in digests[:_MOST_USED]:
        await run_in_threadpool(_hand_in, visitor(request), digest)
    said = [("picture", each) for each in digests[:_MOST_USED]]
    said += [(name, asked[name]) for name in ("title", "lang") if name in asked]
    return RedirectResponse(f"{path}?{urlencode([*params.items(), *said])}", 303)


def _hand_in(client: Client, digest: str) -> None:
    try:
        house.pictures.put(client.drawn_picture(digest))
    except NotFound:  # the page that is led to says so
        return


def _shown(content: bytes, kind: str = "", keep: str = _FOR_EVER) -> Response:
    headers = {"cache-control": keep, "x-content-type-options": "nosniff"}
    return Response(content, media_type=kind or media_type(content), headers=headers)


async def _body(request: Request, most: int) -> Any:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _Refused(413, "too large")
        yield part


async def _import(request: Request) -> Response:
    name = _NAME.sub("_", Path(request.query_params.get("name", "")).name)[-100:] or "items"
    with TemporaryDirectory(prefix="crosslens-") as folder:
        file = Path(folder) / name
        with file.open("wb") as out:
            async for part in _body(request, MOST_IMPORT_BYTES):
                out.write(part)
        job = await run_in_threadpool(visitor(request).import_file, file)
    return JSONResponse({"job": job.id}, 202)


async def _report(request: Request) -> Response:
    client, wanted = visitor(request), request.path_params["job"]
    job = await run_in_threadpool(client.import_job, wanted)
    rows = await run_in_threadpool(client.left_out, wanted)
    name = f"{_NAME.sub('_', job.source)[:60]}-left-out.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(csv_of(rows).encode(), media_type="text/csv; charset=utf-8", headers=headers)


async def _judge(request: Request) -> Response:
    content = b"".join([part async for part in _body(request, MOST_JUDGEMENT_BYTES)])
    try:
        asked = json.loads(content)
        name, words, grades = str(asked["set"]), str(asked["words"]), dict(asked["grades"])
    except (ValueError, KeyError, TypeError) as exc:
        raise _Refused(422, "no judgement") from exc
    if not _SET.fullmatch(name):
        raise _Refused(422, "no name of a set")
    now = await run_in_threadpool(visitor(request).judge, name, words, grades)
    return JSONResponse({"grades": now})


async def _enter(request: Request) -> Response:
    key = (
        b"".join([part async for part in _body(request, 1_000)]).decode("utf-8", "replace").strip()
    )
    token = house.let_in(key)
    try:
        await run_in_threadpool(house.client(token).models)
    except Unauthenticated as exc:
        raise _Refused(401, "unknown key") from exc
    answer = JSONResponse({"open": True})
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", max_age=30 * 86_400)
    return answer


async def _leave(request: Request) -> Response:
    answer = JSONResponse({"open": False})
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
