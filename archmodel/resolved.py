"""A machine value by value: each key that a description may have, the value that holds, and where that was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archmodel.keys import CLOCK, FABRIC, LINK, TOP, Key, Nested, engine_keys, memory_keys
from archmodel.located import Node
from archmodel.records.machine import Machine
from archmodel.schema import plain_of


@dataclass(frozen=True)
class Value:
    """One value, as a description has it.

    path   its keys from the top
    value  text with a unit, a number, a list, or None where it is left out and has no default
    place  file:line:column, or the option --set, that it was read from; empty where the code's default holds
    """

    path: tuple[str, ...]
    key: Key
    value: Any
    place: str


def values(machine: Machine, tree: Node) -> tuple[Value, ...]:
    """Every value of a machine that ``load_located`` gave, in the order of the records, devices last."""
    return tuple(_machine(machine, tree, ()))


def _machine(machine: Machine, tree: Node, at: tuple[str, ...]) -> Iterator[Value]:
    plain = plain_of(machine)
    yield from _keys({name: TOP[name] for name in ("name", "node", "convention", "source")}, plain, tree, at)
    yield from _keys({name: CLOCK for name in plain.get("clocks", {})}, plain.get("clocks", {}), _at(tree, "clocks"), (*at, "clocks"))
    if machine.fabric:
        yield from _keys(FABRIC, plain["fabric"], _at(tree, "fabric"), (*at, "fabric"))
    for section in ("memories", "engines", "links"):
        for name, part in plain.get(section, {}).items():
            keys = {"memories": memory_keys(), "links": LINK}.get(section) or engine_keys(part["type"])
            yield from _keys(keys, part, _at(tree, section, name), (*at, section, name))
    for device in machine.devices:
        yield from _machine(device, _at(tree, "devices", device.name), (*at, "devices", device.name))


def _keys(keys: dict[str, Key], plain: dict[str, Any], node: Node, at: tuple[str, ...]) -> Iterator[Value]:
    for name, key in keys.items():
        value, part = plain.get(name, key.default), _at(node, name)
        if isinstance(key.form, Nested):
            for item, told in (value or {}).items():
                fields = told if isinstance(told, dict) else {str(key.form.short): told}
                yield from _keys(key.form.keys, fields, key.form.fields(_at(part, item)), (*at, name, item))
        else:
            yield Value((*at, name), key, value, part.place)


def _at(node: Node, *path: str) -> Node:
    """The node below, or one without a place."""
    for name in path:
        node = node.value.get(name, _NOWHERE) if isinstance(node.value, dict) else _NOWHERE
    return node


_NOWHERE = Node(None, "")
