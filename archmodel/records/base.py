"""What all records share: how they turn into plain data and back, and how they are hashed.

A record is a frozen dataclass of ints, strings, bools, Fractions, None, tuples and other records.  Plain data is what
YAML and JSON hold (dicts, lists, scalars), so ``to_plain`` and ``from_plain`` are exact inverses for every record.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

BEYOND = 1e100
"""No number of a record is as large; sums and ratios of smaller ones are finite."""
LONGEST_LINE = 1000
"""Characters of one line of an error; a longer one loses its middle."""


class SpecError(ValueError):
    """A user's input is wrong.  The text is one line (or one line per finding) fit to print as it stands.

    It may quote what nobody wrote, so characters that a terminal would obey are escaped and long lines are cut.
    """

    def __init__(self, text: str) -> None:
        super().__init__("\n".join(_fit(line) for line in text.split("\n")))


def _fit(line: str) -> str:
    if not line.isprintable():
        line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
    half = LONGEST_LINE // 2 - 3
    return line if len(line) <= LONGEST_LINE else f"{line[:half]} ... {line[-half:]}"


@dataclasses.dataclass(frozen=True)
class Within:
    """The bounds of a field, both included, stated in its type: ``Annotated[int, Within(1, 255)]``."""

    minimum: int
    maximum: int

    def refusal(self, value: Any) -> str:
        """What was expected of a value, or nothing when it is right."""
        if value < self.minimum:
            return f"at least {self.minimum}"
        return f"at most {self.maximum}" if value > self.maximum else ""


@dataclasses.dataclass(frozen=True)
class OneOf:
    """The values of a field, stated in its type: ``Annotated[str, OneOf(("refuse", "wrap"))]``."""

    values: tuple[Any, ...]

    def refusal(self, value: Any) -> str:
        """What was expected of a value, or nothing when it is right."""
        return "" if value in self.values else one_of(self.values)


def one_of(values: Iterable[Any]) -> str:
    """``8``, or ``one of ws, is, os``."""
    names = [str(value) for value in values]
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def check_fields(record: Any, what: str) -> None:
    """Raises SpecError for a field outside the bounds that its type states."""
    cls: type = type(record)
    for name, bounds in _bounded(cls):
        value = getattr(record, name)
        for item in value if isinstance(value, tuple) else (value,):
            if item is not None and (expected := bounds.refusal(item)):
                raise SpecError(f"{what}: {name} is {item}, expected {expected}")


def bounds_of(hint: Any) -> Within | OneOf | None:
    """The bounds in a field's type: its own, or those of a tuple's items."""
    for part in getattr(hint, "__metadata__", ()):
        if isinstance(part, Within | OneOf):
            return part
    return next((bounds for arg in typing.get_args(hint) if (bounds := bounds_of(arg))), None)


@functools.cache
def _bounded(cls: type[Any]) -> tuple[tuple[str, Within | OneOf], ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple((name, bounds) for name, hint in hints.items() if (bounds := bounds_of(hint)))


_SCALARS = frozenset((int, str, bool, float, type(None)))


def to_plain(value: Any) -> Any:
    """Dicts, lists and scalars for a record; fields at their default are kept, so the text is complete."""
    cls = type(value)
    if cls in _SCALARS:
        return value
    if cls is tuple or cls is list:
        return [to_plain(item) for item in value]
    if cls is Fraction:
        return f"{value.numerator}/{value.denominator}"
    if dataclasses.is_dataclass(cls):
        fields = {name: to_plain(getattr(value, name)) for name in _compared(cls)}
        return {"kind": cls.__name__, **fields} if getattr(cls, "tagged", False) else fields
    return value


@functools.cache
def _compared(cls: type) -> tuple[str, ...]:
    """The fields that make a record what it is."""
    return tuple(field.name for field in dataclasses.fields(cls) if field.compare)


def from_plain(cls: Any, data: Any) -> Any:
    """The record of type ``cls`` that ``to_plain`` gave ``data`` for.  Raises SpecError on another shape."""
    try:
        return _build(cls, data)
    except _ERRORS as error:
        name = getattr(cls, "__name__", str(cls))
        article = "an" if name[:1] in "AEIO" else "a"
        found = " ".join(str(_Misfit.at((), error)).split())  # it may quote text of several lines
        raise SpecError(f"not {article} {name} record: {found}") from error


def record_hash(value: Any) -> str:
    """SHA-256 over the canonical JSON of a record: equal records, equal hash, on every machine."""
    text = json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


class _Misfit(ValueError):
    """What doesn't fit, and the path of fields to it."""

    def __init__(self, path: tuple[str, ...], text: str) -> None:
        super().__init__(f"{'.'.join(path)}: {text}" if path else text)
        self.path = path
        self.text = text

    @classmethod
    def at(cls, path: tuple[str, ...], error: Exception) -> _Misfit:
        """The same error, seen from ``path`` above it."""
        return cls((*path, *error.path), error.text) if isinstance(error, _Misfit) else cls(path, str(error))


_ERRORS = (TypeError, KeyError, ValueError, ArithmeticError)


def _part(step: object, cls: Any, data: Any) -> Any:
    """One field of a record, or one item of a list."""
    try:
        return _build(cls, data)
    except _ERRORS as error:
        raise _Misfit.at((str(step),), error) from error


def _build(cls: Any, data: Any) -> Any:
    origin = typing.get_origin(cls)
    if origin in (types.UnionType, typing.Union):
        return _build_union(typing.get_args(cls), data)
    if origin is tuple:
        return _build_tuple(typing.get_args(cls), data)
    if cls is Fraction:
        return _build_fraction(data)
    if dataclasses.is_dataclass(cls):
        return _build_record(cls, data)
    if cls is not Any and not isinstance(data, cls):
        raise ValueError(f"expected {cls.__name__}, found {shown(data)}")
    if cls in (int, float) and not abs(data) < BEYOND:
        raise ValueError(f"expected a number nearer to 0 than {BEYOND:g}, found {shown(data)}")
    return data


def _build_fraction(data: Any) -> Fraction:
    """From what ``to_plain`` prints; Fraction itself would write out 1e999999999."""
    if not isinstance(data, str) or not re.fullmatch(r"-?\d{1,400}/\d{1,400}", data):
        raise ValueError(f"expected a fraction such as 3/2, found {shown(data)}")
    return Fraction(data)


def _build_record(cls: Any, data: Any) -> Any:
    if not isinstance(data, Mapping):
        raise ValueError(f"expected a mapping of fields, found {shown(data)}")
    hints = _hints(cls)
    given = {key: item for key, item in data.items() if key != "kind" or not getattr(cls, "tagged", False)}
    if unknown := [key for key in given if key not in {f.name for f in dataclasses.fields(cls)}]:
        raise ValueError(f"unknown field {shown(unknown[0])}")
    for field in dataclasses.fields(cls):
        if field.name not in given and field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"found no {field.name}")
    return cls(**{key: _part(key, hints[key], item) for key, item in given.items()})


def _build_union(options: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in options:
        return None
    records: dict[str, Any] = {o.__name__: o for o in options if isinstance(o, type) and dataclasses.is_dataclass(o)}
    if isinstance(data, Mapping) and len(records) > 1:
        if (kind := data.get("kind")) not in tuple(records):
            raise ValueError(f"expected a kind of {', '.join(records)}, found {shown(kind)}")
        return _build(records[kind], data)
    held = [option for option in options if option is not type(None)]
    return _build(next((option for option in held if option is type(data)), held[0]), data)


def _build_tuple(args: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    if not isinstance(data, (list, tuple)):
        raise ValueError(f"expected a list, found {shown(data)}")
    if len(args) == 2 and args[1] is Ellipsis:
        args = (args[0],) * len(data)
    if len(args) != len(data):
        raise ValueError(f"expected a list of {len(args)}, found {len(data)} items")
    return tuple(_part(index, arg, item) for index, (arg, item) in enumerate(zip(args, data, strict=True)))


def shown(data: Any) -> str:
    """Plain data in an error: short, on one line."""
    if data is None:
        return "nothing"
    if isinstance(data, (Mapping, list, tuple)):
        return "a mapping" if isinstance(data, Mapping) else "a list"
    line = repr(data)
    return line if len(line) <= 62 else f"{line[:58]}..."
