"""A plain engine's rows of a result."""

from __future__ import annotations

import math
from fractions import Fraction

from archmodel.cost import Costs
from archmodel.engines import Derived, Work
from archmodel.engines.plain.cost import Cost, cost_of, operation_of
from archmodel.records.engines.plain import Params
from archmodel.records.figure import Figure
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import leaves
from archmodel.records.result import Moved, OpResult

FUSES = True


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
    """What follows from the parameters: compute units, and operations a second."""
    params: Params = engine.params
    peak = int(Fraction(params.instances * engine.count * machine.clock_hz(engine.clock)) * params.macs_per_cycle)
    return (Derived("compute units", ((params.instances, "of each copy"),), "axes multiplied"),
            Derived("peak", ((2 * peak, "op/s"),), "compute units x macs_per_cycle x count x clock, two operations a point"))  # fmt: skip


def capacity_bytes(engine: Engine) -> int | None:
    """Bytes of the outermost level, None where it is unbounded."""
    home = engine.params.levels[0]
    return None if home.words is None else home.words * home.word_bits // 8


def evaluate(work: Work) -> dict[str, OpResult]:
    """A row for each tree, by its first Einsum.  Raises SpecError for a tree that is not legal."""
    return {einsum.name: _row(work, einsum, cost_of(work.graph, work.trees[einsum.name], work.engine.params)) for einsum in work.einsums}


def traffic(work: Work) -> dict[str, tuple[Moved, ...]]:
    """Words of each level and tensor in all instances, by each tree's first Einsum.  Raises SpecError for a tree that is not legal."""
    found = {}
    for einsum in work.einsums:
        rows = cost_of(work.graph, work.trees[einsum.name], work.engine.params).traffic
        found[einsum.name] = tuple(Moved(row.level, row.tensor, row.reads * einsum.repeat, row.writes * einsum.repeat, "words")
                                   for row in rows if row.reads or row.writes)  # fmt: skip
    return found


def _row(work: Work, first: Einsum, cost: Cost) -> OpResult:
    engine, repeat = work.engine, first.repeat
    params: Params = engine.params
    runs = -(-repeat // engine.count)
    cycles, compute = math.ceil(cost.cycles) * runs, math.ceil(cost.compute) * runs
    mine = {leaf.einsum for leaf in leaves(work.trees[first.name])}
    einsums = [einsum for einsum in work.graph.einsums if einsum.name in mine]
    slowest = max(cost.moving, key=lambda pair: pair[1], default=("", Fraction(0)))
    return OpResult(
        first.name, first.group, engine.name, work.machine.clock_hz(engine.clock), cycles,
        sum(einsum.work * einsum.repeat for einsum in einsums if einsum.is_gemm), _bytes(params, cost, repeat),
        sum(ideal_cycles(einsum, engine) * einsum.repeat for einsum in einsums), "array" if cycles == compute else slowest[0],
        "closed form", tuple(pair for pair in (("compute", compute), ("memory", cycles - compute)) if pair[1] or pair[0] == "compute"),
        tuple((name, _figure(pj * repeat)) for name, pj in cost.energy_by), repeat,
        min(cycles, math.ceil(dict(cost.moving).get(params.levels[0].name, Fraction(0)) * runs)),
    )  # fmt: skip


def _bytes(params: Params, cost: Cost, repeat: int) -> tuple[tuple[str, int], ...]:
    """Bytes read and written of each level, rounded up."""
    moved = {level.name: sum(row.reads + row.writes for row in cost.traffic if row.level == level.name) for level in params.levels}
    bits = {level.name: level.word_bits for level in params.levels}
    return tuple((name, math.ceil(Fraction(count) * bits[name] * repeat / 8)) for name, count in moved.items())


def _figure(pj: Fraction) -> Figure:
    """Counts are exact, and energies a word what the description says."""
    return Figure(float(pj), float(pj), float(pj), "published")
