"""The calls of the encode service: checked, answered, and their failures told by status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, TypeVar

import grpc

from crosslens.encode import messages
from crosslens.encode import wire_pb2 as wire
from crosslens.encode.cards import Card
from crosslens.encode.model import Model
from crosslens.encode.statuses import status_of, trailers_of
from crosslens.encode.wire_pb2_grpc import EncodeServiceServicer
from crosslens.errors import CrosslensError, InvalidRequest, TooLarge, WrongSpace
from crosslens.telemetry import logger

ReplyT = TypeVar("ReplyT")
Call = Callable[[Any, Any, grpc.ServicerContext], ReplyT]


class Models(Protocol):
    """The bundles that may be asked for. Safe to call from many threads."""

    def names(self) -> list[str]:
        """List them by name."""
        ...

    def card(self, name: str) -> Card:
        """Read a card; raises NotFound."""
        ...

    def is_loaded(self, name: str) -> bool:
        """Say whether the first question to it waits for nothing."""
        ...

    def model(self, name: str) -> Model:
        """Return a bundle, loaded if need be; an empty name is the one of the settings."""
        ...

    def load(self, name: str) -> Model:
        """Return a bundle, fetched, checked and loaded if need be, and again after a restart."""
        ...

    def unload(self, name: str) -> None:
        """Let go of a bundle's memory."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What is let in.

    Attributes:
        threads: calls that are worked on side by side; those that wait for the encoder count.
        calls: calls in the house; more are refused at once.
        texts, pictures: how many.
        text: characters of one text.
        picture_bytes: of one picture.
        message_bytes: of the whole call.
    """

    threads: int = 64
    calls: int = 512
    texts: int = 1_024
    text: int = 100_000
    pictures: int = 256
    picture_bytes: int = 30_000_000
    message_bytes: int = 100_000_000


def told(call: Call[ReplyT]) -> Call[ReplyT]:
    """Let a call fail by its status; nobody waits for one whose caller has gone."""

    @wraps(call)
    def answered(service: Any, request: Any, context: grpc.ServicerContext) -> ReplyT:
        if not context.is_active():  # its deadline passed while it waited for a thread
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the caller has stopped waiting")
        try:
            return call(service, request, context)
        except CrosslensError as exc:
            context.set_trailing_metadata(trailers_of(exc))
            context.abort(status_of(exc), exc.message)
        except Exception:  # noqa: BLE001 - the caller learns that it failed, the log learns why
            logger("rpc").exception("call failed", call=call.__name__)
            context.abort(grpc.StatusCode.INTERNAL, "the service failed; its log says why")
        raise AssertionError("abort always raises")

    return answered


class EncodeService(EncodeServiceServicer):
    """The calls, over the bundles of a shelf."""

    def __init__(self, models: Models, limits: Limits) -> None:
        self._models = models
        self._limits = limits

    @told
    def EncodeText(  # noqa: N802 - named by the protocol
        self, request: wire.EncodeTextRequest, context: grpc.ServicerContext
    ) -> wire.EncodeReply:
        """Encode words."""
        self._check_texts(request.texts)
        words = self._model(request.which).words
        encode = words.encode_queries if _is_query(request.side) else words.encode_items
        return messages.reply_of(encode(request.texts))

    @told
    def EncodePictures(  # noqa: N802
        self, request: wire.EncodePicturesRequest, context: grpc.ServicerContext
    ) -> wire.EncodeReply:
        """Encode pictures."""
        self._check_pictures(request.pictures)
        pictures = self._model(request.which).pictures
        return messages.reply_of(pictures.encode_pictures(request.pictures))

    @told
    def Tokenize(  # noqa: N802
        self, request: wire.TokenizeRequest, context: grpc.ServicerContext
    ) -> wire.TokenizeReply:
        """Cut words into token ids."""
        self._check_texts(request.texts)
        model = self._model(request.which)
        rows = model.token_ids(request.texts, queries=_is_query(request.side))
        return wire.TokenizeReply(texts=[wire.TokenizeReply.Ids(ids=row.tolist()) for row in rows])

    @told
    def Preprocess(  # noqa: N802
        self, request: wire.PreprocessRequest, context: grpc.ServicerContext
    ) -> wire.PreprocessReply:
        """Make of words or pictures what the tower takes."""
        kind = request.WhichOneof("of")
        if kind is None:
            raise InvalidRequest("neither texts nor pictures to preprocess")
        model = self._model(request.which)
        if kind == "texts":
            self._check_texts(request.texts.texts)
            queries = _is_query(request.texts.side)
            inputs = model.text_inputs(request.texts.texts, queries=queries)
        else:
            self._check_pictures(request.pictures.pictures)
            inputs = model.picture_inputs(request.pictures.pictures)
        return wire.PreprocessReply(tensors=messages.tensors_of(inputs))

    @told
    def ListModels(  # noqa: N802
        self, request: wire.ListModelsRequest, context: grpc.ServicerContext
    ) -> wire.ListModelsReply:
        """List the bundles."""
        names = self._models.names()
        return wire.ListModelsReply(models=[self._described(name, whole=False) for name in names])

    @told
    def DescribeModel(  # noqa: N802
        self, request: wire.DescribeModelRequest, context: grpc.ServicerContext
    ) -> wire.Model:
        """Describe a bundle."""
        return self._described(request.model, whole=True)

    @told
    def LoadModel(  # noqa: N802
        self, request: wire.LoadModelRequest, context: grpc.ServicerContext
    ) -> wire.Model:
        """Make a bundle ready."""
        self._models.load(request.model)
        return self._described(request.model, whole=True)

    @told
    def UnloadModel(  # noqa: N802
        self, request: wire.UnloadModelRequest, context: grpc.ServicerContext
    ) -> wire.Model:
        """Let go of a bundle's memory."""
        self._models.unload(request.model)
        return self._described(request.model, whole=False)

    @told
    def CheckModel(  # noqa: N802
        self, request: wire.CheckModelRequest, context: grpc.ServicerContext
    ) -> wire.CheckModelReply:
        """Compare a bundle with its goldens."""
        report = self._models.model(request.model).check()
        return wire.CheckModelReply(
            compared=report.compared,
            max_difference=report.max_difference,
            worst_cosine=report.worst_cosine,
            tolerance=report.tolerance,
        )

    def _described(self, name: str, *, whole: bool) -> wire.Model:
        card = self._models.card(name)
        return messages.model_of(name, card, loaded=self._models.is_loaded(name), whole=whole)

    def _model(self, which: wire.Which) -> Model:
        model = self._models.model(which.model)
        if which.space not in ("", model.space.name):
            raise WrongSpace(
                f"asked for vectors of {which.space}, bundle {model.card.name} makes {model.space}",
                hint="the encode service has another bundle than the index was built with",
            )
        return model

    def _check_texts(self, texts: Sequence[str]) -> None:
        _check_count(texts, "texts", self._limits.texts)
        if any(len(text) > self._limits.text for text in texts):
            raise TooLarge(f"a text has more than {self._limits.text:,} characters")

    def _check_pictures(self, pictures: Sequence[bytes]) -> None:
        _check_count(pictures, "pictures", self._limits.pictures)
        if any(len(picture) > self._limits.picture_bytes for picture in pictures):
            raise TooLarge(f"a picture has more than {self._limits.picture_bytes:,} bytes")


def _check_count(inputs: Sequence[object], name: str, most: int) -> None:
    if not 0 < len(inputs) <= most:
        raise InvalidRequest(f"{len(inputs)} {name} in one call, allowed are 1 to {most:,}")


def _is_query(side: wire.Side) -> bool:
    return side == wire.SIDE_QUERY
