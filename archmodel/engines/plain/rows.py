"""A plain engine's rows of a result."""

from __future__ import annotations

from fractions import Fraction

from archmodel.cost import Costs
from archmodel.engines import Derived, Work
from archmodel.records.base import SpecError
from archmodel.records.engines.plain import Operation, Params
from archmodel.records.figure import Figure
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.result import OpResult

FUSES = True


def operation_of(einsum: Einsum, params: Params) -> Operation:
    """What one point of an Einsum costs: as its operators say, else as a multiply-add."""
    operator = einsum.map if einsum.reduce == "none" else f"{einsum.map}+{einsum.reduce}"
    return next((known for known in params.operations if known.operator == operator), Operation(operator, params.mac_pj))


def supports(graph: Graph, einsum: Einsum, engine: Engine) -> str | None:
    """None: it takes every Einsum."""
    del graph, einsum, engine
    return None


def ideal_cycles(einsum: Einsum, engine: Engine) -> float:
    """Every compute unit busy in every cycle."""
    params = engine.params
    return float(einsum.work * operation_of(einsum, params).cycles / (params.macs_per_cycle * params.instances * engine.count))


def area(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    """Unknown: a description in words says nothing of silicon."""
    del machine, engine, costs
    return (("all", Figure(0.0, None, None, "unknown")),)


def derived(machine: Machine, engine: Engine) -> tuple[Derived, ...]:
    """What follows from the parameters: compute units, and points a second."""
    params: Params = engine.params
    peak = int(Fraction(params.instances * engine.count * machine.clock_hz(engine.clock)) * params.macs_per_cycle)
    return (Derived("compute units", ((params.instances, "of each copy"),), "axes multiplied"),
            Derived("peak", ((2 * peak, "op/s"),), "compute units x macs_per_cycle x count x clock, two operations a point"))  # fmt: skip


def capacity_bytes(engine: Engine) -> int | None:
    """Bytes of the outermost level, None where it is unbounded."""
    home = engine.params.levels[0]
    return None if home.words is None else home.words * home.word_bits // 8


def evaluate(work: Work) -> dict[str, OpResult]:
    """A row for each tree, by its first Einsum."""
    raise SpecError(f"{work.engine.name} (plain): nothing counts its words yet")
