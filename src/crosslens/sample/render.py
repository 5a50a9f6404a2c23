"""Draw a picture of a product: `render(design, seed=7)` is always the same picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosslens.sample import scenery
from crosslens.sample.canvas import BLACK, ink, skia
from crosslens.sample.design import CATEGORIES, Design
from crosslens.sample.forms import FORMS
from crosslens.sample.stage import Stage

VIEWS = 3
FLOOR = 90.0
OVERSAMPLING = 2
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pose:
    """How the product is placed before the camera."""

    zoom: float
    turn: float
    lean: float
    aspect: float
    mirrored: bool
    keystone: float
    shift: tuple[float, float]


def render(
    design: Design, *, seed: int, view: int = 0, size: int = 256, plain: bool = False
) -> Pixels:
    """Draw one view of a product as an array of [size, size, 3]; the seed decides the rest."""
    if not 0 <= view < VIEWS:
        raise ValueError(f"view is {view}, but a product has the views 0 to {VIEWS - 1}")
    rng = np.random.default_rng([seed, view, 2])
    stands = CATEGORIES[design.category].stands
    close_up = view == 2 and np.random.default_rng([seed, 5]).random() < 0.5
    pose = _pose(rng, view, stands, close_up)
    if not CATEGORIES[design.category].mirrors:
        pose = replace(pose, mirrored=False)
    side = size * OVERSAMPLING
    product = _product(design, seed, pose, side)
    surface = skia().Surface(side, side)
    canvas = surface.getCanvas()
    floor = _pose_matrix(pose).mapXY(50, FLOOR).y() if stands else None
    _backdrop(canvas, rng, side, floor, plain=plain, at_home=view == 2 and not close_up)
    _cast_shadow(canvas, product, side, floor, float(rng.uniform(-0.55, 0.55)))
    canvas.drawImage(product, 0, 0)
    return _photograph(surface, size, rng, plain=plain)


def _pose(rng: np.random.Generator, view: int, stands: bool, close_up: bool) -> Pose:
    tilt = 1.6 if stands else 6.0
    zoom = (0.9, 0.86, 1.32 if close_up else 0.68)[view]
    keystone = float(rng.uniform(-0.03, 0.03))
    if view == 1:
        keystone = float(rng.choice((-1, 1)) * rng.uniform(0.1, 0.17))
    reach = 7.0 if close_up else 3.0
    return Pose(
        zoom=zoom * float(rng.uniform(0.93, 1.05)),
        turn=float(rng.uniform(-tilt, tilt)) * (2.0 if view == 1 and not stands else 1.0),
        lean=float(rng.uniform(-0.035, 0.035)),
        aspect=float(rng.uniform(0.96, 1.04)) * (0.93 if view == 1 else 1.0),
        mirrored=view == 1 or (view == 2 and bool(rng.random() < 0.3)),
        keystone=keystone,
        shift=(float(rng.uniform(-reach, reach)), float(rng.uniform(-2, 2))),
    )


def _pose_matrix(pose: Pose) -> Any:
    module = skia()
    matrix = module.Matrix()
    matrix.setTranslate(50 + pose.shift[0], 51 + pose.shift[1])
    matrix.preRotate(pose.turn)
    matrix.preSkew(pose.lean, 0)
    matrix.preScale(pose.zoom * pose.aspect * (-1 if pose.mirrored else 1), pose.zoom)
    matrix.preConcat(_keystone(pose.keystone))
    matrix.preTranslate(-50, -50)
    return matrix


def _keystone(amount: float) -> Any:
    """Turn the picture plane about its upright axis: the far side becomes lower and nearer."""
    module = skia()
    near, far = abs(amount) * 18, abs(amount) * 34
    corners = [(-50, -50), (50, -50), (50, 50), (-50, 50)]
    moved = [(-50 + near / 2, -50), (50 - far, -50 + far * 0.6), (50 - far, 50 - far * 0.32),
             (-50 + near / 2, 50)]  # fmt: skip
    if amount < 0:
        moved = [(-x, y) for x, y in (moved[1], moved[0], moved[3], moved[2])]
    matrix = module.Matrix()
    matrix.setPolyToPoly(
        [module.Point(x, y) for x, y in corners], [module.Point(x, y) for x, y in moved]
    )
    return matrix


def _product(design: Design, seed: int, pose: Pose, side: int) -> Any:
    """Draw the product alone, on nothing."""
    surface = skia().Surface(side, side)
    canvas = surface.getCanvas()
    canvas.clear(0)
    canvas.scale(side / 100, side / 100)
    canvas.concat(_pose_matrix(pose))
    stage = Stage(canvas, design, np.random.default_rng([seed, 11]))
    FORMS[design.category](stage, dict(design.variant))
    return surface.makeImageSnapshot()


def _backdrop(
    canvas: Any,
    rng: np.random.Generator,
    side: int,
    floor: float | None,
    *,
    plain: bool,
    at_home: bool,
) -> None:
    if floor is None:
        choices = scenery.AT_HOME_HANGING if at_home else scenery.HANGING
    else:
        choices = scenery.AT_HOME_STANDING if at_home else scenery.STANDING
    paint_scene = choices[int(rng.integers(len(choices)))]
    canvas.save()
    canvas.scale(side / 100, side / 100)
    (scenery.neutral if plain else paint_scene)(canvas, rng, floor)
    canvas.restore()


@dataclass(frozen=True)
class _Shadow:
    """One fall of the product's outline: how it is laid, how soft and dark it is, and where."""

    matrix: tuple[float, ...]
    blur: float
    alpha: float
    below: float = -20.0


def _falls(floor: float | None, lean: float) -> list[_Shadow]:
    """Return the shadows on the wall behind a product, or on the floor that it stands on."""
    if floor is None:
        return [
            _Shadow((1, 0, 2.2 * lean, 0, 1, 2.4), 2.2, 0.34),
            _Shadow((1, 0, 0.5, 0, 1, 0.8), 0.7, 0.28),
        ]
    return [
        _Shadow((1, -lean, lean * floor, 0, 0.24, floor * 0.76 + 0.4), 1.9, 0.26, floor - 20),
        _Shadow((1, lean, -lean * floor, 0, -0.16, floor * 1.16), 1.7, 0.2, floor - 6),
        _Shadow((1, 0, 0, 0, 1, 1.0), 0.9, 0.5, floor - 7),
    ]


def _cast_shadow(canvas: Any, product: Any, side: int, floor: float | None, lean: float) -> None:
    """Throw the product's own outline on what is behind or below it."""
    module = skia()
    # Soft edges need few pixels, and blurring is dear: a quarter of the size does.
    small = side // 4
    outline = module.Paint(AntiAlias=True)
    outline.setColorFilter(module.ColorFilters.Blend(ink(BLACK), module.BlendMode.kSrcIn))
    shape = _redrawn(product, small, small / side, outline)
    shadow = module.Surface(small, small)
    for fall in _falls(floor, lean):
        laid = _laid(shape, fall, small)
        soft = module.Paint(AntiAlias=True, Alphaf=fall.alpha)
        sigma = fall.blur * small / 100
        soft.setImageFilter(module.ImageFilters.Blur(sigma, sigma))
        shadow.getCanvas().drawImage(laid, 0, 0, module.SamplingOptions(), soft)
    canvas.save()
    canvas.scale(side / small, side / small)
    linear = module.SamplingOptions(module.FilterMode.kLinear)
    canvas.drawImage(shadow.makeImageSnapshot(), 0, 0, linear)
    canvas.restore()


def _redrawn(image: Any, side: int, scale: float, brush: Any) -> Any:
    module = skia()
    surface = module.Surface(side, side)
    canvas = surface.getCanvas()
    canvas.scale(scale, scale)
    canvas.drawImage(image, 0, 0, module.SamplingOptions(module.FilterMode.kLinear), brush)
    return surface.makeImageSnapshot()


def _laid(shape: Any, fall: _Shadow, side: int) -> Any:
    """Lay a small outline as one shadow falls."""
    module = skia()
    surface = module.Surface(side, side)
    canvas = surface.getCanvas()
    canvas.scale(side / 100, side / 100)
    canvas.clipRect(module.Rect.MakeLTRB(-20, fall.below, 120, 120))
    canvas.concat(module.Matrix.MakeAll(*fall.matrix, 0, 0, 1))
    canvas.scale(100 / side, 100 / side)
    canvas.drawImage(shape, 0, 0, module.SamplingOptions(module.FilterMode.kLinear))
    return surface.makeImageSnapshot()


def _photograph(surface: Any, size: int, rng: np.random.Generator, *, plain: bool) -> Pixels:
    """Shrink to the final size, and add the camera's exposure, tint and grain."""
    module = skia()
    pixels = surface.toarray(colorType=module.kRGBA_8888_ColorType)
    shrunk = Image.fromarray(pixels).convert("RGB").reduce(OVERSAMPLING)
    if plain:
        return np.asarray(shrunk, np.uint8).copy()
    picture = np.asarray(shrunk, np.float32)
    exposure = float(rng.uniform(0.95, 1.05))
    warmth = float(rng.uniform(-0.02, 0.02))
    picture = picture * (exposure * np.array([1 + warmth, 1, 1 - warmth], np.float32))
    picture += rng.standard_normal((size, size, 1), np.float32) * float(rng.uniform(0, 2.0))
    return np.clip(picture, 0, 255).astype(np.uint8)
