"""Machine: a nested graph of components, each on a named clock.

A machine holds clocks, memories, engines, links and, nested, further devices.  Quantities are integers in the unit
that their name says: ``hz``, ``bytes``, ``bytes_per_second``, ``picoseconds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .base import SpecError


@dataclass(frozen=True)
class Clock:
    name: str
    hz: int


@dataclass(frozen=True)
class Memory:
    """``technology`` selects the rows of the energy table: sram, lpddr4, ddr4, hbm2e, ..."""

    name: str
    technology: str
    size_bytes: int
    bandwidth_bytes_per_second: int | None = None
    latency_picoseconds: int = 0
    source: str = ""


@dataclass(frozen=True)
class Engine:
    """``count`` identical copies of an engine of type ``type``; ``params`` is that type's own record.

    buffer  the on-chip memory that each copy owns
    port    the memory behind its port, shared by all copies
    """

    name: str
    type: str
    clock: str
    params: Any
    buffer: str | None = None
    port: str | None = None
    count: int = 1
    source: str = ""


@dataclass(frozen=True)
class Link:
    name: str
    ends: tuple[str, str]
    bandwidth_bytes_per_second: int
    latency_picoseconds: int
    source: str = ""


@dataclass(frozen=True)
class Machine:
    name: str
    node_nm: int
    clocks: tuple[Clock, ...]
    memories: tuple[Memory, ...]
    engines: tuple[Engine, ...]
    links: tuple[Link, ...] = ()
    devices: tuple[Machine, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        for what, items in (("clock", self.clocks), ("memory", self.memories), ("engine", self.engines),
                            ("link", self.links), ("device", self.devices)):  # fmt: skip
            names = [item.name for item in items]  # type: ignore[attr-defined]
            if len(set(names)) != len(names):
                raise SpecError(f"machine {self.name}: a {what} name appears twice")

    def clock_hz(self, name: str) -> int:
        return _named(self.clocks, name, "clock", self.name).hz

    def memory(self, name: str) -> Memory:
        return _named(self.memories, name, "memory", self.name)

    def engine(self, name: str) -> Engine:
        return _named(self.engines, name, "engine", self.name)

    def engine_of_type(self, kind: str) -> Engine | None:
        """The first engine of a type, or None."""
        return next((engine for engine in self.engines if engine.type == kind), None)


def _named(items: Any, name: str, what: str, machine: str) -> Any:
    for item in items:
        if item.name == name:
            return item
    have = ", ".join(item.name for item in items) or "none"
    raise SpecError(f"machine {machine}: no {what} named {name!r} (it has: {have})")
