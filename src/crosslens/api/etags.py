"""Entity tags: the revision of a product, and conditions on it."""

from __future__ import annotations

import re

from crosslens.errors import InvalidRequest

_TAG = re.compile(r'\s*(?P<weak>W/)?"(?P<tag>[^"]*)"\s*(?:,|$)')
_REVISION = re.compile(r"(\d{1,18})(?:\.[a-z]+)?")


def of_product(revision: int, state: str) -> str:
    """
    Return the tag of a product as it is shown.

    What is shown includes whether searches know the revision, so the tag does too; `If-Match` looks
    at the revision alone.
    """
    return f'"{revision}"' if state == "current" else f'"{revision}.{state}"'


def wanted_revisions(header: str | None) -> set[int] | None:
    """
    Return the revisions that an `If-Match` permits; None if any.

    Raises:
        InvalidRequest: it is not a list of tags as `ETag` had them.
    """
    if header is None or header.strip() == "*":
        return None
    found = [_REVISION.fullmatch(tag) for weak, tag in _tags(header) if not weak]
    return {int(match[1]) for match in found if match}


def is_known(header: str | None, tag: str) -> bool:
    """Whether an `If-None-Match` names a tag: the caller has it already."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    try:
        return tag.strip('"') in {known for _, known in _tags(header)}
    except InvalidRequest:
        return False


def _tags(header: str) -> list[tuple[bool, str]]:
    tags, at = [], 0
    while at < len(header):
        found = _TAG.match(header, at)
        if found is None:
            raise InvalidRequest(
                f"{header[:80]!r} is not a list of entity tags", hint='such as If-Match: "3"'
            )
        tags.append((found["weak"] is not None, found["tag"]))
        at = found.end()
    return tags
