"""The one connection to DashVector: its HTTP interface, and what its codes mean."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from crosslens.errors import InvalidRequest, Unavailable
from crosslens.vectors.following import CollectionGone

MOST_BYTES: Final = 1_900_000  # of one request: the service takes 2 MiB
MOST_ROWS: Final = 1_000  # of one request: the service takes 1,024
MOST_IDS: Final = 50  # of one address
_GONE: Final = frozenset({-2021, -2022})  # no such collection, no such partition
_NO_KEY: Final = -2024  # deleting what is not there
_TOO_FAST: Final = -2034
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_SLOW_FACTOR: Final = 30
_FIRST_PAUSE_S: Final = 0.02

Row = Mapping[str, Any]


class Connection:
    """
    A client of one cluster.

    Args:
        endpoint: host of the cluster, as its console shows it; http:// only to this machine.
        key: the API key.
        timeout_s: how long an answer may take, and how long to go on where the service asks for
            patience; making and dropping collections may take 30 times that.

    Raises:
        InvalidRequest: there is no key, or the endpoint is none.
    """

    def __init__(self, endpoint: str, key: str, *, timeout_s: float = 10.0) -> None:
        base = endpoint if "://" in endpoint else f"https://{endpoint}"
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidRequest(
                f"the DashVector endpoint is {endpoint!r}; expected the host of a cluster",
                hint="for example dashvector:vrs-cn-x.dashvector.cn-hangzhou.aliyuncs.com",
            )
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise InvalidRequest("the DashVector key must not travel without TLS: use https://")
        if not key:
            raise InvalidRequest("DashVector needs an API key", hint="set dashvector_key")
        self.timeout_s = timeout_s
        self._client = httpx.Client(
            base_url=f"{base.rstrip('/')}/v1",
            headers={"dashvector-auth-token": key, "Content-Type": "application/json"},
            timeout=timeout_s,
        )

    def collections(self) -> list[str]:
        """List the names of collections."""
        return list(self._ask("GET", "/collections") or [])

    def create(self, name: str, **schema: Any) -> None:
        """Make a collection, and wait until it can be used."""
        self._ask("POST", "/collections", {"name": name, **schema}, slow=True)
        self.wait(lambda: self.describe(name)["status"] == "SERVING", f"collection {name}")

    def describe(self, name: str) -> dict[str, Any]:
        """Return what a collection is made of."""
        return dict(self._ask("GET", f"/collections/{name}"))

    def drop(self, name: str) -> None:
        """Drop a collection; one that is not there is no error."""
        try:
            self._ask("DELETE", f"/collections/{name}", slow=True)
        except CollectionGone:
            return

    def partition(self, name: str, partition: str) -> None:
        """Make a part of a collection whose rows are found only when it is named."""
        self._ask("POST", f"/collections/{name}/partitions", {"name": partition}, slow=True)
        path = f"/collections/{name}/partitions/{partition}"
        self.wait(lambda: self._ask("GET", path) == "SERVING", f"partition {partition}")

    def count(self, name: str) -> int:
        """Count the rows that are found when no part is named."""
        path = f"/collections/{name}/partitions/default/stats"
        return int(self._ask("GET", path)["total_doc_count"])

    def upsert(self, name: str, rows: Iterable[Row], *, partition: str = "default") -> None:
        """Write rows, each in place of the one of its id, in requests that the service takes."""
        for texts in _requests(rows):
            body = f'{{"partition": {json.dumps(partition)}, "docs": [{", ".join(texts)}]}}'
            self._written(self._ask("POST", f"/collections/{name}/docs/upsert", body))

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete rows; unknown ids are no error."""
        for at in range(0, len(ids), MOST_ROWS):
            part = list(ids[at : at + MOST_ROWS])
            self._written(self._ask("DELETE", f"/collections/{name}/docs", {"ids": part}))

    def fetch(
        self, name: str, ids: Sequence[str], *, partition: str = "default"
    ) -> dict[str, dict[str, Any]]:
        """Read rows with their vectors; unknown ids are left out."""
        found: dict[str, dict[str, Any]] = {}
        for at in range(0, len(ids), MOST_IDS):
            listed = quote(",".join(ids[at : at + MOST_IDS]))
            path = f"/collections/{name}/docs?ids={listed}&partition={partition}"
            found |= self._ask("GET", path) or {}
        return found

    def query(self, name: str, **question: Any) -> list[dict[str, Any]]:
        """Search, or read what a filter holds for."""
        return list(self._ask("POST", f"/collections/{name}/query", question) or [])

    def wait(self, done: Any, what: str) -> None:
        """
        Ask again and again until it is done.

        Raises:
            Unavailable: it takes too long.
        """
        until, pause = time.monotonic() + self.timeout_s, _FIRST_PAUSE_S
        while not done():
            if time.monotonic() > until:
                raise Unavailable(f"DashVector: {what} is not ready after {self.timeout_s:g} s")
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def _ask(self, method: str, path: str, body: Any = None, *, slow: bool = False) -> Any:
        content = body if body is None or isinstance(body, str) else json.dumps(body)
        timeout = self.timeout_s * (_SLOW_FACTOR if slow else 1)
        until, pause = time.monotonic() + self.timeout_s, _FIRST_PAUSE_S
        while True:
            answer = self._sent(method, path, content, timeout)
            code = answer.get("code")
            if code != _TOO_FAST or time.monotonic() > until:
                break
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
        if code != 0:
            kind = CollectionGone if code in _GONE else Unavailable
            raise kind(
                f"DashVector refused {method} {path[:200]}: {answer.get('message')} ({code})"
            )
        return answer.get("output")

    def _sent(self, method: str, path: str, content: str | None, timeout: float) -> dict[str, Any]:
        try:
            reply = self._client.request(method, path, content=content, timeout=timeout)
            if reply.status_code in (401, 403):
                raise Unavailable("DashVector does not know the API key", hint="set dashvector_key")
            if reply.status_code == 429:
                return {"code": _TOO_FAST, "message": "too many requests"}
            reply.raise_for_status()
            return dict(reply.json())
        except httpx.HTTPError as exc:
            raise Unavailable(f"DashVector does not answer: {exc}") from exc
        except ValueError as exc:
            raise Unavailable("DashVector answered something that is not JSON") from exc

    def _written(self, results: Any) -> None:
        for result in results or []:
            if result.get("code") not in (0, _NO_KEY):
                raise Unavailable(
                    f"DashVector did not take row {result.get('id')}: {result.get('message')} "
                    f"({result.get('code')})"
                )


def _requests(rows: Iterable[Row]) -> Iterator[list[str]]:
    """Put rows together as long as one request may hold them."""
    texts: list[str] = []
    size = 0
    for row in rows:
        text = json.dumps(row, ensure_ascii=False)
        length = len(text.encode())
        if length > MOST_BYTES:
            raise InvalidRequest(
                f"row {row.get('id')} has {length:,} bytes, DashVector takes {MOST_BYTES:,}"
            )
        if texts and (size + length > MOST_BYTES or len(texts) == MOST_ROWS):
            yield texts
            texts, size = [], 0
        texts.append(text)
        size += length + 2
    if texts:
        yield texts
