"""Write CSS3D-R, the regenerated set, in the layout of the original."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crosslens.errors import InvalidRequest
from crosslens.sample.css3d_ceiling import ceiling
from crosslens.sample.css3d_render import draw
from crosslens.sample.css3d_scenes import (
    APPLIED,
    CONDITION_A,
    CONDITION_B,
    Condition,
    Plan,
    Scene,
    chinese,
    english,
    flat,
    invent,
    label,
)
from crosslens.sample.publish import whole_folder

DATA = "css_toy_dataset_novel2_small.dup.npy"  # what the original is called
PLAIN = "dataset.json"  # the same without pickle, with more
BASES, FEWEST_BASES = 1_000, 12
WIDEST = 1_024
AT_ONCE = 64  # pictures that a process draws in one go


@dataclass(frozen=True, slots=True)
class Split:
    """How a split is made; `share` is its part of the base scenes of a full one."""

    name: str
    condition: Condition
    wishes: int
    seed: int
    share: float = 1.0


# Counts are those of the original; test_seen is ours: unseen scenes of seen colours and shapes.
SPLITS = (
    Split("train", CONDITION_A, 6_004, 1),
    Split("test", CONDITION_B, 6_019, 2),
    Split("test_seen", CONDITION_A, 1_500, 3, share=0.25),
)


@dataclass(frozen=True, slots=True)
class Look:
    """
    How the set is drawn.

    Attributes:
        width: pixels; the height is two thirds of it. The original has 180 × 120.
        samples: rays per pixel and side.
        bases: base scenes of a full split.
        seed: added to the seeds of the splits.

    Raises:
        InvalidRequest: a value is out of range.
    """

    width: int = 180
    samples: int = 2
    bases: int = BASES
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = {"width": (24, WIDEST), "samples": (1, 8), "bases": (FEWEST_BASES, 20_000)}
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise InvalidRequest(f"{name} is {value:,}, allowed is {least} to {most:,}")

    @property
    def height(self) -> int:
        """Pixels."""
        return self.width * 2 // 3


@dataclass(frozen=True, slots=True)
class Published:
    """
    What was written.

    Attributes:
        counts: split → pictures, wishes, queries, distinct labels.
        scenes: SHA-256 of what the pictures show and what is asked.
        pixels: SHA-256 of the pictures; another version of NumPy may round a few otherwise.
    """

    counts: Mapping[str, Mapping[str, int]]
    scenes: str
    pixels: str


@dataclass(frozen=True, slots=True)
class _Work:
    """Some pictures for one process."""

    folder: Path
    split: str
    seed: int
    first: int
    scenes: tuple[Scene, ...]
    look: Look


def publish(
    folder: Path,
    look: Look,
    *,
    processes: int = 1,
    on_picture: Callable[[int], None] = lambda done: None,
) -> Published:
    """
    Write the set; the folder appears when everything is written, so one that is there is whole.

    Args:
        processes: pictures are drawn in so many; it does not change them.
        on_picture: called with how many are drawn.

    Raises:
        InvalidRequest: the folder is not empty, or a value is out of range.
        StorageFull: no space left; nothing is left behind.
    """
    plans = plan(look)
    tables = {name: _table(found) for name, found in plans.items()}
    with whole_folder(folder) as draft:
        (draft / "images").mkdir()
        pixels = hashlib.sha256()
        done = 0
        for digests in _drawn(list(_works(draft, plans, look)), processes):
            for digest in digests:
                pixels.update(digest)
            done += len(digests)
            on_picture(done)
        text = json.dumps(tables, ensure_ascii=False)
        counts = {name: _counts(found) for name, found in plans.items()}
        scenes = hashlib.sha256(text.encode()).hexdigest()
        published = Published(counts, scenes, pixels.hexdigest())
        (draft / PLAIN).write_text(text, "utf-8")
        np.save(draft / DATA, np.array(tables, dtype=object), allow_pickle=True)
        about = {
            **asdict(published), "look": asdict(look), "name": "CSS3D-R",
            "ceiling": {name: ceiling(found) for name, found in plans.items()},
        }  # fmt: skip
        (draft / "about.json").write_text(json.dumps(about, indent=1), "utf-8")
        (draft / "README.md").write_text(_ABOUT.format(look=look, found=published), "utf-8")
    return published


def plan(look: Look) -> dict[str, Plan]:
    """Invent every split."""
    return {
        split.name: invent(*_size(split, look), split.condition, seed=split.seed + look.seed)
        for split in SPLITS
    }


def pictures(look: Look) -> int:
    """Count the pictures of all splits."""
    sizes = [_size(split, look) for split in SPLITS]
    return sum(bases + APPLIED * wishes for bases, wishes in sizes)


def _size(split: Split, look: Look) -> tuple[int, int]:
    """Return the base scenes and the wishes of a split."""
    bases = max(FEWEST_BASES, round(look.bases * split.share))
    return bases, round(split.wishes / (BASES * split.share) * bases)


def _works(folder: Path, plans: Mapping[str, Plan], look: Look) -> Iterator[_Work]:
    for split in SPLITS:
        scenes = plans[split.name].scenes
        for first in range(0, len(scenes), AT_ONCE):
            part = scenes[first : first + AT_ONCE]
            yield _Work(folder, split.name, split.seed + look.seed, first, part, look)


def _drawn(works: Sequence[_Work], processes: int) -> Iterator[list[bytes]]:
    if processes == 1:
        yield from map(_draw, works)
        return
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawning) as pool:
        yield from pool.map(_draw, works)


def _draw(work: _Work) -> list[bytes]:
    """Draw pictures and return the SHA-256 of the pixels of each."""
    digests = []
    for number, scene in enumerate(work.scenes, start=work.first):
        rng = np.random.default_rng([work.seed, number])
        look = work.look
        pixels = draw(scene, rng, width=look.width, height=look.height, samples=look.samples)
        path = work.folder / "images" / f"css_{work.split}_{number:06}.png"
        Image.fromarray(pixels).save(path, compress_level=3)
        digests.append(hashlib.sha256(pixels.tobytes()).digest())
    return digests


def _table(found: Plan) -> dict[str, Any]:
    """Write a split as the original does; `to_str_zh` and `op` are ours."""
    return {
        "mods": [
            {
                "from": list(asked.sources),
                "to": list(asked.targets),
                "to_str": english(asked.wish),
                "to_str_zh": chinese(asked.wish),
                "op": asked.wish.op,
            }
            for asked in found.asked
        ],
        "objects_img": [[flat(thing) for thing in sorted(scene)] for scene in found.scenes],
        "labels": [label(scene) for scene in found.scenes],
    }


def _counts(found: Plan) -> dict[str, int]:
    return {
        "pictures": len(found.scenes),
        "wishes": len(found.asked),
        "queries": sum(len(asked.sources) for asked in found.asked),
        "labels": len({label(scene) for scene in found.scenes}),
    }


_ABOUT = """\
# CSS3D-R

A set for composed search: a picture, and words that change it. It is made anew by crosslens after
what is known of CSS3D (Vo et al. 2019) and is not that set, so figures on the two cannot be
compared. {look.bases:,} base scenes a split, pictures of {look.width} × {look.height} pixels.

- `{data}`: the layout of the original, a pickle.
- `{plain}`: the same as JSON, which is what crosslens reads.
- `images/css_{{split}}_{{number}}.png`

`about.json` tells under `ceiling` how often anybody could be right at first: what to add is often
not said.

Scenes {found.scenes}, pixels {found.pixels} (SHA-256). Free to use under the Apache License 2.0.
""".replace("{data}", DATA).replace("{plain}", PLAIN)
