"""Which column is which field: by its name, by a known alias, or as the user says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from crosslens.errors import InvalidRequest
from crosslens.values import AttributeType, fold

# The first alias that holds something wins; the others stay attributes.
ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "key": ("id", "key", "_id", "sku", "product_id", "item_id", "编号", "商品编号", "货号"),
        "title": (
            *("title", "title_zh", "title_en", "name", "product_name", "name_zh", "name_en"),
            *("caption", "标题", "商品标题", "商品名称", "商品名", "名称", "品名"),
        ),
        "description": (
            *("description", "description_zh", "description_en", "desc", "text", "content"),
            *("描述", "商品描述", "详情", "简介"),
        ),
        "image": (
            *("image", "image_path", "img", "img_path", "picture", "photo", "file_name"),
            *("filename", "image_url", "picture_url", "图片", "图片路径", "主图"),
        ),
        "other_images": (
            "other_images",
            "images",
            "pictures",
            "image_urls",
            "图片列表",
            "其他图片",
        ),
    }
)
FIELDS = {"id": "key", "images": "other_images"} | {name: name for name in ALIASES}


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """
    What the user says about columns; it overrides names and aliases.

    Attributes:
        columns: field (`key`, `title`, `description`, `image`, `other_images`) → column. A dotted
            column reaches into an object: `details.name`.
        attributes: attribute → column; None leaves the attribute out.
        types: attribute → type, for values that the source holds as text.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    types: Mapping[str, AttributeType] = field(default_factory=dict)

    @classmethod
    def parse(cls, pairs: Sequence[str]) -> ColumnMapping:
        """
        Read `target=column` pairs.

        A target is a field (`id`, `title`, `description`, `image`, `other_images`) or the name of
        an attribute, which may carry a type (`price:number=价格`). `name=` without a column leaves
        an attribute out.

        Raises:
            InvalidRequest: a pair has no "=", no target, a field without a column, a target given
                twice, or an unknown type.
        """
        columns: dict[str, str] = {}
        attributes: dict[str, str | None] = {}
        types: dict[str, AttributeType] = {}
        for pair in pairs:
            target, type_, column = _parts(pair)
            if target in columns or target in attributes:
                raise InvalidRequest(f"column mapping names {target!r} twice")
            if target in FIELDS.values():
                columns[target] = _field_column(pair, type_, column)
                continue
            attributes[target] = column or None
            if type_ is not None:
                types[target] = type_
        return cls(columns, attributes, types)

    def check(self, names: Collection[str]) -> None:
        """
        Check that the columns exist, where a source knows its columns beforehand.

        Raises:
            InvalidRequest: a column is not among `names`.
        """
        for column in (*self.columns.values(), *self.attributes.values()):
            if column and column not in names and column.split(".")[0] not in names:
                raise InvalidRequest(
                    f"column mapping: there is no column {column!r}; there are {', '.join(names)}"
                )


NO_MAPPING = ColumnMapping()


def folded(name: str) -> str:
    """Normalise a column name: "Product Name" and "product_name" are one."""
    return fold(name).strip().replace(" ", "_").replace("-", "_")


def _parts(pair: str) -> tuple[str, AttributeType | None, str]:
    target, equals, column = pair.partition("=")
    target, colon, type_ = target.strip().removeprefix("attributes.").partition(":")
    if not equals or not target:
        raise InvalidRequest(
            f"column mapping {pair!r} is not target=column",
            hint="write for example title=商品名 image=path price:number=价格",
        )
    return FIELDS.get(target, target), _type(pair, type_) if colon else None, column.strip()


def _type(pair: str, name: str) -> AttributeType:
    try:
        return AttributeType(name)
    except ValueError as exc:
        allowed = ", ".join(AttributeType)
        raise InvalidRequest(
            f"column mapping {pair!r}: type {name!r} is unknown; allowed are {allowed}"
        ) from exc


def _field_column(pair: str, type_: AttributeType | None, column: str) -> str:
    if not column or type_ is not None:
        raise InvalidRequest(f"column mapping {pair!r}: this field needs a column and has no type")
    return column
