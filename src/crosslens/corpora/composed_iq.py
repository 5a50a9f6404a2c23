"""Fashion-IQ (Wu et al. 2021): `captions/cap.*.json`, `image_splits/split.*.json`, `images/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crosslens.corpora.composed import ComposedSet, Wish, no_split
from crosslens.errors import InvalidRequest

GARMENTS = ("dress", "shirt", "toptee")
SUFFIXES = (".jpg", ".png", ".jpeg", ".webp")


def is_here(folder: Path) -> bool:
    """Say whether a folder looks like this set."""
    files = (path.name.split(".") for path in folder.glob("captions/cap.*.json"))
    return any(parts[1] in GARMENTS for parts in files)


def read(folder: Path, split: str) -> ComposedSet:
    """
    Read a split: "val" is all garments together, "dress.val" one of them.

    The two captions of a pair are joined by "and", as is usual.

    Raises:
        InvalidRequest: no such split, or a file of it is bad.
    """
    garment, _, part = split.rpartition(".")
    wanted = [garment] if garment else GARMENTS
    files = [folder / "captions" / f"cap.{name}.{part}.json" for name in wanted]
    files = [path for path in files if path.is_file()]
    if not files:
        known = sorted(p.name[4:-5] for p in folder.glob("captions/cap.*.json"))
        raise no_split(folder, split, known)
    keys: dict[str, int] = {}
    wishes = []
    for path in files:
        names = path.name.replace("cap.", "split.")
        for key in read_json(folder / "image_splits" / names, list):
            keys.setdefault(str(key), len(keys))
        wishes += _wishes(path, keys)
    found = {path.stem: path for path in (folder / "images").iterdir() if path.suffix in SUFFIXES}
    pictures = [found.get(key, folder / "images" / f"{key}.jpg") for key in keys]
    return ComposedSet("Fashion-IQ", split, pictures, list(keys), wishes, list(keys))


def _wishes(path: Path, keys: dict[str, int]) -> list[Wish]:
    garment = path.name.split(".")[1]
    try:
        return [
            Wish(
                keys[str(row["candidate"])],
                {"en": (" and ".join(text.strip() for text in row["captions"]),)},
                (keys[str(row["target"])],),
                garment,
            )
            for row in read_json(path, list)
            if str(row["candidate"]) in keys and str(row["target"]) in keys
        ]
    except (KeyError, TypeError, AttributeError) as exc:
        raise InvalidRequest(f"{path}: not the layout of Fashion-IQ: {exc!r}") from exc


def read_json(path: Path, kind: type) -> Any:
    """
    Read a JSON file that holds a list or an object.

    Raises:
        InvalidRequest: it is away, is not JSON, or holds something else.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc
    if not isinstance(found, kind):
        raise InvalidRequest(f"{path} holds {type(found).__name__}, expected {kind.__name__}")
    return found
