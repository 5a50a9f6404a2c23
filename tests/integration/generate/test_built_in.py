"""The generator that ships."""

from pathlib import Path

import numpy as np
import pytest

import crosslens.bundled
from crosslens import settings, wiring
from crosslens.generate.onnx import OnnxGenerator, load_checked
from crosslens.generate.wish import Wish

FOLDER = Path(crosslens.bundled.__file__).parent / "generators" / "crosslens-sketch"


@pytest.fixture(scope="module")
def sketch() -> OnnxGenerator:
    return load_checked(FOLDER)


def test_it_draws_what_its_goldens_say(sketch: OnnxGenerator):
    assert sketch.about.native_px == 128
    assert set(sketch.about.languages) == {"zh", "en"}
    assert sketch.about.note


def test_it_is_small_enough_to_ship():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 12_000_000


@pytest.mark.parametrize("name", ["words.onnx", "flow.onnx", "picture.onnx"])
def test_it_says_nothing_of_the_machine_that_made_it(name: str):
    content = (FOLDER / name).read_bytes()
    for trace in (b"site-packages", b"stack_trace", b'.py", line'):
        assert trace not in content


@pytest.mark.parametrize(
    ("red", "blue"), [("red sweater", "blue sweater"), ("红色毛衣", "蓝色毛衣")]
)
def test_colours_follow_the_words(sketch: OnnxGenerator, red: str, blue: str):
    def middle(prompt: str) -> np.ndarray:
        drawn = next(sketch.draw(Wish(prompt, seed=1))).pixels
        return np.asarray(drawn[48:96, 48:80].mean((0, 1)))

    warm, cold = middle(red), middle(blue)
    assert warm[0] > warm[2] + 40
    assert cold[2] > cold[0] + 40


def test_it_is_there_without_any_setting(tmp_path: Path):
    with wiring.build(settings.load(tmp_path)) as app:
        assert app.studio.about().name == "crosslens-sketch"
