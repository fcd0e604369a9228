"""What a machine's description may say: a tree of located text to a Machine, with all findings at once, and back.

The tree comes from ``archmodel.load``, the keys and their forms from ``archmodel.keys``.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any, TypeVar

from archmodel import units
from archmodel.forms import NAME, RECORD_NAME
from archmodel.keys import (
    BUFFER_TECHNOLOGY,
    CLOCK,
    FABRIC,
    LINK,
    SECTIONS,
    TOP,
    TYPE,
    Key,
    Nested,
    engine_keys,
    memory_keys,
    technologies,
)
from archmodel.located import Findings, Node
from archmodel.records.base import SpecError, one_of
from archmodel.records.machine import (
    CONVENTIONS,
    TOPOLOGIES,
    Clock,
    Engine,
    Fabric,
    Link,
    Machine,
    Memory,
    engine_records,
    engine_types,
)


def build(tree: Node, fallback: str, findings: Findings, key: str = "") -> Machine | None:
    """The machine of a tree, ``fallback`` by name unless it has one; None, with findings, where it is wrong."""
    before = len(findings.lines)
    parts = _mapping(tree, key, findings)
    _unknown(parts, (*TOP, *SECTIONS, "fabric"), key, findings)
    top = _read(tree, parts, {part: TOP[part] for part in ("name", "source", "node", "convention")}, key, findings)
    sections = {section: _section(parts, section, key, findings) for section in SECTIONS}
    clocks = [_clock(item, node, at, findings) for item, node, at in sections["clocks"]]
    memories = [_memory(item, node, at, findings) for item, node, at in sections["memories"]]
    _uses(sections, findings)
    engines = [_engine(item, node, at, sections, findings) for item, node, at in sections["engines"]]
    links = [_link(item, node, at, findings) for item, node, at in sections["links"]]
    fabric = _fabric(parts["fabric"], _join(key, "fabric"), findings) if "fabric" in parts else None
    devices = [build(node, item, findings, at) for item, node, at in sections["devices"]]
    if len(findings.lines) > before:
        return None
    try:
        return Machine(
            top.get("name", fallback), top["node"], _present(clocks), _present(memories), _present(engines),
            _present(links), _present(devices), top.get("source", ""), top.get("convention", CONVENTIONS[0]), fabric,
        )  # fmt: skip
    except SpecError as error:
        findings.add(tree.place, key, str(error))
        return None


Item = tuple[str, Node, str]
"""A component: its name, its node and its path."""


def _section(parts: dict[str, Node], section: str, key: str, findings: Findings) -> list[Item]:
    if section not in parts:
        return []
    at = _join(key, section)
    items = []
    for item, node in _mapping(parts[section], at, findings).items():
        if NAME.fullmatch(item):
            items.append((item, node, _join(at, item)))
        else:
            findings.add(node.key_place, at, f"found the name {item!r}, expected a name of letters, digits, _ and -")
    return items


def _clock(item: str, node: Node, at: str, findings: Findings) -> Clock | None:
    hz = _value(node, CLOCK, at, findings)
    return None if hz is None else Clock(item, hz)


def _memory(item: str, node: Node, at: str, findings: Findings) -> Memory | None:
    got = _component(node, memory_keys(), at, findings)
    if got is None:
        return None
    return Memory(
        item, got["technology"], got["size"], got.get("bandwidth"), got.get("latency", 0), got.get("source", "")
    )


def _uses(sections: dict[str, list[Item]], findings: Findings) -> None:
    """Checks that each memory is what its engines need: a port's has a bandwidth, and all have costs."""
    for item, node, at in sections["memories"]:
        if not isinstance(node.value, dict):
            continue
        buffers, ports = (_users(part, item, sections["engines"]) for part in ("buffer", "port"))
        if ports and "bandwidth" not in node.value:
            wanted = memory_keys()["bandwidth"].form.expected
            findings.add(node.place, at, f"found no bandwidth, expected {wanted} ({ports[0]} needs it)")
        technology = node.value.get("technology")
        if technology is not None and isinstance(technology.value, str) and NAME.fullmatch(technology.value):
            _priced(technology, f"{at}.technology", buffers, ports, findings)


def _users(part: str, memory: str, engines: list[Item]) -> list[str]:
    """The paths of the engines' fields ``part`` that name a memory."""
    named = [(at, node.value.get(part)) for _, node, at in engines if isinstance(node.value, dict)]
    return [f"{at}.{part}" for at, node in named if node is not None and node.value == memory]


def _priced(node: Node, key: str, buffers: list[str], ports: list[str], findings: Findings) -> None:
    """Checks that the cost table has the technology for what the memory is used as."""
    drams = tuple(name for name in technologies() if name != BUFFER_TECHNOLOGY)
    uses = [((BUFFER_TECHNOLOGY,), f" for {user}") for user in buffers[:1]] + [(drams, f" for {user}") for user in ports[:1]]
    for known, why in uses or [(technologies(), "")]:
        if node.value not in known:
            findings.add(node.place, key, f"found {node.shown()}, expected {one_of(known)}{why}")


def _link(item: str, node: Node, at: str, findings: Findings) -> Link | None:
    got = _component(node, LINK, at, findings)
    return None if got is None else Link(item, got["ends"], got["bandwidth"], got["latency"], got.get("source", ""))


def _fabric(node: Node, at: str, findings: Findings) -> Fabric | None:
    got = _component(node, FABRIC, at, findings)
    if got is None:
        return None
    return Fabric(got["devices"], got.get("topology", TOPOLOGIES[0]), got["bandwidth"], got["latency"], got.get("source", ""))


def _engine(item: str, node: Node, at: str, sections: dict[str, list[Item]], findings: Findings) -> Engine | None:
    kind = _engine_type(node, at, findings)
    if kind is None:
        return None
    record = engine_records(kind).Params
    params = {part.name for part in dataclasses.fields(record)}
    got = _component(node, engine_keys(kind), at, findings)
    _references(node, at, sections, findings)
    if got is None:
        return None
    try:
        values = record(**{part: value for part, value in got.items() if part in params})
        _fits(kind, values, got.get("buffer"), sections)
    except SpecError as error:
        findings.add(node.place, at, str(error))
        return None
    return Engine(
        item, kind, got["clock"], values, got.get("buffer"), got.get("port"), got.get("count", 1), got.get("source", "")
    )


def _engine_type(node: Node, at: str, findings: Findings) -> str | None:
    parts = _mapping(node, at, findings)
    if not isinstance(node.value, dict):
        return None
    if "type" not in parts:
        findings.add(node.place, at, f"found no type, expected one of {', '.join(engine_types())}")
    elif (kind := _value(parts["type"], TYPE, f"{at}.type", findings)) is not None:
        if kind in engine_types():
            return str(kind)
        findings.add(parts["type"].place, f"{at}.type", f"found {kind!r}, expected {choice(kind, engine_types())}")
    return None


def _references(node: Node, at: str, sections: dict[str, list[Item]], findings: Findings) -> None:
    parts = _mapping(node, at, Findings())
    for part, section in (("clock", "clocks"), ("buffer", "memories"), ("port", "memories")):
        have = [item for item, *_ in sections[section]]
        if part in parts and isinstance(parts[part].value, str) and parts[part].value not in have:
            wanted = str(parts[part].value)
            findings.add(parts[part].place, f"{at}.{part}", f"found {wanted!r}, expected {choice(wanted, have)}")


def _fits(kind: str, params: Any, buffer: str | None, sections: dict[str, list[Item]]) -> None:
    """Works out the engine's hardware where its type can; raises SpecError when the buffer holds no tile."""
    resolve = getattr(engine_records(kind), "resolve", None)
    if resolve is None:
        return
    for item, node, at in sections["memories"]:
        memory = _memory(item, node, at, Findings()) if item == buffer else None
        if memory is not None:
            resolve(params, memory.size_bytes)


def _component(node: Node, keys: dict[str, Key], at: str, findings: Findings) -> dict[str, Any] | None:
    """The fields of one component, or None with a finding for each error in it."""
    before = len(findings.lines)
    parts = _mapping(node, at, findings)
    if not isinstance(node.value, dict):
        return None
    _unknown(parts, keys, at, findings)
    got = _read(node, parts, keys, at, findings)
    return got if len(findings.lines) == before else None


def _read(node: Node, parts: dict[str, Node], keys: dict[str, Key], at: str, findings: Findings) -> dict[str, Any]:
    got = {}
    for part, key in keys.items():
        if part in parts:
            value = _value(parts[part], key, _join(at, part), findings)
            if value is not None:
                got[part] = value
    for part, key in keys.items():
        if key.needed and part not in parts:
            findings.add(node.place, at, f"found no {part}, expected {key.form.expected}")
    return got


def _value(node: Node, key: Key, at: str, findings: Findings) -> Any:
    if isinstance(key.form, Nested):
        return _records(node, key.form, at, findings)
    try:
        return key.form(node)
    except SpecError as error:
        findings.add(node.place, at, str(error))
        return None


def _records(node: Node, form: Nested, at: str, findings: Findings) -> tuple[Any, ...] | None:
    """Records by name, or None with a finding for each error in one."""
    before = len(findings.lines)
    made = [_record(item, form.fields(part), form, _join(at, item), findings) for item, part in _mapping(node, at, findings).items()]
    return tuple(made) if len(findings.lines) == before else None


def _record(item: str, node: Node, form: Nested, at: str, findings: Findings) -> Any:
    if not RECORD_NAME.fullmatch(item):
        findings.add(node.key_place, at, f"found the name {item!r}, expected a name of letters, digits, _, - and +")
    got = _component(node, form.keys, at, findings)
    try:
        return None if got is None else form.record(item, **got)
    except SpecError as error:
        findings.add(node.place, at, str(error))
        return None


def _mapping(node: Node, key: str, findings: Findings) -> dict[str, Node]:
    if isinstance(node.value, dict):
        return node.value
    findings.add(node.place, key, f"found {node.shown()}, expected a mapping")
    return {}


def _unknown(parts: dict[str, Node], known: Iterable[str], key: str, findings: Findings) -> None:
    known = tuple(known)
    for part, node in parts.items():
        if part not in known:
            findings.add(node.key_place, _join(key, part), f"found an unknown key, expected {choice(part, known)}")


def choice(wanted: str, known: Iterable[str]) -> str:
    """The one that the user may have meant, or all there are."""
    known = tuple(known)
    close = difflib.get_close_matches(wanted, known, 1)
    return close[0] if close else f"one of {', '.join(known)}" if known else "none"


_Part = TypeVar("_Part")


def _present(parts: list[_Part | None]) -> tuple[_Part, ...]:
    return tuple(part for part in parts if part is not None)


def _join(key: str, part: str) -> str:
    return f"{key}.{part}" if key else part


def plain_of(machine: Machine) -> dict[str, Any]:
    """The machine as its description: nested dicts of text with units, in the order of the records."""
    sections = {
        "clocks": {clock.name: units.text_of(clock.hz, units.FREQUENCY) for clock in machine.clocks},
        "memories": {memory.name: _memory_plain(memory) for memory in machine.memories},
        "engines": {engine.name: _engine_plain(engine) for engine in machine.engines},
        "links": {link.name: _link_plain(link) for link in machine.links},
        "devices": {device.name: plain_of(device) for device in machine.devices},
    }
    node = units.text_of(machine.node_nm, units.LENGTH)
    told = None if machine.convention == CONVENTIONS[0] else machine.convention
    fabric = machine.fabric and _fabric_plain(machine.fabric)
    return _filled(name=machine.name, source=machine.source, node=node, convention=told, fabric=fabric, **sections)


def _fabric_plain(fabric: Fabric) -> dict[str, Any]:
    return _filled(devices=fabric.devices, topology=fabric.topology,
                   bandwidth=units.text_of(fabric.bandwidth_bytes_per_second, units.BANDWIDTH),
                   latency=units.text_of(fabric.latency_picoseconds, units.TIME), source=fabric.source)  # fmt: skip


def _memory_plain(memory: Memory) -> dict[str, Any]:
    rate, time = memory.bandwidth_bytes_per_second, memory.latency_picoseconds
    return _filled(technology=memory.technology, size=units.text_of(memory.size_bytes, units.BYTES),
                   bandwidth=rate and units.text_of(rate, units.BANDWIDTH),
                   latency=units.text_of(time, units.TIME) if time else None, source=memory.source)  # fmt: skip


def _link_plain(link: Link) -> dict[str, Any]:
    return _filled(ends=list(link.ends), bandwidth=units.text_of(link.bandwidth_bytes_per_second, units.BANDWIDTH),
                   latency=units.text_of(link.latency_picoseconds, units.TIME), source=link.source)  # fmt: skip


def _engine_plain(engine: Engine) -> dict[str, Any]:
    head = _filled(type=engine.type, clock=engine.clock, buffer=engine.buffer, port=engine.port, source=engine.source)
    keys = engine_keys(engine.type)
    params = {part.name: keys[part.name].plain(getattr(engine.params, part.name)) for part in dataclasses.fields(engine.params)}
    return {**head, "count": engine.count, **{key: value for key, value in params.items() if value is not None and value != {}}}


def _filled(**parts: Any) -> dict[str, Any]:
    return {key: value for key, value in parts.items() if value not in (None, "", {})}
