"""What only an index on disk can suffer: other processes, kills, full disks, broken files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from contract.vector_indexes import LOOKS, SPEC, TITLES, ids, rows, vectors
from crosslens.errors import StorageFull, Unavailable
from crosslens.values import Modality
from crosslens.vectors import zvec_collections
from crosslens.vectors.zvec import ZvecStore
from crosslens.vectors.zvec_index import ZvecIndex

TESTS = Path(__file__).parents[2]


def child(code: str, *args: object) -> subprocess.Popen[str]:
    """Python in another process that can import these tests."""
    script = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{textwrap.dedent(code)}"
    command = [sys.executable, "-c", script, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


WRITER = """
    from pathlib import Path
    from contract.vector_indexes import SPEC, rows
    from crosslens.vectors.zvec import ZvecStore
    index = ZvecStore(Path(sys.argv[1]), SPEC).live()
    for batch in range(100_000):
        index.upsert([rows(batch * 10 + n, pictures=["a", "b"]) for n in range(10)])
        print(batch, flush=True)
"""


def test_a_second_process_is_told_who_holds_the_index(tmp_path: Path) -> None:
    holder = child(WRITER, tmp_path / "index")
    try:
        holder.stdout.readline()
        store = ZvecStore(tmp_path / "index", SPEC)
        with pytest.raises(Unavailable, match=f"process {holder.pid} "):
            store.live()
        with pytest.raises(Unavailable, match="in use"):
            store.draft()
    finally:
        holder.kill()
        holder.communicate()
    assert list(store.live().revisions())
    store.close()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    for _ in range(3):
        writer = child(WRITER, tmp_path / "index")
        acknowledged = -1
        end = time.monotonic() + 1.0
        while time.monotonic() < end or acknowledged < 0:
            acknowledged = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.communicate()[0].split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        store = ZvecStore(tmp_path / "index", SPEC)
        held = {key: (revision, count) for key, revision, count in store.live().revisions()}
        store.close()
        assert all(held[key] == (1, 2) for key in range(acknowledged * 10 + 10))


def test_two_stores_in_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    first, second = ZvecStore(tmp_path, SPEC), ZvecStore(tmp_path, SPEC)
    first.live()
    with pytest.raises(Unavailable, match=f"process {os.getpid()} "):
        second.live()
    first.close()
    second.live()
    second.close()


class Crash(Exception):
    pass


def crashing(index: ZvecIndex, collection: str) -> None:
    """Let the process die, as it were, just before a collection is written or deleted from."""

    class Broken:
        def __init__(self, inner: object) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> object:
            if name in ("upsert", "delete"):
                raise Crash
            return getattr(self.inner, name)

    setattr(index, collection, Broken(getattr(index, collection)))


def reopened(index: ZvecIndex) -> ZvecIndex:
    index._text = getattr(index._text, "inner", index._text)
    index._pictures = getattr(index._pictures, "inner", index._pictures)
    index.close()
    return ZvecIndex.open(index.folder)


def test_a_crash_between_the_collections_shows_in_revisions(tmp_path: Path) -> None:
    index = ZvecIndex.create(tmp_path / "generation", SPEC)
    index.upsert([rows(key, pictures=["a", "b"]) for key in (1, 2, 3)])
    crashing(index, "_text")
    for write in (
        lambda: index.upsert([rows(1, revision=2, pictures=["a", "b", "c"])]),
        lambda: index.upsert([rows(4, pictures=["a"])]),
        lambda: index.delete([3]),
    ):
        with pytest.raises(Crash):
            write()
    index = reopened(index)
    assert list(index.revisions()) == [(1, -1, 3), (2, 1, 2), (3, -1, 0), (4, -1, 1)]
    index.upsert([rows(1, revision=3, pictures=["z"]), rows(4, pictures=[])])
    index.delete([3])
    assert list(index.revisions()) == [(1, 3, 1), (2, 1, 2), (4, 1, 0)]
    index.close()


def test_a_crash_before_surplus_pictures_go_leaves_nothing_for_ever(tmp_path: Path) -> None:
    index = ZvecIndex.create(tmp_path / "generation", SPEC)
    index.upsert([rows(1, pictures=range(5))])
    original, index._delete_pictures = index._delete_pictures, _raise_crash
    with pytest.raises(Crash):
        index.upsert([rows(1, revision=2, pictures=range(2))])
    index._delete_pictures = original
    assert list(index.revisions()) == [(1, -1, 5)]
    index.upsert([rows(1, revision=2, pictures=range(2))])
    assert list(index.revisions()) == [(1, 2, 2)]
    index.close()


def _raise_crash(_: object) -> None:
    raise Crash


def test_a_crashed_exchange_leaves_the_former_index_or_the_fresh_one(tmp_path: Path) -> None:
    store = ZvecStore(tmp_path, SPEC)
    store.live().upsert([rows(1)])
    store.begin_anew("a whim")
    assert list(store.live().revisions()) == []
    damage = store.damage
    assert damage is not None
    assert damage.reason == "a whim"
    store.close()
    store = ZvecStore(tmp_path, SPEC)
    assert store.damage == damage
    assert store.doubtful
    store.live().upsert([rows(2)])
    store.trust()
    assert store.damage is None
    assert not store.doubtful
    store.close()
    assert len(list(tmp_path.glob("*-*"))) == 1


def test_only_the_live_generation_stays_on_disk(tmp_path: Path) -> None:
    store = ZvecStore(tmp_path, SPEC)
    store.live()
    for _ in range(2):
        store.draft().take_over()
    store.draft().discard()
    assert len(list(tmp_path.glob("generation-*"))) == 1
    store.close()


def test_a_full_disk_refuses_the_write_before_anything_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ZvecStore(tmp_path, SPEC)
    index = store.live()
    index.upsert([rows(1)])
    monkeypatch.setattr(zvec_collections, "RESERVE_BYTES", 1 << 60)
    for write in (lambda: index.upsert([rows(2)]), index.optimize, store.draft):
        with pytest.raises(StorageFull, match="MiB"):
            write()
    assert list(index.revisions()) == [(1, 1, 0)]
    monkeypatch.undo()
    index.upsert([rows(2)])
    assert index.counts().products == 2
    store.close()


def test_many_threads_over_many_segments_do_not_wait_for_each_other_for_ever(
    tmp_path: Path,
) -> None:
    store = ZvecStore(tmp_path, SPEC)
    index = store.live()
    for part in range(4):
        index.upsert([rows(part * 50 + n, pictures=["a"], tokens=["shoe"]) for n in range(50)])
        list(index.revisions())
    answers: list[int] = []

    def ask() -> None:
        for _ in range(60):
            found = index.nearest(vectors(TITLES, 7), Modality.TEXT, limit=3)[0]
            answers.append(found[0].product_id)
            index.nearest(vectors(LOOKS, "a"), Modality.PICTURE, limit=3)
            index.matching(["shoe"], limit=3)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=240)
    assert answers == [7] * 720
    store.close()


def test_the_engine_serves_a_process_that_may_use_one_thread_only(tmp_path: Path) -> None:
    code = """
        import os; os.environ["OMP_NUM_THREADS"] = "1"
        from pathlib import Path
        from contract.vector_indexes import SPEC, TITLES, rows, vectors
        from crosslens.values import Modality
        from crosslens.vectors.zvec import ZvecStore
        index = ZvecStore(Path(sys.argv[1]), SPEC).live()
        for part in range(4):
            index.upsert([rows(part * 50 + n) for n in range(50)])
            list(index.revisions())
        for _ in range(2_000):
            index.nearest(vectors(TITLES, 7), Modality.TEXT, limit=3)
        print(os.environ["OMP_NUM_THREADS"])
    """
    process = child(code, tmp_path / "index")
    try:
        out, err = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert (process.returncode, out.strip()) == (0, "1"), err


def test_the_text_of_a_lock_names_the_command(tmp_path: Path) -> None:
    store = ZvecStore(tmp_path, SPEC)
    store.live()
    assert f"process {os.getpid()} (" in (tmp_path / "lock").read_text()
    assert ids(store.live().matching(["x"], limit=1)) == []
    store.close()
