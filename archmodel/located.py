"""Located pieces of YAML, the readers of their fields, and the list of what is wrong with them."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from archmodel import units
from archmodel.records.base import SpecError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9_]{0,18})")


@dataclass
class Node:
    """A piece of YAML: text, None (a plain null), a list or a mapping.

    place      file:line:column of it, and ``key_place`` that of its key
    unquoted   whether text stands without quotes, and may thus be a number or a bool
    """

    value: str | list[Node] | dict[str, Node] | None
    place: str
    key_place: str = ""
    unquoted: bool = False

    def shown(self) -> str:
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return (
            "nothing" if self.value is None else repr(self.value if len(self.value) <= 60 else self.value[:57] + "...")
        )


@dataclass
class Findings:
    """The errors of one description, in the order found, each one line; ``broken`` where part of it is missing."""

    lines: list[str] = field(default_factory=list)
    broken: bool = False

    def add(self, place: str, key: str, text: str) -> None:
        self.lines.append(": ".join(part for part in (place, key, " ".join(text.split())) if part))

    def stop(self) -> None:
        """Raises SpecError with every line, if there is any."""
        if self.lines:
            raise SpecError("\n".join(dict.fromkeys(self.lines)))


Reader = Callable[[Node], Any]
"""From a node to a field's value; raises SpecError ``found ..., expected ...``."""


def text(node: Node) -> str:
    if not isinstance(node.value, str):
        raise SpecError(f"found {node.shown()}, expected text")
    return node.value


def name(node: Node) -> str:
    if not isinstance(node.value, str) or not NAME.fullmatch(node.value):
        raise SpecError(f"found {node.shown()}, expected a name of letters, digits, _ and -")
    return node.value


def whole(node: Node) -> int:
    if not isinstance(node.value, str) or not _WHOLE.fullmatch(node.value):
        raise SpecError(f"found {node.shown()}, expected a whole number")
    return int(node.value)


def counted(maximum: int) -> Reader:
    """A whole number from 1 to ``maximum``."""

    def read(node: Node) -> int:
        value = whole(node)
        if not 1 <= value <= maximum:
            raise SpecError(f"found {value}, expected at " + ("least 1" if value < 1 else f"most {maximum}"))
        return value

    return read


def boolean(node: Node) -> bool:
    if node.value not in ("true", "false"):
        raise SpecError(f"found {node.shown()}, expected true or false")
    return node.value == "true"


def fraction(node: Node) -> Fraction:
    try:
        return Fraction(text(node)[:40])
    except (ValueError, ZeroDivisionError):
        raise SpecError(f"found {node.shown()}, expected a number such as 3/2") from None


def quantity(kind: units.Quantity) -> Reader:
    def read(node: Node) -> int:
        if not isinstance(node.value, str):
            raise SpecError(f"found {node.shown()}, expected {kind.expected}")
        return units.parse(node.value, kind)

    return read


def listed(item: Reader, length: int | None = None) -> Reader:
    def read(node: Node) -> tuple[Any, ...]:
        if not isinstance(node.value, list) or length not in (None, len(node.value)):
            raise SpecError(f"found {node.shown()}, expected a list" + (f" of {length}" if length else ""))
        return tuple(item(part) for part in node.value)

    return read


def reader_of(hint: Any) -> Reader:
    """The reader for a field of a ``Params`` record, from its type."""
    simple: dict[Any, Reader] = {int: whole, str: text, bool: boolean, Fraction: fraction}
    if hint in simple:
        return simple[hint]
    args = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and args:
        return listed(reader_of(args[0]), None if args[-1] is Ellipsis else len(args))
    inner = [arg for arg in args if arg is not type(None)]
    if len(inner) == 1 and len(args) == 2:
        return reader_of(inner[0])
    raise TypeError(f"a field of type {hint} has no form in YAML")
