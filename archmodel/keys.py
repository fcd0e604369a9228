"""Every key of a machine's description: its form, its meaning, whether it is needed.

Reader, JSON Schema, reference page and starter file are all made from these tables.  The keys of an engine are those
of its type's ``Params``, with the docstring's meanings, so that a new engine type needs no edit here.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from fractions import Fraction
from functools import cache
from typing import Any

from archmodel import units
from archmodel.forms import Amount, Choice, Form, Name, Several, Text, Whole, form_of
from archmodel.located import Node
from archmodel.records.base import Within
from archmodel.records.machine import CONVENTIONS, MAX_COUNT, MAX_DEVICES, TOPOLOGIES, engine_records

_PLAIN = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_ ./-]*(?<! )")
"""Text that YAML needs no quotes for."""
BUFFER_TECHNOLOGY = "sram"


@dataclasses.dataclass(frozen=True)
class Nested:
    """Records by name, in an order that counts: a mapping from each one's first field to its others.

    ``short`` is the field that a bare value stands for, where a record needs no other one.
    """

    record: Any
    name: str
    keys: dict[str, Key]
    short: str | None
    expected: str = "a mapping of names"
    kind: str = "mapping of names"
    bounds: str = ""

    def fields(self, node: Node) -> Node:
        """The node of one record's fields, a bare value written out."""
        return node if isinstance(node.value, dict) or self.short is None else Node({self.short: node}, node.place, node.key_place)

    def plain(self, records: tuple[Any, ...]) -> dict[str, Any]:
        """Records as YAML and JSON have them, what is at its default left out."""
        return {getattr(record, self.name): self._plain(record) for record in records}

    def _plain(self, record: Any) -> Any:
        told = {name: value for name, key in self.keys.items() if (value := key.plain(getattr(record, name))) not in (None, key.default)}
        return told[self.short] if self.short and set(told) == {self.short} else told


@dataclasses.dataclass(frozen=True)
class Key:
    """``needed`` says whether a description without base must have it; ``default`` is its plain value where it is left out."""

    form: Form | Nested
    meaning: str
    needed: bool = False
    default: Any = None

    def plain(self, value: Any) -> Any:
        """A value as YAML and JSON have it."""
        return self.form.plain(value) if isinstance(self.form, Nested) else plain(value)


def technologies() -> tuple[str, ...]:
    """What a memory may be made of: all that the cost table knows."""
    from archmodel.cost import default_costs  # reads a file

    return (BUFFER_TECHNOLOGY, *default_costs().technologies())


SOURCE = Key(Text(), "where the figures come from")
TYPE = Key(Name(), "engine type", needed=True)
A_MEMORY = Name("the name of a memory")
TOP = {
    "base": Key(Text("a file", "preset or file"), "a preset or file that this is laid over; null removes what it has"),
    "name": Key(Name(), "of the machine; the file's name where it is left out"),
    "source": SOURCE,
    "node": Key(Amount(units.LENGTH), "process node, to which energies and areas are scaled", needed=True),
    "clock": Key(Amount(units.FREQUENCY), "short for clocks: {core: ...}"),
    "convention": Key(Choice(CONVENTIONS), "how figures are counted: as hardware takes them, or as papers count (docs/looptree.md)",
                      default=CONVENTIONS[0]),
}  # fmt: skip
SECTIONS = {
    "clocks": "a name and a frequency each",
    "memories": "what engines own as a buffer or reach through a port",
    "engines": "what computes; the type decides on the keys",
    "links": "what connects two devices",
    "devices": "machines within this machine, each a description of its own",
}
CLOCK = Key(Amount(units.FREQUENCY), "frequency")
LINK = {
    "ends": Key(Several(Name(), 2), "the two devices", needed=True),
    "bandwidth": Key(Amount(units.BANDWIDTH), "of each direction", needed=True),
    "latency": Key(Amount(units.TIME), "from one end to the other", needed=True),
    "source": SOURCE,
}
FABRIC_MEANING = "how many devices like this there are, each with all that is described here, and the links between neighbours"
FABRIC = {
    "devices": Key(Whole(Within(1, MAX_DEVICES)), "identical devices", needed=True),
    "topology": Key(Choice(TOPOLOGIES), "ring, or a mesh of two dimensions, as square as the count allows", default=TOPOLOGIES[0]),
    "bandwidth": Key(Amount(units.BANDWIDTH), "of one link in each direction", needed=True),
    "latency": Key(Amount(units.TIME), "of one hop", needed=True),
    "source": SOURCE,
}


@cache
def memory_keys() -> dict[str, Key]:
    return {
        "technology": Key(Name(known=technologies()), f"what it costs: {BUFFER_TECHNOLOGY} for a buffer, a DRAM behind a port",
                          needed=True),
        "size": Key(Amount(units.BYTES), "what it holds; of a buffer, in each copy of its engine", needed=True),
        "bandwidth": Key(Amount(units.BANDWIDTH), "shared by all ports to it; needed behind a port"),
        "latency": Key(Amount(units.TIME), "from a request to its first beat", default=units.text_of(0, units.TIME)),
        "source": SOURCE,
    }  # fmt: skip


def engine_keys(kind: str) -> dict[str, Key]:
    """The keys of an engine of type ``kind``: those of all engines, then those of its ``Params``."""
    module = engine_records(kind)
    params = _param_keys(module.Params)
    return {
        "type": TYPE,
        "clock": Key(Name(), "the clock it runs on", needed=True),
        "buffer": Key(A_MEMORY, "the on-chip memory that each copy owns", needed=hasattr(module, "resolve")),
        "port": Key(A_MEMORY, "the memory behind its port, shared by all copies", needed="port_bytes" in params),
        "count": Key(Whole(Within(1, MAX_COUNT)), "identical copies", default=1),
        "source": SOURCE,
        **params,
    }


def _param_keys(record: Any) -> dict[str, Key]:
    hints, said = typing.get_type_hints(record, include_extras=True), meanings(record)
    return {part.name: _key(part, _form(hints[part.name]), said.get(part.name, "")) for part in dataclasses.fields(record)}


def _form(hint: Any) -> Form | Nested:
    """The form of a field, whose items may be records."""
    item = next(iter(typing.get_args(hint)), None)
    if not dataclasses.is_dataclass(item):
        return form_of(hint)
    name, *others = _param_keys(item).items()
    needed = [other for other, key in others if key.needed]
    return Nested(item, name[0], dict(others), needed[0] if len(needed) == 1 else None)


def _key(part: dataclasses.Field[Any], form: Form | Nested, meaning: str) -> Key:
    return Key(form, meaning, _has_no_default(part), {} if isinstance(form, Nested) else _default(part))


def _has_no_default(part: dataclasses.Field[Any]) -> bool:
    return part.default is dataclasses.MISSING and part.default_factory is dataclasses.MISSING


def _default(part: dataclasses.Field[Any]) -> Any:
    factory = part.default_factory
    value = factory() if factory is not dataclasses.MISSING else part.default
    return None if value is dataclasses.MISSING else plain(value)


def meanings(record: Any) -> dict[str, str]:
    """What a record's docstring says of its fields, one a line: ``name   meaning``, longer ones go on further in."""
    names = {part.name for part in dataclasses.fields(record)}
    found: dict[str, str] = {}
    current = ""
    for line in inspect.cleandoc(record.__doc__ or "").splitlines():
        first, _, rest = line.strip().partition(" ")
        if first in names and not line.startswith(" "):
            current = first
            found[first] = rest.strip()
        elif current and line.startswith("  "):
            found[current] += f" {line.strip()}"
        else:
            current = ""
    return found


def plain(value: Any) -> Any:
    """A parameter's value as YAML and JSON have it."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Fraction) else value


def inline(value: Any) -> str:
    """A plain value as YAML on one line."""
    if isinstance(value, list):
        return f"[{', '.join(inline(item) for item in value)}]"
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)
