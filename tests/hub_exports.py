"""Exports of small models, by the quicker exporter unless told otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crosslens.hubs.export import Exported, Order, export_model
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.sides import Wishes, has_pictures, picture_side, text_side
from crosslens.train.graphs import with_torchscript


def exported(source: Path, target: Path, **order: Any) -> Exported:
    folder = ModelFolder(source)
    text = text_side(folder, Wishes())
    picture = picture_side(folder, model=text.model) if has_pictures(folder) else None
    given: dict[str, Any] = {"exporters": (with_torchscript,), **order}
    return export_model(
        text, picture, target, Order(source.name, "A test.", "MIT", "a folder", **given)
    )
