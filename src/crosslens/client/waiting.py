"""`AsyncClient`: the service from asynchronous Python."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack, cast

import httpx

from crosslens.client import calls, generating, shaping, steps, tending
from crosslens.client.answers import BatchResult, Product
from crosslens.client.calls import Call, NewProduct, Paging
from crosslens.client.described import documented
from crosslens.client.retrying import Patience
from crosslens.client.sending import LOCAL, checked_url, headers_of, keywords, reply_of
from crosslens.client.steps import Outcome, Steps

P = ParamSpec("P")
T = TypeVar("T")


def _call(describe: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    @documented(describe)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._do(describe(*args, **kwargs))

    return method


def _steps(describe: Callable[P, Steps[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    @documented(describe)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._follow(describe(*args, **kwargs))

    return method


class AsyncClient:
    """
    Talk to a crosslens service; like `Client`, to be awaited.

    >>> import asyncio
    >>> from crosslens import AsyncClient
    >>> async def ask() -> str:
    ...     async with AsyncClient(url, key=key) as client:
    ...         answers = await asyncio.gather(client.search("hat"), client.search("red shoe"))
    ...         return answers[0].kind
    >>> asyncio.run(ask())
    'hybrid'
    """

    ready = _call(calls.ready)
    add_product = _call(calls.add_product)
    product = _call(calls.product)
    edit_product = _call(calls.edit_product)
    remove_product = _call(calls.remove_product)
    restore_product = _call(calls.restore_product)
    products = _call(calls.products)
    picture = _call(calls.picture)
    search = _call(calls.search)
    search_many = _call(calls.search_many)
    similar = _call(calls.similar)
    import_file = _call(calls.import_file)
    import_path = _call(calls.import_path)
    import_job = _call(calls.import_job)
    left_out = _call(calls.left_out)
    cancel_import = _call(calls.cancel_import)
    index_state = _call(tending.index_state)
    start_audit = _call(tending.start_audit)
    start_rebuild = _call(tending.start_rebuild)
    index_again = _call(tending.index_again)
    models = _call(tending.models)
    use_model = _call(tending.use_model)
    tasks = _call(tending.tasks)
    task = _call(tending.task)
    traffic = _call(tending.traffic)
    judged_sets = _call(tending.judged_sets)
    start_evaluation = _call(tending.start_evaluation)
    runs = _call(tending.runs)
    run = _call(tending.run)
    remove_run = _call(tending.remove_run)
    worst_queries = _call(tending.worst_queries)
    compare_runs = _call(tending.compare_runs)
    duplicates = _call(shaping.duplicates)
    scan_duplicates = _call(shaping.scan_duplicates)
    decide_duplicates = _call(shaping.decide_duplicates)
    suggest_titles = _call(shaping.suggest_titles)
    untitled = _call(shaping.untitled)
    scenes = _call(shaping.scenes)
    experiments_report = _call(shaping.experiments_report)
    golden_queries = _call(shaping.golden_queries)
    judge = _call(shaping.judge)
    judging_candidates = _call(shaping.judging_candidates)
    feedback = _call(shaping.feedback)
    generator = _call(generating.generator)
    start_drawing = _call(generating.start_drawing)
    drawing = _call(generating.drawing)
    cancel_drawing = _call(generating.cancel_drawing)
    drawn_picture = _call(generating.drawn_picture)
    generate = _steps(steps.generate)
    wait_for_import = _steps(steps.wait_for_import)
    wait_for_task = _steps(steps.wait_for_task)
    wait_until_indexed = _steps(steps.wait_until_indexed)

    def __init__(
        self,
        url: str = LOCAL,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._http = httpx.AsyncClient(
            base_url=checked_url(url),
            headers=headers_of(key),
            timeout=timeout_s,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def all_products(self, **paging: Unpack[Paging]) -> AsyncIterator[Product]:
        """Yield every product, page after page."""
        while True:
            page = await self.products(**paging)
            for product in page.products:
                yield product
            if page.next_cursor is None:
                return
            paging["cursor"] = page.next_cursor

    async def put_products(
        self, products: Iterable[NewProduct] | AsyncIterable[NewProduct], *, batch: int = 100
    ) -> AsyncIterator[BatchResult]:
        """
        Add or change products by their source keys, in batches, while the iterable is read.

        Nothing is sent before the first result is asked for, and nothing is read ahead but one
        batch. What is stored unchanged costs nothing, so all of it may be put again.
        """
        batches = calls.Batches(batch)
        async for product in _each(products):
            for full in batches.add(product):
                for result in await self._do(calls.put_products(full)):
                    yield result
        for last in batches.rest():
            for result in await self._do(calls.put_products(last)):
                yield result

    async def _follow(self, following: Steps[T]) -> T:
        told: Any = None
        while True:
            try:
                step = following.send(told)
            except StopIteration as end:
                return cast("T", end.value)
            if isinstance(step, float):
                told = None
                await asyncio.sleep(step)
            else:
                told = await self._do(step)

    async def _do(self, call: Call[T]) -> T:
        tries = steps.tries(call, self._patience, self._http.base_url)
        outcome: Outcome | None = None
        while True:
            try:
                wait_s = tries.send(outcome)
            except StopIteration as end:
                return cast("T", end.value)
            if wait_s is None:
                outcome = await self._try(call)
            else:
                outcome = None
                await asyncio.sleep(wait_s)

    async def _try(self, call: Call[Any]) -> Outcome:
        try:
            with ExitStack() as files:
                response = await self._http.request(call.method, call.path, **keywords(call, files))
                return reply_of(response)
        except httpx.TransportError as exc:
            return exc


async def _each(
    products: Iterable[NewProduct] | AsyncIterable[NewProduct],
) -> AsyncIterator[NewProduct]:
    if isinstance(products, AsyncIterable):
        async for product in products:
            yield product
    else:
        for product in products:
            yield product
