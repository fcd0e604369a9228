"""What all records share: how they turn into plain data and back, and how they are hashed.

A record is a frozen dataclass of ints, strings, bools, Fractions, None, tuples and other records.  Plain data is what
YAML and JSON hold (dicts, lists, scalars), so ``to_plain`` and ``from_plain`` are exact inverses for every record.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import types
import typing
from fractions import Fraction
from typing import Any


class SpecError(ValueError):
    """A user's input is wrong.  The text is one line (or one line per finding) fit to print as it stands."""


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
    except (TypeError, KeyError, ValueError) as error:
        raise SpecError(f"not a {getattr(cls, '__name__', cls)} record: {error}") from error


def record_hash(value: Any) -> str:
    """SHA-256 over the canonical JSON of a record: equal records, equal hash, on every machine."""
    text = json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build(cls: Any, data: Any) -> Any:
    origin = typing.get_origin(cls)
    if origin in (types.UnionType, typing.Union):
        return _build_union(typing.get_args(cls), data)
    if origin is tuple:
        return _build_tuple(typing.get_args(cls), data)
    if cls is Fraction:
        return Fraction(data)
    if dataclasses.is_dataclass(cls):
        hints = _hints(cls)  # type: ignore[arg-type]
        given = {key: item for key, item in data.items() if key != "kind" or not getattr(cls, "tagged", False)}
        if unknown := given.keys() - {f.name for f in dataclasses.fields(cls)}:
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}")
        return cls(**{key: _build(hints[key], item) for key, item in given.items()})  # type: ignore[operator]
    if cls is not Any and not isinstance(data, cls):
        raise ValueError(f"expected {cls.__name__}, found {data!r}")
    return data


def _build_union(options: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in options:
        return None
    records = [o for o in options if dataclasses.is_dataclass(o)]
    if isinstance(data, dict) and len(records) > 1:
        return _build({o.__name__: o for o in records}[data["kind"]], data)  # type: ignore[union-attr]
    return _build(next(o for o in options if o is not type(None)), data)


def _build_tuple(args: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_build(args[0], item) for item in data)
    return tuple(_build(arg, item) for arg, item in zip(args, data, strict=True))
