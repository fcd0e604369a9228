"""What follows from a machine's description: each port in whole cycles, and what its engine's type works out."""

from __future__ import annotations

from collections.abc import Iterator

from archmodel.engines import Derived, engine_module
from archmodel.memory.port import port_of
from archmodel.records.machine import Engine, Machine

Path = tuple[str, ...]


def devices_of(machine: Machine, at: Path = ()) -> Iterator[tuple[Path, Machine]]:
    """A machine and all devices within it, each with its path."""
    yield at, machine
    for device in machine.devices:
        yield from devices_of(device, (*at, "devices", device.name))


def derived(machine: Machine) -> tuple[tuple[Path, Derived], ...]:
    """What follows for every engine, with its path.  Raises SpecError for an engine that its memories cannot serve."""
    return tuple(((*at, "engines", engine.name, part.name), part)
                 for at, device in devices_of(machine) for engine in device.engines for part in derived_of(device, engine))  # fmt: skip


def derived_of(machine: Machine, engine: Engine) -> tuple[Derived, ...]:
    """What follows for one engine.  Raises SpecError."""
    of_type = getattr(engine_module(engine), "derived", None)
    ports = (_port(machine, engine),) if engine.port is not None and hasattr(engine.params, "port_bytes") else ()
    return (*(of_type(machine, engine) if of_type else ()), *ports)


def _port(machine: Machine, engine: Engine) -> Derived:
    port = port_of(machine, engine)
    amounts = ((port.interval, "cycles a beat"), (port.latency, "cycles of latency"), (port_rate(machine, engine), "B/s of all copies"))
    return Derived("port", amounts, f"{engine.port} in cycles of {engine.clock}, rounded up")


def port_rate(machine: Machine, engine: Engine) -> int:
    """Bytes a second that the ports of all copies take together, after rounding to whole cycles."""
    beat: int = engine.params.port_bytes * engine.count
    return beat * machine.clock_hz(engine.clock) // port_of(machine, engine).interval
