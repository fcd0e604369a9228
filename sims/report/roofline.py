"""The roofline of a stage (Williams et al., CACM 2009): operators by intensity and rate, under the roofs of their engines."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.machine import Engine, Machine
from archmodel.records.result import OpResult

from .saved import Saved
from .table import WHOLE, off_chip


@dataclass(frozen=True)
class Point:
    """All instances of an operator: ``operations``, and the ``bytes`` that they moved over the ports' memories."""

    op: OpResult
    operations: float
    bytes: int

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.operations / self.bytes

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.op.seconds


@dataclass(frozen=True)
class Roof:
    """No point of ``engine`` is above ``peak`` (op/s), nor above ``bandwidth`` (bytes/s) times its intensity."""

    engine: str
    peak: float
    memory: str
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The intensity at which both bounds meet, operations a byte."""
        return self.peak / self.bandwidth


def points(saved: Saved) -> list[Point]:
    """Every operator that has a place on two logarithmic axes: one that takes time, works, and moves bytes off chip."""
    memories = {*off_chip(saved.machine), WHOLE}
    found = [Point(op, operations(op, saved.machine), sum(size for name, size in op.bytes if name in memories)) for op in saved.result.ops]
    return [point for point in found if point.bytes and point.operations and point.op.cycles]


def operations(op: OpResult, machine: Machine) -> float:
    """Two a multiply-add; of an elementwise operator its lane operations: the cycles that all lanes need at least, times lanes."""
    if op.macs:
        return 2.0 * op.macs
    engine = next((engine for engine in machine.engines if engine.name == op.engine), None)
    return op.ideal_cycles * operations_per_cycle(engine) if engine else 0.0


def operations_per_cycle(engine: Engine) -> int:
    """Of all copies at their peak: two a PE of an array, one a lane, two a lane of what adds products; 0 for an engine with neither."""
    params = engine.params
    if hasattr(params, "rates"):
        lanes = dict(zip(params.units, (rows * cols for rows, cols in zip(params.rows, params.cols, strict=True)), strict=True))
        peaks = {unit: max((2 if "+" in operator else 1) / cycles for name, operator, cycles in params.rates if name == unit)
                 for unit in {name for name, _, _ in params.rates}}  # fmt: skip
        return int(sum(lanes[unit] * peak for unit, peak in peaks.items()) * engine.count)
    if hasattr(params, "rows") and hasattr(params, "cols"):
        return 2 * params.rows * params.cols * engine.count
    return getattr(params, "lanes", 0) * engine.count


def roofs(machine: Machine) -> list[Roof]:
    """One of each engine that has a peak and a memory with a bandwidth."""
    found = []
    for engine in machine.engines:
        peak = operations_per_cycle(engine) * machine.clock_hz(engine.clock)
        bandwidth = machine.memory(engine.port).bandwidth_bytes_per_second if engine.port else None
        if engine.port and peak and bandwidth:
            found.append(Roof(engine.name, float(peak), engine.port, float(bandwidth)))
    return found
