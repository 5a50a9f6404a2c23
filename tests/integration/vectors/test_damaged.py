"""
Files of an index that are lost, cut or overwritten: crosslens starts, answers, and mends itself.

The catalogue has everything, so whatever the engine says, an empty index takes the place of one
that cannot be read, and is filled.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crosslens import settings, wiring
from crosslens.catalog.product import ProductFields
from crosslens.errors import IndexBroken, StorageFull, Unavailable
from crosslens.indexing.audit import audit
from crosslens.indexing.checkup import check_index
from crosslens.search.request import SearchRequest
from crosslens.settings import write_missing
from crosslens.values import Kind
from crosslens.vectors import zvec_collections
from crosslens.vectors.filters import parse
from crosslens.vectors.generations import Generations
from crosslens.vectors.rehearsal import rehearse
from crosslens.vectors.zvec_index import ZvecIndex
from crosslens.wiring import App
from fakes import jpeg
from shell import Shell

PRODUCTS = 12


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("original")
    write_missing(home, attributes={"colour": "keyword", "price": "number"})
    with opened(home) as app:
        for n in range(PRODUCTS):
            fields = ProductFields(f"shirt {n}", attributes={"colour": "red", "price": float(n)})
            app.editor.add(fields, [jpeg((n * 20, 0, 0))])
            if n == PRODUCTS // 2:
                app.worker().drain()
                app.index.optimize()
        app.worker().drain()
    return home


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "home"))


def opened(home: Path) -> wiring.App:
    return wiring.build(settings.load(home))  # type: ignore[return-value]


def generation(home: Path) -> Path:
    (found,) = (home / "index").glob("generation-*")
    return found


def newest(home: Path, pattern: str) -> Path:
    return max(generation(home).glob(pattern))


def overwrite(file: Path) -> None:
    file.write_bytes(b"rubbish" * (file.stat().st_size // 7 + 1))


def lose(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def empty(folder: Path) -> None:
    lose(folder)
    folder.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "the index is gone": lambda home: lose(home / "index"),
    "the pointer is gone": lambda home: lose(home / "index" / "live"),
    "the pointer is empty": lambda home: os.truncate(home / "index" / "live", 0),
    "the pointer is rubbish": lambda home: overwrite(home / "index" / "live"),
    "the generation is gone": lambda home: lose(generation(home)),
    "the generation is empty": lambda home: empty(generation(home)),
    "the description is gone": lambda home: lose(generation(home) / "spec.json"),
    "the description is cut": lambda home: os.truncate(generation(home) / "spec.json", 20),
    "another layout": lambda home: (generation(home) / "spec.json").write_text('{"layout": 99}'),
    "a collection is gone": lambda home: lose(generation(home) / "text"),
    "a collection is empty": lambda home: empty(generation(home) / "pictures"),
    "a manifest is gone": lambda home: lose(newest(home, "text/manifest.*")),
    "a manifest is empty": lambda home: os.truncate(newest(home, "text/manifest.*"), 0),
    "a manifest is cut": lambda home: os.truncate(newest(home, "pictures/manifest.*"), 99),
    "a manifest is rubbish": lambda home: overwrite(newest(home, "text/manifest.*")),
    "a lock is gone": lambda home: lose(generation(home) / "text" / "LOCK"),
    "a segment is gone": lambda home: lose(newest(home, "pictures/[0-9]")),
    "a scalar index is gone": lambda home: lose(newest(home, "text/*/scalar.index.*")),
    "a keyword index is gone": lambda home: lose(newest(home, "text/*/fts.*")),
    "columns are gone": lambda home: lose(newest(home, "text/*/scalar.*.ipc")),
    "columns are rubbish": lambda home: overwrite(newest(home, "pictures/*/scalar.*.ipc")),
    "vectors are gone": lambda home: lose(newest(home, "text/*/*.index.*.proxima")),
    "vectors are cut": lambda home: os.truncate(newest(home, "pictures/*/*.proxima"), 1000),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_whatever_is_damaged_crosslens_starts_answers_and_mends_itself(
    damage: Callable[[Path], object], home: Path
) -> None:
    damage(home)
    with opened(home) as app:
        app.engine.search(SearchRequest("shirt"))
        app.worker().drain()
        assert audit(app.catalog, app.index).clean
        assert_found(app)
        assert app.index_store.damage is None
        assert check_index(app.catalog, app.index_store).ok
    assert len(list((home / "index").glob("*-*"))) == 1, "nothing damaged is left over"
    with opened(home) as app:
        assert not app.index_store.doubtful
        assert_found(app)


def assert_found(app: App) -> None:
    words = SearchRequest("shirt 7", kind=Kind.HYBRID, alpha=0.0, where=parse("price > 3"))
    assert app.engine.search(words).hits[0].product.title == "shirt 7"
    picture = SearchRequest(pictures=(jpeg((7 * 20, 0, 0)),), kind=Kind.IMAGE2IMAGE)
    assert app.engine.search(picture).hits[0].product.title == "shirt 7"


def test_until_it_is_filled_everybody_is_told(home: Path) -> None:
    damaged = generation(home)
    overwrite(newest(home, "text/manifest.*"))
    for _ in range(2):
        with opened(home) as app:
            damage = app.index_store.damage
            assert damage is not None
            assert "cannot be read" in damage.reason
            assert Path(damage.kept).name == damaged.name.replace("generation", "damaged")
            assert Path(damage.kept).is_dir()
            (note,) = app.engine.search(SearchRequest("shirt")).notes
            assert note == "the index is being filled: 0 of 12 products are in it"
            finding = check_index(app.catalog, app.index_store)
            assert not finding.ok
            assert "index work" in str(finding.hint)
    with opened(home) as app:
        app.worker().drain()
        assert app.index_store.damage is None
        assert app.engine.search(SearchRequest("shirt")).notes == ()
        assert not Path(damage.kept).exists()


@pytest.mark.parametrize("command", [["search", "shirt"], ["index", "work"], ["index", "status"]])
def test_no_command_is_stopped_by_a_damaged_index(
    command: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overwrite(newest(home, "text/manifest.*"))
    ran = Shell(home, capsys)(*command)
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err


def test_an_import_over_a_damaged_index_stores_and_indexes_everything(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.jsonl").write_text('{"key": "new", "title": "a hat"}\n', "utf-8")
    lose(newest(home, "text/*/scalar.index.*"))
    shell = Shell(home, capsys)
    assert shell.json("import", tmp_path / "new.jsonl")["stored"] == 1
    assert shell.json("index", "audit")["products"] == PRODUCTS + 1


def test_a_filling_that_is_killed_goes_on(home: Path) -> None:
    overwrite(newest(home, "text/manifest.*"))
    with opened(home) as app:
        app.mending.more()
        app.index_store.live().optimize()
        assert app.catalog.backlog().waiting == PRODUCTS
    with opened(home) as app:
        assert app.index_store.damage is not None
        app.worker().drain()
        assert audit(app.catalog, app.index).clean
        assert app.index_store.damage is None


def test_what_was_encoded_before_is_not_encoded_again(home: Path) -> None:
    lose(newest(home, "text/*/scalar.index.*"))
    lose(home / "media")
    with opened(home) as app:
        app.worker().drain()
        assert audit(app.catalog, app.index).clean
        assert_found(app)


def test_nothing_is_kept_where_the_settings_say_so(home: Path) -> None:
    assert list((home / "vectors").glob("*.db"))
    with wiring.build(settings.load(home, keep_vectors=False)) as app:
        app.rebuild(lambda done, total: None)
        assert audit(app.catalog, app.index).clean
    assert not list((home / "vectors").glob("*.db"))


def test_a_rebuild_makes_a_damage_good(home: Path) -> None:
    overwrite(newest(home, "text/manifest.*"))
    with opened(home) as app:
        app.rebuild(lambda done, total: None)
        assert app.index_store.damage is None
        assert not app.index_store.doubtful
        assert audit(app.catalog, app.index).clean
    assert len(list((home / "index").glob("*-*"))) == 1


def test_files_that_were_never_written_cost_nothing(home: Path) -> None:
    last = newest(home, "text/manifest.*")
    number = int(last.suffix[1:])
    last.with_suffix(f".{number + 1}").touch()
    (newest(home, "pictures/[0-9]") / "9.wal").touch()
    with opened(home) as app:
        assert app.index_store.damage is None
        assert app.index.counts().products == PRODUCTS
        assert audit(app.catalog, app.index).clean


def test_an_empty_manifest_does_not_crash_a_service_that_was_killed(home: Path) -> None:
    (generation(home) / "closed").unlink()
    os.truncate(newest(home, "text/manifest.*"), 0)
    with opened(home) as app:
        damage = app.index_store.damage
        assert damage is not None
        assert "manifest is empty" in damage.reason


def test_columns_are_made_without_what_sealing_would_drop_and_make_again(home: Path) -> None:
    with opened(home):
        pass
    catalogued = newest(home, "text/*/scalar.index.*")
    assert b"$RANGES" not in max(catalogued.glob("MANIFEST-*")).read_bytes()


def test_files_that_crash_the_engine_end_a_rehearsal_and_not_the_service(home: Path) -> None:
    crash = (sys.executable, "-c", f"import os; os.kill(os.getpid(), {signal.SIGSEGV:d})")
    with pytest.raises(IndexBroken, match="signal 11"):
        rehearse(generation(home), opener=crash)
    rehearse(generation(home))
    with opened(home) as app:
        assert not app.index_store.doubtful, "a rehearsal leaves things as they were"


def test_an_index_whose_opening_ended_a_process_is_rehearsed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsed: list[Path] = []

    def crashed(folder: Path) -> None:
        rehearsed.append(folder)
        raise IndexBroken("opening it crashed the engine")

    monkeypatch.setattr("crosslens.vectors.zvec.rehearse", crashed)
    with opened(home) as app:
        assert app.index.counts().products == PRODUCTS
    assert rehearsed == []
    (home / "index" / "opening").write_text(generation(home).name)
    with opened(home) as app:
        damage = app.index_store.damage
        assert damage is not None
        assert "crashed" in damage.reason
    assert len(rehearsed) == 1
    assert not (home / "index" / "opening").exists()


def test_a_full_disk_is_no_damage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> object:
        raise RuntimeError("IO error: No space left on device")

    monkeypatch.setattr(zvec_collections, "open_collection", full)
    with pytest.raises(StorageFull), opened(home) as app:
        app.index_store.live()
    monkeypatch.undo()
    with opened(home) as app:
        assert app.index.counts().products == PRODUCTS


def test_nothing_is_set_aside_where_nothing_can_be_begun(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = generation(home)
    lose(newest(home, "text/*/scalar.index.*"))
    monkeypatch.setattr(zvec_collections, "RESERVE_BYTES", 1 << 60)
    with pytest.raises(StorageFull), opened(home) as app:
        app.index_store.live()
    generations = Generations(home / "index")
    assert generations.live() == former
    assert former.is_dir()
    with generations.opening(former) as warned:
        assert not warned
    generations.close()


def test_an_index_that_fails_twice_when_asked_is_begun_anew(home: Path) -> None:
    with opened(home) as app:
        held = app.index_store.live()._held
        assert isinstance(held.index, ZvecIndex)
        app.engine  # noqa: B018 - asks the index

        class Failing:
            def __init__(self, inner: object) -> None:
                self.inner = inner

            def __getattr__(self, name: str) -> object:
                return getattr(self.inner, name)

            def query(self, *_: object, **__: object) -> object:
                raise ValueError("basic_string::_M_create")

        held.index._text = Failing(held.index._text)
        with pytest.raises(Unavailable):
            app.index.matching(["shirt"], limit=1)
        assert app.index_store.doubtful
        app.worker().drain()
        assert app.index_store.damage is None
        assert audit(app.catalog, app.index).clean
        assert_found(app)
