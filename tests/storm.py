"""Writes and searches while processes are killed, and what must be true afterwards."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from crosslens.catalog.sql import SqlCatalog
from fakes import jpeg
from fleet import Fleet

_AGAIN_S = 0.15
_SETTLE_S = 300.0


@dataclass
class Writer:
    """
    Writes products of its own, each write as often as it takes to be acknowledged.

    Attributes:
        held: product → the title that was acknowledged last; deleted ones are not there.
        gone: product → title of what was acknowledged as deleted.
        odd: answers that are neither a success nor ask to come again.
    """

    name: str
    urls: Sequence[str]
    seed: int
    held: dict[int, str] = field(default_factory=dict)
    gone: dict[int, str] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    writes: int = 0
    given_up: bool = False

    def run(self, stop: threading.Event) -> None:
        """Add, edit and delete until told to stop; the last write is finished."""
        draw = random.Random(self.seed)
        with httpx.Client(timeout=40) as http:
            while not stop.is_set():
                self._write(http, draw)
                self.writes += 1
                stop.wait(draw.uniform(0, 0.1))

    def _write(self, http: httpx.Client, draw: random.Random) -> None:
        title = f"{self.name}x{self.writes} shoe"
        kind = draw.random()
        if kind < 0.5 or not self.held:
            shown = [_picture(draw) for _ in range(draw.choice((0, 0, 0, 1, 2)))]
            made = self._sent(http, "POST", "/product", {"title": title, "pictures": shown})
            self.held[made["product_id"]] = title
            return
        product = draw.choice(list(self.held))
        if kind < 0.8:
            changes: dict[str, Any] = {"title": title}
            if kind < 0.6:
                changes["pictures"] = [_picture(draw)]
            self._sent(http, "PATCH", f"/product/{product}", changes)
            self.held[product] = title
        else:
            self._sent(http, "DELETE", f"/product/{product}", None)
            self.gone[product] = self.held.pop(product)

    def _sent(self, http: httpx.Client, method: str, path: str, body: Any) -> Any:
        """Repeat a write, under one key, until it is acknowledged."""
        key = {"Idempotency-Key": f"{self.name}-{self.seed}-{self.writes}"}
        for attempt in range(10_000):
            assert not self.given_up, "the storm was broken off"
            url = self.urls[(self.writes + attempt) % len(self.urls)]
            try:
                answer = http.request(method, url + path, json=body, headers=key)
            except httpx.TransportError:
                time.sleep(_AGAIN_S)
                continue
            if answer.is_success:
                return answer.json() if answer.content else None
            if method == "DELETE" and attempt and answer.status_code == 404:
                return None  # deleted before, and the answer was lost
            if answer.status_code not in (429, 503):
                self.odd.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            time.sleep(_AGAIN_S)
        raise AssertionError(f"{method} {path} is never acknowledged")


@dataclass
class Seeker:
    """Looks for what was deleted, which nobody may find any more."""

    urls: Sequence[str]
    writers: Sequence[Writer]
    statuses: Counter[int] = field(default_factory=Counter)
    served: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Search until told to stop."""
        draw = random.Random(1)
        with httpx.Client(timeout=40) as http:
            while not stop.wait(0.1):
                writer = draw.choice(self.writers)
                gone = list(writer.gone.items())
                product, title = draw.choice(gone) if gone else (0, "shoe")
                self._search(http, draw.choice(self.urls), product, title)

    def _search(self, http: httpx.Client, url: str, product: int, title: str) -> None:
        try:
            answer = http.post(f"{url}/search", json={"words": title, "limit": 20})
        except httpx.TransportError:
            self.statuses[0] += 1
            return
        self.statuses[answer.status_code] += 1
        if answer.is_success and product in {h["product_id"] for h in answer.json()["hits"]}:
            self.served.append(f"{product}: {title}")


@dataclass
class Verdict:
    """
    What is left of it all.

    Attributes:
        lost: acknowledged writes that the catalogue does not show.
        doubled: products that the catalogue or the index holds twice, or that nobody wrote.
        audit: products that catalogue and index disagree about, before any repair.
        served: deleted products that a search gave.
        odd: answers to writes that should not be.
    """

    products: int
    lost: list[str]
    doubled: int
    audit: int
    parked: int
    served: list[str]
    odd: list[str]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        wrong = (self.lost, self.doubled, self.audit, self.parked, self.served, self.odd)
        return not any(wrong)


@dataclass
class Storm:
    """Writers and a seeker over a fleet, whose members are killed meanwhile."""

    fleet: Fleet
    writers: list[Writer]
    seeker: Seeker
    struck: Counter[str] = field(default_factory=Counter)
    recovery: dict[str, list[float]] = field(default_factory=dict)
    deadly: str = ""
    known: int = 0  # products of others, which were there before

    @classmethod
    def over(cls, fleet: Fleet, *, writers: int, seed: int = 7) -> Storm:
        """Begin one; it does nothing yet."""
        own = [Writer(f"w{n}", fleet.urls, seed * 100 + n) for n in range(writers)]
        return cls(fleet, own, Seeker(fleet.urls, own))

    @property
    def writes(self) -> int:
        """How many were acknowledged."""
        return sum(writer.writes for writer in self.writers)

    @property
    def kills(self) -> int:
        """How many there were."""
        return self.struck.total()

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Write and search until the block ends; what fails there is raised here."""
        stop, failures = threading.Event(), list[BaseException]()

        def guarded(run: Callable[[threading.Event], None]) -> None:
            try:
                run(stop)
            except BaseException as exc:  # noqa: BLE001 - raised below
                failures.append(exc)

        runs = [*(writer.run for writer in self.writers), self.seeker.run]
        threads = [threading.Thread(target=guarded, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        try:
            yield
            self.fleet.await_ready()  # so that the last writes can be finished
        except BaseException:
            for writer in self.writers:
                writer.given_up = True
            raise
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for failure in failures:
            raise failure

    def strike(self, draw: random.Random, odds: dict[str, float], *, most: int) -> None:
        """Kill one or several members, drawn by their odds, and see everything well again."""
        names = list(odds)
        count = draw.randint(1, most)
        chosen = set(draw.choices(names, [odds[name] for name in names], k=count))
        seconds = self.fleet.strike(sorted(chosen))
        self.struck.update(chosen)
        self.recovery.setdefault("+".join(sorted(chosen)), []).append(seconds)

    def bombard(
        self, draw: random.Random, odds: dict[str, float], *, kills: int, longest_s: float = 5.5
    ) -> Iterator[int]:
        """
        Kill one member after another, whatever they are at; yield how many there were.

        Args:
            longest_s: between two kills; 0.3 s is the shortest.
        """
        members = {member.name: member for member in self.fleet.members}
        names, last, begun = list(odds), [time.monotonic()], self.kills
        with self.fleet.looked_after(), self._timed(last):
            while self.kills - begun < kills:
                time.sleep(draw.uniform(0.3, longest_s))
                [name] = draw.choices(names, list(odds.values()))
                if members[name].shoot():
                    last[0] = time.monotonic()
                    self.struck[name] += 1
                    self.deadly = name
                    yield self.kills
            self.fleet.await_ready()
            time.sleep(1.0)

    @contextmanager
    def _timed(self, last: list[float]) -> Iterator[None]:
        """Note how long after the last kill of each series the service does all it should."""
        stop = threading.Event()

        def look() -> None:
            known = last[0]
            while not stop.wait(0.1):
                shot = last[0]
                if shot != known and self._answers() and shot == last[0]:
                    after = self.recovery.setdefault(self.deadly, [])
                    after.append(time.monotonic() - shot)
                    known = shot

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _answers(self) -> bool:
        """Whether the catalogue is read, the index is searched, and the worker is well."""
        try:
            for url in self.fleet.urls:
                httpx.get(f"{url}/product/list", timeout=20).raise_for_status()
                asked = httpx.post(f"{url}/search", json={"words": "shoe"}, timeout=20)
                asked.raise_for_status()
            return all(worker.ready() for worker in self.fleet.workers)
        except httpx.HTTPError:
            return False

    def verdict(self) -> Verdict:
        """Wait until the index has everything, and compare; nobody writes meanwhile."""
        self.fleet.await_ready()
        parked = self._settled()
        wanted = {id: title for writer in self.writers for id, title in writer.held.items()}
        with closing(SqlCatalog(self.fleet.settings["catalog_url"])) as catalog:
            held = {p.id: p.fields.title for part in catalog.stream() for p in part}
        lost = [f"{id}: {title}" for id, title in wanted.items() if held.get(id) != title]
        audit = self._audit()
        differing = sum(audit[name] for name in ("missing", "stale", "orphaned"))
        more = len(held.keys() - wanted.keys()) - self.known
        doubled = more + abs(self._indexed() - len(held))
        odd = [told for writer in self.writers for told in writer.odd]
        return Verdict(len(held), lost, doubled, differing, parked, self._served(), odd)

    def _settled(self) -> int:
        """Wait until no change waits; return how many are parked."""
        until = time.monotonic() + _SETTLE_S
        while True:
            told = httpx.get(f"{self.fleet.urls[0]}/ready", timeout=40).json()
            changes = told["checks"]["changes"]
            if changes.get("ok") and not changes["waiting"] + changes["leased"]:
                return int(changes["parked"])
            assert time.monotonic() < until, told
            time.sleep(0.2)

    def _indexed(self) -> int:
        told = httpx.get(f"{self.fleet.urls[0]}/ready", timeout=40).json()
        return int(told["checks"]["index"]["products"])

    def _audit(self) -> dict[str, int]:
        own = [sys.executable, "-m", "crosslens", "--home", str(self.fleet.home)]
        ran = subprocess.run(
            [*own, "index", "audit", "--json"],
            capture_output=True,
            text=True,
            env=self.fleet.environment,
            timeout=400,
        )
        assert ran.stdout, ran.stderr
        return dict(json.loads(ran.stdout))

    def _served(self) -> list[str]:
        """Look for a part of what was deleted once more, and ask for it by id."""
        found = list(self.seeker.served)
        gone = [pair for writer in self.writers for pair in list(writer.gone.items())[-20:]]
        with httpx.Client(base_url=self.fleet.urls[0], timeout=40) as http:
            for product, title in gone:
                if http.get(f"/product/{product}").status_code != 404:
                    found.append(f"{product} by id")
                hits = http.post("/search", json={"words": title, "limit": 20}).json()["hits"]
                if product in {hit["product_id"] for hit in hits}:
                    found.append(f"{product}: {title}")
        return found


def _picture(draw: random.Random) -> dict[str, str]:
    colour = (draw.randrange(256), draw.randrange(256), draw.randrange(256))
    return {"base64": base64.b64encode(jpeg(colour)).decode()}
