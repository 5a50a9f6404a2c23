"""Questions as they come over the wire, put to the engine; answers as they go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from crosslens.api.answers import written
from crosslens.api.schemas import SearchIn, answer_object, staged_object
from crosslens.errors import CrosslensError, NotFound
from crosslens.search.engine import Searcher
from crosslens.search.present import Answer
from crosslens.search.request import SearchRequest
from crosslens.search.stage import Asking, Stage

Imagined: TypeAlias = Mapping[str, Any] | None
"""The picture that was drawn for a question, as answers tell it."""

_SHALLOW = 100  # hits from the best one on


def is_light(asked: SearchIn) -> bool:
    """Whether a question takes about as long as any other, so that none waits for it in a wave."""
    heavy = (
        asked.pictures or asked.facets or asked.product_id is not None or asked.scene
        or asked.imagine
    )  # fmt: skip
    return not heavy and asked.offset + asked.limit <= _SHALLOW


def answer(
    engine: Searcher, asked: SearchIn, pictures: tuple[bytes, ...], imagined: Imagined = None
) -> bytes:
    """
    Answer a question: JSON.

    Raises:
        CrosslensError: see SearchEngine.search.
    """
    return written(answer_object(engine.search(asked.to_request(pictures))) | _told(imagined))


def staged(
    stage: Stage | None, asked: SearchIn, pictures: tuple[bytes, ...], imagined: Imagined = None
) -> bytes:
    """
    Answer a question within a scene: JSON.

    Raises:
        NotFound: there is no such scene.
        CrosslensError: see Stage.search.
    """
    if stage is None or asked.scene is None:
        raise NotFound("this service has no scenes")
    asking = Asking(asked.scene, asked.user, asked.experiments, asked.debug)
    found = stage.search(asked.to_request(pictures), asking)
    return written(staged_object(found) | _told(imagined))


def answers(engine: Searcher, asked: Sequence[SearchIn]) -> list[bytes | CrosslensError]:
    """Answer light questions in one go: JSON for each, or why there is none."""
    requests = [_request(one) for one in asked]
    sound = [request for request in requests if isinstance(request, SearchRequest)]
    found = iter(engine.search_many(sound))
    outcomes = [r if isinstance(r, CrosslensError) else next(found) for r in requests]
    return [written(answer_object(each)) if isinstance(each, Answer) else each for each in outcomes]


def _request(asked: SearchIn) -> SearchRequest | CrosslensError:
    try:
        return asked.to_request(())
    except CrosslensError as exc:
        return exc


def _told(imagined: Imagined) -> dict[str, Any]:
    return {} if imagined is None else {"imagined": imagined}
