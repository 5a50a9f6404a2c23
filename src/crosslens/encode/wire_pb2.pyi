from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_QUERY: _ClassVar[Side]
    SIDE_ITEM: _ClassVar[Side]
SIDE_UNSPECIFIED: Side
SIDE_QUERY: Side
SIDE_ITEM: Side

class Which(_message.Message):
    __slots__ = ("model", "space")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    model: str
    space: str
    def __init__(self, model: _Optional[str] = ..., space: _Optional[str] = ...) -> None: ...

class EncodeTextRequest(_message.Message):
    __slots__ = ("which", "side", "texts")
    WHICH_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    which: Which
    side: Side
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, which: _Optional[_Union[Which, _Mapping]] = ..., side: _Optional[_Union[Side, str]] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class EncodePicturesRequest(_message.Message):
    __slots__ = ("which", "pictures")
    WHICH_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    which: Which
    pictures: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, which: _Optional[_Union[Which, _Mapping]] = ..., pictures: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EncodeReply(_message.Message):
    __slots__ = ("space", "dim", "vectors")
    SPACE_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    space: str
    dim: int
    vectors: bytes
    def __init__(self, space: _Optional[str] = ..., dim: _Optional[int] = ..., vectors: _Optional[bytes] = ...) -> None: ...

class TokenizeRequest(_message.Message):
    __slots__ = ("which", "side", "texts")
    WHICH_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    which: Which
    side: Side
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, which: _Optional[_Union[Which, _Mapping]] = ..., side: _Optional[_Union[Side, str]] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class TokenizeReply(_message.Message):
    __slots__ = ("texts",)
    class Ids(_message.Message):
        __slots__ = ("ids",)
        IDS_FIELD_NUMBER: _ClassVar[int]
        ids: _containers.RepeatedScalarFieldContainer[int]
        def __init__(self, ids: _Optional[_Iterable[int]] = ...) -> None: ...
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedCompositeFieldContainer[TokenizeReply.Ids]
    def __init__(self, texts: _Optional[_Iterable[_Union[TokenizeReply.Ids, _Mapping]]] = ...) -> None: ...

class PreprocessRequest(_message.Message):
    __slots__ = ("which", "texts", "pictures")
    class Texts(_message.Message):
        __slots__ = ("texts", "side")
        TEXTS_FIELD_NUMBER: _ClassVar[int]
        SIDE_FIELD_NUMBER: _ClassVar[int]
        texts: _containers.RepeatedScalarFieldContainer[str]
        side: Side
        def __init__(self, texts: _Optional[_Iterable[str]] = ..., side: _Optional[_Union[Side, str]] = ...) -> None: ...
    class Pictures(_message.Message):
        __slots__ = ("pictures",)
        PICTURES_FIELD_NUMBER: _ClassVar[int]
        pictures: _containers.RepeatedScalarFieldContainer[bytes]
        def __init__(self, pictures: _Optional[_Iterable[bytes]] = ...) -> None: ...
    WHICH_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    which: Which
    texts: PreprocessRequest.Texts
    pictures: PreprocessRequest.Pictures
    def __init__(self, which: _Optional[_Union[Which, _Mapping]] = ..., texts: _Optional[_Union[PreprocessRequest.Texts, _Mapping]] = ..., pictures: _Optional[_Union[PreprocessRequest.Pictures, _Mapping]] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("name", "type", "shape", "content")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TYPE_UNSPECIFIED: _ClassVar[Tensor.Type]
        TYPE_FLOAT32: _ClassVar[Tensor.Type]
        TYPE_INT64: _ClassVar[Tensor.Type]
    TYPE_UNSPECIFIED: Tensor.Type
    TYPE_FLOAT32: Tensor.Type
    TYPE_INT64: Tensor.Type
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: Tensor.Type
    shape: _containers.RepeatedScalarFieldContainer[int]
    content: bytes
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[Tensor.Type, str]] = ..., shape: _Optional[_Iterable[int]] = ..., content: _Optional[bytes] = ...) -> None: ...

class PreprocessReply(_message.Message):
    __slots__ = ("tensors",)
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    def __init__(self, tensors: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "space", "dim", "text", "picture", "licence", "loaded", "card")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    name: str
    space: str
    dim: int
    text: bool
    picture: bool
    licence: str
    loaded: bool
    card: str
    def __init__(self, name: _Optional[str] = ..., space: _Optional[str] = ..., dim: _Optional[int] = ..., text: _Optional[bool] = ..., picture: _Optional[bool] = ..., licence: _Optional[str] = ..., loaded: _Optional[bool] = ..., card: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsReply(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class DescribeModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class LoadModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class UnloadModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class CheckModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class CheckModelReply(_message.Message):
    __slots__ = ("compared", "max_difference", "tolerance", "worst_cosine")
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    MAX_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    WORST_COSINE_FIELD_NUMBER: _ClassVar[int]
    compared: int
    max_difference: float
    tolerance: float
    worst_cosine: float
    def __init__(self, compared: _Optional[int] = ..., max_difference: _Optional[float] = ..., tolerance: _Optional[float] = ..., worst_cosine: _Optional[float] = ...) -> None: ...
