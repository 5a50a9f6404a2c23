"""Which bundles serve which purpose, told from the spaces of an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from crosslens.values import Space  # brings numpy, which `crosslens --help` does without

Spaces: TypeAlias = "tuple[tuple[Space, ...], tuple[Space, ...]]"
"""Spaces of the text collection and of the picture collection, as in an IndexSpec."""

PURPOSES: Final = ("cross_modal", "text", "looks")


def by_bundle(chosen: Mapping[str, str]) -> dict[str, list[str]]:
    """Return bundle → the purposes it serves, as people write them; the cross-modal one first."""
    used: dict[str, list[str]] = {}
    for purpose, name in chosen.items():
        used.setdefault(name or chosen["cross_modal"], []).append(purpose.replace("_", "-"))
    return used


def spaces_of(chosen: Mapping[str, str], space: Callable[[str], Space]) -> Spaces:
    """
    Return the spaces of an index that is built for a choice of bundles.

    Args:
        chosen: purpose → bundle; one that is empty is served by the cross-modal bundle.
        space: bundle → its space.
    """
    cross = space(chosen["cross_modal"])
    text = space(chosen["text"]) if chosen["text"] else cross
    looks = space(chosen["looks"]) if chosen["looks"] else cross
    return tuple(dict.fromkeys((text, cross))), tuple(dict.fromkeys((cross, looks)))


def exchange(
    chosen: Mapping[str, str], wanted: Spaces, names: Iterable[str], space: Callable[[str], Space]
) -> dict[str, str] | None:
    """
    Find the exchange of one bundle after which a choice has the wanted spaces.

    Returns:
        The purpose and the new bundle; empty where the choice has them already; None where no one
        exchange is enough.
    """
    if spaces_of(chosen, space) == wanted:
        return {}
    held = {*wanted[0], *wanted[1]}
    for name in (name for name in names if space(name) in held):
        for purpose in PURPOSES:
            if spaces_of({**chosen, purpose: name}, space) == wanted:
                return {purpose: name}
    return None
