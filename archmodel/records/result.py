"""Result: what an evaluation found, operator by operator, each figure with its provenance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from .base import SpecError, shown
from .figure import Figure, strength, total, weakest

FIDELITIES = ("bound", "analytic", "cycle", "rtl")


@dataclass(frozen=True)
class Moved:
    """What passes between a level and one tensor's users on both sides of it: ``reads`` and ``writes`` of the level, in ``unit``."""

    level: str
    tensor: str
    reads: int | Fraction
    writes: int | Fraction
    unit: str = "bytes"


@dataclass(frozen=True)
class OpResult:
    """All instances of one Einsum (or relayout) together.

    cycles      of the engine's clock, for all instances
    macs        useful multiply-adds, masked ones not counted; 0 for elementwise work
    bytes       (memory, bytes moved) pairs
    ideal_cycles  cycles below which no schedule could do it, for utilisation
    bound_by    array, lanes, memory, or overhead: what decides most of the cycles
    causes      (cause, cycles) pairs that sum to ``cycles``
    energy_by   (cause, pJ) pairs that sum to the energy; none where it isn't priced
    port_cycles  cycles in which data move at the memory port, whether or not the engine computes beside; 0 where an engine doesn't say
    busy        (unit, Einsum, cycles) of a fused tree: what each unit of the engine computes, and for how long
    """

    name: str
    group: str
    engine: str
    clock_hz: int
    cycles: int
    macs: int
    bytes: tuple[tuple[str, int], ...]
    ideal_cycles: float
    bound_by: str
    provenance: str
    causes: tuple[tuple[str, int], ...]
    energy_by: tuple[tuple[str, Figure], ...]
    repeat: int = 1
    port_cycles: int = 0
    busy: tuple[tuple[str, str, int], ...] = ()

    def __post_init__(self) -> None:
        what = f"operator {self.name}"
        _at_least(1, what, (("clock_hz", self.clock_hz), ("repeat", self.repeat)))
        _at_least(0, what, (("cycles", self.cycles), ("macs", self.macs), ("ideal_cycles", self.ideal_cycles), *self.bytes, *self.causes))
        if sum(cycles for _, cycles in self.causes) != self.cycles:
            raise SpecError(f"{what}: its causes sum to {sum(cycles for _, cycles in self.causes)} cycles, expected {self.cycles}")
        if not 0 <= self.port_cycles <= self.cycles:
            raise SpecError(f"{what}: port_cycles is {self.port_cycles}, expected 0 to {self.cycles}")
        strength(self.provenance)

    @property
    def seconds(self) -> float:
        return self.cycles / self.clock_hz

    @cached_property
    def energy(self) -> Figure | None:
        """Picojoules; None where no cause is priced."""
        return total(figure for _, figure in self.energy_by) if self.energy_by else None


@dataclass(frozen=True)
class Step:
    """Operators that run side by side, by name, and the cycles of the result's clock in which all instances of them are done."""

    ops: tuple[str, ...]
    cycles: int


@dataclass(frozen=True)
class Result:
    """One stage on one machine.  Operators run one after another, but for those of a step; ``cycles`` are those of ``clock_hz``.

    area_by    (part, um2) pairs
    costs      the table that energy, area and power are of: its name and a hash of its rows
    static_by  (cause, W) pairs: what the machine draws whatever it does; their energy over an operator's time is in its ``energy_by``
    """

    model: str
    machine: str
    stage: str
    batch: int
    context: int
    tokens: int
    emitted: int
    fidelity: str
    clock_hz: int
    ops: tuple[OpResult, ...]
    area_by: tuple[tuple[str, Figure], ...]
    static_by: tuple[tuple[str, Figure], ...]
    bound_seconds: float
    record_hash: str
    version: str
    seed: int
    routing: str
    resident: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()
    costs: str = ""
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if not self.ops:
            raise SpecError("result: no operator, expected at least one")
        _at_least(1, "result", (("clock_hz", self.clock_hz),))
        _at_least(0, "result", (("tokens", self.tokens), ("bound_seconds", self.bound_seconds), *self.resident))

    @property
    def seconds(self) -> float:
        return sum(op.seconds for op in self.ops) - self.hidden_seconds

    @property
    def hidden_seconds(self) -> float:
        """Seconds that operators would take longer one after another."""
        took = {op.name: op.seconds for op in self.ops}
        return sum(sum(took[name] for name in step.ops) - step.cycles / self.clock_hz for step in self.steps)

    @property
    def cycles(self) -> int:
        """Cycles of ``clock_hz``: the sum over operators and steps where all engines run at it, else the time in these cycles."""
        if all(op.clock_hz == self.clock_hz for op in self.ops):
            aside = {name for step in self.steps for name in step.ops}
            return sum(op.cycles for op in self.ops if op.name not in aside) + sum(step.cycles for step in self.steps)
        return -int(-self.seconds * self.clock_hz // 1)

    @cached_property
    def energy(self) -> Figure | None:
        """Picojoules; None where an operator's is not priced."""
        parts = [op.energy for op in self.ops]
        known = [part for part in parts if part is not None]
        return total(known) if len(known) == len(parts) else None

    @cached_property
    def area(self) -> Figure:
        """Square micrometres."""
        return total(figure for _, figure in self.area_by)

    @property
    def port_share(self) -> float:
        """The share of the time in which data move at an engine's memory port."""
        return sum(op.port_cycles / op.clock_hz for op in self.ops) / self.seconds if self.seconds else 0.0

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.ops)

    @property
    def provenance(self) -> str:
        return weakest([op.provenance for op in self.ops])


def _at_least(least: int, what: str, named: Iterable[tuple[str, float]]) -> None:
    for name, value in named:
        if value < least:
            raise SpecError(f"{what}: {name} is {shown(value)}, expected at least {least}")
