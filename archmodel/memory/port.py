"""The memory port of an engine, in whole cycles of the engine's clock."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.base import SpecError
from archmodel.records.machine import Engine, Machine

MAX_CYCLES = 1 << 31
"""Of a latency or interval."""

_PICOSECONDS = 10**12


@dataclass(frozen=True)
class Port:
    """``latency``   cycles from a request to its first beat, at least 1
    ``interval``  cycles from one beat to the next, from 1 to ``latency``: so a port that has answered is idle again
    """

    latency: int
    interval: int

    def __post_init__(self) -> None:
        if not 1 <= self.interval <= self.latency:
            raise SpecError(f"port: latency {self.latency} and interval {self.interval}, expected 1 <= interval <= latency")
        for what, cycles, cause in (("interval", self.interval, "bandwidth is too low for the port's width and clock"),
                                    ("latency", self.latency, "latency is too long for the clock")):  # fmt: skip
            if cycles > MAX_CYCLES:
                raise SpecError(f"port: {what} {cycles} cycles, expected at most {MAX_CYCLES}: the memory's {cause}")


def port_of(machine: Machine, engine: Engine) -> Port:
    """The port of each copy of ``engine``; all copies share the memory's bandwidth equally.

    Hardware moves a beat on a clock edge, so both figures are rounded up to whole cycles, never down: a port is never
    faster than its memory.  A memory of 34 GB/s behind one port of 256 bytes at 700 MHz takes ceil(5.27) = 6 cycles a
    beat, which is 29.9 GB/s; choose ``port_bytes`` and clock so that little is lost.  Raises SpecError for an engine
    without a port, or a memory without a bandwidth.
    """
    if engine.port is None:
        raise SpecError(f"machine {machine.name}: engine {engine.name} has no port, expected the name of a memory")
    memory, hz = machine.memory(engine.port), machine.clock_hz(engine.clock)
    if memory.bandwidth_bytes_per_second is None:
        raise SpecError(
            f"machine {machine.name}: memory {memory.name} has no bandwidth, and the port of {engine.name} needs it"
        )
    wanted = engine.params.port_bytes * engine.count * hz
    interval = _ceil(wanted, memory.bandwidth_bytes_per_second)
    try:
        return Port(max(interval, _ceil(memory.latency_picoseconds * hz, _PICOSECONDS)), interval)
    except SpecError as error:
        raise SpecError(f"machine {machine.name}: engine {engine.name} behind memory {memory.name}: {error}") from None


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
