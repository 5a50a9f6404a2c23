"""The log of answers and feedback in SQL, beside the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, tuple_

from crosslens.catalog.connection import writing
from crosslens.catalog.exposures import Action, Exposure, Feedback, Shown, Told
from crosslens.catalog.failures import translated
from crosslens.catalog.rows import as_datetime, as_micros, chunks
from crosslens.catalog.schema import exposures as answers_table
from crosslens.catalog.schema import feedback as feedback_table
from crosslens.errors import NotFound

_e, _f = answers_table.c, feedback_table.c
_PAGE = 500
_ONE = select(answers_table).where(_e.answer == bindparam("answer"))
_KNOWN = select(_e.answer).where(_e.answer.in_(bindparam("answers", expanding=True)))
_TOLD = (
    select(feedback_table)
    .where(_f.answer.in_(bindparam("answers", expanding=True)))
    .order_by(_f.answer, _f.place, _f.action)
)
_OLD = select(_e.answer).where(_e.shown_at < bindparam("before")).limit(_PAGE)
_FORGET = delete(answers_table).where(_e.answer.in_(bindparam("answers", expanding=True)))
_FORGET_TOLD = delete(feedback_table).where(_f.answer.in_(bindparam("answers", expanding=True)))


class SqlExposures:
    """An `ExposureStore` in the catalogue's database; the engine belongs to who made it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = writing(engine)

    def log(self, exposures: Sequence[Exposure]) -> None:
        """Write answers down."""
        rows = {each.answer: _row(each) for each in exposures}
        with translated(), self._writer.begin() as connection:
            for part in chunks(rows):
                known = set(connection.scalars(_KNOWN, {"answers": part}))
                if fresh := [rows[answer] for answer in part if answer not in known]:
                    connection.execute(insert(answers_table), fresh)

    def exposure(self, answer: str) -> Exposure:
        """Read one answer."""
        with translated(), self._engine.connect() as connection:
            row = connection.execute(_ONE, {"answer": answer}).one_or_none()
        if row is None:
            raise NotFound(f"there is no answer {answer!r}")
        return _exposure(row)

    def tell(self, feedback: Sequence[Feedback]) -> int:
        """Write feedback down."""
        rows = {(each.answer, each.product_id, each.action.value): each for each in feedback}
        new = 0
        with translated(), self._writer.begin() as connection:
            for part in chunks(rows):
                known = _known(connection, part)
                fresh = [_told_row(rows[key]) for key in part if key not in known]
                if fresh:
                    connection.execute(insert(feedback_table), fresh)
                new += len(fresh)
        return new

    def read(
        self, scene: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Told]:
        """Yield the answers of a scene, page after page."""
        wanted = select(answers_table).where(_e.scene == scene)
        if since is not None:
            wanted = wanted.where(_e.shown_at >= as_micros(since))
        if until is not None:
            wanted = wanted.where(_e.shown_at < as_micros(until))
        page, after = wanted.order_by(_e.shown_at, _e.answer).limit(_PAGE), None
        while True:
            later = page if after is None else page.where(tuple_(_e.shown_at, _e.answer) > after)
            with translated(), self._engine.connect() as connection:
                rows = connection.execute(later).all()
                told = _feedback(connection, [row.answer for row in rows])
            for row in rows:
                yield Told(_exposure(row), tuple(told.get(row.answer, ())))
            if len(rows) < _PAGE:
                return
            after = (rows[-1].shown_at, rows[-1].answer)

    def forget(self, before: datetime) -> int:
        """Forget old answers, a page at a time."""
        gone = 0
        while True:
            with translated(), self._writer.begin() as connection:
                old = list(connection.scalars(_OLD, {"before": as_micros(before)}))
                if not old:
                    return gone
                connection.execute(_FORGET_TOLD, {"answers": old})
                connection.execute(_FORGET, {"answers": old})
            gone += len(old)

    def close(self) -> None:
        """Do nothing: the engine belongs to who made it."""


def _known(connection: Connection, keys: Sequence[tuple[str, int, str]]) -> set[tuple[Any, ...]]:
    answers = {"answers": list({key[0] for key in keys})}
    return {(row.answer, row.product_id, row.action) for row in connection.execute(_TOLD, answers)}


def _feedback(connection: Connection, answers: Sequence[str]) -> dict[str, list[Feedback]]:
    told: dict[str, list[Feedback]] = {}
    for part in chunks(answers):
        for row in connection.execute(_TOLD, {"answers": part}):
            at = as_datetime(row.told_at)
            each = Feedback(row.answer, row.product_id, Action(row.action), row.place, at)
            told.setdefault(row.answer, []).append(each)
    return told


def _row(exposure: Exposure) -> dict[str, Any]:
    return {
        "answer": exposure.answer,
        "shown_at": as_micros(exposure.at),
        "scene": exposure.scene,
        "asker": exposure.user,
        "experiments": dict(exposure.experiments),
        "asked": dict(exposure.asked),
        "shown": [[s.product_id, s.score, dict(s.scores), s.team] for s in exposure.shown],
        "first": exposure.first,
    }


def _exposure(row: Any) -> Exposure:
    return Exposure(
        answer=row.answer,
        at=as_datetime(row.shown_at),
        scene=row.scene,
        user=row.asker,
        experiments=row.experiments,
        asked=row.asked,
        shown=tuple(Shown(*each) for each in row.shown),
        first=row.first,
    )


def _told_row(told: Feedback) -> dict[str, Any]:
    return {
        "answer": told.answer,
        "product_id": told.product_id,
        "action": told.action.value,
        "place": told.rank,
        "told_at": as_micros(told.at),
    }
