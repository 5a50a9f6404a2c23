import codecs
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.corpora import jsonl, tables
from crosslens.corpora.encoding import count_lines, detect_encoding
from crosslens.corpora.jsonl import json_rows
from crosslens.corpora.mapping import ColumnMapping
from crosslens.corpora.records import BadRecord, Record
from crosslens.corpora.sources import open_source
from crosslens.errors import InvalidRequest


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def good(entries: Iterable[Record | BadRecord]) -> list[Record]:
    return [entry for entry in entries if isinstance(entry, Record)]


def bad(entries: Iterable[Record | BadRecord]) -> list[BadRecord]:
    return [entry for entry in entries if isinstance(entry, BadRecord)]


CSV = "id,title,价格\n1,红色鞋子,5\n2,蓝色衬衫,6\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_table_is_read_in_the_encoding_it_has(tmp_path, encoding):
    entries = list(open_source(write(tmp_path / "a.csv", CSV, encoding)))
    assert [entry.title for entry in good(entries)] == ["红色鞋子", "蓝色衬衫"]
    assert entries[0].attributes == {"价格": "5"}
    assert [entry.where.line for entry in entries] == [2, 3]


def test_one_broken_line_does_not_turn_utf8_into_another_encoding(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(CSV.encode() + b"3,\xff\xfe\xb0,7\n" + "4,绿色,8\n".encode())
    entries = list(open_source(path))
    assert [entry.title for entry in good(entries)] == ["红色鞋子", "蓝色衬衫", "绿色"]
    assert [(entry.where.line, "encoding" in entry.reason) for entry in bad(entries)] == [(4, True)]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_that_of_the_header(tmp_path, delimiter):
    text = CSV.replace(",", delimiter)
    assert len(good(open_source(write(tmp_path / "a.csv", text)))) == 2


def test_quoted_cells_may_hold_delimiters_and_line_breaks(tmp_path):
    text = 'id,title\n1,"Red, ""soft""\nshoe"\n\n2,next\n'
    entries = list(open_source(write(tmp_path / "a.csv", text)))
    assert [(entry.title, entry.where.line) for entry in good(entries)] == [
        ('Red, "soft"\nshoe', 2),
        ("next", 5),
    ]


def test_ragged_rows_and_broken_quotes_are_reported_with_their_line(tmp_path):
    text = 'id,title\n1,a\n2\n3,c,extra\n4,"d"x\n5,e\n'
    entries = list(open_source(write(tmp_path / "a.csv", text)))
    assert [entry.key for entry in good(entries)] == ["1", "5"]
    assert [entry.where.line for entry in bad(entries)] == [3, 4, 5]


@pytest.mark.parametrize("rows", [500, 60_000])
def test_an_unclosed_quote_costs_only_its_own_line(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(tables, "MAX_FIELD", 200_000)
    lines = "".join(f"{number},ok\n" for number in range(rows))
    path = write(tmp_path / "a.csv", 'id,title\n1,"open\n' + lines + '9,"last\n')
    entries = list(open_source(path))
    assert len(good(entries)) == rows
    assert [entry.where.line for entry in bad(entries)] == [2, rows + 3]


def test_a_very_long_cell_is_read(tmp_path):
    text = "id,title,description\n1,a," + "x" * 500_000 + "\n"
    assert len(good(open_source(write(tmp_path / "a.csv", text)))[0].description) == 500_000


def test_a_mapped_column_that_is_missing_is_refused_before_reading(tmp_path):
    path = write(tmp_path / "a.csv", CSV)
    with pytest.raises(InvalidRequest, match="no column '商品名'; there are id, title, 价格"):
        open_source(path, mapping=ColumnMapping.parse(["title=商品名"]))


@pytest.mark.parametrize("text", ["\n\n", "a,a\n1,2\n", ",,\n1,2,3\n"])
def test_a_table_without_a_usable_header_is_refused(tmp_path, text):
    with pytest.raises(InvalidRequest, match="header"):
        open_source(write(tmp_path / "a.csv", text))


JSONL = """\ufeff{"id": 1, "title": "a"}

{"id": 2, "title": "b"
[1, 2]
{"id": 3, "title": "c", "price": NaN}
{"id": 4, "title": "d", "price": 1e999}
{"id": 5, "title": "e"}"""


def test_each_bad_line_is_reported_and_the_others_are_read(tmp_path):
    source = open_source(write(tmp_path / "a.jsonl", JSONL))
    entries = list(source)
    assert [entry.key for entry in good(entries)] == ["1", "5"]
    assert [entry.where.line for entry in bad(entries)] == [3, 4, 5, 6]
    reasons = " ".join(entry.reason for entry in bad(entries))
    assert all(word in reasons for word in ("delimiter", "list", "NaN", "out of range"))
    assert source.count_hint() == 7


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id": ' + b"9" * 5000 + b', "title": "a"}',
    ],
)
def test_a_hostile_line_is_one_bad_record(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"title": "first"}\n' + line + b'\n{"title": "last"}\n')
    entries = list(open_source(path))
    assert len(good(entries)) == 2
    assert len(bad(entries)) >= 1


def test_an_endless_line_is_skipped_without_being_held(tmp_path, monkeypatch):
    path = write(tmp_path / "a.jsonl", '{"t": "' + "x" * 5000 + '"}\n{"title": "after"}\n')
    with path.open("rb") as file:
        lines = list(jsonl.bounded_lines(file, 1000))
    assert lines == [None, b'{"title": "after"}\n']


def test_an_array_is_read_like_lines(tmp_path):
    values = [{"id": str(n), "title": "x" * n} for n in range(1, 300)]
    path = write(tmp_path / "a.json", json.dumps(values, indent=1))
    entries = list(open_source(path))
    assert [entry.key for entry in good(entries)] == [str(n) for n in range(1, 300)]
    assert entries[1].where.line == 6
    assert open_source(path).count_hint() is None


@given(values=st.lists(st.dictionaries(st.text(max_size=4), st.integers() | st.text()), max_size=6),
       block=st.integers(1, 40), indent=st.none() | st.integers(0, 3))  # fmt: skip
def test_an_array_is_read_whatever_the_size_of_the_blocks(tmp_path_factory, values, block, indent):
    path = tmp_path_factory.mktemp("array") / "a.json"
    path.write_text(json.dumps(values, indent=indent, ensure_ascii=False), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "BLOCK", block)
        assert [row.values for row in json_rows(path)] == values


def test_an_array_reports_bad_elements_and_where_it_breaks(tmp_path):
    text = '[{"title": "a"}, 5, {"title": "b", "p": NaN},\n{"title": "c"} {"title": "d"}]'
    entries = list(open_source(write(tmp_path / "a.json", text)))
    assert [entry.title for entry in good(entries)] == ["a", "c"]
    assert [entry.where.line for entry in bad(entries)] == [1, 1, 2]
    assert "no comma" in bad(entries)[2].reason


def test_an_array_that_ends_early_is_reported(tmp_path):
    entries = list(open_source(write(tmp_path / "a.json", '[{"title": "a"}, {"title": ')))
    assert len(good(entries)) == len(bad(entries)) == 1


def test_lines_named_json_are_lines(tmp_path):
    text = '{"title": "a"}\n{"title": "b"}\n'
    assert len(good(open_source(write(tmp_path / "a.json", text)))) == 2


def test_inserting_a_line_does_not_change_the_keys_of_the_others(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"title": "a"}\n{"title": "b"}\n')
    before = {entry.key for entry in open_source(path)}
    write(path, '{"title": "new"}\n{"title": "a"}\n{"title": "b"}\n')
    assert before < {entry.key for entry in open_source(path)}


def test_a_source_may_be_read_twice(tmp_path):
    source = open_source(write(tmp_path / "a.jsonl", JSONL))
    assert list(source) == list(source)


@pytest.mark.parametrize("name", ["missing.csv", "empty.csv", "notes.docx", "nothing"])
def test_what_is_no_source_is_refused_with_what_is_allowed(tmp_path, name):
    write(tmp_path / "empty.csv", "")
    write(tmp_path / "notes.docx", "x")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InvalidRequest) as refusal:
        open_source(tmp_path / name)
    assert ".jsonl" in (refusal.value.hint or "")


def test_lines_are_counted_by_newlines(tmp_path):
    assert count_lines(write(tmp_path / "a", "")) == 0
    assert count_lines(write(tmp_path / "b", "x")) == 1
    assert count_lines(write(tmp_path / "c", "x\ny\n")) == 2


def test_byte_order_marks_decide_the_encoding(tmp_path):
    (tmp_path / "a").write_bytes(codecs.BOM_UTF16_BE + "标题".encode("utf-16-be"))
    assert detect_encoding(tmp_path / "a") == "utf-16"


def test_muge_pictures_are_decoded_and_keyed_by_id(tmp_path):
    path = write(tmp_path / "valid_imgs.tsv", "11\t_9j_4A==\n12\t/9j/4A\n13\t%%\n\t/9j/\n14\n")
    entries = list(open_source(tmp_path))
    assert [(e.key, e.title, e.contents) for e in good(entries)] == [
        ("11", "11", (b"\xff\xd8\xff\xe0",)),
        ("12", "12", (b"\xff\xd8\xff\xe0",)),
    ]
    assert [entry.where.line for entry in bad(entries)] == [3, 4, 5]
    assert open_source(path).count_hint() == 5


@pytest.mark.parametrize("name", ["items.csv", "products.tsv", "corpus.jsonl"])
def test_a_folder_with_products_and_their_pictures_is_read_by_its_file(tmp_path, name):
    mark = "\t" if name.endswith("tsv") else ","
    text = '{"title": "a"}' if name.endswith("jsonl") else f"title{mark}image\na{mark}p/1.jpg"
    write(tmp_path / name, text + "\n")
    (tmp_path / "p").mkdir()
    (tmp_path / "p/1.jpg").write_bytes(b"\xff\xd8\xff")
    (entry,) = open_source(tmp_path)
    assert entry.title == "a"


SEEDS = {
    ".csv": CSV.encode(),
    ".tsv": CSV.replace(",", "\t").encode("gb18030"),
    ".jsonl": JSONL.encode(),
    ".json": b'[{"title": "a", "id": 5}, {"title": "b"}]',
    "_imgs.tsv": b"11\t_9j_4A==\n12\t/9j/4A\n",
    "16.csv": CSV.encode("utf-16"),
}


@given(
    suffix=st.sampled_from(sorted(SEEDS)),
    changes=st.lists(st.tuples(st.integers(0, 80), st.binary(max_size=3)), max_size=6),
    cut=st.integers(1, 90),
)
def test_damaged_files_never_raise_while_they_are_read(tmp_path_factory, suffix, changes, cut):
    data = bytearray(SEEDS[suffix])
    for position, part in changes:
        data[position : position + len(part)] = part
    path = tmp_path_factory.mktemp("damaged") / f"a{suffix}"
    path.write_bytes(bytes(data[:cut]))
    try:
        source = open_source(path)
    except InvalidRequest:
        return
    assert all(isinstance(entry, Record | BadRecord) for entry in source)
