"""A machine fully resolved, as a table or JSON: every value with where it was written, then what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archmodel.derived import derived
from archmodel.engines import Derived
from archmodel.keys import inline
from archmodel.located import Node
from archmodel.records.base import record_hash
from archmodel.records.machine import Machine
from archmodel.resolved import Value, values

from ..report.grid import grid, lines


def origin(place: str) -> tuple[str, str]:
    """(kind, where) of a value's place: a preset's or a file's line, the option --set, or the code's default."""
    if not place or place.startswith("--set"):
        return ("set", place) if place else ("default", "")
    return ("preset" if place.startswith("archmodel/presets/") else "file"), place.rpartition(":")[0]


def to_json(machine: Machine, tree: Node) -> dict[str, Any]:
    return {
        "machine": machine.name,
        "record_hash": record_hash(machine),
        "values": [_value_json(value) for value in values(machine, tree) if value.value is not None],
        "derived": [{"path": ".".join(path), "rule": part.rule, "amounts": [{"amount": n, "unit": unit} for n, unit in part.amounts]}
                    for path, part in derived(machine)],
    }  # fmt: skip


def _value_json(value: Value) -> dict[str, Any]:
    kind, where = origin(value.place)
    return {"path": ".".join(value.path), "value": value.value, "meaning": value.key.meaning, "origin": kind, "where": where}


def table(machine: Machine, tree: Node) -> str:
    """Values with their origins; below them what follows, and the sources."""
    found = [value for value in values(machine, tree) if value.value is not None]
    rows = [[".".join(value.path), inline(value.value), _origin_text(machine, value)] for value in found if value.path[-1] != "source"]
    text = grid(f"{machine.name}, resolved", ("value", "is", "from"), rows)
    text += "\nfollows\n" + _pairs([(".".join(path), _derived_text(part)) for path, part in derived(machine)])
    sources = [(".".join(value.path[:-1]) or machine.name, str(value.value)) for value in found if value.path[-1] == "source"]
    return text + ("\nsources\n" + _pairs(sources) if sources else "")


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return lines([(f" {name}", said) for name, said in pairs]) if pairs else " nothing\n"


def _origin_text(machine: Machine, value: Value) -> str:
    kind, where = origin(value.place)
    if value.path[-1] == "name" and kind == "default":
        return "the file's name"
    return where or "default"


def _derived_text(part: Derived) -> str:
    return f"{', '.join(_amount(*amount) for amount in part.amounts)} ({part.rule})"


def _amount(amount: int, unit: str) -> str:
    first, space, rest = unit.partition(" ")
    return f"{amount:,} {first.removesuffix('s') if amount == 1 else first}{space}{rest}"
