import io
from pathlib import Path

import numpy as np
import pytest

from crosslens.corpora.records import BadRecord, Record, Where
from crosslens.errors import InvalidRequest, StorageFull
from crosslens.train.listed import ListedSource, Listing, listings
from crosslens.train.source import Asked, Phrase, Style, ask, relate
from fakes import jpeg

pytestmark = pytest.mark.train


def listing(place: int, **changes: object) -> Listing:
    plain = {
        "key": f"p{place}",
        "titles": [f"thing number {place}", f"{place} 号商品"],
        "pictures": [jpeg((place * 9 % 256, 80, 80)), jpeg((80, place * 9 % 256, 80), (24, 40))],
    }
    return Listing(**{**plain, **changes})


def source(folder: Path, products: list[Listing]) -> ListedSource:
    return ListedSource(products, cache=folder / "pictures.u8", px=64)


def test_a_catalogue_becomes_pictures_and_phrases(tmp_path: Path):
    found = source(tmp_path, [listing(n) for n in range(40)])
    rng = np.random.default_rng(0)
    assert found.pictures(found.shelf.training[:5], rng).shape == (5, 2, 64, 64, 3)
    assert found.portraits(np.array([3])).shape == (1, 64, 64, 3)
    assert found.languages == ("en", "zh")
    assert found.phrase(3, "zh", rng).text == "3 号商品"
    assert found.phrase(3, "zh", rng, style=Style.MAIN_UNSEEN) is None
    assert found.provenance["pictures"] == 80


def test_training_and_validation_share_no_product_and_lose_none(tmp_path: Path):
    shelf = source(tmp_path, [listing(n) for n in range(200)]).shelf
    assert sorted([*shelf.training, *shelf.validation]) == list(range(200))
    assert 5 < len(shelf.validation) < 50


def test_both_pictures_of_a_product_are_shown_when_it_has_two(tmp_path: Path):
    found = source(tmp_path, [listing(n) for n in range(20)])
    pair = found.pictures(np.arange(20), np.random.default_rng(0))
    assert all(not np.array_equal(first, second) for first, second in pair)


def test_a_single_picture_is_shown_twice(tmp_path: Path):
    found = source(tmp_path, [listing(n, pictures=[jpeg((n, 0, 0))]) for n in range(20)])
    pair = found.pictures(np.arange(20), np.random.default_rng(0))
    assert np.array_equal(pair[:, 0], pair[:, 1])


def test_corrupt_pictures_are_skipped_and_counted(tmp_path: Path):
    products = [listing(n) for n in range(30)]
    products.append(listing(30, pictures=[b"not a picture", jpeg()]))
    products.append(listing(31, pictures=[jpeg()[:40]]))
    found = source(tmp_path, products)
    assert (found.skipped.pictures, found.skipped.products) == (2, 1)
    assert len(found.shelf.codes) == 31
    assert "p30" in found.skipped.reasons[0]


def test_products_of_equal_titles_fit_each_others_words(tmp_path: Path):
    twins = [listing(n, titles=["Blue  mug" if n < 2 else f"t{n}"]) for n in range(20)]
    twins[1] = listing(1, titles=["blue  MUG"])
    found = source(tmp_path, twins)
    asked = ask(found, [0], np.random.default_rng(0))
    assert relate(found.shelf, asked, np.arange(3)).tolist() == [[1, 1, -1]]


def test_a_template_title_fits_every_product_that_has_it(tmp_path: Path):
    mugs = [listing(n, titles=[f"mug {n}", "杯子" if n < 2 else f"杯子{n}"]) for n in range(20)]
    found = source(tmp_path, mugs)
    rng = np.random.default_rng(0)
    asked = ask(found, [0], rng, languages=("zh",))
    assert relate(found.shelf, asked, np.arange(3)).tolist() == [[1, 1, -1]]
    assert found.paraphrase(0, found.phrase(0, "en", rng), rng) is None, "it says less"
    again = found.paraphrase(5, found.phrase(5, "en", rng), rng)
    assert again.text == "杯子5"


def test_attributes_are_searched_by_and_fit_all_that_have_them(tmp_path: Path):
    colours = ["red", "blue", "RED", ""]
    things = [listing(n, attributes={"colour": colours[n % 4]}) for n in range(20)]
    found = source(tmp_path, things)
    rng = np.random.default_rng(0)
    said = {found.phrase(0, "en", rng).text for _ in range(40)}
    assert said == {"thing number 0", "red"}
    asked = Asked(np.array([0]), (Phrase("red", (found.shelf.names.index("colour"),)),))
    assert relate(found.shelf, asked, np.arange(4)).tolist() == [[1, -1, 1, -1]]
    assert found.shelf.head_sizes == {"colour": 2}
    assert {found.phrase(3, "en", rng).text for _ in range(20)} == {"thing number 3"}


def test_a_full_disk_is_said(tmp_path: Path):
    (tmp_path / "pictures.u8").symlink_to("/dev/full")
    with pytest.raises(StorageFull, match="no space left for"):
        source(tmp_path, [listing(n) for n in range(20)])


@pytest.mark.parametrize(
    ("products", "reason"),
    [
        ([listing(n) for n in range(3)], "3 products with a title and a picture.*16 or more"),
        ([listing(n, titles=[" "]) for n in range(40)], "0 products.*40 products.*p0: no title"),
        ([listing(n, titles=[f"IMG_{n}"]) for n in range(20)], "0 products.*20 products"),
        ([listing(n, pictures=[b"?"]) for n in range(20)], "20 products and 20 pictures"),
        ([listing(n, group="mug") for n in range(20)], "the same group"),
        ([listing(n, titles=["mug"]) for n in range(20)], "the same title"),
    ],
    ids=["three products", "no titles", "file names", "no pictures", "one group", "one title"],
)
def test_a_catalogue_that_teaches_nothing_is_refused(
    tmp_path: Path, products: list[Listing], reason: str
):
    with pytest.raises(InvalidRequest, match=reason):
        source(tmp_path, products)


def test_records_become_listings_and_unreadable_files_are_counted(tmp_path: Path):
    where = Where(tmp_path / "products.csv", 2)
    picture = tmp_path / "a.jpg"
    picture.write_bytes(jpeg())
    records = [
        Record(where, "a", "Red mug", attributes={"style": 7}, pictures=(picture,)),
        BadRecord(where, "no title"),
        Record(where, "b", "Blue mug", pictures=(tmp_path / "missing.jpg",), contents=(jpeg(),)),
    ]
    first, second = listings(records, group="style", kind="category")
    assert (first.group, first.kind, first.pictures) == ("7", "", (jpeg(),))
    assert second.pictures == (jpeg(), b"")


def test_grey_and_transparent_pictures_are_understood(tmp_path: Path):
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGBA", (30, 30), (255, 0, 0, 0)).save(out, "PNG")
    found = source(tmp_path, [listing(n, pictures=[out.getvalue()]) for n in range(16)])
    assert found.portraits(np.array([0])).min() == 255
