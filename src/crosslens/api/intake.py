"""Pictures as callers send them: base64, a URL, or a file of a form; out come bytes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence

from crosslens.api.lanes import Lane
from crosslens.api.schemas import PictureIn
from crosslens.catalog.editing import MissingPicture
from crosslens.catalog.fetch import Fetcher
from crosslens.errors import InvalidRequest, NotFound, Unavailable, UnreadablePicture

_AT_ONCE = 4  # URLs of one request fetched side by side
_SHORT = 100_000  # characters of base64 that are decoded sooner than handed over
_DATA_URI = re.compile(r"data:[\w/+.-]*;base64,", re.I)


class UnreachablePicture(UnreadablePicture):
    """A picture URL that did not lead to a picture this time."""

    code = "unreachable_picture"


class Intake:
    """Turn what was sent into bytes; waiting for strange servers happens in a lane of its own."""

    def __init__(self, fetcher: Fetcher, lane: Lane) -> None:
        self._fetcher = fetcher
        self._lane = lane

    async def contents(self, pictures: Sequence[PictureIn | bytes]) -> tuple[bytes, ...]:
        """
        Return the bytes of pictures, in order.

        Raises:
            InvalidRequest, NotFound, Unavailable: the first that cannot be had, and why.
        """
        if not pictures:
            return ()
        few = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, picture: PictureIn | bytes) -> bytes:
            async with few:
                return await self._content(number, picture)

        return tuple(await asyncio.gather(*(one(n, p) for n, p in enumerate(pictures, 1))))

    async def contents_or_reasons(
        self, pictures: Sequence[PictureIn]
    ) -> tuple[bytes | MissingPicture, ...]:
        """Return the bytes of pictures, and for those that cannot be had the reason."""
        few = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, picture: PictureIn) -> bytes | MissingPicture:
            async with few:
                try:
                    return await self._content(number, picture)
                except InvalidRequest as exc:
                    return MissingPicture(f"picture {number}", exc.message)

        return tuple(await asyncio.gather(*(one(n, p) for n, p in enumerate(pictures, 1))))

    async def _content(self, number: int, picture: PictureIn | bytes) -> bytes:
        if isinstance(picture, bytes):
            return picture
        if picture.url is not None:
            return await self._lane.run(self._fetched, number, picture.url)
        text = picture.base64 or ""
        if len(text) < _SHORT:
            return decoded(text, number)
        return await self._lane.run(decoded, text, number)

    def _fetched(self, number: int, url: str) -> bytes:
        try:
            return self._fetcher.fetch(url)
        except (NotFound, Unavailable) as exc:  # of that server, not of ours
            raise UnreachablePicture(f"picture {number}: {exc.message}", hint=exc.hint) from exc


def decoded(text: str, number: int = 1) -> bytes:
    """
    Decode base64, with or without `data:image/…;base64,` before it.

    Raises:
        UnreadablePicture: it is not base64.
    """
    found = _DATA_URI.match(text)
    plain = text[found.end() :] if found else text
    try:
        return base64.b64decode(plain.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise UnreadablePicture(
            f"picture {number} is not base64: {exc}", hint="standard alphabet, no line breaks"
        ) from exc
