"""The enumerator of fused mappings against the walker, and the groups that it tries."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest

from archmodel.records.graph import Graph
from archmodel.records.mapping import Loop, Node, Sequence, Storage

from .chains import chains
from .draw import Taste, chain, chance, machine, outside
from .enumerate import Job, Sheet, arrangements, may_hold, row_cycles
from .fused import Group, front, partitions, undominated
from .test_enumerate import tree_of
from .walk import cycles, energy_pj, walk

ANY = Taste(levels=(2, 3), words=(3, 30), axes=0.6, bypass=0.4, holds=0.2, rates=0.4, unicast=0.3, operations=0.5,
            buffering=("shared", "double", "single"), word_bits=(4, 8, 16))  # fmt: skip


def drawn(seed: int) -> tuple[Group, np.random.Generator]:
    rng = np.random.default_rng(seed)
    params, graph = machine(rng, ANY), chain(rng, 2 + seed % 2, (1, 2, 3, 4, 5), widths=(4, 8, 16))
    group = graph.einsums
    return Group(outside(graph, "t1") if chance(rng, 0.3) else graph, group, params, perfect=chance(rng, 0.3)), rng


@pytest.mark.parametrize("seed", range(60))
def test_a_price_is_what_is_walked(seed: int) -> None:
    """A shared path and bodies under it, drawn from what is enumerated."""
    group, rng = drawn(seed)
    if not all(may_hold(group.graph, group.params.levels[1], name) for name in group.passed):
        return
    others = [name for name in group.tensors if name not in group.passed and may_hold(group.graph, group.params.levels[1], name)]
    order = tuple(rng.permutation([*group.passed, *(name for name in others if chance(rng, 0.5))]).tolist())
    kinds = {rank: ("",) * (len(order) + 1) if group.cuttable(rank) else () for rank in group.sizes}
    cut = {rank: chains((extent,), kinds[rank], group.perfect) for rank, extent in group.sizes.items()}
    pick = {rank: int(rng.integers(len(mine.tiles))) for rank, mine in cut.items()}
    ends = {rank: range(1, len(order) + 2) if kinds[rank] else [0] * (len(order) + 1) for rank in cut}
    visits = {rank: np.array([[mine.visits(at, 0)[pick[rank]] for at in ends[rank]]]) for rank, mine in cut.items()}
    largest = {rank: np.array([[mine.largest(at)[pick[rank]] for at in ends[rank]]]) for rank, mine in cut.items()}
    shared = group._nodes(order, visits, largest)[0]
    left = {rank: mine.finals()[pick[rank]] for rank, mine in cut.items()}
    row, peaks, bodies = _bodies(group, rng, frozenset(order), left, shared)
    tree: Node = Sequence(tuple(bodies))
    for place in range(len(order), -1, -1):
        tree = Storage(order[place], "l1", tree) if place < len(order) else tree
        for rank, mine in cut.items():
            if kinds[rank] and mine.visits(place + 1, 0)[pick[rank]] > mine.visits(place, 0)[pick[rank]]:
                tree = Loop(rank, mine.tiles[pick[rank]][place], tree)
    done = walk(tree, group.graph, group.params)
    assert Fraction(int(row[0]), group.scale.energy) == energy_pj(done), f"{group.graph}\n{tree}"
    assert row_cycles(row, group.scale, Fraction(int(row[1]), group.ticks)) == cycles(done), f"{group.graph}\n{group.params}\n{tree}"
    assert Fraction(max(peaks), group.scale.words) == done.peak["l1"], f"{group.graph}\n{tree}"


def _bodies(group: Group, rng: np.random.Generator, homes: frozenset[str], left: dict[str, tuple[int, ...]],
            shared: np.ndarray) -> tuple[np.ndarray, list[int], list[Node]]:  # fmt: skip
    """Random ones: the whole price, words of the first level in each, trees."""
    row = np.concatenate(([shared[len(group.group)]], [0, 0], shared[len(group.group) + 1 :]))
    peaks, trees = [], []
    for index, einsum in enumerate(group.group):
        job = Job(group.graph, einsum, group._inner(), {rank: left[rank] for rank, _ in einsum.ranks},
                  homes & {*einsum.inputs, einsum.output}, perfect=group.perfect)  # fmt: skip
        spaces = list(arrangements(job))
        space = spaces[int(rng.integers(len(spaces)))]
        sheet = Sheet(job, space, group.scale)
        sheet.told = {rank: rng.integers(len(mine.tiles), size=1) for rank, mine in sheet.chains.items()}
        sheet.fill()
        mine = np.array([int(np.ravel(column)[0]) for column in sheet.columns])
        peaks.append(int(shared[index] + mine[2]))
        mine[1] *= group.each[einsum.name]
        row = row + mine * prod(len(left[rank]) for rank in left if rank not in dict(einsum.ranks))
        trees.append(tree_of(job, space, {rank: mine.tiles[int(sheet.told[rank][0])] for rank, mine in sheet.chains.items()}))
    return row, peaks, trees


def _chain(*reads: tuple[str, ...]) -> Graph:
    """Three Einsums in a row; the last may read the first one's result too."""
    return next(graph for graph in (chain(np.random.default_rng(seed), 3, (2,)) for seed in range(999))
                if [tuple(name for name in einsum.inputs if name[0] == "t") for einsum in graph.einsums] == list(reads))  # fmt: skip


@pytest.mark.parametrize("last", [("t2",), ("t2", "t1")])
def test_every_grouping_is_tried(last: tuple[str, ...]) -> None:
    """The first and the last by themselves are none: the last reads what both others make, but the middle one stands between."""
    graph = _chain(("t0",), ("t1",), last)
    names = [["".join(einsum.name for einsum in group) for group in groups] for groups in partitions(graph)]
    assert sorted(names) == [["e0", "e1", "e2"], ["e0", "e1e2"], ["e0e1", "e2"], ["e0e1e2"]]


def test_what_is_beaten_is_dropped() -> None:
    assert front(np.array([[3, 3], [1, 4], [3, 2], [3, 2]])).tolist() == [[1, 4], [3, 2]]
    assert undominated({(Fraction(2), 5), (Fraction(2), 4), (Fraction(3), 4), (Fraction(3), 1)}) == {(Fraction(2), 4), (Fraction(3), 1)}
