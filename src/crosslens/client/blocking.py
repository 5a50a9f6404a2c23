"""`Client`: the service from Python."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
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


def _call(describe: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    @documented(describe)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._do(describe(*args, **kwargs))

    return method


def _steps(describe: Callable[P, Steps[T]]) -> Callable[Concatenate[Client, P], T]:
    @documented(describe)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._follow(describe(*args, **kwargs))

    return method


class Client:
    """
    Talk to a crosslens service; may be shared by threads.

    Calls that may be repeated without harm are, when the service is busy or away. Errors are those
    of `crosslens.errors`.

    Args:
        url: where the service listens.
        key: API key; a service on this machine may need none.
        timeout_s: seconds that one try may take.
        patience: how often and how patiently to try again.
        transport: how to reach the service; None: over the network.

    >>> from crosslens import Client
    >>> with Client(url, key=key) as client:
    ...     shoe = client.add_product("red running shoe", attributes={"colour": "red"})
    ...     client.wait_until_indexed()
    ...     answer = client.search("running shoe", filter="colour = red")
    ...     answer.hits[0].product.title
    'red running shoe'
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._http = httpx.Client(
            base_url=checked_url(url),
            headers=headers_of(key),
            timeout=timeout_s,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def all_products(self, **paging: Unpack[Paging]) -> Iterator[Product]:
        """Yield every product, page after page."""
        while True:
            page = self.products(**paging)
            yield from page.products
            if page.next_cursor is None:
                return
            paging["cursor"] = page.next_cursor

    def put_products(
        self, products: Iterable[NewProduct], *, batch: int = 100
    ) -> Iterator[BatchResult]:
        """
        Add or change products by their source keys, in batches, while the iterable is read.

        Nothing is sent before the first result is asked for, and nothing is read ahead but one
        batch. What is stored unchanged costs nothing, so all of it may be put again.

        >>> shop = ({"source_key": f"sku-{n}", "title": f"hat {n}"} for n in range(250))
        >>> sum(result.result == "added" for result in client.put_products(shop))
        250
        """
        batches = calls.Batches(batch)
        for product in products:
            for full in batches.add(product):
                yield from self._do(calls.put_products(full))
        for last in batches.rest():
            yield from self._do(calls.put_products(last))

    def _follow(self, following: Steps[T]) -> T:
        told: Any = None
        while True:
            try:
                step = following.send(told)
            except StopIteration as end:
                return cast("T", end.value)
            if isinstance(step, float):
                told = None
                time.sleep(step)
            else:
                told = self._do(step)

    def _do(self, call: Call[T]) -> T:
        tries = steps.tries(call, self._patience, self._http.base_url)
        outcome: Outcome | None = None
        while True:
            try:
                wait_s = tries.send(outcome)
            except StopIteration as end:
                return cast("T", end.value)
            if wait_s is None:
                outcome = self._try(call)
            else:
                outcome = None
                time.sleep(wait_s)

    def _try(self, call: Call[Any]) -> Outcome:
        try:
            with ExitStack() as files:
                response = self._http.request(call.method, call.path, **keywords(call, files))
                return reply_of(response)
        except httpx.TransportError as exc:
            return exc
