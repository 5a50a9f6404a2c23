from __future__ import annotations

from pathlib import Path

import pytest

from crosslens.indexing.declare import MOST, infer
from crosslens.settings import load, write_missing, write_value
from crosslens.values import AttributeType as Type


def test_types_are_read_off_the_values() -> None:
    rows = [
        {"colour": "Red", "price": 10, "year": "2011", "sale": True, "sizes": ["S", "M"],
         "since": "2024-01-31", "code": "007", "note": "x" * 200, "title_zh": "红"},
        {"colour": None, "price": 12.5, "year": "2012", "sale": False, "sizes": [],
         "since": "2024-02-01", "code": "123"},
    ]  # fmt: skip
    assert infer(rows) == {
        "colour": Type.KEYWORD,
        "price": Type.NUMBER,
        "year": Type.NUMBER,
        "sale": Type.BOOL,
        "sizes": Type.KEYWORDS,
        "since": Type.DATE,
        "code": Type.KEYWORD,
    }


def test_mixed_values_are_not_guessed_at() -> None:
    assert infer([{"a": 1}, {"a": "one"}, {"b": ["x"]}, {"b": "x"}]) == {}


def test_at_most_forty_attributes_are_declared_the_most_used_first() -> None:
    rows = [{f"n{n:03}": "x" for n in range(n_used)} for n_used in (100, 50)]
    found = infer(rows)
    assert len(found) == MOST
    assert set(found) == {f"n{n:03}" for n in range(MOST)}


def test_a_table_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    assert write_missing(tmp_path, attributes={"colour": "keyword"})
    assert not write_missing(tmp_path, attributes={"price": "number"})
    assert load(tmp_path).attributes == {"colour": Type.KEYWORD}


@pytest.mark.parametrize("name", ["价格", 'a"b', "a b", "a.b", "tab\there"])
def test_any_attribute_name_survives_the_settings_file(tmp_path: Path, name: str) -> None:
    write_missing(tmp_path, attributes={name: "number"})
    assert load(tmp_path).attributes == {name: Type.NUMBER}


def test_a_value_is_set_above_the_tables_and_the_rest_is_kept(tmp_path: Path) -> None:
    write_missing(tmp_path, attributes={"colour": "keyword"})
    write_value(tmp_path, "cross_modal", "mine")
    write_value(tmp_path, "cross_modal", "other")
    assert load(tmp_path).cross_modal == "other"
    assert load(tmp_path).attributes == {"colour": Type.KEYWORD}
