"""Machines whose words are counted as another tool counts them (``counting``): searched as AccelForge counts, priced as they say.

What is proved by one convention holds by no other, so the certificate's lower bound is what no convention counts less of: every
point, every input once from the outermost level, every result once to it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from archmodel.cost import Costs
from archmodel.engines.plain.cost import cost_of, operation_of
from archmodel.records.base import SpecError
from archmodel.records.engines.plain import Params
from archmodel.records.goal import OBJECTIVES, Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate, Node, leaves

from ..found import Mapped
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
    runs = {einsum.name: (einsum.repeat, -(-einsum.repeat // engine.count)) for einsum in einsums}
    priced = _priced(graph, found.trees, params, runs)
    value, bound = _value(goal.objective, *priced), _value(goal.objective, *_least(graph, einsums, params, runs))
    for limit in goal.limits:
        if limit.what in OBJECTIVES and (got := _value(limit.what, *priced)) > limit.most:
            raise SpecError(f"limit {limit.what}: {limit.most:,}, and the mapping found takes {got:,} as {params.counting} counts; "
                            f"search with --set engines.{engine.name}.counting={SEARCHED}")  # fmt: skip
    said = f"{found.certificate.scope}; searched as {SEARCHED} counts, priced as {params.counting} does"
    certificate = Certificate(goal.objective, value, min(value, bound), found.certificate.space, found.certificate.evaluated,
                              found.certificate.choices, found.certificate.nodes, said)  # fmt: skip
    return Mapped(found.trees, certificate)


def _value(objective: str, energy: Fraction, cycles: int) -> float | int:
    return {"energy": float(energy), "latency": cycles, "edp": float(energy * cycles)}[objective]


def _priced(graph: Graph, trees: tuple[Node, ...], params: Params, runs: dict[str, tuple[int, int]]) -> tuple[Fraction, int]:
    """Energy and cycles of all instances."""
    energy, cycles = Fraction(0), 0
    for tree in trees:
        cost = cost_of(graph, tree, params)
        repeat, turns = runs[leaves(tree)[0].einsum]
        energy += cost.energy_pj * repeat
        cycles += math.ceil(cost.cycles) * turns
    return energy, cycles


def _least(graph: Graph, einsums: tuple[Einsum, ...], params: Params, runs: dict[str, tuple[int, int]]) -> tuple[Fraction, int]:
    """What no convention counts less of."""
    home = params.levels[0]
    energy, cycles = Fraction(0), 0
    made, read = {einsum.output for einsum in einsums}, {name for einsum in einsums for name in einsum.inputs}
    for einsum in einsums:
        repeat, turns = runs[einsum.name]
        operation = operation_of(einsum, params)
        energy += einsum.volume * operation.pj * repeat
        cycles += math.ceil(einsum.volume * operation.cycles * turns / (params.macs_per_cycle * params.instances))
        if einsum.output not in read:
            energy += _words(graph, einsum, einsum.output, home.word_bits) * home.write_pj * repeat
    for name in read - made:
        users = [einsum for einsum in einsums if name in einsum.inputs]
        energy += min(_words(graph, user, name, home.word_bits) * runs[user.name][0] for user in users) * home.read_pj
    return energy, cycles


def _words(graph: Graph, einsum: Einsum, tensor: str, word_bits: int) -> Fraction:
    return Fraction(graph.elements(einsum, tensor) * graph.tensor[tensor].bits, word_bits)
