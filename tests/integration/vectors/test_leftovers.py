"""What a process that is killed while it builds graphs leaves on the disk, and who removes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from contract.vector_indexes import SPEC, TITLES, rows, vectors
from crosslens.values import Modality
from crosslens.vectors.zvec_index import ZvecIndex
from crosslens.vectors.zvec_leftovers import leftovers

TESTS = Path(__file__).parents[2]
OPTIMIZER = """
    import sys; sys.path.insert(0, sys.argv[2])
    from pathlib import Path
    from crosslens.vectors.zvec_index import ZvecIndex
    index = ZvecIndex.open(Path(sys.argv[1]))
    print("ready", flush=True)
    index.optimize()
"""


def filled(folder: Path, first: int, count: int) -> None:
    """Write products into an index of many, and close it."""
    index = ZvecIndex.open(folder) if folder.exists() else ZvecIndex.create(folder, SPEC)
    index.upsert([rows(first + n, pictures=["a"], tokens=["shoe"]) for n in range(count)])
    index.whole = True
    index.close()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index whose second half has no graph yet."""
    folder = tmp_path_factory.mktemp("original") / "generation"
    filled(folder, 1, 300)
    index = ZvecIndex.open(folder)
    index.optimize()
    index.close()
    filled(folder, 301, 300)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "generation"))


def graphs(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.proxima")}


def built_and_killed(folder: Path, before: set[str]) -> bool:
    """Optimize in another process, kill it once it has begun to write, and say whether it had."""
    command = [sys.executable, "-c", textwrap.dedent(OPTIMIZER), str(folder), str(TESTS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        while child.poll() is None and graphs(folder) <= before:
            time.sleep(0.001)
        child.kill()
    return not graphs(folder) <= before


def test_graphs_that_a_killed_process_was_building_are_gone_once_the_index_is_open(
    folder: Path,
) -> None:
    written = 0
    for _ in range(3):
        written += built_and_killed(folder, graphs(folder))
        index = ZvecIndex.open(folder)
        for collection in ("text", "pictures"):
            assert leftovers(folder / collection) == []
        assert list(index.revisions()) == [(n, 1, 1) for n in range(1, 601)]
        index.close()
    assert written


def test_whatever_nothing_names_goes_and_the_rest_stays(folder: Path) -> None:
    kept = graphs(folder)
    text = folder / "text"
    segment, *_ = sorted(path for path in text.iterdir() if path.name.isdecimal())
    graph = next(path for path in segment.glob("*.qindex.*.proxima"))
    shutil.copy(graph, graph.with_name(f"{graph.name.partition('.')[0]}.qindex.77.proxima"))
    shutil.copytree(segment, text / "1241581568.tmp")
    shutil.copytree(segment, text / "88")
    assert len(leftovers(text)) == 3
    index = ZvecIndex.open(folder)
    assert graphs(folder) == kept
    assert len(index.nearest(vectors(TITLES, 7), Modality.TEXT, limit=600)[0]) == 600
    index.upsert([rows(601)])
    index.optimize()
    assert index.counts().products == 601
    index.close()


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x22\x05abc", b"\x22\x02\x08\x63\x2a\x00"])
def test_of_a_manifest_that_cannot_be_read_nothing_is_concluded(
    folder: Path, content: bytes
) -> None:
    [manifest] = (folder / "text").glob("manifest.*")
    shutil.copytree(folder / "text" / "0", folder / "text" / "88")
    assert leftovers(folder / "text") == [folder / "text" / "88"]
    manifest.write_bytes(content)
    assert leftovers(folder / "text") == []


def test_where_a_graph_that_is_named_is_not_there_nothing_is_removed(folder: Path) -> None:
    shutil.copytree(folder / "text" / "0", folder / "text" / "88")
    next((folder / "text" / "0").glob("*.qindex.*")).unlink()
    assert leftovers(folder / "text") == []
