"""The pictures that a generator learns from: one of each product, in a plain studio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from crosslens.sample.render import render
from crosslens.train.rendered import RenderConfig, RenderedSource, draw
from crosslens.train.shop import SampleShop
from crosslens.train.source import Pixels

POSES = 4


class StudioShop(SampleShop):
    """
    The sample shop before one neutral backdrop, each product once, in one of a few poses.

    A generator shows products; where they stand says nothing about them, and would have to be
    learned as well.
    """

    views = 1

    def render(self, design: Any, *, seed: int, view: int, size: int) -> Pixels:
        """Draw the front: [size, size, 3]."""
        return render(design, seed=seed % POSES, view=view, size=size, plain=True)


def studio_source(
    config: RenderConfig,
    *,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> RenderedSource:
    """
    Draw what is not drawn yet, and open it for training.

    Raises:
        MissingExtra: the renderer is not installed.
        Conflict: the folder holds pictures of other settings or of another renderer.
    """
    shop = StudioShop()
    return RenderedSource(shop, config, folder=draw(shop, config, folder=folder, progress=progress))
