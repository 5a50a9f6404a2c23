from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.corpora.mapping import ColumnMapping
from crosslens.corpora.records import BadRecord, Record, Row, Where
from crosslens.corpora.rows import excerpt, readable, records, to_record
from crosslens.errors import InvalidRequest
from crosslens.values import AttributeType

WHERE = Where(Path("shop/items.jsonl"), 3)


def record(values: dict, *mapping: str) -> Record:
    entry = to_record(Row(WHERE, values), ColumnMapping.parse(mapping))
    assert isinstance(entry, Record), entry
    return entry


def bad(values: dict, *mapping: str) -> BadRecord:
    entry = to_record(Row(WHERE, values), ColumnMapping.parse(mapping))
    assert isinstance(entry, BadRecord), entry
    return entry


def test_the_named_fields_need_no_mapping():
    found = record({
        "id": "7", "title": "Red shoe", "description": "A shoe.", "image": "images/7.jpg",
        "other_images": ["images/7b.jpg", "/abs/c.jpg"],
        "attributes": {"colour": "red", "brand": None},
    })  # fmt: skip
    assert found == Record(
        WHERE, "7", "Red shoe", "A shoe.", {"colour": "red"},
        (Path("shop/images/7.jpg"), Path("shop/images/7b.jpg"), Path("/abs/c.jpg")),
    )  # fmt: skip


def test_chinese_columns_are_understood():
    found = record(
        {"编号": 12, "商品名称": "红色鞋子", "描述": "好鞋", "图片": "a.jpg", "价格": 19.5}
    )
    assert (found.key, found.title, found.description) == ("12", "红色鞋子", "好鞋")
    assert found.pictures == (Path("shop/a.jpg"),)
    assert found.attributes == {"价格": 19.5}


def test_a_second_name_stays_an_attribute():
    found = record({"id": "1", "title": "Shoe", "title_zh": "鞋", "name": "S-1", "desc": "Words"})
    assert found.attributes == {"title_zh": "鞋", "name": "S-1"}


def test_an_empty_title_gives_way_to_the_next_alias():
    found = record({"id": "1", "title": " ", "title_zh": "鞋"})
    assert found.title == "鞋"
    assert found.attributes == {}


def test_column_names_are_compared_without_case_and_spaces():
    found = record({"ID": "1", "Product Name": "Shoe", "Image": "a.jpg"})
    assert (found.key, found.title, len(found.pictures)) == ("1", "Shoe", 1)


def test_a_mapping_overrides_names():
    row = {"id": "1", "title": "wrong", "商品名": "right", "path": "a.jpg", "attributes": {"p": 5}}
    found = record(row, "title=商品名", "image=path", "price=attributes.p", "title_en=title")
    assert (found.title, found.pictures) == ("right", (Path("shop/a.jpg"),))
    assert found.attributes == {"price": 5, "title_en": "wrong"}


def test_a_mapping_leaves_an_attribute_out():
    assert record({"title": "a", "note": "x"}, "note=").attributes == {}


def test_a_mapping_gives_types_to_text():
    row = {"title": "a", "p": "1,599.50", "b": "是", "k": "S|M|L"}
    found = record(row, "price:number=p", "stock:bool=b", "sizes:keywords=k")
    assert found.attributes == {"price": 1599.5, "stock": True, "sizes": ["S", "M", "L"]}


def test_declared_types_apply_to_text():
    mapping = ColumnMapping(types={"price": AttributeType.NUMBER})
    entry = to_record(Row(WHERE, {"title": "a", "price": "5"}), mapping)
    assert isinstance(entry, Record)
    assert entry.attributes == {"price": 5.0}


def test_text_that_is_not_of_its_type_is_a_bad_record():
    assert "price" in bad({"id": "9", "title": "a", "p": "cheap"}, "price:number=p").reason
    assert bad({"id": "9", "title": "a", "p": "cheap"}, "price:number=p").key == "9"


@pytest.mark.parametrize("pair", ["title", "=x", "title=", "price:money=p", "title:number=t"])
def test_an_impossible_mapping_is_refused(pair):
    with pytest.raises(InvalidRequest, match="column mapping"):
        ColumnMapping.parse([pair])


def test_a_field_mapped_twice_is_refused():
    with pytest.raises(InvalidRequest, match="'key' twice"):
        ColumnMapping.parse(["id=a", "key=b"])


def test_nested_objects_become_dotted_attributes():
    found = record(
        {"title": "a", "size": {"w": 1, "h": {"cm": 2}}, "attributes": {"x": {"y": "z"}}}
    )
    assert found.attributes == {"size.w": 1, "size.h.cm": 2, "x.y": "z"}


def test_an_explicit_attribute_beats_a_column_of_its_name():
    row = {"title": "a", "attributes": {"colour": "red"}, "colour": "blue"}
    assert record(row).attributes == {"colour": "red"}
    assert record(dict(reversed(row.items()))).attributes == {"colour": "red"}


def test_values_of_tables_become_plain():
    found = record({
        "title": "a", "n": float("nan"), "d": Decimal("1.5"), "day": date(2026, 1, 2), "b": b"raw",
        "l": ["x", 1, None], "o": [{"k": 1}], "none": None, "empty": [],
    })  # fmt: skip
    assert found.attributes == {"d": 1.5, "day": "2026-01-02", "l": ["x", "1"], "o": ['{"k": 1}']}


def test_an_attributes_cell_may_hold_json():
    assert record({"title": "a", "attributes": '{"colour": "red"}'}).attributes == {"colour": "red"}
    assert "attributes" in bad({"title": "a", "attributes": '{"colour": '}).reason


def test_pictures_may_be_bytes_structs_urls_and_data():
    found = record({
        "title": "a", "image": {"bytes": b"\xff\xd8", "path": "x.jpg"},
        "images": [{"bytes": None, "path": "y.jpg"}, "https://shop.example/z.jpg", b"\x89PNG",
                   "data:image/png;base64,iVBORw=="],
    })  # fmt: skip
    assert found.contents == (b"\xff\xd8", b"\x89PNG", b"\x89PNG")
    assert found.pictures == (Path("shop/y.jpg"),)
    assert found.picture_urls == ("https://shop.example/z.jpg",)
    assert found.attributes == {}


@pytest.mark.parametrize("cell", ["a.jpg|b.jpg", "a.jpg; b.jpg", '["a.jpg", "b.jpg"]'])
def test_a_cell_may_list_pictures(cell):
    assert record({"title": "a", "other_images": cell}).pictures == (
        Path("shop/a.jpg"),
        Path("shop/b.jpg"),
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "no title"),
        ({"id": "1", "title": None}, "no title"),
        ({"title": ["a"]}, "title must be text, not list"),
        ({"title": "a", "id": True}, "id must be text or a number"),
        ({"title": "a", "image": 5}, "image must be a path"),
        ({"title": "a", "image": "a\0.jpg"}, "null character"),
        ({"title": "a", "image": "data:image/png;base64,%%%"}, "base64"),
        ({"title": "a", "other_images": '["a.jpg"'}, "JSON list"),
    ],
)
def test_a_row_that_makes_no_product_says_why(row, reason):
    assert reason in bad(row).reason


def test_a_product_without_a_title_is_called_after_what_it_has():
    assert record({"text": "Long words. " * 30, "category": "c"}).title.startswith("Long words.")
    assert record({"category": "Apple", "image": "a.jpg"}).title == "Apple"
    assert record({"image": "x/red-shoe_01.jpg"}).title == "red shoe 01"


def test_a_text_is_a_product():
    found = record({"_id": "d1", "text": "word " * 50, "metadata": {}})
    assert (found.key, found.description) == ("d1", "word " * 50)
    assert len(found.title) <= 100


def test_a_key_is_derived_from_the_content():
    same = record({"title": "a", "image": "x.jpg"}).key
    assert (
        same
        == to_record(Row(Where(Path("shop/items.jsonl"), 99), {"title": "a", "image": "x.jpg"})).key
    )
    assert same.startswith("sha256:")
    assert same != record({"title": "a", "image": "y.jpg"}).key
    assert record({"id": 3.0, "title": "a"}).key == "3"


def test_a_question_becomes_a_product():
    found = record(
        {"qid": 5, "category": "数码-手机", "title": "怎么\n刷机", "desc": "d", "answer": "一\n二"}
    )
    assert (found.key, found.title, found.description) == ("5", "怎么 刷机", "一\n二")
    assert found.attributes == {"category": ["数码", "手机"], "desc": "d"}
    assert record({"qid": "5", "question": "q", "title": "t", "answer": "a"}).title == "q"


@pytest.mark.parametrize(
    "row", [{"qid": 1, "title": " ", "answer": "a"}, {"qid": 1, "title": "t", "answer": ""}]
)
def test_a_question_without_words_or_answer_is_bad(row):
    assert "is empty" in bad(row).reason


def test_records_come_one_for_one():
    broken = BadRecord(WHERE, "x")
    found = list(records([Row(WHERE, {"title": "a"}), broken, Row(WHERE, {})]))
    assert [type(entry) for entry in found] == [Record, BadRecord, BadRecord]


@given(st.text(), st.integers(1, 50))
def test_an_excerpt_is_short_and_the_beginning(text, length):
    cut = excerpt(text, length)
    assert len(cut) <= length
    assert " ".join(text.split()).startswith(cut)


def test_an_excerpt_ends_at_a_word():
    assert excerpt("alpha beta gamma delta", 13) == "alpha beta"
    assert excerpt("没有空格的中文句子", 4) == "没有空格"


def test_a_stem_becomes_words():
    assert readable("red-shoe_01") == "red shoe 01"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(
    ["id", "title", "text", "image", "images", "attributes", "answer", "qid", "x"]
)


@given(st.dictionaries(names, values, max_size=6))
def test_no_row_ever_raises(row):
    entry = to_record(Row(WHERE, row))
    assert isinstance(entry, Record | BadRecord)
    if isinstance(entry, Record):
        assert entry.title
        assert entry.key
