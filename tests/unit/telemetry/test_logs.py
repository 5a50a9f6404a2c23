from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextvars import copy_context

import pytest
import structlog

from crosslens.telemetry import callers, configure, logger
from crosslens.telemetry.logs import _Libraries, quieten
from house import House

ErrText = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    structlog.reset_defaults()
    quieten()
    yield
    structlog.reset_defaults()
    quieten()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Libraries)]:
        root.removeHandler(handler)


def lines(capsys: ErrText) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_lines_of_ours_and_of_libraries_are_objects_with_the_requests_id(capsys: ErrText) -> None:
    configure(format="json")

    def answer() -> None:
        callers.name("abc")
        logger("api").warning("odd", size=1)
        logging.getLogger("some.library").error("it said %s", "no")

    copy_context().run(answer)
    ours, theirs = lines(capsys)
    assert (ours["event"], ours["part"], ours["request"]) == ("odd", "api", "abc")
    assert (theirs["event"], theirs["part"]) == ("it said no", "some.library")
    assert theirs["request"] == "abc"
    assert theirs["level"] == "error"


def test_what_broke_is_told_in_one_line(capsys: ErrText) -> None:
    configure(format="json")
    try:
        raise ValueError("no such shoe")
    except ValueError as exc:
        logger("api").error("it broke", exc_info=exc)
    [line] = lines(capsys)
    assert "ValueError: no such shoe" in str(line["exception"])


@pytest.mark.parametrize("format", ["json", "text"])
def test_a_password_is_not_written(capsys: ErrText, format: str) -> None:
    configure(format=format)  # type: ignore[arg-type]
    logger("worker").warning("worker waits", error="mysql://shop:hunter2@db is away")
    said = capsys.readouterr().err
    assert "shop:***@db" in said
    assert "hunter2" not in said


def test_lines_below_the_level_are_not_written_unless_all_are_wanted(capsys: ErrText) -> None:
    configure(format="json", level="error")
    logger("api").warning("unheard")
    logging.getLogger("some.library").warning("unheard")
    configure(format="json", level="error", verbose=True)
    logger("api").debug("heard")
    assert [line["event"] for line in lines(capsys)] == ["heard"]


def test_used_as_a_library_it_writes_warnings_alone_and_none_to_stdout(capsys: ErrText) -> None:
    logger("worker").info("settled")
    logger("worker").warning("it waits")
    said = capsys.readouterr()
    assert said.out == ""
    assert "it waits" in said.err
    assert "settled" not in said.err


def test_a_library_is_heard_once_however_often_logs_are_set_up(capsys: ErrText) -> None:
    configure(format="json")
    configure(format="json")
    logging.getLogger("some.library").warning("once")
    assert len(lines(capsys)) == 1


def test_each_batch_of_a_worker_has_an_id_of_its_own(capsys: ErrText) -> None:
    configure(format="json", level="info")
    house = House()
    house.add("silver teapot")
    house.worker().drain()
    house.add("silver teaspoon")
    house.worker().drain()
    first, second = lines(capsys)
    assert first["event"] == second["event"] == "settled"
    assert first["request"]
    assert second["request"]
    assert first["request"] != second["request"]


def test_titles_and_questions_are_not_written(capsys: ErrText) -> None:
    from crosslens.search.request import SearchRequest

    configure(format="json", verbose=True)
    house = House()
    house.add("silver teapot")
    house.worker().drain()
    house.engine().search(SearchRequest("teapot of my aunt"))
    said = capsys.readouterr().err
    assert said
    assert "teapot" not in said
