"""Paths of drawing: pictures for words, at once or as a task."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from crosslens.api import bodies, openapi
from crosslens.api.answers import json_response, written
from crosslens.api.entrance import allow, runtime_of
from crosslens.api.keys import Role
from crosslens.api.problems import problem, request_id_of
from crosslens.api.runtime import Runtime
from crosslens.api.schemas import AttributeIn, MadeOut, ProductOut, Wire, product_object
from crosslens.api.tasks import Progress
from crosslens.api.upkeep import TaskId, TaskOut, how_far
from crosslens.catalog.product import MAX_DESCRIPTION, MAX_TITLE, ProductFields
from crosslens.errors import CrosslensError, NotFound, Overloaded
from crosslens.generate.generator import About, silent, size_of
from crosslens.generate.provenance import read_provenance
from crosslens.generate.studio import Made, Studio
from crosslens.generate.wish import MAX_GUIDANCE, MAX_PROMPT, MAX_STEPS, MOST, SEEDS, Wish

router = APIRouter(tags=["generate"])

Draws = allow(Role.WRITE, lambda lanes: lanes.draw)
Reads = allow(Role.READ, lambda lanes: lanes.read)
Cancels = allow(Role.WRITE, lambda lanes: lanes.write)
AT_ONCE = 2  # pictures that are waited for; more become a task
MOST_NATIVE = 256  # pixels of a side, from which on pictures take too long to be waited for
_FOR_EVER = "private, max-age=31536000, immutable"
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


class NewProductIn(Wire):
    """A product to add with the pictures; its title is the prompt unless said."""

    title: str | None = Field(None, min_length=1, max_length=MAX_TITLE)
    description: str = Field("", max_length=MAX_DESCRIPTION)
    attributes: dict[str, AttributeIn] = Field(default_factory=dict)


class GenerateIn(Wire):
    """What to draw."""

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT, examples=["red striped t-shirt"])
    negative: str = Field("", max_length=MAX_PROMPT, description="what it is to be unlike")
    n: int = Field(1, ge=1, le=MOST, description="how many pictures")
    size: int | None = Field(None, ge=1, le=8_192, description="side in pixels", examples=[256])
    steps: int | None = Field(None, ge=1, le=MAX_STEPS, description="more take longer")
    guidance: float | None = Field(
        None, ge=0, le=MAX_GUIDANCE, description="how strictly the words are followed"
    )
    seed: int | None = Field(
        None, ge=0, lt=SEEDS, description="the same gives the same picture; drawn unless said"
    )
    generator: str | None = Field(None, min_length=1, max_length=500)
    background: bool = Field(False, description="answer with a task, however small the work is")
    product: NewProductIn | None = None

    def wish(self) -> Wish:
        """
        Return what is wanted.

        Raises:
            InvalidRequest: it makes no sense.
        """
        return Wish(
            prompt=self.prompt,
            negative=self.negative,
            n=self.n,
            size=self.size or 0,
            steps=self.steps or 0,
            guidance=self.guidance,
            seed=secrets.randbelow(SEEDS) if self.seed is None else self.seed,
        )


class GenerateOut(Wire):
    """The pictures, and the product that was added with them."""

    generator: str
    prompt: str
    pictures: list[MadeOut]
    product: ProductOut | None
    took_ms: float


class GeneratorOut(Wire):
    """What draws, and all that may be named; `error`: why it cannot, then nothing else is known."""

    generators: list[str]
    name: str
    languages: list[str]
    native_px: int
    sizes: list[int]
    steps: int
    guidance: float
    licence: str
    note: str
    error: str | None


@router.post(
    "/generate",
    dependencies=[Draws],
    response_model=GenerateOut,
    responses=openapi.problems(404, 413, 415, 422, 503, 507)
    | {202: {"description": "A task: ask `/generate/{task}`", "model": TaskOut}},
    openapi_extra=openapi.json_body(GenerateIn, {"prompt": "red striped t-shirt", "n": 2}),
)
async def generate(request: Request) -> Response:
    """Draw pictures for words: one or two are waited for, more become a task."""
    runtime = runtime_of(request)
    sent = await bodies.receive(request)
    body = await bodies.parsed(sent.content or b"{}", GenerateIn, runtime.lanes.draw)
    wish, studio = body.wish(), studio_of(runtime)
    about = studio.known(body.generator or "")
    if about is not None:
        size_of(wish, about)
    work = partial(_generated, runtime, studio, body, wish)
    if not body.background and body.n <= AT_ONCE:
        if about is None:
            about = await runtime.lanes.draw.run(studio.about, body.generator or "")
        if about.native_px <= MOST_NATIVE:
            return json_response(written(await runtime.lanes.draw.run(work, _quiet)))
    submit = partial(runtime.drawings.submit, "generate", work, about=wish.prompt[:100])
    task = await runtime.lanes.write.run(submit)
    return json_response(written(asdict(task)), 202, {"location": f"/generate/{task.task}"})


@router.get(
    "/generate",
    dependencies=[Reads],
    response_model=GeneratorOut,
    responses=openapi.problems(404, 422),
)
async def show_generator(
    request: Request,
    generator: Annotated[
        str | None, Query(min_length=1, max_length=500, description="which; the first unless said")
    ] = None,
) -> Response:
    """Say what draws here."""
    runtime = runtime_of(request)
    studio = studio_of(runtime)
    about, error = studio.known(generator or ""), None
    if about is None:
        about, error = await _loaded(request, runtime, studio.named(generator or ""))
    told = {"generators": list(studio.names), **asdict(about), "error": error}
    return json_response(written(told))


@router.get(
    "/generate/{task}",
    dependencies=[Reads],
    response_model=TaskOut,
    responses=openapi.problems(404, 422),
)
async def show_drawing(request: Request, task: TaskId) -> Response:
    """Say how far a drawing is; its `result` is what `POST /generate` answers at once."""
    runtime = runtime_of(request)
    return await how_far(runtime, runtime.drawings, task)


@router.delete(
    "/generate/{task}",
    dependencies=[Cancels],
    response_model=TaskOut,
    responses=openapi.problems(404, 409, 422),
)
async def cancel_drawing(request: Request, task: TaskId) -> Response:
    """Break a drawing off at its next step; what was drawn before is kept for a while."""
    runtime = runtime_of(request)
    told = await runtime.lanes.write.run(runtime.drawings.cancel, task)
    return json_response(written(asdict(told)))


@router.get(
    "/generate/picture/{sha256}",
    dependencies=[Reads],
    response_class=Response,
    responses=openapi.problems(404, 422) | openapi.PICTURE,
)
async def show_drawn(request: Request, sha256: Sha256) -> Response:
    """Give a picture that was drawn, as PNG; the file says how it came to be."""
    runtime = runtime_of(request)
    content = await runtime.lanes.read.run(_drawn, runtime, sha256)
    return Response(content, 200, {"cache-control": _FOR_EVER}, media_type="image/png")


def studio_of(runtime: Runtime) -> Studio:
    """
    Return what draws.

    Raises:
        NotFound: nothing does.
    """
    if runtime.services.studio is None or not runtime.services.studio.names:
        raise NotFound("nothing draws pictures here", hint="set `generator`, or train one")
    return runtime.services.studio


async def _loaded(request: Request, runtime: Runtime, name: str) -> tuple[About, str | None]:
    """Load a generator where drawings wait, for that may take long; say why it cannot be."""
    lane = runtime.lanes.draw
    try:
        with lane.admission():
            return await lane.run(studio_of(runtime).about, name), None
    except Overloaded:
        raise
    except CrosslensError as exc:
        return About(name, (), 0, (), 0, 0.0), problem(exc, request_id_of(request))["detail"]


def _generated(
    runtime: Runtime, studio: Studio, body: GenerateIn, wish: Wish, progress: Progress
) -> Mapping[str, Any]:
    """Draw, keep, and add the product if one is wanted."""
    started = monotonic()
    made = studio.draw(
        wish, name=body.generator or "", step=lambda done, total: progress("drawing", done, total)
    )
    product = None
    if body.product is not None:
        fields = _fields(body.product, wish.prompt)
        added = runtime.services.editor.add(fields, [each.content for each in made])
        product = product_object(added, {added.id: None})
    return {
        "generator": made[0].provenance.generator,
        "prompt": wish.prompt,
        "pictures": list(map(made_object, made)),
        "product": product,
        "took_ms": round(1_000 * (monotonic() - started), 1),
    }


def _fields(product: NewProductIn, prompt: str) -> ProductFields:
    given: Any = product.attributes
    return ProductFields(product.title or prompt.strip()[:MAX_TITLE], product.description, given)


def made_object(made: Made) -> dict[str, Any]:
    """Turn a picture that was drawn into wire values."""
    return {
        "sha256": made.sha256,
        "url": f"/generate/picture/{made.sha256}",
        "size": made.provenance.size,
        "seed": made.provenance.seed,
    }


def _drawn(runtime: Runtime, sha256: str) -> bytes:
    studio = runtime.services.studio
    imagined = None if studio is None else studio.imagined(sha256)
    content = imagined or runtime.services.media.get(sha256)
    if not content.startswith(b"\x89PNG") or read_provenance(content) is None:
        raise NotFound(f"there is no drawn picture {sha256[:16]}…")
    return content


def _quiet(phase: str, done: int, total: int) -> None:
    del phase
    silent(done, total)
