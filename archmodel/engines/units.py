"""The engine of units: parts that work side by side, each Einsum on one of them.

A compute leaf alone is priced by its unit's rate; memory is free of time then.  No hardware is generated for it.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from archmodel.cost import Costs
from archmodel.engines import Unit, Work
from archmodel.records.base import SpecError
from archmodel.records.figure import Figure
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Compute
from archmodel.records.result import OpResult

TYPE = "units"


def units(machine: Machine, engine: Engine) -> tuple[Unit, ...]:
    """The units of one copy, in the order of the parameters."""
    del machine
    return _units(engine)


@functools.cache
def _units(engine: Engine) -> tuple[Unit, ...]:
    has = engine.params
    return tuple(Unit(name, rows, cols, tuple((operator, cycles) for unit, operator, cycles in has.rates if unit == name),
                      tuple((operator, action, times) for unit, operator, action, times in has.costs if unit == name))
                 for name, rows, cols in zip(has.units, has.rows, has.cols, strict=True))  # fmt: skip


def supports(graph: Graph, einsum: Einsum, engine: Engine) -> str | None:
    """Why the engine cannot execute an Einsum, or None if one of its units can."""
    del graph
    if all(unit.point_cycles(einsum) is None for unit in _units(engine)):
        operators = einsum.map if einsum.reduce == "none" else f"{einsum.map}+{einsum.reduce}"
        return f"no unit of {engine.name} (units) does {operators}"
    return None


def ideal_cycles(einsum: Einsum, engine: Engine) -> float:
    """Every lane of the fastest unit busy in every cycle."""
    return float(min(_unit_cycles(einsum, unit) for unit in _units(engine) if unit.point_cycles(einsum)) / engine.count)


def area(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    """Unknown: no row of the cost table says what such a unit takes."""
    del machine, engine, costs
    return (("units", Figure(0.0, None, None, "unknown")),)


def evaluate(work: Work) -> dict[str, OpResult]:
    """A row for each Einsum, as many at once as there are copies."""
    return {einsum.name: _row(work, einsum) for einsum in work.einsums}


def _unit_cycles(einsum: Einsum, unit: Unit) -> Fraction:
    """Cycles of one instance on one copy of a unit, all its lanes busy."""
    return Fraction(einsum.work, unit.rows * unit.cols) * (unit.point_cycles(einsum) or Fraction(0))


def _row(work: Work, einsum: Einsum) -> OpResult:
    unit = _unit_of(work, einsum)
    exact = _unit_cycles(einsum, unit) * einsum.repeat / work.engine.count
    cycles = math.ceil(exact)
    return OpResult(
        einsum.name, einsum.group, work.engine.name, work.machine.clock_hz(work.engine.clock), cycles,
        einsum.work * einsum.repeat if einsum.is_gemm else 0, (), float(exact), unit.name, "closed form", (("compute", cycles),), (),
        einsum.repeat,
    )  # fmt: skip


def _unit_of(work: Work, einsum: Einsum) -> Unit:
    """The unit that a leaf names.  Raises SpecError for another tree, or a unit that lacks the operators."""
    tree = work.trees[einsum.name]
    if not isinstance(tree, Compute):
        raise SpecError(f"mapping of {einsum.name}: {work.engine.name} takes a compute leaf alone, without loops and storage")
    able = [unit for unit in _units(work.engine) if unit.point_cycles(einsum)]
    if tree.unit not in [unit.name for unit in able]:
        names = ", ".join(unit.name for unit in able)
        raise SpecError(f"mapping of {einsum.name}: it is on unit {tree.unit or 'none'} of {work.engine.name}, expected one of {names}")
    return next(unit for unit in able if unit.name == tree.unit)
