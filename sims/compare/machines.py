"""Two Machines: area and standing power part by part, and what follows from their descriptions."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.cost import default_costs
from archmodel.engines import engine_module
from archmodel.evaluation import machine_area, machine_static
from archmodel.legality import refuse_devices
from archmodel.records.figure import Figure
from archmodel.records.machine import Engine, Machine

from .exact import Amount, Quantity, paired, summed


@dataclass(frozen=True)
class Consequence:
    """A whole amount that follows from a machine's description; None where the machine has no such thing."""

    name: str
    unit: str
    a: int | None
    b: int | None


def machine_quantities(a: Machine, b: Machine) -> tuple[Quantity, ...]:
    """Raises SpecError for a machine of devices."""
    for machine in (a, b):
        refuse_devices(machine)
    costs = default_costs()
    area, static = ([by_engine(of(machine, costs)) for machine in (a, b)] for of in (machine_area, machine_static))
    found = Quantity("area", "um2", paired(*area)), Quantity("standing power", "W", paired(*static))
    return tuple(quantity for quantity in found if quantity.parts)


def by_engine(figures: tuple[tuple[str, Figure], ...]) -> dict[tuple[str, str, str], Amount]:
    """Figures named ``engine: part`` by (operator, group, cause)."""
    found = {}
    for name, figure in summed(figures).items():
        engine, _, part = name.partition(": ")
        found[engine, engine, part or engine] = figure
    return found


def consequences(a: Machine, b: Machine) -> tuple[Consequence, ...]:
    """Bytes on the chip and behind it, bandwidth, and each amount that an engine derives from its parameters."""
    sides = [_amounts(machine) for machine in (a, b)]
    return tuple(Consequence(*key, *(side.get(key) for side in sides)) for key in dict.fromkeys([*sides[0], *sides[1]]))


def _amounts(machine: Machine) -> dict[tuple[str, str], int]:
    ports = [machine.memory(name) for name in dict.fromkeys(engine.port for engine in machine.engines) if name]
    buffers = [engine.count * machine.memory(engine.buffer).size_bytes for engine in machine.engines if engine.buffer]
    found = {
        ("memory on the chip", "bytes"): sum(buffers),
        ("memory behind the ports", "bytes"): sum(memory.size_bytes for memory in ports),
        ("bandwidth of the ports", "bytes/s"): sum(memory.bandwidth_bytes_per_second or 0 for memory in ports),
    }
    for engine in machine.engines:
        found |= {(f"{engine.name}: {name}", unit): amount for name, amount, unit in _derived(machine, engine)}
    return found


def _derived(machine: Machine, engine: Engine) -> list[tuple[str, int, str]]:
    derive = getattr(engine_module(engine), "derived", None)
    return [(row.name, amount, unit) for row in (derive(machine, engine) if derive else ()) for amount, unit in row.amounts]
