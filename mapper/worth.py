"""What a mapping is worth to a goal: its objective, and whether it keeps within limits."""

from __future__ import annotations

from dataclasses import replace

from archmodel.cost import Costs
from archmodel.engines.plain.cost import cost_of
from archmodel.evaluation import evaluate
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal, Limit
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Certificate, Mapping, leaf
from archmodel.records.result import Result

ROUNDING = 1e-9
"""Relative room that a limit leaves for the rounding of sums of floats."""


def value(result: Result, objective: str) -> float:
    """The objective of a result: cycles, pJ, or their product; energy that nobody prices is 0."""
    energy = result.energy.value if result.energy else 0.0
    return {"latency": float(result.cycles), "energy": energy, "edp": energy * result.cycles}[objective]


def given_whole(graph: Graph, machine: Machine, costs: Costs, goal: Goal, whole: Mapping) -> Mapping:
    """A mapping that constraints give whole, with the certificate of a space of one.  Raises SpecError for one beyond a limit."""
    refuse_beyond(graph, machine, costs, goal, whole)
    worth = value(evaluate(graph, whole, machine, costs=costs), goal.objective)
    return replace(whole, certificate=Certificate(goal.objective, worth, worth, 1, 1, scope="the one mapping that is given"))


def refuse_beyond(graph: Graph, machine: Machine, costs: Costs, goal: Goal, mapping: Mapping) -> None:
    """Raises SpecError for a mapping that does not keep a limit."""
    result = evaluate(graph, mapping, machine, costs=costs) if goal.limits else None
    for limit in goal.limits:
        assert result is not None, "evaluated where there is a limit"
        found = measured(graph, machine, mapping, result, limit)
        if found is not None and found > limit.most * (1 + ROUNDING):
            where = f"{limit.place}: " if limit.place else ""
            raise SpecError(f"{where}the mapping has {limit.what} {found:,.10g}, which is above {limit.most:,.10g}")


def measured(graph: Graph, machine: Machine, mapping: Mapping, result: Result, limit: Limit) -> float | None:
    """What is limited: a measure of the result, or the most words that a level of a plain engine holds; None of other memories."""
    if limit.what in ("latency", "energy", "edp"):
        return value(result, limit.what)
    if limit.what == "power":
        return value(result, "energy") * 1e-12 / result.seconds
    if limit.what == "area":
        if result.area.provenance == "unknown":
            raise SpecError(f"{limit.place or 'limit'}: nobody knows the area of {machine.name}, so no limit on it can be kept")
        return result.area.value
    plain = [(tree, machine.engine(leaf(tree).engine)) for tree in mapping.trees]
    words = [float(words) for tree, engine in plain if engine.type == "plain"
             for level, words in cost_of(graph, tree, engine.params).room if level == limit.what]  # fmt: skip
    return max(words, default=None)
