"""
Do two prints show one picture? Detail is compared place by place, after finding the crop.

A place of 8 × 8 pixels agrees when its detail correlates and its colour is the same; so a logo or
a price tag spoils only its own places, while the same garment in another colour agrees nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crosslens.indexing.prints import SIDE, VIEWS, Prints
from crosslens.values import Floats

PLACES = 8
"""Places along each side."""

_PIXELS = SIDE // PLACES
_TEXTURED = 5.0  # levels of standard deviation; below it, noise is all there is
_FEWEST = 6  # textured places from which something can be told
_SAME_COLOUR = 24.0  # levels
_SAME_DETAIL = 0.8  # correlation
_UNTOUCHED_COLOUR = 12.0
_UNTOUCHED_DETAIL = 0.95
_ALIKE = 0.75  # share of places
_PART = 2_000
_MANY = 20_000
_GREY = np.array([0.299, 0.587, 0.114], np.float32)

_COARSE = SIDE // 2
_PATCH = 16  # pixels of the coarse picture: its middle, which a crop is likely to keep
_SCALES = 1.08 ** np.arange(-4, 5)  # one shows 0.74 to 1.36 of the other
_STRIDE = 1  # coarse pixels between windows
_LOOKS_LIKE = 0.85  # correlation of the patch that is worth a second look
_MOVES = np.diag([0.04, 1.5, 1.5])  # of scale, y and x
_UNMOVED = np.array([1.0, SIDE / 2, SIDE / 2])
_SHARED = 48  # pixels at which two crops are compared: the smaller one has no more detail
_LEAST = 0.5  # share of places below which an aligned pair is not worth telling


@dataclass(frozen=True, slots=True)
class Views:
    """
    Prints prepared for comparing, once per scan.

    Attributes:
        detail: [N, 64 places, 64 pixels] of mean 0 and length 1, per view.
        spread: standard deviation per place, in levels.
        colour: mean colour per place.
    """

    detail: Floats
    spread: Floats
    colour: Floats


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    How far pairs of pictures agree, one number per pair.

    Attributes:
        share: textured places that agree, [0, 1].
        untouched: textured places that agree to the last detail, [0, 1].
        mirrored: whether that is so after mirroring one.
    """

    share: Floats
    untouched: Floats
    mirrored: NDArray[np.bool_]


def agreement(prints: Prints, pairs: NDArray[np.int64]) -> Agreement:
    """Compare pairs [P, 2] of prints as they are, by content box, and mirrored; the best counts."""
    share, untouched = (np.zeros(len(pairs), np.float32) for _ in range(2))
    mirrored = np.zeros(len(pairs), np.bool_)
    for view in VIEWS:
        colours = _colours(prints[view])
        for flipped in (False, True):
            worth = np.flatnonzero(_alike(colours, pairs, flipped=flipped))
            for at in range(0, len(worth), _PART):
                part = worth[at : at + _PART]
                left = _prepared(prints[view][pairs[part, 0]])
                other = prints[view][pairs[part, 1]]
                found, exact = _shares(left, _prepared(other[:, :, ::-1] if flipped else other))
                mirrored[part] = np.where(found > share[part], flipped, mirrored[part])
                share[part] = np.maximum(share[part], found)
                untouched[part] = np.maximum(untouched[part], exact)
    return Agreement(share, untouched, mirrored)


def cropped(prints: Prints, pairs: NDArray[np.int64]) -> Iterator[tuple[int, float, float]]:
    """
    Find pairs of which one is a part of the other, 70 % of its sides or more.

    Yields:
        (which of the pairs, share of places that agree, side of one / side of the other).
    """
    looks = _Looks(prints)
    for n, (left, right) in enumerate(pairs.tolist()):
        found = looks.crop(left, right)
        if found is not None:
            yield n, *found


def nudged(prints: Prints, pairs: NDArray[np.int64]) -> Iterator[tuple[int, float]]:
    """
    Compare content boxes of pairs [P, 2] after moving one to where it fits best.

    Cutting a frame off leaves boxes a pixel apart, which is enough to blur fine detail.

    Yields:
        (which of the pairs, share of places that agree).
    """
    boxes = prints["box"]
    for n, (left, right) in enumerate(pairs.tolist()):
        grey = [np.asarray(boxes[at] @ _GREY, np.float32) for at in (left, right)]
        frame = _refined(grey[0], grey[1], _UNMOVED)
        yield n, _aligned_share(boxes[left], boxes[right], frame)


class _Looks:
    """Coarse looks at prints, the latest kept: pairs come ordered by their first picture."""

    def __init__(self, prints: Prints) -> None:
        self._prints = prints
        self.patches = lru_cache(maxsize=512)(self._patches)
        self.windows = lru_cache(maxsize=512)(self._windows)
        self.fine = lru_cache(maxsize=512)(self._fine)

    def crop(self, left: int, right: int) -> tuple[float, float] | None:
        patches = self.patches(left).T
        windows = self.windows(right)  # in parts: a larger product wakes the threads of BLAS
        likeness = np.concatenate(
            [windows[at : at + 32] @ patches for at in range(0, len(windows), 32)]
        )
        place, scale = np.unravel_index(int(likeness.argmax()), likeness.shape)
        if likeness[place, scale] < _LOOKS_LIKE:
            return None
        across = (_COARSE - _PATCH) // _STRIDE + 1
        corner = _STRIDE * np.array([place // across, place % across])
        guess = np.array([_SCALES[scale], *(2.0 * corner + _PATCH)])
        if np.array_equal(guess, _UNMOVED):
            return None  # no crop, and as it stands it was compared before
        frame = _refined(self.fine(left), self.fine(right), guess)
        share = _aligned_share(self._prints["full"][left], self._prints["full"][right], frame)
        return (share, float(frame[0])) if share >= _LEAST else None

    def _fine(self, n: int) -> Floats:
        grey: Floats = self._prints["full"][n] @ _GREY
        return grey

    def _patches(self, n: int) -> Floats:
        """Render the middle at every scale: [scales, 256]."""
        middles = [
            _sampled(self.fine(n), _frame_grid(SIDE / 2, SIDE / 2, SIDE / 2 / scale, _PATCH))
            for scale in _SCALES
        ]
        return _unit(np.stack(middles).reshape(len(_SCALES), -1))

    def _windows(self, n: int) -> Floats:
        """Cut every window of a patch's size: [places, 256]."""
        coarse = self.fine(n).reshape(_COARSE, 2, _COARSE, 2).mean(axis=(1, 3))
        windows = np.lib.stride_tricks.sliding_window_view(coarse, (_PATCH, _PATCH))
        return _unit(windows[::_STRIDE, ::_STRIDE].reshape(-1, _PATCH * _PATCH))


def _alike(
    colours: NDArray[np.uint8], pairs: NDArray[np.int64], *, flipped: bool
) -> NDArray[np.bool_]:
    """Say quickly which pairs have the same colour in most places."""
    others = colours[:, :, ::-1] if flipped else colours
    found = np.zeros(len(pairs), np.bool_)
    for at in range(0, len(pairs), _MANY):
        left, right = pairs[at : at + _MANY].T
        one, other = colours[left], others[right]
        apart = (np.maximum(one, other) - np.minimum(one, other)).max(axis=3)
        found[at : at + _MANY] = (apart < _SAME_COLOUR).mean(axis=(1, 2)) >= _ALIKE
    return found


def _colours(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average each place: uint8 [N, 8, 8, 3]."""
    shape = (PLACES, _PIXELS, PLACES, _PIXELS, 3)
    means = [picture.reshape(shape).mean(axis=(1, 3)) for picture in pictures]
    return np.array(means, np.uint8).reshape(-1, PLACES, PLACES, 3)


def _prepared(pictures: NDArray[np.uint8] | Floats) -> Views:
    n, pixels = len(pictures), pictures.shape[1] // PLACES
    levels = pictures.astype(np.float32)
    places = (levels @ _GREY).reshape(n, PLACES, pixels, PLACES, pixels)
    detail = places.transpose(0, 1, 3, 2, 4).reshape(n, PLACES**2, pixels**2)
    detail = detail - detail.mean(axis=2, keepdims=True)
    length = np.sqrt(np.einsum("npx,npx->np", detail, detail))
    colour = levels.reshape(n, PLACES, pixels, PLACES, pixels, 3).mean(axis=(2, 4))
    unit = detail / np.maximum(length, 1e-6)[:, :, None]
    return Views(unit, length / pixels, colour.reshape(n, PLACES**2, 3))


def _shares(left: Views, right: Views) -> tuple[Floats, Floats]:
    likeness = np.einsum("npx,npx->np", left.detail, right.detail)
    apart = np.abs(left.colour - right.colour).max(axis=2)
    textured = np.maximum(left.spread, right.spread) > _TEXTURED
    of = np.maximum(textured.sum(axis=1), _FEWEST)
    same = (likeness > _SAME_DETAIL) & (apart < _SAME_COLOUR) & textured
    exact = (likeness > _UNTOUCHED_DETAIL) & (apart < _UNTOUCHED_COLOUR) & textured
    return same.sum(axis=1) / of, exact.sum(axis=1) / of


def _refined(left: Floats, right: Floats, guess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move (scale, y, x) in ever smaller steps to where the pictures correlate best."""
    best, likeness = guess, _likeness(left, right, guess)
    for size in (1.0, 0.5, 0.25):
        for axis in (0, 1, 2, 0):
            for direction in (-1, 1):
                tried = best + direction * size * _MOVES[axis]
                found = _likeness(left, right, tried)
                if found > likeness:
                    best, likeness = tried, found
    return best


def _likeness(left: Floats, right: Floats, frame: NDArray[np.float64]) -> float:
    ours, theirs = _overlap(frame, _COARSE)
    parts = np.stack([_sampled(left, ours), _sampled(right, theirs)]).reshape(2, -1)
    unit = _unit(parts)
    return float(unit[0] @ unit[1])


def _aligned_share(
    left: NDArray[np.uint8], right: NDArray[np.uint8], frame: NDArray[np.float64]
) -> float:
    ours, theirs = _overlap(frame, _SHARED)
    views = [
        np.stack([_sampled(picture[:, :, c].astype(np.float32), grid) for c in range(3)], axis=-1)
        for picture, grid in ((left, ours), (right, theirs))
    ]
    share, _ = _shares(_prepared(views[0][None]), _prepared(views[1][None]))
    return float(share[0])


def _overlap(frame: NDArray[np.float64], points: int) -> tuple[Sequence[Floats], Sequence[Floats]]:
    """
    Lay a grid over what both pictures show.

    Args:
        frame: side of the left picture in that of the right, and where its middle lies there.

    Returns:
        The grid's rows and columns in pixels of the left, and of the right picture.
    """
    scale, middle = frame[0], frame[1:]
    ours, theirs = [], []
    for along in middle:
        low = max(0.0, along - scale * SIDE / 2)
        high = min(float(SIDE), along + scale * SIDE / 2)
        there = low + (np.arange(points) + 0.5) * (high - low) / points
        theirs.append((there - 0.5).astype(np.float32))
        ours.append(((there - along) / scale + SIDE / 2 - 0.5).astype(np.float32))
    return ours, theirs


def _frame_grid(y: float, x: float, side: float, points: int) -> Sequence[Floats]:
    offsets = (np.arange(points) + 0.5) * side / points - side / 2 - 0.5
    return [(y + offsets).astype(np.float32), (x + offsets).astype(np.float32)]


def _sampled(grey: Floats, grid: Sequence[Floats]) -> Floats:
    """Read [H, W] between its pixels at rows × columns, linearly."""
    rows, columns = (_weights(at, size) for at, size in zip(grid, grey.shape, strict=True))
    return np.asarray(rows @ grey @ columns.T, np.float32)


def _weights(at: Floats, size: int) -> Floats:
    """Write linear interpolation as a matrix: [points, size]."""
    clipped = np.clip(at, 0, size - 1)
    apart = np.abs(clipped[:, None] - np.arange(size, dtype=np.float32))
    weights: Floats = np.maximum(0, 1 - apart).astype(np.float32)
    return weights


def _unit(rows: Floats) -> Floats:
    """Give each row mean 0 and length 1; a flat one becomes nothing."""
    centred: Floats = rows - rows.mean(axis=1, keepdims=True)
    length: Floats = np.sqrt(np.einsum("nd,nd->n", centred, centred))
    flat = length < _TEXTURED * np.sqrt(rows.shape[1])
    inverse: Floats = np.where(flat, 0, 1 / np.maximum(length, 1e-6)).astype(np.float32)
    unit: Floats = centred * inverse[:, None]
    return unit
