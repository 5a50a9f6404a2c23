"""
Imports that go on behind the door, one after the other.

A job is a folder with what was uploaded and a file that says how far it is. Importing is
idempotent, so a job that a stop or a crash interrupted is simply begun again. Where processes
share a catalogue, the folder is that of one of them, and the others read what it tells of it.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from crosslens.api.notices import Wording, notices
from crosslens.api.uploads import safe_records
from crosslens.catalog.board import Board, Note
from crosslens.catalog.editing import Editor
from crosslens.catalog.fetch import Fetcher
from crosslens.corpora.mapping import ColumnMapping
from crosslens.corpora.records import BadRecord
from crosslens.corpora.sources import Source, open_source
from crosslens.errors import Conflict, CrosslensError, NotFound, Overloaded, Unavailable
from crosslens.indexing.importing import Importer, Tally
from crosslens.telemetry import logger

MOST_WAITING = 16
KEPT = 200  # finished jobs that can be asked about
SHOWN_BAD = 100
_THREADS = 4
_LANE = "import"
_LEFT_OUT = "left-out.jsonl"
_HIDDEN = frozenset({"path", "uploaded", "map"})  # of a job, from callers
_ID = re.compile(r"[0-9a-f]{16}")


class State(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # goes on when the service starts again


_OPEN = (State.WAITING, State.RUNNING, State.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Job:
    """
    An import; every step is a new value.

    Attributes:
        path: what is read.
        uploaded: whether strangers wrote it: then it may name no file of this machine.
        expected: entries, as far as that can be told beforehand.
    """

    job: str
    source: str
    path: str
    uploaded: bool
    map: tuple[str, ...] = ()
    state: State = State.WAITING
    created: str = ""
    expected: int | None = None
    read: int = 0
    stored: int = 0
    skipped: int = 0
    failed: int = 0
    bad: tuple[dict[str, Any], ...] = ()
    error: str | None = None

    def open(self) -> Source:
        """Open what is read; see `open_source` for what it raises."""
        return open_source(Path(self.path), mapping=ColumnMapping.parse(list(self.map)))

    def shown(self) -> dict[str, Any]:
        """Return what callers may see."""
        return {name: value for name, value in asdict(self).items() if name not in _HIDDEN}


@dataclass(slots=True)
class _Begun:
    job: Job
    stop: threading.Event = field(default_factory=threading.Event)


class ImportJobs:
    """
    Keep, run and remember imports.

    Args:
        board: where other processes tell of theirs, and read of this one's.
    """

    def __init__(
        self, folder: Path, editor: Editor, fetcher: Fetcher, board: Board | None = None
    ) -> None:
        self._folder = folder
        self._editor = editor
        self._fetcher = fetcher
        self._jobs: dict[str, _Begun] = {}
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run_all, name="import")
        self._log = logger("import")
        self._notices = notices(board, _LANE, Wording(_note, _told), self._cancel_own)

    def start(self) -> None:
        """Go on with what was interrupted, then wait for more."""
        for job in sorted(_saved(self._folder), key=lambda job: job.created):
            self._jobs[job.job] = _Begun(job)
            if job.state in _OPEN:
                self._set(job.job, state=State.WAITING)
                self._queue.put(job.job)
            else:
                self._notices.say(job.job, job, at_once=True)
        self._notices.start()
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand; the rest goes on at the next start."""
        self._closing = True
        for begun in self._jobs.values():
            begun.stop.set()
        self._queue.put(None)
        self._thread.join()
        for job in self.own():
            if job.state is State.WAITING:
                self._set(job.job, state=State.INTERRUPTED)
        self._notices.stop()

    def place(self) -> Path:
        """Make a folder for a new upload."""
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder

    def submit(
        self, path: Path, source: str, map: Sequence[str], *, folder: Path, uploaded: bool
    ) -> Job:
        """
        Queue an import of something that can be read.

        Raises:
            InvalidRequest: it cannot; nothing is queued.
            Overloaded: enough jobs wait.
            Unavailable: other processes cannot be told of it.
        """
        now = datetime.now(UTC).isoformat()
        job = Job(folder.name, source, str(path), uploaded, tuple(map), created=now)
        opened = job.open()
        job = replace(job, expected=opened.count_hint())
        with self._lock:
            waiting = sum(begun.job.state is State.WAITING for begun in self._jobs.values())
            if waiting >= MOST_WAITING:
                raise Overloaded(f"{waiting} imports wait already", hint="try again later")
            self._jobs[job.job] = _Begun(job)
        try:
            self._notices.post(job.job, job)
        except BaseException:
            with self._lock:
                del self._jobs[job.job]
            raise
        self._save(job)
        self._queue.put(job.job)
        self._drop_old()
        return job

    def get(self, job_id: str) -> Job:
        """
        Say how far a job is, here or in another process.

        Raises:
            NotFound: there is none, or it was long ago.
        """
        job = self.of_own(job_id) or self._notices.elsewhere(job_id)
        if job is None:
            raise NotFound(f"there is no import {job_id[:40]!r}")
        return job

    def of_own(self, job_id: str) -> Job | None:
        """Say how far a job of this process is; None: it has none of that id."""
        begun = self._jobs.get(job_id)
        return None if begun is None else begun.job

    def left_out(self, job_id: str) -> Path | Sequence[Mapping[str, Any]]:
        """
        Return the file of all that was left out so far, a JSON object per line.

        Of a job of another process, the objects themselves, as long as it has told all of them.

        Raises:
            NotFound: there is no such job, or it has not begun.
            Unavailable: it is another process that has the file.
        """
        job = self.get(job_id)
        file = self._folder / job.job / _LEFT_OUT
        if file.exists():
            return file
        if self.of_own(job_id) is not None or job.state is State.WAITING:
            raise NotFound("the import has not begun, so nothing was left out")
        if job.failed > len(job.bad):
            raise Unavailable(
                f"the process that imports has the list of all {job.failed} that were left out",
                hint="ask again, so that it is that one which answers",
            )
        return job.bad

    def own(self) -> list[Job]:
        """List the jobs of this process, newest first."""
        jobs = [begun.job for begun in list(self._jobs.values())]
        return sorted(jobs, key=lambda job: job.created, reverse=True)

    def all(self) -> list[Job]:
        """List the jobs of all processes, newest first."""
        jobs = self._notices.all_elsewhere() | {job.job: job for job in self.own()}
        return sorted(jobs.values(), key=lambda job: job.created, reverse=True)

    def cancel(self, job_id: str) -> Job:
        """
        Stop a job after the batch at hand, here or elsewhere; what is stored stays.

        Raises:
            NotFound: there is none.
            Conflict: it has ended already.
        """
        if self.of_own(job_id) is not None:
            return self._cancel_own(job_id)
        _require_open(self.get(job_id))
        self._notices.call_off(job_id)
        return self.get(job_id)

    def _cancel_own(self, job_id: str) -> Job:
        begun = self._jobs[job_id]
        with self._lock:
            _require_open(begun.job)
            begun.stop.set()
            if begun.job.state is State.WAITING:
                begun.job = replace(begun.job, state=State.CANCELLED)
        self._save(begun.job)
        self._notices.say(job_id, begun.job, at_once=True)
        return begun.job

    def _run_all(self) -> None:
        while (job_id := self._queue.get()) is not None and not self._closing:
            begun = self._jobs.get(job_id)
            if begun is not None and begun.job.state is State.WAITING:
                self._run(begun)

    def _run(self, begun: _Begun) -> None:
        job_id = begun.job.job
        self._set(job_id, state=State.RUNNING, read=0, stored=0, skipped=0, failed=0, bad=())
        try:
            with (
                ThreadPoolExecutor(_THREADS, thread_name_prefix="intake") as pool,
                (self._folder / job_id / _LEFT_OUT).open("w", encoding="utf-8") as left_out,
            ):
                importer = Importer(
                    self._editor,
                    pool,
                    on_progress=lambda tally: self._note(job_id, tally),
                    on_bad=lambda bad: _write(left_out, bad),
                )
                importer.run(self._records(begun.job, pool), begun.stop)
            self._set(job_id, state=self._ended(begun))
        except CrosslensError as exc:
            self._set(job_id, state=State.FAILED, error=exc.message)
        except Exception as exc:  # noqa: BLE001 - the next job must not suffer from this one
            self._log.error("import broke", job=job_id, exc_info=exc)
            self._set(job_id, state=State.FAILED, error="it broke; the log says why")
        if begun.job.uploaded and begun.job.state not in _OPEN:
            Path(begun.job.path).unlink(missing_ok=True)

    def _ended(self, begun: _Begun) -> State:
        if not begun.stop.is_set():
            return State.DONE
        return State.INTERRUPTED if self._closing else State.CANCELLED

    def _records(self, job: Job, pool: ThreadPoolExecutor) -> Iterator[Any]:
        source = job.open()
        return safe_records(source, self._fetcher, pool, trusted=not job.uploaded)

    def _note(self, job_id: str, tally: Tally) -> None:
        self._set(
            job_id,
            read=tally.read,
            stored=tally.stored,
            skipped=tally.skipped,
            failed=tally.failed,
            bad=tuple(map(_bad_object, tally.bad[:SHOWN_BAD])),
        )

    def _set(self, job_id: str, **changes: Any) -> None:
        begun = self._jobs[job_id]
        with self._lock:
            begun.job = replace(begun.job, **changes)
            self._notices.say(job_id, begun.job, at_once="state" in changes)
        self._save(begun.job)

    def _save(self, job: Job) -> None:
        file = self._folder / job.job / "job.json"
        draft = file.with_suffix(".new")
        try:
            draft.write_text(json.dumps(asdict(job), ensure_ascii=False), "utf-8")
            draft.replace(file)
        except OSError as exc:  # the import itself goes on; only a restart would forget it
            self._log.warning("import not noted", job=job.job, error=str(exc))

    def _drop_old(self) -> None:
        ended = [job for job in self.own() if job.state not in _OPEN]
        for job in ended[KEPT:]:
            with self._lock:
                self._jobs.pop(job.job, None)
            shutil.rmtree(self._folder / job.job, ignore_errors=True)


def _require_open(job: Job) -> None:
    if job.state not in _OPEN:
        raise Conflict(f"the import is {job.state} already")


def _note(job: Job) -> Note:
    created = datetime.fromisoformat(job.created)
    return Note(job.job, _LANE, created, job.shown(), ended=job.state not in _OPEN)


def _told(note: Note) -> Job:
    """Read a job from its note; that of a process which is gone waits for it."""
    shown = [each.name for each in fields(Job) if each.name not in _HIDDEN]
    known = {name: note.told[name] for name in shown if name in note.told}
    exact = {"state": State(note.told["state"]), "bad": tuple(note.told["bad"])}
    job = Job(**{**known, **exact, "path": "", "uploaded": True})
    if not note.lost:
        return job
    if note.unwanted:
        return replace(job, state=State.CANCELLED)
    error = (
        "the process that worked on it is gone: it goes on when that one starts again, or import "
        "anew; what is stored is skipped"
    )
    return replace(job, state=State.INTERRUPTED, error=error)


def _saved(folder: Path) -> Iterator[Job]:
    """Read the jobs of earlier lives; an upload that never became a job is removed."""
    for place in folder.iterdir() if folder.is_dir() else ():
        if not _ID.fullmatch(place.name):
            continue
        try:
            row = json.loads((place / "job.json").read_text("utf-8"))
            lists = {"map": tuple(row["map"]), "bad": tuple(row["bad"])}
            yield Job(**{**row, **lists, "state": State(row["state"])})
        except (OSError, ValueError, TypeError, KeyError):
            shutil.rmtree(place, ignore_errors=True)


def _write(file: TextIO, bad: BadRecord) -> None:
    file.write(json.dumps(_bad_object(bad), ensure_ascii=False) + "\n")


def _bad_object(bad: BadRecord) -> dict[str, Any]:
    return {"line": bad.where.line, "key": bad.key, "reason": bad.reason}
