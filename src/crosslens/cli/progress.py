"""A progress bar with rate and time left, on stderr, silent where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

Update = Callable[[str, int], None]


class Rate(ProgressColumn):
    """Products per second."""

    def render(self, task: Task) -> Text:
        """Render the speed over the last seconds."""
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


@contextmanager
def progress(total: int | None) -> Iterator[Update]:
    """Yield a function (phase, done so far) that moves one bar per phase."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def update(phase: str, done: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total)
            bars.update(tasks[phase], completed=done)

        yield update


@contextmanager
def downloading(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function (bytes so far, bytes in all) that moves a bar."""
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
