"""Result: what an evaluation found, operator by operator, each figure with its provenance."""

from __future__ import annotations

from dataclasses import dataclass

PROVENANCES = (
    "rtl-confirmed", "rtl-covered", "cycle", "closed form", "calibrated", "published", "scaled", "extrapolated", "unknown",
)  # fmt: skip
"""From strong to weak; a sum has that of its weakest part."""
FIDELITIES = ("bound", "analytic", "cycle", "rtl")


def weakest(provenances: tuple[str, ...] | list[str]) -> str:
    """The provenance of a sum of figures with these."""
    return max(provenances, key=PROVENANCES.index, default=PROVENANCES[0])


@dataclass(frozen=True)
class Energy:
    """Picojoules with the bounds that the sources give, None where one is unknown."""

    pj: float
    low: float | None
    high: float | None
    provenance: str


@dataclass(frozen=True)
class OpResult:
    """All instances of one Einsum (or relayout) together.

    cycles      of the engine's clock, for all instances
    macs        useful multiply-adds, masked ones not counted; 0 for elementwise work
    bytes       (memory, bytes moved) pairs
    ideal_cycles  cycles below which no schedule could do it, for utilisation
    bound_by    array, lanes, memory, or overhead: what decides most of the cycles
    causes      (cause, cycles) pairs that sum to ``cycles``
    energy_by   (cause, pJ) pairs that sum to the energy
    """

    name: str
    group: str
    engine: str
    clock_hz: int
    cycles: int
    macs: int
    bytes: tuple[tuple[str, int], ...]
    ideal_cycles: float
    energy: Energy
    bound_by: str
    provenance: str
    causes: tuple[tuple[str, int], ...]
    energy_by: tuple[tuple[str, float], ...]
    repeat: int = 1

    @property
    def seconds(self) -> float:
        return self.cycles / self.clock_hz


@dataclass(frozen=True)
class Result:
    """One stage on one machine.  Operators run one after another; ``cycles`` are those of ``clock_hz``."""

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
    area_mm2: float
    area_provenance: str
    bound_seconds: float
    record_hash: str
    version: str
    seed: int
    routing: str
    resident: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return sum(op.seconds for op in self.ops)

    @property
    def cycles(self) -> int:
        """Cycles of ``clock_hz``: the sum over operators where all engines run at it, else the time in these cycles."""
        if all(op.clock_hz == self.clock_hz for op in self.ops):
            return sum(op.cycles for op in self.ops)
        return -int(-self.seconds * self.clock_hz // 1)

    @property
    def energy_pj(self) -> float:
        return sum(op.energy.pj for op in self.ops)

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.ops)

    @property
    def provenance(self) -> str:
        return weakest([op.provenance for op in self.ops])
