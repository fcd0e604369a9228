"""Machine: a nested graph of components, each on a named clock.

A machine holds clocks, memories, engines, links and, nested, further devices.  Quantities are integers in the unit
that their name says: ``hz``, ``bytes``, ``bytes_per_second``, ``picoseconds``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from math import isqrt
from types import ModuleType
from typing import Any, TypeVar

from .base import SpecError, from_plain, one_of, shown

MAX_HZ = 10**12
MAX_BYTES_PER_SECOND = 10**18
MAX_PICOSECONDS = 10**12
MAX_BYTES = 1 << 60
MAX_NODE_NM = 10_000
MAX_COUNT = 1 << 16
MAX_DEVICES = 1 << 12
"""The largest quantities of a machine: far beyond any that was built, and small enough that cycles fit 64 bits."""


def engine_types() -> tuple[str, ...]:
    """The names of all engine types: the files of ``records/engines``, none of which is imported."""
    from . import engines

    return tuple(sorted(m.name for m in pkgutil.iter_modules(engines.__path__) if not m.name.startswith("_")))


def engine_records(kind: str) -> ModuleType:
    """The module with the parameters of an engine type.  Raises SpecError for an unknown type."""
    if kind not in engine_types():
        raise SpecError(f"no engine type {kind!r} (there is: {', '.join(engine_types())})")
    return importlib.import_module(f"{__package__}.engines.{kind}")


@dataclass(frozen=True)
class Clock:
    name: str
    hz: int

    def __post_init__(self) -> None:
        _within(f"clock {self.name}", 1, MAX_HZ, hz=self.hz)


@dataclass(frozen=True)
class Memory:
    """``technology`` selects the rows of the energy table: sram, lpddr4, ddr4, hbm2e, ..."""

    name: str
    technology: str
    size_bytes: int
    bandwidth_bytes_per_second: int | None = None
    latency_picoseconds: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        what, rate = f"memory {self.name}", self.bandwidth_bytes_per_second
        _within(what, 1, MAX_BYTES, size_bytes=self.size_bytes)
        _within(what, 1, MAX_BYTES_PER_SECOND, bandwidth_bytes_per_second=rate)
        _within(what, 0, MAX_PICOSECONDS, latency_picoseconds=self.latency_picoseconds)


@dataclass(frozen=True)
class Engine:
    """``count`` identical copies of an engine of type ``type``; ``params`` is that type's own record.

    buffer  the on-chip memory that each copy owns
    port    the memory behind its port, shared by all copies

    ``params`` given as plain data becomes the record of the type, so that an engine reads back what it printed.
    """

    name: str
    type: str
    clock: str
    params: Any
    buffer: str | None = None
    port: str | None = None
    count: int = 1
    source: str = ""

    def __post_init__(self) -> None:
        _within(f"engine {self.name}", 1, MAX_COUNT, count=self.count)
        if isinstance(self.params, Mapping):
            object.__setattr__(self, "params", from_plain(engine_records(self.type).Params, self.params))
        elif not is_dataclass(self.params):
            raise SpecError(f"engine {self.name}: params: expected a mapping of fields, found {shown(self.params)}")


@dataclass(frozen=True)
class Link:
    name: str
    ends: tuple[str, str]
    bandwidth_bytes_per_second: int
    latency_picoseconds: int
    source: str = ""

    def __post_init__(self) -> None:
        what, rate = f"link {self.name}", self.bandwidth_bytes_per_second
        _within(what, 1, MAX_BYTES_PER_SECOND, bandwidth_bytes_per_second=rate)
        _within(what, 0, MAX_PICOSECONDS, latency_picoseconds=self.latency_picoseconds)


TOPOLOGIES = ("ring", "mesh")


@dataclass(frozen=True)
class Fabric:
    """A machine stands so often, each copy a device of its own, and links join neighbours: a ring, or a mesh of two dimensions.

    A link moves ``bandwidth_bytes_per_second`` in each direction at once; ``latency_picoseconds`` is that of one hop.
    A mesh is as square as its count allows, rows <= columns, and has no links around its edges.
    """

    devices: int
    topology: str
    bandwidth_bytes_per_second: int
    latency_picoseconds: int
    source: str = ""

    def __post_init__(self) -> None:
        if self.topology not in TOPOLOGIES:
            raise SpecError(f"fabric: topology {self.topology!r}, expected {one_of(TOPOLOGIES)}")
        _within("fabric", 1, MAX_DEVICES, devices=self.devices)
        _within("fabric", 1, MAX_BYTES_PER_SECOND, bandwidth_bytes_per_second=self.bandwidth_bytes_per_second)
        _within("fabric", 0, MAX_PICOSECONDS, latency_picoseconds=self.latency_picoseconds)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns; a ring is one row."""
        if self.topology == "ring":
            return 1, self.devices
        rows = next(rows for rows in range(isqrt(self.devices), 0, -1) if self.devices % rows == 0)
        return rows, self.devices // rows


CONVENTIONS = ("hardware", "published")
"""What counts as a cycle, and as energy: what hardware takes, fill and drain included, or what papers count."""


@dataclass(frozen=True)
class Machine:
    """``convention`` is how its figures are counted; only those of ``hardware`` can be confirmed in RTL.

    ``fabric`` says how many of it there are, and what joins them; ``devices`` are machines that differ.
    """

    name: str
    node_nm: int
    clocks: tuple[Clock, ...]
    memories: tuple[Memory, ...]
    engines: tuple[Engine, ...]
    links: tuple[Link, ...] = ()
    devices: tuple[Machine, ...] = ()
    source: str = ""
    convention: str = CONVENTIONS[0]
    fabric: Fabric | None = None

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise SpecError(f"machine {self.name}: convention {self.convention!r}, expected {one_of(CONVENTIONS)}")
        for what, items in (("clock", self.clocks), ("memory", self.memories), ("engine", self.engines),
                            ("link", self.links), ("device", self.devices)):  # fmt: skip
            names = [item.name for item in items]
            if len(set(names)) != len(names):
                raise SpecError(f"machine {self.name}: a {what} name appears twice")
        _within(f"machine {self.name}", 1, MAX_NODE_NM, node_nm=self.node_nm)
        for engine in self.engines:
            self.clock_hz(engine.clock)
            for memory in (engine.buffer, engine.port):
                if memory is not None:
                    self.memory(memory)

    def clock_hz(self, name: str) -> int:
        return _named(self.clocks, name, "clock", self.name).hz

    def memory(self, name: str) -> Memory:
        return _named(self.memories, name, "memory", self.name)

    def engine(self, name: str) -> Engine:
        return _named(self.engines, name, "engine", self.name)

    def engine_of_type(self, kind: str) -> Engine | None:
        """The first engine of a type, or None."""
        return next((engine for engine in self.engines if engine.type == kind), None)


def _within(what: str, minimum: int, maximum: int, **values: int | None) -> None:
    for name, value in values.items():
        if value is not None and value < minimum:
            raise SpecError(f"{what}: {name} is {value}, expected at least {minimum}")
        if value is not None and value > maximum:
            raise SpecError(f"{what}: {name} is {value}, expected at most {maximum}")


_Part = TypeVar("_Part", Clock, Memory, Engine)


def _named(items: tuple[_Part, ...], name: str, what: str, machine: str) -> _Part:
    for item in items:
        if item.name == name:
            return item
    have = ", ".join(item.name for item in items) or "none"
    raise SpecError(f"machine {machine}: no {what} named {name!r} (it has: {have})")
