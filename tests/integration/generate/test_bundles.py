from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crosslens.errors import BrokenBundle, NotFound
from crosslens.generate.bundles import read_generator_card, verify_generator
from crosslens.generate.onnx import OnnxGenerator, load_checked
from crosslens.generate.wish import Wish
from drawing import write_scribble


@pytest.fixture
def scribble(tmp_path: Path) -> Path:
    pytest.importorskip("onnx")
    return write_scribble(tmp_path / "scribble")


def test_a_generator_proves_itself_by_its_goldens(scribble: Path):
    assert load_checked(scribble).about.name == "scribble"


@pytest.mark.parametrize("name", ["flow.onnx", "tokenizer.json", "goldens.npz"])
def test_an_altered_or_missing_file_is_named(scribble: Path, name: str):
    file = scribble / name
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(BrokenBundle, match=f"{name} was altered"):
        OnnxGenerator(scribble)
    file.unlink()
    with pytest.raises(BrokenBundle, match=f"{name} is missing"):
        verify_generator(scribble)


def test_a_folder_that_is_no_generator_is_not_found(tmp_path: Path):
    with pytest.raises(NotFound, match="is not a generator"):
        read_generator_card(tmp_path)


def test_the_guidance_goes_away_from_the_negative_prompt(scribble: Path):
    draws = OnnxGenerator(scribble)

    def drawn(**wish: object) -> np.ndarray:
        given = Wish("red shoe", seed=1, **wish)  # type: ignore[arg-type]
        return next(draws.draw(given)).pixels.astype(int)

    plain, away = drawn(guidance=1.0), drawn(guidance=1.0, negative="dress")
    assert (plain == away).all()  # at 1 the words alone count
    assert not (drawn(guidance=3.0, negative="dress") == drawn(guidance=3.0)).all()


def test_where_guidance_ends_the_words_alone_are_followed(scribble: Path):
    draws = OnnxGenerator(scribble)

    def drawn(share: float, **wish: object) -> np.ndarray:
        draws.card = replace(draws.card, guided=share)
        given = Wish("red shoe", seed=1, steps=4, **wish)  # type: ignore[arg-type]
        return next(draws.draw(given)).pixels.astype(int)

    plain, half, whole = (drawn(share, guidance=3.0) for share in (0.0, 0.5, 1.0))
    assert (plain == drawn(1.0, guidance=1.0)).all()
    assert (plain == drawn(0.0, guidance=3.0, negative="dress")).all()
    assert not (half == plain).all()
    assert not (half == whole).all()
