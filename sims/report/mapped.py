"""What a mapping costs and what is proved of it, as plain data: the keys of ``map --json`` that every machine has."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from archmodel.cost import Costs
from archmodel.engines import Work, engine_module
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Certificate, Mapping, leaf
from archmodel.records.result import Moved, Result
from archmodel.rewriting import rewritten


def summary(graph: Graph, mapping: Mapping, machine: Machine, result: Result, costs: Costs) -> dict[str, Any]:
    """Energy, cycles, their product, and what moves where; all instances together.

    traffic          (level, tensor): words of a plain engine's level, bytes of a memory, read from it and written to it
    energy_by_level  pJ by level or cause; what computes a plain engine's points is ``mac``
    """
    energy = None if result.energy is None else number(result.energy.value)
    return {
        "energy_pj": energy, "cycles": result.cycles, "edp": None if energy is None else energy * result.cycles,
        "traffic": [{"level": row.level, "tensor": row.tensor, "reads": number(row.reads), "writes": number(row.writes), "unit": row.unit}
                    for row in traffic(graph, mapping, machine, costs)],
        "energy_by_level": by_cause(result),
    }  # fmt: skip


def proof(found: Certificate | None) -> dict[str, Any]:
    """What is proved, in keys of its own; null where nothing was searched."""
    keys = ("lower_bound", "gap", "optimal", "evaluated", "space", "nodes", "scope")
    return {key: None if found is None else getattr(found, key) for key in keys}


def traffic(graph: Graph, mapping: Mapping, machine: Machine, costs: Costs) -> list[Moved]:
    """What every engine that counts it says is read and written, summed over Einsums, outer levels first."""
    after = rewritten(graph, mapping.rewrites)
    trees = {leaf(tree).einsum: tree for tree in mapping.trees}
    found: dict[tuple[str, str, str], Moved] = {}
    for engine in machine.engines:
        mine = tuple(einsum for einsum in after.einsums if einsum.name in trees and leaf(trees[einsum.name]).engine == engine.name)
        module = engine_module(engine)
        if not mine or not hasattr(module, "traffic"):
            continue
        for rows in module.traffic(Work(after, mine, trees, machine, engine, "analytic", costs)).values():
            for row in rows:
                key = (row.level, row.tensor, row.unit)
                old = found.get(key, Moved(row.level, row.tensor, 0, 0, row.unit))
                found[key] = Moved(row.level, row.tensor, old.reads + row.reads, old.writes + row.writes, row.unit)
    place = {level: number for number, level in enumerate(dict.fromkeys(level for level, _, _ in found))}
    return sorted(found.values(), key=lambda row: (place[row.level], row.tensor))


def by_cause(result: Result) -> dict[str, Any]:
    """pJ by cause, in the order in which operators name them."""
    found: dict[str, float] = {}
    for op in result.ops:
        for cause, figure in op.energy_by:
            found[cause] = found.get(cause, 0.0) + figure.value
    return {cause: number(value) for cause, value in found.items()}


def number(value: float | Fraction) -> int | float:
    """A whole number as one, whatever it was computed as."""
    return int(value) if value == int(value) else float(value)
