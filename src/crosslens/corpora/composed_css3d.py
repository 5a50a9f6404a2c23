"""
CSS3D as it was published, and CSS3D-R, which crosslens draws in the same layout.

The original is a pickle. It is read only when asked for, by an unpickler that makes nothing but
plain values and NumPy arrays, whatever the file says.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from crosslens.corpora.composed import ComposedSet, Wish, no_split
from crosslens.errors import InvalidRequest

PLAIN = "dataset.json"
PICKLES = "*.npy"
ABOUT = "about.json"
_ARRAYS = {"numpy.core.multiarray", "numpy._core.multiarray"}


def is_here(folder: Path) -> bool:
    """Say whether a folder looks like this set."""
    named = (folder / PLAIN).is_file() or any(folder.glob("css_*.npy"))
    return named and (folder / "images").is_dir()


def read(folder: Path, split: str, *, unpickle: bool = False) -> ComposedSet:
    """
    Read a split; `dataset.json` is preferred, and needs no pickle.

    Raises:
        InvalidRequest: there is only a pickle and `unpickle` is off, the pickle holds anything
            else than plain values and arrays, or the values contradict each other.
    """
    table = _table(folder, unpickle=unpickle)
    found = table.get(split)
    if not isinstance(found, dict):
        raise no_split(folder, split, sorted(map(str, table)))
    try:
        return _set(folder, split, found)
    except (KeyError, TypeError, ValueError) as exc:
        raise InvalidRequest(f"{folder}, {split}: not the layout of CSS3D: {exc!r}") from exc


def convert(folder: Path) -> Path:
    """Unpickle the original once and write it as `dataset.json`, which is read from then on."""
    table = _table(folder, unpickle=True)
    path = folder / PLAIN
    path.write_text(json.dumps(table, ensure_ascii=False, default=_plain), "utf-8")
    return path


def unpickled(path: Path) -> dict[str, Any]:
    """
    Read a `.npy` file that holds one pickled dictionary.

    Raises:
        InvalidRequest: not such a file, or it wants to make something that is not allowed.
    """
    try:
        with path.open("rb") as file:
            found = _load(file)
    except (OSError, ValueError, pickle.UnpicklingError, EOFError, KeyError, TypeError,
            AttributeError, IndexError) as exc:  # fmt: skip
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc
    if not isinstance(found, dict):
        raise InvalidRequest(f"{path} holds {type(found).__name__}, expected a dictionary")
    return found


def _load(file: IO[bytes]) -> Any:
    version = np.lib.format.read_magic(file)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in header:
        raise ValueError(f"format {version} of .npy is not known")
    _, _, dtype = header[version](file)
    if not dtype.hasobject:
        raise ValueError("it holds numbers, not a data set")
    array = _Plain(file, encoding="latin1").load()  # Python 2 wrote the original
    return array.item() if isinstance(array, np.ndarray) and array.ndim == 0 else array


class _Plain(pickle.Unpickler):
    """Makes plain values and NumPy arrays, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _ARRAYS and name in ("_reconstruct", "scalar"):
            return {"_reconstruct": _empty, "scalar": _scalar}[name]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin
        raise pickle.UnpicklingError(f"it wants {module}.{name}, which no data set needs")


def _empty(kind: type, shape: Any, dtype: Any) -> Any:
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("it holds an array of a kind that no data set needs")
    return np.ndarray.__new__(kind, shape, dtype)


def _scalar(dtype: Any, content: Any = b"") -> Any:
    if dtype.hasobject:
        raise pickle.UnpicklingError("it holds an object inside of a number")
    raw = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(raw, dtype)[0]


def _latin(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


def _table(folder: Path, *, unpickle: bool) -> dict[str, Any]:
    plain = folder / PLAIN
    if plain.is_file():
        try:
            found = json.loads(plain.read_text("utf-8"))
        except ValueError as exc:
            raise InvalidRequest(f"{plain} is not JSON: {exc}") from exc
        if isinstance(found, dict):
            return found
        raise InvalidRequest(f"{plain} holds {type(found).__name__}, expected an object")
    pickles = sorted(folder.glob(PICKLES))
    if not unpickle:
        raise InvalidRequest(
            f"{pickles[0]} is a pickle, and is not opened unless you say so",
            hint="--original reads it with an unpickler that makes plain values and arrays only",
        )
    return unpickled(pickles[0])


def _set(folder: Path, split: str, found: Mapping[str, Any]) -> ComposedSet:
    scenes = found["objects_img"]
    names = [f"css_{split}_{number:06}.png" for number in range(len(scenes))]
    labels = found.get("labels")
    wishes = [wish for mod in found["mods"] for wish in _wishes(mod)]
    return ComposedSet(
        name=folder.name,
        split=split,
        pictures=[folder / "images" / name for name in names],
        labels=[str(one) for one in labels] if labels is not None else list(map(_label, scenes)),
        wishes=wishes,
        keys=names,
        about=_about(folder),
    )


def _wishes(mod: Mapping[str, Any]) -> list[Wish]:
    """Make a question of each pair of a modification."""
    words = {"en": (str(mod["to_str"]),)}
    if mod.get("to_str_zh"):
        words["zh"] = (str(mod["to_str_zh"]),)
    kind = str(mod.get("op") or str(mod["to_str"]).split(" ")[0])
    pairs = zip(mod["from"], mod["to"], strict=True)
    return [Wish(int(source), words, (int(target),), kind) for source, target in pairs]


def _label(scene: Sequence[Mapping[str, Any]]) -> str:
    """Name what a scene shows, where the file does not."""
    return "; ".join(sorted(f"{t['pos']} {t['size']} {t['color']} {t['shape']}" for t in scene))


def _about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {name: found[name] for name in ("name", "scenes", "pixels") if name in found}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")
