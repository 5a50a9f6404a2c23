"""CIRR (Liu et al. 2021): `captions/cap.*.json`, `image_splits/split.*.json`, photographs."""

from __future__ import annotations

import re
from pathlib import Path

from crosslens.corpora.composed import ComposedSet, Wish, no_split
from crosslens.corpora.composed_iq import read_json
from crosslens.errors import InvalidRequest

PHOTOGRAPHS = ("img_raw", "images", ".")
_CAPTIONS = re.compile(r"cap\.(rc\d+)\.(\w+)\.json\Z")


def is_here(folder: Path) -> bool:
    """Say whether a folder looks like this set, or holds it under `cirr/`."""
    return any(_CAPTIONS.match(path.name) for path in _home(folder).glob("captions/cap.rc*.json"))


def read(folder: Path, split: str) -> ComposedSet:
    """
    Read a split; `target_hard` is the first target, those of `target_soft` at 1 follow it.

    Raises:
        InvalidRequest: no such split, one without targets (the test), or a file of it is bad.
    """
    home = _home(folder)
    files = {m[2]: path for path in sorted(home.glob("captions/cap.rc*.json"))
             if (m := _CAPTIONS.match(path.name))}  # fmt: skip
    if split not in files:
        raise no_split(folder, split, sorted(files))
    version = files[split].name.split(".")[1]
    places = read_json(home / "image_splits" / f"split.{version}.{split}.json", dict)
    numbers = {name: number for number, name in enumerate(places)}
    rows = read_json(files[split], list)
    if not all("target_hard" in row for row in rows):
        raise InvalidRequest(f"{files[split]} says no targets, so nothing can be learned from it")
    try:
        wishes = [
            Wish(
                numbers[row["reference"]],
                {"en": (str(row["caption"]),)},
                tuple(numbers[name] for name in _targets(row)),
            )
            for row in rows
        ]
    except (KeyError, TypeError, AttributeError) as exc:
        raise InvalidRequest(f"{files[split]}: not the layout of CIRR: {exc!r}") from exc
    at = next(home / name for name in PHOTOGRAPHS if (home / name).is_dir())
    keys = list(numbers)
    return ComposedSet(
        "CIRR", split, [at / str(places[key]) for key in keys], keys, wishes, keys
    )  # fmt: skip


def _home(folder: Path) -> Path:
    return folder / "cirr" if (folder / "cirr" / "captions").is_dir() else folder


def _targets(row: dict[str, dict[str, float]]) -> list[str]:
    soft = [name for name, share in row.get("target_soft", {}).items() if share == 1.0]
    return list(dict.fromkeys([str(row["target_hard"]), *soft]))
