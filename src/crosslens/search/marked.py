"""YAML with the line of every value, so that what is wrong can be pointed at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from crosslens.errors import InvalidRequest

MOST_BYTES = 1_000_000
MOST_NODES = 100_000
_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True, slots=True)
class Marked:
    """
    A value and where it stands.

    Attributes:
        value: text, number, truth value, None, a list of Marked, or names → Marked.
        path: how it is called: scenes.products.rank.fusion.
    """

    value: Any
    source: str
    line: int
    path: str = ""

    def wrong(self, why: str, *, hint: str | None = None) -> NoReturn:
        """
        Refuse the value.

        Raises:
            InvalidRequest: always; the message begins with file and line.
        """
        raise InvalidRequest(
            f"{self.source}:{self.line}: {self.path or 'the file'} {why}", hint=hint
        )

    def table(self, allowed: Sequence[str] | None = None) -> Mapping[str, Marked]:
        """Return names → values, of which only some are allowed."""
        if not isinstance(self.value, dict):
            self.wrong(f"is {_kind(self.value)}, it must be a table of names and values")
        for name, value in self.value.items():
            if allowed is not None and name not in allowed:
                value.wrong("is not known", hint=f"allowed are {', '.join(allowed)}")
        table: Mapping[str, Marked] = self.value
        return table

    def items(self) -> Sequence[Marked]:
        """Return the values of a list."""
        if not isinstance(self.value, list):
            self.wrong(f"is {_kind(self.value)}, it must be a list")
        return self.value

    def text(self, *, most: int = 10_000) -> str:
        """Return text."""
        if not isinstance(self.value, str):
            self.wrong(f"is {_kind(self.value)}, it must be text")
        if len(self.value) > most:
            self.wrong(f"has {len(self.value)} characters, at most {most} are allowed")
        return self.value

    def one_of(self, allowed: Sequence[str]) -> str:
        """Return one of some words."""
        if self.value not in allowed:
            self.wrong(f"is {self.value!r}, allowed are {', '.join(allowed)}")
        return str(self.value)

    def truth(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.wrong(f"is {_kind(self.value)}, it must be true or false")
        return self.value

    def number(self, least: float, most: float) -> float:
        """Return a number within bounds."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.wrong(f"is {_kind(self.value)}, it must be a number")
        if not least <= self.value <= most:
            self.wrong(f"is {self.value:g}, allowed is {least:g} to {most:g}")
        return float(self.value)

    def whole(self, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        if not isinstance(self.value, int):
            self.wrong(f"is {_kind(self.value)}, it must be a whole number")
        return int(self.number(least, most))

    def plain(self) -> Any:
        """Return the value without marks."""
        if isinstance(self.value, dict):
            return {name: each.plain() for name, each in self.value.items()}
        if isinstance(self.value, list):
            return [each.plain() for each in self.value]
        return self.value


def read_marked(text: str, source: str) -> Marked:
    """
    Read YAML: plain values only, no tags, no name twice.

    Raises:
        InvalidRequest: it is no YAML, or more than is taken; the message begins with file and line.
    """
    if len(text) > MOST_BYTES:
        raise InvalidRequest(f"{source} has {len(text):,} characters, allowed are {MOST_BYTES:,}")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return Marked({}, source, 1)
        return _marked(node, source, "", _budget())
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        why = getattr(exc, "problem", None) or str(exc).splitlines()[0]
        raise InvalidRequest(f"{source}:{line}: no YAML: {why}") from exc
    except RecursionError as exc:
        raise InvalidRequest(f"{source}: nested too deeply") from exc


def overlaid(base: Marked, over: Marked) -> Marked:
    """Lay one value over another: tables name by name, everything else as a whole."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    joined = dict(base.value)
    for name, value in over.value.items():
        joined[name] = overlaid(joined[name], value) if name in joined else value
    return Marked(joined, over.source, over.line, over.path)


def leaves(value: Marked, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Marked]]:
    """Yield what a value sets: everything that is no table, under its path."""
    if isinstance(value.value, dict):
        for name, each in value.value.items():
            yield from leaves(each, (*path, name))
    else:
        yield path, value


def _budget() -> Iterator[int]:
    return iter(range(MOST_NODES))


def _marked(node: yaml.Node, source: str, path: str, budget: Iterator[int]) -> Marked:
    line = node.start_mark.line + 1
    if next(budget, None) is None:
        raise InvalidRequest(f"{source}:{line}: more than {MOST_NODES:,} values")
    if not isinstance(node, yaml.ScalarNode) and not node.tag.startswith(_PLAIN):
        raise InvalidRequest(f"{source}:{line}: {path} has a tag, which is not allowed")
    if isinstance(node, yaml.MappingNode):
        return Marked(_table(node, source, path, budget), source, line, path)
    if isinstance(node, yaml.SequenceNode):
        each = [_marked(v, source, f"{path}[{n}]", budget) for n, v in enumerate(node.value)]
        return Marked(each, source, line, path)
    loader = yaml.SafeLoader("")
    try:
        return Marked(loader.construct_object(node), source, line, path)
    except yaml.constructor.ConstructorError as exc:
        raise InvalidRequest(f"{source}:{line}: {path} has a tag, which is not allowed") from exc
    finally:
        loader.dispose()


def _table(
    node: yaml.MappingNode, source: str, path: str, budget: Iterator[int]
) -> dict[str, Marked]:
    table: dict[str, Marked] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in table:
            raise InvalidRequest(f"{source}:{line}: {path or 'the file'} names {name} twice")
        told = _marked(value, source, f"{path}.{name}" if path else name, budget)
        table[name] = Marked(told.value, source, line, told.path)
    return table


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return "empty" if value is None else repr(value)
