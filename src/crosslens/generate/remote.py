"""Pictures from a service that speaks as OpenAI's images endpoint does."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from crosslens.errors import (
    CannotDraw,
    CrosslensError,
    InvalidRequest,
    Overloaded,
    UnreadablePicture,
)
from crosslens.generate.generator import About, Drawn, Pixels, Step, silent, size_of
from crosslens.generate.scaling import scaled
from crosslens.generate.wish import Wish
from crosslens.pictures import DEFAULT, Limits, decode

PATH = "/images/generations"
LARGEST_ANSWER = 120_000_000  # bytes
SHOWN = 200  # characters of what a service says
_REFUSES_WISH = (400, 413, 422)
_REFUSES_US = (401, 402, 403)


@dataclass(frozen=True, slots=True)
class Service:
    """
    Where pictures come from.

    Attributes:
        url: up to the version, such as https://images.example/v1.
        key: sent as a bearer token; empty: none.
        model: name of the model there; empty: the service decides.
        sizes: sides that it draws, the usual one first.
        timeout_s: seconds for one picture.
    """

    url: str
    key: str = ""
    model: str = ""
    sizes: tuple[int, ...] = (1024, 512, 256)
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        if not _leads_somewhere(self.url):
            raise InvalidRequest(
                f"the service's url is {self.url[:SHOWN]!r}, allowed: http:// or https:// and a "
                "host"
            )
        if not (self.key.isascii() and self.key.isprintable()):
            raise InvalidRequest("the service's key holds characters that no header can carry")


class RemoteGenerator:
    """
    A `Generator` behind HTTP.

    Pictures are asked for one by one, so that breaking off costs at most one. Only bytes that
    decode as a picture are one: pages, errors and empty answers never are.

    Args:
        client: speaks HTTP; made here unless given.
    """

    def __init__(
        self, service: Service, *, client: httpx.Client | None = None, limits: Limits = DEFAULT
    ) -> None:
        self._service = service
        self._limits = limits
        self._client = client or httpx.Client(follow_redirects=False)
        self.about = About(
            name=service.model or httpx.URL(service.url).host,
            languages=(),
            native_px=service.sizes[0],
            sizes=service.sizes,
            steps=0,
            guidance=0.0,
            note="drawn by another service, which sees the prompt",
        )

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def draw(self, wish: Wish, step: Step = silent) -> Iterator[Drawn]:
        """
        Draw, one picture after the other; see `Generator`.

        Raises:
            InvalidRequest: a negative prompt, steps or guidance, which the service does not take,
                or the service refuses the prompt.
            Overloaded: it has enough to do.
            CannotDraw: it is away, too slow, fails, or answers with something else.
        """
        size = size_of(wish, self.about)
        _require_plain(wish)
        step(0, wish.n)
        for number in range(wish.n):
            content = self._ask(wish.prompt, size)
            yield Drawn(number, None, scaled(self._picture(content), size))
            step(number + 1, wish.n)

    def _ask(self, prompt: str, size: int) -> bytes:
        wanted = {"prompt": prompt, "n": 1, "size": f"{size}x{size}",
                  "response_format": "b64_json"}  # fmt: skip
        if self._service.model:
            wanted["model"] = self._service.model
        headers = {"Authorization": f"Bearer {self._service.key}"} if self._service.key else {}
        status, content = self._post(json.dumps(wanted).encode(), headers)
        if status != httpx.codes.OK:
            key = self._service.key.encode()
            raise _refused(status, content.replace(key, b"...") if key else content)
        return _picture_of(content)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            with self._client.stream(
                "POST", self._service.url.rstrip("/") + PATH, content=body,
                headers={**headers, "Content-Type": "application/json"},
                timeout=self._service.timeout_s,
            ) as answer:  # fmt: skip
                parts, size = [], 0
                for part in answer.iter_bytes():
                    size += len(part)
                    if size > LARGEST_ANSWER:
                        raise CannotDraw("the image service answers with more than a picture")
                    parts.append(part)
                return answer.status_code, b"".join(parts)
        except httpx.TimeoutException as exc:
            raise CannotDraw(
                f"the image service gave no picture within {self._service.timeout_s:g} s"
            ) from exc
        except httpx.HTTPError as exc:
            raise CannotDraw(f"the image service cannot be reached: {exc}") from exc

    def _picture(self, content: bytes) -> Pixels:
        try:
            return np.asarray(decode(content, self._limits), np.uint8)
        except UnreadablePicture as exc:
            raise CannotDraw(f"the image service sent no picture: {exc.message}") from exc


def _leads_somewhere(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


def _require_plain(wish: Wish) -> None:
    for name, given in (
        ("negative", wish.negative), ("steps", wish.steps), ("guidance", wish.guidance),
    ):  # fmt: skip
        if given:
            raise InvalidRequest(f"{name} is {given!r}, but an image service takes none")


def _picture_of(content: bytes) -> bytes:
    """Take the bytes of the picture out of an answer."""
    entries = _object(content).get("data")
    entry = entries[0] if isinstance(entries, Sequence) and entries else None
    coded = entry.get("b64_json") if isinstance(entry, Mapping) else None
    if not isinstance(coded, str):
        raise CannotDraw("the image service answered without a picture in data[0].b64_json")
    try:
        return base64.b64decode(coded, validate=True)
    except binascii.Error as exc:
        raise CannotDraw("the image service sent a picture that is not base64") from exc


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:
        start = content[:SHOWN].decode("utf-8", "replace").strip()
        raise CannotDraw(f"the image service answered with no JSON: {start!r}") from exc
    if not isinstance(found, Mapping):
        raise CannotDraw("the image service answered with JSON that is no object")
    return found


def _refused(status: int, content: bytes) -> CrosslensError:
    """Tell whose fault it is: that of the wish, or of how the service was set up."""
    said = _reason(content)
    if status in _REFUSES_WISH:
        return InvalidRequest(f"the image service refuses this with {status}: {said}")
    if status in _REFUSES_US:
        hint = "look at the settings generator_key and generator_model"
        return CannotDraw(f"the image service refuses us with {status}: {said}", hint=hint)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Overloaded(f"the image service has enough to do: {said}", hint="try again later")
    return CannotDraw(f"the image service failed with {status}: {said}")


def _reason(content: bytes) -> str:
    try:
        error = _object(content).get("error")
    except CannotDraw:
        return "it does not say why"
    message = error.get("message") if isinstance(error, Mapping) else error
    return str(message)[:SHOWN] if message else "it does not say why"
