"""What an index was built to hold, as JSON beside it."""

from __future__ import annotations

import json
from typing import Any, Final

from crosslens.errors import IndexBroken
from crosslens.values import AttributeType, Space
from crosslens.vectors.index import IndexSpec

LAYOUT: Final = 1


def to_json(spec: IndexSpec) -> str:
    """Write a spec; the same spec gives the same text."""
    content = {
        "layout": LAYOUT,
        "text": [_space(space) for space in spec.text],
        "picture": [_space(space) for space in spec.picture],
        "attributes": {name: str(type_) for name, type_ in sorted(spec.attributes.items())},
    }
    return json.dumps(content, ensure_ascii=False)


def from_json(text: str) -> IndexSpec:
    """
    Read a spec.

    Raises:
        IndexBroken: unreadable, or written by a version that keeps its rows another way.
    """
    try:
        content = json.loads(text)
        if content["layout"] != LAYOUT:
            raise IndexBroken(
                f"the vector index has layout {content['layout']!r}, this version reads {LAYOUT}",
                hint="run `crosslens index rebuild`",
            )
        return IndexSpec(
            tuple(Space(**space) for space in content["text"]),
            tuple(Space(**space) for space in content["picture"]),
            {name: AttributeType(type_) for name, type_ in content["attributes"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise IndexBroken(
            "the description of the vector index cannot be read",
            hint="run `crosslens index rebuild`",
        ) from exc


def _space(space: Space) -> dict[str, Any]:
    return {"name": space.name, "dim": space.dim}
