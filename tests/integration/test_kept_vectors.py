"""What was encoded once is not encoded again, and what is kept never does harm."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from crosslens.indexing import kept as module
from crosslens.indexing.kept import KeptVectors, digest_of
from crosslens.indexing.rebuild import rebuild
from crosslens.indexing.rows import RowMaker
from crosslens.values import Modality, Space
from crosslens.vectors.index import IndexSpec
from fakes import jpeg
from house import CROSS, TEXT, House

OTHER = Space("other@1/fp32", 32)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptVectors]:
    kept = KeptVectors(tmp_path / "vectors")
    yield kept
    kept.close()


@pytest.fixture
def house(kept: KeptVectors) -> House:
    return furnished(House(), kept)


def furnished(house: House, kept: KeptVectors | None) -> House:
    house.maker = RowMaker(house.encoders, house.media, house.maker.tokens, {}, kept)
    return house


def calls(house: House) -> tuple[int, int, int]:
    encoders = house.encoders
    return encoders.text.calls, encoders.words.calls, encoders.pictures.calls


def indexed(house: House) -> list[tuple[bytes, ...]]:
    rows = house.store.live()
    products = [product for product, _, _ in rows.revisions()]
    text = rows.vectors([(id, 0) for id in products], Modality.TEXT, TEXT)
    shown = rows.vectors([(id, at) for id in products for at in (0, 1)], Modality.PICTURE, CROSS)
    return [(str(key).encode(), row.tobytes()) for key, row in (*text.items(), *shown.items())]


def files(kept: KeptVectors) -> list[Path]:
    return sorted(kept._folder.glob("*.db"))


def test_a_rebuild_encodes_nothing_and_gives_the_same_vectors(house: House) -> None:
    for n in range(5):
        house.add(f"shirt {n}", jpeg((n, n, n)), jpeg((n, 9, 9)))
    house.worker().drain()
    before, vectors = calls(house), indexed(house)
    rebuild(house.catalog, house.store, house.maker)
    assert calls(house) == before
    assert indexed(house) == vectors


def test_only_what_changed_is_encoded(house: House) -> None:
    product = house.add("shirt", jpeg((1, 1, 1)), jpeg((2, 2, 2)))
    house.worker().drain()
    text, words, pictures = calls(house)
    house.editor.edit(product.id, title="a red shirt")
    house.worker().drain()
    assert calls(house) == (text + 1, words + 1, pictures)
    house.media.delete(product.pictures[0].sha256)
    house.editor.edit(product.id, attributes={"colour": "red"})
    house.worker().drain()
    assert calls(house) == (text + 1, words + 1, pictures)
    assert house.catalog.backlog().waiting == 0, "what is kept needs no picture"


def test_pictures_are_known_by_their_content_and_not_by_their_place(house: House) -> None:
    first, second, third = (jpeg((n, n, n)) for n in (10, 90, 200))
    product = house.add("shirt", first, second)
    house.worker().drain()
    pictures = house.encoders.pictures.calls
    house.editor.edit(product.id, pictures=[second, first])
    house.worker().drain()
    assert house.encoders.pictures.calls == pictures
    house.editor.edit(product.id, pictures=[third, second])
    house.worker().drain()
    assert house.encoders.pictures.calls == pictures + 1
    fresh = house.encoders.pictures.encode_pictures([third, second]).array
    held = house.store.live().vectors([(product.id, 0), (product.id, 1)], Modality.PICTURE, CROSS)
    assert np.allclose([held[product.id, 0], held[product.id, 1]], fresh, atol=1e-3)


def test_what_is_kept_is_as_large_as_the_catalogue(house: House, kept: KeptVectors) -> None:
    products = [house.add(f"shirt {n}", jpeg((n, n, n))) for n in range(3)]
    house.worker().drain()
    for n in range(3):
        house.editor.edit(products[0].id, title=f"another title {n}")
        house.worker().drain()
    house.editor.remove(products[1].id)
    house.worker().drain()
    for file in files(kept):
        with closing(sqlite3.connect(file)) as connection:
            held = connection.execute("SELECT product_id, length(digests) FROM kept").fetchall()
        assert held == [(products[0].id, 16), (products[2].id, 16)]


def test_columns_that_an_index_does_not_have_are_dropped(kept: KeptVectors) -> None:
    row = {1: [(digest_of("a"), np.eye(1, 32, dtype=np.float16)[0])]}
    kept.keep(Modality.TEXT, TEXT, row)
    kept.keep(Modality.TEXT, OTHER, row)
    kept.keep(Modality.PICTURE, TEXT, row)
    kept.only(IndexSpec((TEXT,), (), {}))
    assert len(files(kept)) == 1
    assert list(kept.of(Modality.TEXT, TEXT, [1])) == [1]
    assert kept.of(Modality.TEXT, OTHER, [1]) == {}
    kept.clear()
    assert files(kept) == []
    assert kept.of(Modality.TEXT, TEXT, [1]) == {}


def test_two_processes_may_use_it_at_once(kept: KeptVectors) -> None:
    other = KeptVectors(kept._folder)
    vector = np.eye(1, 32, dtype=np.float16)[0]
    for n in range(20):
        (kept, other)[n % 2].keep(Modality.TEXT, TEXT, {n: [(digest_of("a"), vector)]})
    assert len(kept.of(Modality.TEXT, TEXT, range(20))) == 20
    other.close()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b"rubbish" * 5_000), id="rubbish"),
        pytest.param(lambda file: file.write_bytes(b""), id="empty"),
        pytest.param(lambda file: spoil(file, b"short"), id="short vectors"),
        pytest.param(lambda file: spoil(file, bytes(64)), id="zeros"),
        pytest.param(lambda file: spoil(file, b"\xff" * 64), id="not numbers"),
    ],
)
def test_damaged_files_cost_the_encoding_and_nothing_else(
    damage: object, kept: KeptVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST_S", 0.0)
    house = furnished(House(), kept)
    house.add("shirt", jpeg())
    house.worker().drain()
    vectors = indexed(house)
    kept.close()
    for file in files(kept):
        damage(file)  # type: ignore[operator]
    before = calls(house)
    rebuild(house.catalog, house.store, house.maker)
    assert indexed(house) == vectors
    encoded_again = calls(house)
    assert encoded_again != before
    rebuild(house.catalog, house.store, house.maker)
    assert indexed(house) == vectors
    assert calls(house) == encoded_again, "it is kept again"


def spoil(file: Path, vectors: bytes) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE kept SET vectors = ?", (vectors,))


def test_where_nothing_can_be_kept_everything_is_indexed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "vectors").write_text("a file, not a folder")
    house = furnished(House(), KeptVectors(tmp_path / "vectors"))
    house.add("shirt", jpeg())
    assert house.worker().drain() == 1
    assert house.store.live().counts().pictures == 1
