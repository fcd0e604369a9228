"""Whole graphs on a plain engine: each Einsum a tree, or several in one, whatever together is the best."""

from __future__ import annotations

from archmodel.cost import Costs
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate

from ..found import Mapped
from .one import Choice, best
from .problem import Problem, problem

SCOPE = "every tile size of every loop, order of residences and way to spread, Einsum by Einsum"


def search_graph(graph: Graph, einsums: tuple[Einsum, ...], machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> Mapped:
    """The best trees for these Einsums of a graph.  Raises SpecError where one fits in no way."""
    del costs
    known: dict[Problem, Choice] = {}
    trees, energy, cycles = [], 0.0, 0
    for einsum in einsums:
        mine = problem(graph, einsum, engine.name, engine.params, goal.constraints.rules if goal.constraints else ())
        found = known[mine] if mine in known else best(mine, goal)
        if found is None:
            raise SpecError(f"machine {machine.name}: no tile of {einsum.name} fits {engine.name}")
        trees.append(found.tree)
        energy += found.energy_pj * einsum.repeat
        cycles += found.cycles * einsum.repeat
        known[mine] = found
    value = {"energy": energy, "latency": cycles, "edp": energy * cycles}[goal.objective]
    return Mapped(tuple(trees), Certificate(goal.objective, value, value, 1, 1, scope=SCOPE))
