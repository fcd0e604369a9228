"""Compulsory: what no mapping of some Einsums takes less of, and what given trees take, exactly."""

from __future__ import annotations

import math
from fractions import Fraction

from archmodel.engines.plain.addressed import counted
from archmodel.engines.plain.cost import cost_of, operation_of
from archmodel.records.engines.plain import Params
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine
from archmodel.records.mapping import Node, leaves


def compulsory(graph: Graph, einsums: tuple[Einsum, ...], engine: Engine) -> tuple[Fraction, int]:
    """Energy and cycles of every point, every input once from the outermost level, every result once to it."""
    params: Params = engine.params
    home = params.levels[0]
    energy, cycles = Fraction(0), Fraction(0)
    made, read = {einsum.output for einsum in einsums}, {name for einsum in einsums for name in einsum.inputs}
    for einsum in einsums:
        operation, points = operation_of(einsum, params), counted(graph, einsum)[0].volume
        turns = -(-einsum.repeat // engine.count)
        energy += points * operation.pj * einsum.repeat
        cycles += -(-points // params.instances) * operation.cycles * turns / params.macs_per_cycle
        if einsum.output not in read:
            energy += _words(graph, einsum, einsum.output, home.word_bits) * home.write_pj * einsum.repeat
    for name in read - made:
        users = [einsum for einsum in einsums if name in einsum.inputs]
        energy += min(_words(graph, user, name, home.word_bits) * user.repeat for user in users) * home.read_pj
    return energy, math.ceil(cycles)


def priced(graph: Graph, trees: tuple[Node, ...], engine: Engine) -> tuple[Fraction, int]:
    """Energy and cycles of all instances of trees."""
    energy, cycles, einsums = Fraction(0), 0, {einsum.name: einsum for einsum in graph.einsums}
    for tree in trees:
        cost, repeat = cost_of(graph, tree, engine.params), einsums[leaves(tree)[0].einsum].repeat
        energy += cost.energy_pj * repeat
        cycles += math.ceil(cost.cycles) * -(-repeat // engine.count)
    return energy, cycles


def _words(graph: Graph, einsum: Einsum, tensor: str, word_bits: int) -> Fraction:
    return Fraction(graph.elements(einsum, tensor) * graph.tensor[tensor].bits, word_bits)
