"""An exported catalogue comes back as it was, or there is no export."""

from __future__ import annotations

import json
import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosslens.catalog.product import ProductFields
from crosslens.errors import StorageFull
from crosslens.indexing.exporting import BATCH, Exporter
from crosslens.values import Modality
from crosslens.wiring import App, build
from fakes import jpeg
from house import House
from shell import Shell

RED, BLUE, GREEN = jpeg((200, 30, 30)), jpeg((30, 60, 200)), jpeg((30, 160, 60))
AWKWARD: dict[str, Any] = {
    "size.w": 7.5,
    "colour": "red",
    " blank ": " ",
    "sale": True,
    "price": 1.0,
    "usage": ["", "a|b", "街拍"],
    "note": "null",
}


@pytest.fixture
def shop(shell: Shell) -> Iterator[App]:
    """Products with and without key, pictures and attributes; two are retired."""
    with opened(shell.home) as app:
        add = app.editor.add
        add(ProductFields("  red shirt ", 'soft\nand "light"', AWKWARD, "sku/1"), [RED, BLUE])
        add(ProductFields("no key, no picture"))
        gone = add(ProductFields("retired", source_key="gone"), [GREEN])
        add(ProductFields("红色连衣裙", attributes={"colour": "红"}, source_key="裙 7"), [RED])
        last = add(ProductFields("last and retired"))
        app.editor.remove(gone.id)
        app.editor.remove(last.id)
        yield app


@contextmanager
def opened(home: Path) -> Iterator[App]:
    from crosslens.settings import load

    with build(load(home)) as app:
        yield app


def facts(app: App) -> list[tuple[Any, ...]]:
    """Everything that must survive; pictures of retired products may have been swept."""
    summary = app.catalog.summary()
    found = app.catalog.read(range(1, summary.products + summary.retired + 1))
    return [
        (p.id, p.retired, p.fields, [(n, type(v)) for n, v in p.fields.attributes.items()],
         () if p.retired else p.pictures)
        for p in found.values()
    ]  # fmt: skip


def away(shell: Shell) -> Shell:
    return Shell(shell.home.with_name("other"), shell.capture)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_an_export_comes_back_with_the_same_ids_keys_attributes_and_pictures(
    shell: Shell, shop: App, tmp_path: Path, form: str
) -> None:
    before = facts(shop)
    shop.close()
    told = shell.json("export", tmp_path / "out", "--format", form)
    assert {name: told[name] for name in ("products", "retired", "pictures")} == {
        "products": 3, "retired": 2, "pictures": 2,
    }  # fmt: skip
    counts = away(shell).json("import", tmp_path / "out", "--no-index")
    assert (counts["read"], counts["stored"], counts["failed"]) == (5, 5, 0)
    with opened(away(shell).home) as other:
        assert facts(other) == before
        assert [other.media.get(p.sha256) for p in other.product(1).pictures] == [RED, BLUE]
        assert other.editor.add(ProductFields("next")).id == 6
    again = away(shell).json("import", tmp_path / "out", "--no-index")
    assert (again["stored"], again["skipped"]) == (0, 5)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("mysql", marks=pytest.mark.mysql),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ],
)
def test_a_catalogue_moves_to_a_server_and_back_with_its_ids(
    shell: Shell, shop: App, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue(f"{kind}_catalog")
    import servers

    servers.empty(url)
    before = facts(shop)
    shop.close()
    shell.json("export", tmp_path / "out")
    server = away(shell)
    server.home.mkdir()
    (server.home / "crosslens.toml").write_text(f"catalog_url = {json.dumps(url)}\n", "utf-8")
    server.json("import", tmp_path / "out", "--no-index")
    server.json("export", tmp_path / "back")
    with opened(server.home) as other:
        assert facts(other) == before
        assert other.editor.add(ProductFields("next")).id == 6
    third = Shell(tmp_path / "third", shell.capture)
    third.json("import", tmp_path / "back", "--no-index")
    with opened(third.home) as other:
        assert facts(other) == before


def test_declared_attributes_come_back_too(shell: Shell, shop: App, tmp_path: Path) -> None:
    shop.close()
    (shell.home / "crosslens.toml").write_text('[attributes]\n"size.w" = "number"\n')
    shell.json("export", tmp_path / "out")
    away(shell).json("import", tmp_path / "out", "--no-index")
    with opened(away(shell).home) as other:
        assert dict(other.settings.attributes) == {"size.w": "number"}


def test_an_interrupted_import_of_an_export_goes_on_where_it_stopped(
    shell: Shell, shop: App, tmp_path: Path
) -> None:
    before = facts(shop)
    shop.close()
    shell.json("export", tmp_path / "out")
    lines = (tmp_path / "out" / "products.jsonl").read_text("utf-8").splitlines(keepends=True)
    shutil.copytree(tmp_path / "out", tmp_path / "part")
    (tmp_path / "part" / "products.jsonl").write_text("".join(lines[:2]), "utf-8")
    away(shell).json("import", tmp_path / "part", "--no-index")
    counts = away(shell).json("import", tmp_path / "out", "--no-index")
    assert (counts["stored"], counts["skipped"]) == (3, 2)
    with opened(away(shell).home) as other:
        assert facts(other) == before


def test_into_a_catalogue_of_other_products_it_is_imported_by_key(
    shell: Shell, shop: App, tmp_path: Path
) -> None:
    shop.close()
    shell.json("export", tmp_path / "out")
    with opened(away(shell).home) as other:
        other.editor.add(ProductFields("was here before", source_key="sku/1"))
        other.editor.add(ProductFields("me too"))
    counts = away(shell).json("import", tmp_path / "out", "--no-index")
    assert (counts["read"], counts["stored"]) == (3, 3)
    with opened(away(shell).home) as other:
        assert other.product(1).title == "  red shirt "
        assert other.product(2).title == "me too"
        assert other.catalog.summary().products == 4


def test_a_damaged_export_is_refused_with_its_line(shell: Shell, shop: App, tmp_path: Path) -> None:
    shop.close()
    shell.json("export", tmp_path / "out")
    picture = next((tmp_path / "out" / "pictures").rglob("*.jpeg"))
    picture.write_bytes(GREEN)
    ran = away(shell)("import", tmp_path / "out")
    assert ran.code == 2
    assert "the export is damaged" in ran.err
    assert "products.jsonl:1" in ran.err
    (tmp_path / "out" / "export.json").write_text('{"layout": 99}')
    assert "layout 99" in away(shell)("import", tmp_path / "out").err


def test_an_existing_target_is_refused_and_left_alone(
    shell: Shell, shop: App, tmp_path: Path
) -> None:
    shop.close()
    (tmp_path / "out").mkdir()
    ran = shell("export", tmp_path / "out")
    assert (ran.code, "is there already" in ran.err) == (1, True)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_lost_picture_is_named_and_nothing_is_left(
    shell: Shell, shop: App, tmp_path: Path
) -> None:
    sha256 = shop.product(4).pictures[0].sha256
    shop.media.delete(sha256)
    shop.close()
    ran = shell("export", tmp_path / "exports" / "out")
    assert ran.code == 1
    assert sha256 in ran.err
    assert list((tmp_path / "exports").iterdir()) == []


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    house = House()
    for n in range(40):
        house.editor.add(ProductFields("long " * 300, source_key=str(n)))
    exporter = Exporter(house.catalog, house.media)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(StorageFull, match="no space left for"):
            exporter.run(tmp_path / "exports" / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "exports").iterdir()) == []


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    house, stop = House(), threading.Event()
    with house.catalog.transaction() as writes:
        for n in range(BATCH + 1):
            writes.insert(ProductFields(f"product {n}"), ())

    def give_up(done: int) -> None:
        assert len(list((tmp_path / "exports").iterdir())) == 1
        raise KeyboardInterrupt

    asked = Exporter(house.catalog, house.media, on_progress=lambda done: stop.set())
    assert asked.run(tmp_path / "exports" / "out", stop=stop) is None
    assert list((tmp_path / "exports").iterdir()) == []
    forced = Exporter(house.catalog, house.media, on_progress=give_up)
    with pytest.raises(KeyboardInterrupt):
        forced.run(tmp_path / "exports" / "out")
    assert list((tmp_path / "exports").iterdir()) == []


def test_what_comes_back_is_indexed_and_retired_products_are_not(
    shell: Shell, shop: App, tmp_path: Path
) -> None:
    shop.close()
    shell.json("export", tmp_path / "out")
    assert away(shell).json("import", tmp_path / "out")["waiting"] == 0
    with opened(away(shell).home) as other:
        assert sorted(key for key, _, _ in other.index.revisions()) == [1, 2, 4]


def test_vectors_are_written_on_wish(shell: Shell, shop: App, tmp_path: Path) -> None:
    shop.worker().drain()
    index = shop.index
    spec, space = index.spec, index.spec.picture[0]
    texts = index.vectors([(1, 0)], Modality.TEXT, spec.text[0])
    shown = index.vectors([(1, 1)], Modality.PICTURE, space)
    shop.close()
    told = shell.json("export", tmp_path / "out", "--vectors")
    assert told["vectors"] == 3 * len(spec.text) + 3 * len(spec.picture)
    assert told["without_vectors"] == 0
    cover = json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    for column in cover["vectors"]:
        file = np.load(tmp_path / "out" / column["folder"] / "00000.npz")
        assert file["vectors"].shape == (column["rows"], column["dim"])
        places = zip(file["ids"].tolist(), file["positions"].tolist(), strict=True)
        rows = dict(zip(places, file["vectors"], strict=True))
        if (column["modality"], column["space"]) == ("text", spec.text[0].name):
            np.testing.assert_allclose(rows[1, 0], texts[1, 0], atol=1e-6)
        if (column["modality"], column["space"]) == ("picture", space.name):
            np.testing.assert_allclose(rows[1, 1], shown[1, 1], atol=1e-6)
