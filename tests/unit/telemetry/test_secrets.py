from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.telemetry.secrets import masked

KEY = "cl_0123abcd_" + "aB3_-" * 8 + "xyz"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://shop:hunter2@db/shop", "mysql://shop:***@db/shop"),
        ("the key cl_0123abcd_" + "x" * 43, "the key cl_0123abcd_***"),
        (f"authorization: Bearer {KEY}", "authorization: Bearer ***"),
        ("Authorization: Basic c2hvcDpodW50ZXIy", "Authorization: Basic ***"),
        ("https://s3/b/k?X-Amz-Signature=00ff&e=1", "https://s3/b/k?X-Amz-Signature=***&e=1"),
        ("password=hunter2; host=db", "password=***; host=db"),
        ('{"aws_secret_access_key": "hunter2"}', '{"aws_secret_access_key": "***"}'),
        (r'{"error": "{\"token\": \"hunter2\"}"}', r'{"error": "{\"token\": \"***\"}"}'),
    ],
)
def test_a_secret_cannot_be_read(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "send authorization: Bearer KEY",
        '{"tokens": 12, "token": null, "secrets": [1], "credential": true}',
        "http://127.0.0.1:6008/search answered at 12:30:00",
        "red shoe, size 42",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


@given(
    st.dictionaries(
        st.text(), st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans()
    )
)
def test_a_line_of_json_stays_one(line: dict[str, object]) -> None:
    assert json.loads(masked(json.dumps(line))).keys() == line.keys()
