"""What processes over one catalogue learn of each other's switches of bundles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crosslens.catalog.clock import SetClock
from crosslens.catalog.connection import open_engine
from crosslens.catalog.switches import SqlSwitches

FIRST = {"cross_modal": "first", "text": "", "looks": ""}


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
def switches(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlSwitches]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'catalog.db'}"
    else:
        url = request.getfixturevalue(request.param).new_database()
    engine = open_engine(url, busy_s=5, clock=SetClock())
    yield SqlSwitches(engine)
    engine.dispose()


def test_before_the_first_switch_settings_are_right(switches):
    assert switches.serving(FIRST) == FIRST


def test_a_switch_reaches_those_whose_settings_name_what_was_replaced(switches):
    switches.note(FIRST, {**FIRST, "cross_modal": "second"})
    assert switches.serving(FIRST) == {**FIRST, "cross_modal": "second"}
    second = {**FIRST, "cross_modal": "second"}
    assert switches.serving(second) == second


def test_whoever_has_a_third_in_mind_is_left_alone_until_it_is_switched_to(switches):
    third = {**FIRST, "cross_modal": "third"}
    switches.note(FIRST, {**FIRST, "cross_modal": "second"})
    assert switches.serving(third) == third
    switches.note(third, third)  # as a rebuild does
    for name in ("first", "second", "third"):
        assert switches.serving({**FIRST, "cross_modal": name}) == third


def test_one_can_go_back(switches):
    second = {**FIRST, "cross_modal": "second"}
    switches.note(FIRST, second)
    switches.note(second, FIRST)
    assert switches.serving(FIRST) == switches.serving(second) == FIRST


def test_purposes_do_not_mix_and_names_are_compared_exactly(switches):
    switches.note(FIRST, {"cross_modal": "first", "text": "第二 ", "looks": ""})
    assert switches.serving(FIRST) == {"cross_modal": "first", "text": "第二 ", "looks": ""}
    other = {**FIRST, "text": "第二"}
    assert switches.serving(other) == other


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_often_it_is_switched_all_former_ones_lead_to_the_last(tmp_path, names):
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}", busy_s=5, clock=SetClock())
    switches = SqlSwitches(engine)
    begun = switches.serving({"text": "a"})
    for name in names:
        switches.note({"text": "a"}, {"text": name})
    served = {begun["text"], "a", *names}
    assert {switches.serving({"text": name})["text"] for name in served} == {names[-1]}
    engine.dispose()
