"""
Kill API, worker and every server at random while products are written, and count what is lost.

    python benchmarks/kills.py --kills 1000 --minutes 60 --log /tmp/kills.jsonl
    python benchmarks/kills.py --figures /tmp/kills.jsonl

Kills come every three seconds on average, or as `--longest-s` says, whatever the processes are at,
also starting; a machine that is slow needs longer to write anything between them. How long the
service needs is counted from the last kill of a series until it reads, searches and indexes.
Every hundred kills the writers pause, and everything is compared: each acknowledged write with the
catalogue, the index with the catalogue (without repair), and what was deleted with what is served.
The servers are those of the tests: MariaDB from Debian, Milvus 2.3.5 from PyPI, and the mock broker
of librdkafka, by whose way changes travel and which forgets everything when it is killed.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fleet import fleet
from storm import Storm

ODDS = {"api 0": 0.12, "worker 0": 0.24, "mariadb": 0.42, "kafka": 0.18, "milvus": 0.04}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--longest-s", type=float, default=5.5, help="between two kills")
    parser.add_argument("--pause", type=int, default=100, help="kills between two comparisons")
    parser.add_argument("--only", nargs="+", choices=ODDS, default=list(ODDS), help="who is killed")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--log", type=Path, default=Path("kills.jsonl"))
    parser.add_argument(
        "--figures", type=Path, nargs="+", help="print the figures of logs, and nothing else"
    )
    asked = parser.parse_args()
    if asked.figures:
        print(shown(*asked.figures))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers end with it
    with tempfile.TemporaryDirectory() as home, fleet(Path(home), brokered=True) as fleet_:
        storm = Storm.over(fleet_, writers=asked.writers, seed=asked.seed)
        with asked.log.open("w", encoding="utf-8") as log:
            for told in run(storm, asked):
                log.write(json.dumps(told, ensure_ascii=False) + "\n")
                log.flush()
    print(shown(asked.log))


def run(storm: Storm, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Kill until enough were killed or the time is up; yield what to keep after each pause."""
    draw, until = random.Random(asked.seed), time.monotonic() + 60 * asked.minutes
    odds = {name: ODDS[name] for name in asked.only}
    while storm.kills < asked.kills and time.monotonic() < until:
        goal = min(asked.kills, storm.kills + asked.pause)
        blows = storm.bombard(draw, odds, kills=goal - storm.kills, longest_s=asked.longest_s)
        with storm.raging(), closing(blows):
            for kills in blows:
                print(kills, storm.writes, flush=True)
                if time.monotonic() > until:
                    break
        verdict = storm.verdict()
        yield {
            "struck": dict(storm.struck),
            "recovery": storm.recovery,
            "writes": storm.writes,
            "searches": dict(storm.seeker.statuses),
            "deleted": sum(len(writer.gone) for writer in storm.writers),
            **asdict(verdict),
        }
        worst = replace(verdict, odd=[])  # those are told at the end, and end nothing
        assert worst.clean, verdict


def shown(*logs: Path) -> str:
    """Say what one run or several have, for people."""
    last = [lines[-1] for log in logs if (lines := log.read_text("utf-8").splitlines())]
    if not last:
        return "no run has come to its first comparison yet"
    told = added([json.loads(line) for line in last])
    struck: Counter[str] = Counter(told["struck"])
    lines = [f"{struck.total()} kills: " + ", ".join(f"{n} × {name}" for name, n in struck.items())]
    lines.append(
        f"{told['writes']} writes acknowledged, {len(told['lost'])} lost, {told['doubled']} "
        f"doubled; {told['deleted']} deleted, {len(told['served'])} of them served; "
        f"{told['audit']} products in which the index differed, {told['parked']} parked; "
        f"{told['products']} products at the end; searches by status {told['searches']}; "
        f"{len(told['odd'])} odd answers {told['odd'][:3]}"
    )
    for name in ODDS:
        alone = told["recovery"].get(name)
        if alone:
            lines.append(_times(name, alone))
    every = [seconds for part in told["recovery"].values() for seconds in part]
    lines.append(_times("all", every))
    return "\n".join(lines)


def added(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up what runs tell: numbers, lists, and those by name."""
    first, *others = runs
    for other in others:
        for name, value in other.items():
            if isinstance(value, dict):
                ours = first[name]
                ours.update(
                    {key: ours[key] + more if key in ours else more for key, more in value.items()}
                )
            else:
                first[name] += value
    return first


def _times(name: str, seconds: list[float]) -> str:
    return (
        f"ready again, {name}: median {statistics.median(seconds):.1f} s, "
        f"longest {max(seconds):.1f} s ({len(seconds)} times)"
    )


if __name__ == "__main__":
    main()
