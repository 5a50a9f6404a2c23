"""The Python client: its examples, its errors, and when it tries again."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import crosslens
from crosslens.client import AsyncClient, Client, Patience, blocking, waiting
from crosslens.errors import (
    Conflict,
    CrosslensError,
    InvalidFilter,
    InvalidRequest,
    NotFound,
    OutOfDate,
    Overloaded,
    RateLimited,
    Unavailable,
    UnreadablePicture,
)
from fakes import jpeg
from house import House
from service import application, listening

QUICK = Patience(tries=4, first_s=0.001, longest_s=0.01)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with listening(application(tmp_path, None, House())) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, patience=QUICK) as client:
        yield client


@pytest.mark.parametrize("module", [blocking, waiting])
def test_the_examples_in_the_docstrings_are_true(module: Any, url: str, client: Client) -> None:
    names = {"client": client, "url": url, "key": None, "picture": jpeg()}
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner()
    for test in finder.find(module, extraglobs=names):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert runner.tries > 3


def test_both_clients_offer_the_same_calls() -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert offered(Client) == offered(AsyncClient)
    assert crosslens.Client is Client
    assert crosslens.AsyncClient is AsyncClient
    with pytest.raises(AttributeError):
        crosslens.Clinet  # noqa: B018


def test_errors_come_back_as_ours(client: Client) -> None:
    made = client.add_product("hat", source_key="only-one")
    with pytest.raises(NotFound, match="999"):
        client.product(999_999)
    with pytest.raises(Conflict):
        client.add_product("hat", source_key="only-one")
    with pytest.raises(OutOfDate):
        client.edit_product(made.id, revision=9, title="x")
    with pytest.raises(UnreadablePicture):
        client.add_product("hat", pictures=[b"no picture"])
    with pytest.raises(InvalidFilter):
        client.search("x", filter="nothing = 1")
    with pytest.raises(InvalidRequest, match="limit"):
        client.search("x", limit=0)
    with pytest.raises(NotFound):
        client.search_many([{"words": "hat"}, {"product_id": 999_999}])


def test_batches_are_read_as_they_are_sent(client: Client) -> None:
    read = []

    def shop() -> Iterator[Any]:
        for n in range(25):
            read.append(n)
            yield {"source_key": f"lazy-{n}", "title": f"hat {n}"}

    results = client.put_products(shop(), batch=10)
    assert read == []
    first = next(results)
    assert (first.result, len(read)) == ("added", 10)
    rest = list(results)
    assert (len(rest), len(read)) == (24, 25)
    bad = list(client.put_products([{"source_key": "bad", "title": ""}]))
    assert (bad[0].result, bad[0].product_id) == ("failed", None)


def test_a_file_is_imported_and_waited_for(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(json.dumps({"id": f"f{n}", "name": "sock"}) for n in range(9)))
    job = client.wait_for_import(client.import_file(file, columns=["title=name"]).id)
    assert (job.state, job.stored) == ("done", 9)


def test_everything_works_asynchronously_too(url: str, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text(json.dumps({"id": "a1", "title": "async sock"}))

    async def shop() -> AsyncIterator[Any]:
        for n in range(7):
            yield {"source_key": f"async-{n}", "title": f"async hat {n}"}

    async def use() -> None:
        async with AsyncClient(url, patience=QUICK) as client:
            made = await client.add_product("async coat", pictures=[jpeg()])
            assert await client.picture(made.id) == jpeg()
            results = [result async for result in client.put_products(shop(), batch=3)]
            assert [result.result for result in results] == ["added"] * 7
            job = await client.import_file(file)
            assert (await client.wait_for_import(job.id)).stored == 1
            await client.wait_until_indexed()
            assert (await client.search("async coat")).hits[0].product.id == made.id
            assert made.id in [p.id async for p in client.all_products(page_size=100)]
            await client.remove_product(made.id)
            with pytest.raises(NotFound):
                await client.product(made.id)

    asyncio.run(use())


class Script:
    """A service that answers as written, and notes what it was asked."""

    def __init__(self, *answers: int | type[Exception] | httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.Response):
            return answer
        if isinstance(answer, int):
            return httpx.Response(answer, json=PRODUCT if answer < 300 else {"code": "x"})
        raise answer("broken", request=request)  # type: ignore[call-arg]

    def client(self, patience: Patience = QUICK) -> Client:
        return Client("http://shop", patience=patience, transport=httpx.MockTransport(self))


PRODUCT = {
    "product_id": 7, "source_key": None, "title": "hat", "description": "", "attributes": {},
    "pictures": [], "created": "2026-01-01T00:00:00+00:00", "updated": "2026-01-01T00:00:00+00:00",
    "revision": 1, "index_state": "current", "added_in_a_later_version": True,
}  # fmt: skip


def test_a_repetition_of_a_new_product_carries_the_same_key() -> None:
    script = Script(503, httpx.ReadError, httpx.ReadTimeout, 201)
    assert script.client().add_product("hat").id == 7
    keys = {request.headers["idempotency-key"] for request in script.asked}
    assert (len(script.asked), len(keys)) == (4, 1)
    other = Script(201)
    other.client().add_product("hat")
    assert other.asked[0].headers["idempotency-key"] not in keys


def test_an_edit_of_a_revision_is_not_repeated_when_it_may_have_happened() -> None:
    for outcome in (httpx.ReadError, 503):
        script = Script(outcome, 200)
        with pytest.raises(Unavailable):
            script.client().edit_product(7, revision=1, title="x")
        assert len(script.asked) == 1
    for outcome in (httpx.ConnectError, 429):  # it has not happened
        script = Script(outcome, 200)
        assert script.client().edit_product(7, revision=1, title="x").id == 7


def test_a_product_that_a_lost_answer_removed_is_removed() -> None:
    script = Script(httpx.ReadError, 404)
    script.client().remove_product(7)
    with pytest.raises(CrosslensError):
        Script(404).client().remove_product(7)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 422, 500, 507])
def test_what_will_not_change_is_not_asked_again(status: int) -> None:
    script = Script(status, 200)
    with pytest.raises(CrosslensError):
        script.client().product(7)
    assert len(script.asked) == 1


def test_in_the_end_it_gives_up_and_says_why() -> None:
    with pytest.raises(Unavailable, match=r"http://shop.*\(broken\)"):
        Script(*[httpx.ConnectError] * 4).client().product(7)
    with pytest.raises(Overloaded):
        Script(*[429] * 4).client().product(7)
    limited = httpx.Response(429, json={"code": "rate_limited", "detail": "slow", "hint": "wait"})
    with pytest.raises(RateLimited) as told:
        Script(*[limited] * 4).client().product(7)
    assert (told.value.message, told.value.hint) == ("slow", "wait")


def test_an_answer_of_a_proxy_is_no_riddle() -> None:
    page = httpx.Response(200, text="<html>maintenance</html>")
    with pytest.raises(Unavailable, match="no JSON"):
        Script(page).client().product(7)
    with pytest.raises(Unavailable):
        Script(*[httpx.Response(502, text="<html>bad gateway</html>")] * 4).client().product(7)


def test_what_cannot_be_sent_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    script = Script()
    for given in ("bag.jpg", 7, None):
        with pytest.raises(InvalidRequest, match="no picture"):
            script.client().search(pictures=[given])  # type: ignore[list-item]
    with pytest.raises(FileNotFoundError):
        script.client().import_file(str(tmp_path / "nothing.csv"))
    for url in ("127.0.0.1:6008", "", "ftp://shop"):
        with pytest.raises(InvalidRequest, match="http://"):
            Client(url)
    assert script.asked == []


def test_waits_grow_with_chance_and_honour_what_was_asked() -> None:
    least, most = (Patience(chance=lambda c=chance: c) for chance in (0.0, 1.0))
    assert [least.wait_s(n, None) for n in (1, 2, 3)] == [0.1, 0.2, 0.4]
    assert [round(most.wait_s(n, None), 6) for n in (1, 2, 3)] == [0.3, 0.6, 1.2]
    assert least.wait_s(1, "7") == 7.0
    assert most.wait_s(1, "7") == 8.75
    assert most.wait_s(1, "9999") == 30.0
    assert least.wait_s(1, "Fri, 31 Dec 1999 23:59:59 GMT") == 0.1


def test_a_key_is_sent_and_never_shown() -> None:
    script = Script(200)
    client = Client("http://shop", key="cl_secret", transport=httpx.MockTransport(script))
    client.product(7)
    assert script.asked[0].headers["authorization"] == "Bearer cl_secret"
    assert "cl_secret" not in repr(client)
