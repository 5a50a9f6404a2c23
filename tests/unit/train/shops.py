"""A shop small enough for tests: squares and discs in four colours, drawn with NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosslens.train.config import ModelConfig, TrainConfig
from crosslens.train.rendered import RenderConfig, RenderedSource, Spoken, draw
from crosslens.train.source import Pixels, Style

COLOURS = {
    "red": ((200, 30, 30), "红色"),
    "green": ((30, 160, 60), "绿色"),
    "blue": ((40, 60, 200), "蓝色"),
    "grey": ((130, 130, 130), "灰色"),
}
FORMS = {"square": "方块", "disc": "圆盘", "bar": "长条"}


@dataclass(frozen=True)
class Toy:
    form: str
    colour: str


class ToyShop:
    views = 2
    languages = ("zh", "en")

    def design(self, rng: np.random.Generator) -> Toy:
        return Toy(str(rng.choice(list(FORMS))), str(rng.choice(list(COLOURS))))

    def held_out(self, design: Toy) -> bool:
        return (design.form, design.colour) in {("square", "red"), ("disc", "blue")}

    def attributes(self, design: Toy) -> dict[str, str]:
        return {"form": design.form, "colour": design.colour}

    def render(self, design: Toy, *, seed: int, view: int, size: int) -> Pixels:
        rng = np.random.default_rng([seed, view])
        picture = rng.integers(215, 256, (size, size, 3), np.uint8)
        down, across = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j] + rng.uniform(-0.1, 0.1)
        inside = {
            "square": np.maximum(abs(down), abs(across)) < 0.6,
            "disc": down**2 + across**2 < 0.4,
            "bar": (abs(down) < 0.2) & (abs(across) < 0.9),
        }[design.form]
        picture[inside] = COLOURS[design.colour][0]
        return picture

    def phrase(
        self, design: Toy, rng: np.random.Generator, language: str, *, style: Style
    ) -> Spoken:
        colour, form = design.colour, design.form
        if language == "zh":
            colour, form = COLOURS[colour][1], FORMS[form]
        if style is Style.ANY and rng.random() < 0.3:
            return Spoken(form, frozenset({"form"}))
        joint = " " if language == "en" else ""
        return Spoken(f"{colour}{joint}{form}", frozenset({"form", "colour"}))

    def paraphrase(
        self, design: Toy, rng: np.random.Generator, mentions: frozenset[str]
    ) -> Spoken | None:
        said = [getattr(design, name) for name in ("colour", "form") if name in mentions]
        return Spoken("that " + " ".join(said), mentions)


TINY = ModelConfig(
    dim=16, picture_px=64, picture_widths=(8, 8, 16, 16), spatial_width=4,
    token_width=8, text_width=16, text_layers=1, text_heads=2, max_tokens=12,
)  # fmt: skip


def toy_source(folder: Path, *, products: int = 48, validation: int = 12) -> RenderedSource:
    config = RenderConfig(products=products, validation=validation, px=64, seed=3)
    return RenderedSource(ToyShop(), config, folder=draw(ToyShop(), config, folder=folder))


def tiny_config(folder: Path, **changes: object) -> TrainConfig:
    plain = {
        "steps": 8, "products": 12, "validate_every": 4, "log_every": 1, "warm_up": 2,
        "threads": 1, "precision": "float32", "model": TINY,
    }  # fmt: skip
    return TrainConfig(folder=folder, **{**plain, **changes})
