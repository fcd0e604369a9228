"""One machine checked: its findings, or a summary and what is allowed in it and yet probably not meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from archmodel import units
from archmodel.derived import Path, derived_of, devices_of, port_rate
from archmodel.engines import engine_module
from archmodel.load import load_machine
from archmodel.memory.port import port_of
from archmodel.records.base import SpecError
from archmodel.records.machine import Engine, Machine

from ..report.units import count, share, size

LOSS = Fraction(1, 100)
"""Of a memory's bandwidth; what is lost to rounding above it is worth a warning."""
WIDTHS = sorted(1 << power if odd == 1 else 3 << power for power in range(11) for odd in (1, 3))
"""Beats that memories are built with, in bytes: powers of two, and three times one."""


@dataclass(frozen=True)
class Checked:
    """``findings`` are errors, each one line with its place; without any, ``summary`` and ``warnings`` hold."""

    name: str
    findings: tuple[str, ...] = ()
    summary: str = ""
    warnings: tuple[str, ...] = ()


def check(name: str, sets: list[str]) -> Checked:
    try:
        machine = load_machine(name, sets)
        for _, device in devices_of(machine):
            for engine in device.engines:
                derived_of(device, engine)
    except SpecError as error:
        return Checked(name, tuple(str(error).splitlines()))
    return Checked(name, (), summary(machine), tuple(warnings(machine)))


def summary(machine: Machine) -> str:
    """Node, clocks, engines and memories on one line; devices in brackets."""
    clocks = [f"{clock.name} {units.text_of(clock.hz, units.FREQUENCY)}" for clock in machine.clocks]
    memories = [f"{memory.name} {units.text_of(memory.size_bytes, units.BYTES)} {memory.technology}"
                + (f" at {units.text_of(rate, units.BANDWIDTH)}" if (rate := memory.bandwidth_bytes_per_second) else "")
                for memory in machine.memories]  # fmt: skip
    devices = [f"{device.name} ({summary(device)})" for device in machine.devices]
    parts = [f"{machine.node_nm} nm", *clocks, *(_engine(machine, engine) for engine in machine.engines), *memories, *devices]
    return ", ".join(parts)


def _engine(machine: Machine, engine: Engine) -> str:
    copies = f"{engine.count} x " if engine.count > 1 else ""
    peak = [amount for part in derived_of(machine, engine) if part.name == "peak" for amount, _ in part.amounts]
    kind = "" if engine.type == engine.name else engine.type
    return " ".join(filter(None, (engine.name, f"{copies}{kind}".rstrip(), ", ".join(f"{count(amount)}op/s" for amount in peak))))


def warnings(machine: Machine) -> Iterator[str]:
    for at, device in devices_of(machine):
        yield from slower(device, at)
        yield from _idle(device, at)


def slower(machine: Machine, at: Path = ()) -> Iterator[str]:
    """What makes an engine of the machine slower than its description reads: a run says it too."""
    for engine in machine.engines:
        where = ".".join((*at, "engines", engine.name))
        remarks = getattr(engine_module(engine), "remarks", None)
        said = [*_lost(machine, engine), *(remarks(machine, engine) if remarks else ())]
        yield from (f"{where}: {text}" for text in said)


def _lost(machine: Machine, engine: Engine) -> Iterator[str]:
    """What rounding a port to whole cycles loses of its memory's bandwidth, and what would lose less."""
    lost = _loss(machine, engine)
    if lost is None or lost <= LOSS:
        return
    memory, port = machine.memory(engine.port or ""), port_of(machine, engine)
    whole = memory.bandwidth_bytes_per_second or 0
    every = "each cycle" if port.interval == 1 else f"every {port.interval} cycles"
    width = engine.params.port_bytes
    ports = f"{engine.count} ports of {width} bytes move" if engine.count > 1 else f"a port of {width} bytes moves"
    yield (f"bandwidth {size(whole)}/s of {memory.name} is rounded to {size(port_rate(machine, engine))}/s "
           f"({share(float(lost), 1)} lost): {ports} a beat {every} at "
           f"{units.text_of(machine.clock_hz(engine.clock), units.FREQUENCY)}; {_remedy(machine, engine, lost)}")  # fmt: skip


def _loss(machine: Machine, engine: Engine) -> Fraction | None:
    """The share of its memory's bandwidth that no beat of a port can take; None without a port."""
    if engine.port is None or not hasattr(engine.params, "port_bytes"):
        return None
    whole = machine.memory(engine.port).bandwidth_bytes_per_second
    return None if whole is None else 1 - Fraction(port_rate(machine, engine), whole)


def _remedy(machine: Machine, engine: Engine, lost: Fraction) -> str:
    """The narrowest port that loses little, or the one that loses least; where none halves the loss, a slower clock."""
    found = [(loss, width) for width in WIDTHS if (loss := _loss_at(machine, engine, width)) is not None and 2 * loss < lost]
    if found:
        loss, width = next(((loss, width) for loss, width in found if loss <= LOSS), min(found))
        return f"port_bytes {width} loses {share(float(loss), 1) if loss else 'nothing'}"
    interval, whole = port_of(machine, engine).interval, machine.memory(engine.port or "").bandwidth_bytes_per_second or 0
    slower = whole * (interval - 1) // (engine.params.port_bytes * engine.count)
    return f"no other port_bytes loses much less, {slower / 1e6:,.1f} MHz would" if slower else "no other port_bytes loses much less"


def _loss_at(machine: Machine, engine: Engine, width: int) -> Fraction | None:
    """The loss of a port of another width, or None where the engine's type refuses it."""
    try:
        params: Any = replace(engine.params, port_bytes=width)
        return _loss(machine, replace(engine, params=params))
    except SpecError:
        return None


def _idle(machine: Machine, at: Path) -> Iterator[str]:
    """Clocks and memories that no engine names, a machine without engines, and ends of links that are nowhere."""
    used = {name for engine in machine.engines for name in (engine.buffer, engine.port)}
    clocks = {engine.clock for engine in machine.engines}
    idle = [("clocks", clock.name) for clock in machine.clocks if clock.name not in clocks]
    idle += [("memories", memory.name) for memory in machine.memories if memory.name not in used]
    yield from (f"{'.'.join((*at, section, name))}: no engine uses it" for section, name in idle)
    if machine.devices:
        yield ".".join((*at, "devices")) + ": devices that differ can be described, and not run yet"
    elif not machine.engines:
        yield ".".join((*at, "engines")) + ": there is none, and nothing can run"
    have = {*(item.name for item in machine.devices), *(item.name for item in machine.engines), *(item.name for item in machine.memories)}
    for link in machine.links:
        yield from (f"{'.'.join((*at, 'links', link.name))}: there is no {end!r} in this machine" for end in link.ends if end not in have)
