from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from crosslens.corpora import parquet
from crosslens.corpora.mapping import ColumnMapping
from crosslens.corpora.records import BadRecord, Record
from crosslens.corpora.sources import open_source
from crosslens.errors import InvalidRequest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def written(path: Path, columns: dict) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_rows_are_read_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "BATCH", 7)
    columns = {
        "id": list(range(50)), "title": [f"t{n}" for n in range(50)],
        "price": [1.5] * 49 + [None], "when": [datetime(2026, 1, 2, tzinfo=UTC)] * 50,
        "cost": [Decimal("2.25")] * 50, "image": ["a.jpg"] * 50,
    }  # fmt: skip
    source = open_source(written(tmp_path / "a.parquet", columns))
    entries = list(source)
    assert source.count_hint() == len(entries) == 50
    assert entries[0] == Record(
        entries[0].where, "0", "t0", pictures=(tmp_path / "a.jpg",),
        attributes={"price": 1.5, "when": "2026-01-02T00:00:00+00:00", "cost": 2.25},
    )  # fmt: skip
    assert (entries[49].where.line, "price" in entries[49].attributes) == (50, False)


def test_pictures_embedded_as_hugging_face_does_are_contents(tmp_path):
    columns = {
        "title": ["a", "b"],
        "image": [{"bytes": b"\xff\xd8\xff", "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}],
    }
    first, second = open_source(written(tmp_path / "a.parquet", columns))
    assert (first.contents, first.pictures) == ((b"\xff\xd8\xff",), ())
    assert (second.contents, second.pictures) == ((), (tmp_path / "b.jpg",))


def test_shards_of_a_folder_are_one_source(tmp_path):
    for number in (1, 0):
        written(tmp_path / f"train-{number:05}.parquet", {"id": [str(number)], "title": ["a"]})
    source = open_source(tmp_path)
    assert [entry.key for entry in source] == ["0", "1"]
    assert source.count_hint() == 2
    assert source.describe == "2 files of parquet"


def test_a_column_may_be_mapped(tmp_path):
    path = written(tmp_path / "a.parquet", {"words": ["a"], "raw": [b"\x89PNG"]})
    (found,) = open_source(path, mapping=ColumnMapping.parse(["title=words", "image=raw"]))
    assert (found.title, found.contents) == ("a", (b"\x89PNG",))
    with pytest.raises(InvalidRequest, match="no column 'nope'"):
        open_source(path, mapping=ColumnMapping.parse(["title=nope"]))


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidRequest, match="not a parquet file"):
        open_source(tmp_path / "a.parquet")


def test_a_broken_page_is_reported_with_what_is_lost(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"title": [f"title {n}" for n in range(5000)]})
    pq.write_table(table, path, compression="snappy", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[60:400] = b"\xff" * 340
    path.write_bytes(bytes(data))
    entries = list(open_source(path))
    assert isinstance(entries[-1], BadRecord)
    assert "are not read" in entries[-1].reason


def test_a_value_without_a_python_form_spoils_only_its_row(tmp_path):
    times = pa.array([0, 2**62], pa.timestamp("ms"))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"title": ["a", "b"], "when": times}), path)
    entries = list(open_source(path))
    assert [type(entry) for entry in entries] == [Record, BadRecord]
