"""Machines whose words are counted as another tool counts them (``counting``): searched as AccelForge counts, priced as they say.

What is proved by one convention holds by no other, so the certificate's lower bound is what no convention counts less of: every
point, every input once from the outermost level, every result once to it.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from archmodel.cost import Costs
from archmodel.records.base import SpecError
from archmodel.records.engines.plain import Params
from archmodel.records.goal import OBJECTIVES, Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate

from ..found import Mapped
from .compulsory import compulsory, priced
from .whole import search_graph as searched

SEARCHED = "accelforge"


def search_graph(graph: Graph, einsums: tuple[Einsum, ...], machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> Mapped:
    """The best trees for these Einsums of a graph.  Raises SpecError where one fits in no way, or none within the limits is found."""
    params: Params = engine.params
    if params.counting == SEARCHED:
        return searched(graph, einsums, machine, engine, costs, goal)
    alike = replace(engine, params=replace(params, counting=SEARCHED))
    engines = tuple(alike if each.name == engine.name else each for each in machine.engines)
    found = searched(graph, einsums, replace(machine, engines=engines), alike, costs, goal)
    taken = priced(graph, found.trees, engine)
    value, bound = _value(goal.objective, *taken), _value(goal.objective, *compulsory(graph, einsums, engine))
    for limit in goal.limits:
        if limit.what in OBJECTIVES and (got := _value(limit.what, *taken)) > limit.most:
            raise SpecError(f"limit {limit.what}: {limit.most:,}, and the mapping found takes {got:,} as {params.counting} counts; "
                            f"search with --set engines.{engine.name}.counting={SEARCHED}")  # fmt: skip
    said = f"{found.certificate.scope}; searched as {SEARCHED} counts, priced as {params.counting} does"
    certificate = Certificate(goal.objective, value, min(value, bound), found.certificate.space, found.certificate.evaluated,
                              found.certificate.choices, found.certificate.nodes, said)  # fmt: skip
    return Mapped(found.trees, certificate)


def _value(objective: str, energy: Fraction, cycles: int) -> float | int:
    return {"energy": float(energy), "latency": cycles, "edp": float(energy * cycles)}[objective]
