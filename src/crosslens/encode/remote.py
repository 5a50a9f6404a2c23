"""Encoders in other processes, over gRPC: so that they scale apart from searching."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc

from crosslens.encode import messages
from crosslens.encode import wire_pb2 as wire
from crosslens.encode.cards import parse_card
from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.encode.goldens import CheckReport
from crosslens.encode.statuses import error_of
from crosslens.encode.towers import Row
from crosslens.encode.wire_pb2_grpc import EncodeServiceStub
from crosslens.errors import InvalidRequest
from crosslens.telemetry import callers, tracing
from crosslens.values import Space, Vectors

TEXTS_AT_ONCE = 256
PICTURES_AT_ONCE = 16
BYTES_AT_ONCE = 16 * 2**20
_LARGEST_REPLY = 256 * 2**20
_CHECK_S = 300.0
_RETRIES = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_SERVICE = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {"name": [{"service": "crosslens.encode.v1.EncodeService"}], "retryPolicy": _RETRIES}
    ],
}
_OPTIONS = [
    ("grpc.service_config", json.dumps(_SERVICE)),
    ("grpc.max_receive_message_length", _LARGEST_REPLY),
    ("grpc.keepalive_time_ms", 30_000),  # a machine that vanished is noticed
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]
T = TypeVar("T")


class EncodeClient:
    """
    A connection to an encode service; what it cannot do at once it tries again for a while.

    Args:
        url: grpc://host:port, or grpcs://host:port for TLS; of a name with several addresses all
            are used in turn.
        token: an API key of the service.
        authority: PEM file of who signs its certificate, if the machine does not know.
        deadline_s: seconds for a call, tries included.

    Raises:
        InvalidRequest: not such a URL, or the file cannot be read.
    """

    def __init__(
        self, url: str, *, token: str = "", authority: Path | None = None, deadline_s: float = 30.0
    ) -> None:
        self.url = url
        self._deadline_s = deadline_s
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._channel = _channel(url, authority)
        self._stub: Any = EncodeServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"EncodeClient({self.url!r})"

    def call(self, method: str, request: Any, *, deadline_s: float | None = None) -> Any:
        """
        Ask, and return the reply.

        Raises:
            CrosslensError: the one that the service raised; Unavailable where it does not answer.
        """
        try:
            with tracing.calling(method):
                return getattr(self._stub, method)(
                    request,
                    timeout=deadline_s or self._deadline_s,
                    metadata=(*self._metadata, *callers.told()),
                    wait_for_ready=False,
                )
        except grpc.RpcError as exc:
            raise error_of(exc, self.url) from exc

    def names(self) -> list[str]:
        """List the bundles of the service."""
        return [model.name for model in self.call("ListModels", wire.ListModelsRequest()).models]

    def model(self, name: str) -> RemoteModel:
        """
        Find a bundle.

        Raises:
            NotFound: the service has none of that name.
            Unavailable: it does not answer.
        """
        told = self.call("DescribeModel", wire.DescribeModelRequest(model=name))
        return RemoteModel(self, told.name, told.card)

    def close(self) -> None:
        """End the connection."""
        self._channel.close()


class RemoteModel:
    """A `Model` behind an encode service. Each call names the space that it wants."""

    def __init__(self, client: EncodeClient, name: str, card: str) -> None:
        self.card = parse_card(card)
        self.space = self.card.vector_space
        self._client = client
        self._name = name
        self._which = wire.Which(model=name, space=self.space.name)

    @cached_property
    def words(self) -> TextEncoder:
        """The tower for words; that there is none, the service says."""
        return RemoteText(self._client, self._which, self.space)

    @cached_property
    def pictures(self) -> PictureEncoder:
        """The tower for pictures; that there is none, the service says."""
        return RemotePictures(self._client, self._which, self.space)

    def token_ids(self, texts: Sequence[str], *, queries: bool) -> list[Row]:
        """Cut words into token ids."""
        request = wire.TokenizeRequest(which=self._which, side=side_of(queries), texts=texts)
        reply = self._client.call("Tokenize", request)
        return [messages.ids_of(one.ids) for one in reply.texts]

    def text_inputs(self, texts: Sequence[str], *, queries: bool) -> dict[str, Row]:
        """Make of words what the tower takes."""
        asked = wire.PreprocessRequest.Texts(texts=texts, side=side_of(queries))
        return self._preprocessed(wire.PreprocessRequest(which=self._which, texts=asked))

    def picture_inputs(self, pictures: Sequence[bytes]) -> dict[str, Row]:
        """Make of pictures what the tower takes."""
        asked = wire.PreprocessRequest.Pictures(pictures=pictures)
        return self._preprocessed(wire.PreprocessRequest(which=self._which, pictures=asked))

    def _preprocessed(self, request: wire.PreprocessRequest) -> dict[str, Row]:
        return messages.inputs_of(self._client.call("Preprocess", request).tensors)

    def check(self) -> CheckReport:
        """Let the service compare."""
        request = wire.CheckModelRequest(model=self._name)
        told = self._client.call("CheckModel", request, deadline_s=_CHECK_S)
        return CheckReport(told.compared, told.max_difference, told.worst_cosine, told.tolerance)

    def close(self) -> None:
        """Leave the connection to whoever opened it."""


class RemoteText:
    """A `TextEncoder` behind an encode service."""

    def __init__(self, client: EncodeClient, which: wire.Which, space: Space) -> None:
        self.space = space
        self._client = client
        self._which = which

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        """
        Encode what people ask for: [N, dim].

        Raises:
            Overloaded, Unavailable: the service has enough to do, or does not answer.
        """
        return self._encoded(words, wire.SIDE_QUERY)

    def encode_items(self, texts: Sequence[str]) -> Vectors:
        """Encode what the catalogue holds: [N, dim]; raises like `encode_queries`."""
        return self._encoded(texts, wire.SIDE_ITEM)

    def _encoded(self, texts: Sequence[str], side: wire.Side) -> Vectors:
        def ask(part: list[str]) -> Any:
            whole = [text.encode("utf-8", "replace").decode("utf-8") for text in part]
            request = wire.EncodeTextRequest(which=self._which, side=side, texts=whole)
            return self._client.call("EncodeText", request)

        return _joined(self.space, _parts(texts, TEXTS_AT_ONCE, _size_of_text), ask)


class RemotePictures:
    """A `PictureEncoder` behind an encode service."""

    def __init__(self, client: EncodeClient, which: wire.Which, space: Space) -> None:
        self.space = space
        self._client = client
        self._which = which

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        """
        Encode encoded pictures: [N, dim].

        Raises:
            UnreadablePicture: one of them cannot be decoded.
            Overloaded, Unavailable: the service has enough to do, or does not answer.
        """

        def ask(part: list[bytes]) -> Any:
            request = wire.EncodePicturesRequest(which=self._which, pictures=part)
            return self._client.call("EncodePictures", request)

        return _joined(self.space, _parts(pictures, PICTURES_AT_ONCE, len), ask)


def side_of(queries: bool) -> wire.Side:
    """Return how the wire says which side words are for."""
    return wire.SIDE_QUERY if queries else wire.SIDE_ITEM


def _joined(space: Space, parts: Iterator[list[T]], ask: Callable[[list[T]], Any]) -> Vectors:
    found = [messages.vectors_of(ask(part), space=space, count=len(part)) for part in parts]
    return Vectors.concatenate(space, found)


def _parts(inputs: Sequence[T], most: int, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut into calls of so many inputs, and of so many bytes unless one alone has more."""
    part: list[T] = []
    weight = 0
    for one in inputs:
        if part and (len(part) == most or weight + size(one) > BYTES_AT_ONCE):
            yield part
            part, weight = [], 0
        part.append(one)
        weight += size(one)
    if part:
        yield part


def _size_of_text(text: str) -> int:
    return 4 * len(text)


def _channel(url: str, authority: Path | None) -> grpc.Channel:
    target = _target(url)
    if url.startswith("grpc:"):
        return grpc.insecure_channel(target, _OPTIONS)
    try:
        roots = authority.read_bytes() if authority else None
    except OSError as exc:
        raise InvalidRequest(f"encoder_ca {authority} cannot be read ({exc.strerror})") from exc
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), _OPTIONS)


def _target(url: str) -> str:
    parts = urlsplit(url)
    try:
        known = parts.scheme in ("grpc", "grpcs") and parts.hostname and parts.port
    except ValueError:
        known = None
    if not known or parts.path.strip("/") or parts.username:
        raise InvalidRequest(
            f"encoder_url is {url!r}",
            hint="such as grpc://encoder.example:6010, or grpcs:// for TLS",
        )
    return f"dns:///{parts.netloc}"
