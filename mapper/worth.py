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


def value(result: Result, objective: str) -> float:
    """The objective of a result: cycles, pJ, or their product; energy that nobody prices is 0."""
    energy = result.energy.value if result.energy else 0.0
    return {"latency": float(result.cycles), "energy": energy, "edp": energy * result.cycles}[objective]


def given_whole(graph: Graph, machine: Machine, costs: Costs, goal: Goal, whole: Mapping) -> Mapping:
    """A mapping that constraints give whole, with the certificate of a space of one.  Raises SpecError for one beyond a limit."""
    result = evaluate(graph, whole, machine, costs=costs)
    for limit in goal.limits:
        found = _measured(graph, machine, whole, result, limit)
        if found > limit.most:
            where = f"{limit.place}: " if limit.place else ""
            raise SpecError(f"{where}the mapping that is given has {limit.what} {found:,.10g}, which is above {limit.most:,.10g}")
    worth = value(result, goal.objective)
    return replace(whole, certificate=Certificate(goal.objective, worth, worth, 1, 1, scope="the one mapping that is given"))


def _measured(graph: Graph, machine: Machine, mapping: Mapping, result: Result, limit: Limit) -> float:
    """What is limited: a measure of the result, or the most words that a level of a plain engine holds."""
    if limit.what in ("latency", "energy", "edp"):
        return value(result, limit.what)
    if limit.what == "power":
        return value(result, "energy") * 1e-12 / result.seconds
    if limit.what == "area":
        return result.area.value
    plain = [(tree, machine.engine(leaf(tree).engine)) for tree in mapping.trees]
    words = [float(words) for tree, engine in plain if engine.type == "plain"
             for level, words in cost_of(graph, tree, engine.params).room if level == limit.what]  # fmt: skip
    if not words:
        raise SpecError(f"{limit.place}: what is held in {limit.what} is not counted of a mapping that is given whole; leave the limit out")
    return max(words)
