"""How a value is written in a description: one form reads it, names it in documents, and states it as JSON Schema.

A form is called with a located node and gives the field's value, or raises SpecError ``found ..., expected ...``.
"""

from __future__ import annotations

import re
import typing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from archmodel import units
from archmodel.located import Node
from archmodel.records.base import OneOf, SpecError, Within, bounds_of, one_of

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
RECORD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_+-]*")
"""Of a record within an engine's parameters, such as an operation: mul+add."""
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9_]{0,18})")
_FAR = re.compile(r"[eE][+-]?\d{3}")
Json = dict[str, Any]


class Form(Protocol):
    """``expected`` is what an error asks for; ``kind`` and ``bounds`` are a document's columns."""

    @property
    def expected(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def bounds(self) -> str: ...
    def __call__(self, node: Node) -> Any: ...
    def schema(self) -> Json: ...


@dataclass(frozen=True)
class Text:
    expected: str = "text"
    kind: str = "text"
    bounds: str = ""

    def __call__(self, node: Node) -> str:
        if not isinstance(node.value, str):
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return node.value

    def schema(self) -> Json:
        return {"type": ["string", "number", "boolean"]}  # an editor sees 2017 as a number, and it is read as text


@dataclass(frozen=True)
class Name:
    """An identifier; ``known`` are all that there are, where the description itself does not define them."""

    expected: str = "a name of letters, digits, _ and -"
    known: tuple[str, ...] = ()
    kind: str = "name"

    @property
    def bounds(self) -> str:
        return ", ".join(self.known)

    def __call__(self, node: Node) -> str:
        if not isinstance(node.value, str) or not NAME.fullmatch(node.value):
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return node.value

    def schema(self) -> Json:
        return {"enum": list(self.known)} if self.known else {"type": "string", "pattern": f"^{NAME.pattern}$"}


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    within: Within | OneOf | None = None
    expected: str = "a whole number"
    kind: str = "whole number"

    @property
    def bounds(self) -> str:
        if isinstance(self.within, Within):
            return f"{self.within.minimum:,} to {self.within.maximum:,}"
        return " or ".join(map(str, self.within.values)) if self.within else ""

    def __call__(self, node: Node) -> int:
        if not isinstance(node.value, str) or not _WHOLE.fullmatch(node.value):
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        value = int(node.value.replace("_", ""))  # YAML has underscores anywhere behind the first digit
        if self.within and (expected := self.within.refusal(value)):
            raise SpecError(f"found {value}, expected {expected}")
        return value

    def schema(self) -> Json:
        if isinstance(self.within, OneOf):
            return {"enum": list(self.within.values)}
        return {"type": "integer"} | ({"minimum": self.within.minimum, "maximum": self.within.maximum} if self.within else {})


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]
    kind: str = "word"

    @property
    def expected(self) -> str:
        return one_of(self.words)

    @property
    def bounds(self) -> str:
        return ", ".join(self.words)

    def __call__(self, node: Node) -> str:
        if node.value not in self.words:
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return str(node.value)

    def schema(self) -> Json:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Boolean:
    expected: str = "true or false"
    kind: str = "true or false"
    bounds: str = ""

    def __call__(self, node: Node) -> bool:
        if node.value not in ("true", "false"):
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return node.value == "true"

    def schema(self) -> Json:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Ratio:
    """An exact number, within bounds: 3/2, 1.5."""

    within: Within | None = None
    expected: str = "a number such as 3/2"
    kind: str = "number"

    @property
    def bounds(self) -> str:
        return f"{self.within.minimum:,} to {self.within.maximum:,}" if self.within else ""

    def __call__(self, node: Node) -> Fraction:
        if not isinstance(node.value, str):
            raise SpecError(f"found {node.shown()}, expected text")
        if len(node.value) > 40 or _FAR.search(node.value):  # 1e999999999 has a billion digits
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        try:
            value = Fraction(node.value)
        except (ValueError, ZeroDivisionError):
            raise SpecError(f"found {node.shown()}, expected {self.expected}") from None
        if self.within and (wanted := self.within.refusal(value)):
            raise SpecError(f"found {node.shown()}, expected {wanted}")
        return value

    def schema(self) -> Json:
        return {"type": ["number", "string"], "pattern": r"^\s*[+-]?[0-9._]+([eE][+-]?[0-9]+)?(/[0-9_]+)?\s*$"}


@dataclass(frozen=True)
class Amount:
    """A quantity with its unit, read as a whole number of base units."""

    of: units.Quantity

    @property
    def expected(self) -> str:
        return self.of.expected

    @property
    def kind(self) -> str:
        return self.of.what.split(" ", 1)[1]

    @property
    def bounds(self) -> str:
        return f"{units.text_of(self.of.minimum, self.of)} to {units.text_of(self.of.maximum, self.of)}"

    def __call__(self, node: Node) -> int:
        if not isinstance(node.value, str):
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return units.parse(node.value, self.of)

    def schema(self) -> Json:
        said = f"expected {self.expected}"  # editors show these two in place of words of their own; others pass them over
        return {"type": "string", "pattern": units.pattern_of(self.of), "errorMessage": said, "patternErrorMessage": said}


@dataclass(frozen=True)
class Several:
    """A list, of ``length`` items where that is given."""

    item: Form
    length: int | None = None

    @property
    def expected(self) -> str:
        return "a list" + (f" of {self.length}" if self.length else "")

    @property
    def kind(self) -> str:
        return f"{self.expected.removeprefix('a ')}: {self.item.kind}"

    @property
    def bounds(self) -> str:
        return self.item.bounds

    def __call__(self, node: Node) -> tuple[Any, ...]:
        if not isinstance(node.value, list) or self.length not in (None, len(node.value)):
            raise SpecError(f"found {node.shown()}, expected {self.expected}")
        return tuple(self.item(part) for part in node.value)

    def schema(self) -> Json:
        size = {"minItems": self.length, "maxItems": self.length} if self.length else {}
        return {"type": "array", "items": self.item.schema(), **size}


def form_of(hint: Any) -> Form:
    """The form of a field of a ``Params`` record, from its type and the bounds in it.  Raises TypeError where it has none."""
    if typing.get_origin(hint) is typing.Annotated:
        return _bounded(typing.get_args(hint)[0], bounds_of(hint))
    simple: dict[Any, Form] = {int: Whole(), str: Text(), bool: Boolean(), Fraction: Ratio()}
    if hint in simple:
        return simple[hint]
    args = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and args:
        return Several(form_of(args[0]), None if args[-1] is Ellipsis else len(args))
    inner = [arg for arg in args if arg is not type(None)]
    if len(inner) == 1 and len(args) == 2:
        return form_of(inner[0])
    raise TypeError(f"a field of type {hint} has no form in YAML")


def _bounded(plain: Any, bounds: Within | OneOf | None) -> Form:
    if plain is int:
        return Whole(bounds)
    if plain is Fraction and isinstance(bounds, Within):
        return Ratio(bounds)
    return Choice(bounds.values) if plain is str and isinstance(bounds, OneOf) else form_of(plain)
