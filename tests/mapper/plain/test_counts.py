"""The closed-form counts of a plain engine against the walker, on random machines, Einsums and trees: every one of them exactly."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from archmodel.engines.plain import cost
from archmodel.engines.plain.legality import room
from archmodel.engines.plain.tree import nest_of
from archmodel.records.engines.plain import Params
from archmodel.records.graph import Graph
from archmodel.records.mapping import Node

from .draw import Taste, Trees, chain, chance, machine, outside
from .walk import Walk, cycles, energy_pj, totals, walk

TREES = 600
PARTS = 4
ANY = Taste(bypass=1.0, rates=0.4, unicast=0.3, operations=0.5, buffering=("shared", "double", "single"), word_bits=(4, 8, 16))


def drawn(seed: int) -> tuple[Graph, Params, Node]:
    """One Einsum, two or three fused ones; levels without a bound, that every tensor may skip."""
    rng = np.random.default_rng(seed)
    count = 1 + seed % 3
    params = machine(rng, replace(ANY, levels=(1, 2, 3, 4) if count == 1 else (2, 3)))
    params = replace(params, levels=tuple(replace(level, words=None) for level in params.levels))
    graph = chain(rng, count, (1, 2, 3, 4, 5, 7) if count == 1 else (1, 2, 3, 4), widths=(4, 8, 16))
    group = graph.einsums
    if count > 1 and chance(rng, 0.2):
        graph = outside(graph, "t1")
    return graph, params, Trees(rng, graph, params, group).tree()


def differences(graph: Graph, params: Params, tree: Node) -> list[str]:
    """What the closed forms say otherwise than the walk."""
    done, price = walk(tree, graph, params), cost.cost_of(graph, tree, params)
    found = [(f"{row.level} {row.tensor}", (row.reads, row.writes), _words(done, row.level, row.tensor)) for row in price.traffic]
    found.append(("places", {(row.level, row.tensor) for row in price.traffic if row.reads or row.writes}, set(totals(done))))
    found.append(("energy", price.energy_pj, energy_pj(done)))
    found.append(("cycles", price.cycles, cycles(done)))
    found.append(("points", dict(price.points), dict(done.points)))
    held = zip(params.levels, room(graph, nest_of(graph, tree, params), params), strict=True)
    inner = {level.name: words for level, words in held if level.name != "l0"}
    found.append(("room", inner, {name: done.peak[name] for name in inner}))
    return [f"{what}: closed form {ours}, walked {theirs}" for what, ours, theirs in found if ours != theirs]


def _words(done: Walk, level: str, tensor: str) -> tuple[Fraction, ...]:
    each = Fraction(done.graph.tensor[tensor].bits, done.params.levels[done.params.depth[level]].word_bits)
    return tuple(each * elements for elements in totals(done).get((level, tensor), (0, 0)))


@pytest.mark.parametrize("part", range(PARTS))
def test_every_count_equals_what_was_walked(part: int) -> None:
    for seed in range(part, TREES, PARTS):
        graph, params, tree = drawn(seed)
        assert not (found := differences(graph, params, tree)), f"seed {seed}: {found}\n{graph.einsums}\n{params}\n{tree}"
