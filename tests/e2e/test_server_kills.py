"""Over MariaDB and Milvus, with any of the processes killed: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
from contextlib import closing
from pathlib import Path

import pytest

import servers
from fleet import fleet
from storm import Storm

KILLS = int(os.environ.get("CROSSLENS_TEST_SERVER_KILLS", "20"))  # noqa: TID251 - a knob of tests
ODDS = {"api 0": 0.2, "worker 0": 0.4, "mariadb": 0.4}


@pytest.mark.mysql
@pytest.mark.milvus
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whoever_is_killed_no_acknowledged_write_is_lost(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """
    Kill as often as CROSSLENS_TEST_SERVER_KILLS says; Milvus once, since it takes its time.
    """
    draw = random.Random(11)
    try:
        with fleet(tmp_path / "home") as fleet_:
            storm = Storm.over(fleet_, writers=2)
            blows = storm.bombard(draw, ODDS, kills=KILLS, longest_s=2.2)
            with storm.raging(), closing(blows):
                for kills in blows:
                    if kills == KILLS // 2 and fleet_.vectors.shoot():
                        storm.struck["milvus"] += 1
            verdict = storm.verdict()
    except servers.Absent as exc:
        if request.config.getoption("--require-servers"):
            raise
        pytest.skip(str(exc))
    print(f"{dict(storm.struck)}, {storm.writes} writes, {verdict}")
    assert verdict.clean, verdict
    assert storm.writes > KILLS
