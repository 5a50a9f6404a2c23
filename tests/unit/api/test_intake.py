import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.api.intake import Intake, decoded
from crosslens.api.lanes import Lane
from crosslens.api.schemas import PictureIn
from crosslens.catalog.editing import MissingPicture
from crosslens.errors import UnreadablePicture
from service import FakeFetcher, base64_of


@given(st.binary(max_size=200))
def test_base64_survives_with_and_without_its_uri(content: bytes) -> None:
    text = base64_of(content)["base64"]
    assert decoded(text) == decoded(f"data:image/png;base64,{text}") == content


@pytest.mark.parametrize("text", ["a", "a===", "not base64!", "ы", "YQ==\n", "data:,x"])
def test_what_is_no_base64_is_refused_by_number(text: str) -> None:
    with pytest.raises(UnreadablePicture, match="picture 3 is not base64"):
        decoded(text, 3)


def test_pictures_keep_their_order_and_reasons_their_place() -> None:
    fetcher = FakeFetcher()
    fetcher.pages["http://a/1"] = b"one"
    lane = Lane("fetch", threads=2, admitted=9, patience_s=5)
    intake = Intake(fetcher, lane)
    pictures = [
        PictureIn(url="http://a/1"),
        PictureIn(base64="eA=="),
        PictureIn(url="http://a/2"),
        PictureIn(base64="#"),
        PictureIn(base64="eHh4" * 50_000),
    ]
    found = asyncio.run(intake.contents_or_reasons(pictures))
    lane.close()
    assert found[:2] == (b"one", b"x")
    assert isinstance(found[2], MissingPicture)
    assert isinstance(found[3], MissingPicture)
    assert found[4] == b"xxx" * 50_000
