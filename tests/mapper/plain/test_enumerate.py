"""The enumerator's own counting against the walker: mappings picked at random from the spaces that it enumerates."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from archmodel.records.mapping import Compute, Loop, Node, Storage

from .draw import Taste, chain, machine
from .enumerate import Arrangement, Job, Sheet, arrangements, job, operation, prices, row_cycles, rows
from .walk import cycles, energy_pj, walk

ANY = Taste(levels=(2, 3), words=(3, 30), bypass=0.4, holds=0.2, rates=0.4, unicast=0.3, operations=0.5,
            buffering=("shared", "double", "single"), word_bits=(4, 8, 16))  # fmt: skip


def tree_of(job: Job, arrangement: Arrangement, tiles: dict[str, tuple[int, ...]]) -> Node:
    node: Node = Compute(job.einsum.name, "array")
    for place in range(len(arrangement.kinds) - 1, -1, -1):
        for name, level, at in arrangement.nodes:
            if at == place:
                node = Storage(name, job.params.levels[level].name, node)
        for rank, cut in tiles.items() if place else ():
            node = Loop(rank, cut[place - 1], node, arrangement.kinds[place - 1])
    return node


@pytest.mark.parametrize("seed", range(60))
def test_a_price_is_what_is_walked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = machine(rng, ANY)
    graph = chain(rng, 1, (1, 2, 3, 4, 5), widths=(4, 8, 16))
    problem, scale = job(graph, graph.einsums[0], params, perfect=seed % 3 == 0), prices(graph, params)
    spaces = list(arrangements(problem))
    for pick in rng.integers(len(spaces), size=4):
        sheet = Sheet(problem, spaces[pick], scale)
        sheet.told = {rank: rng.integers(len(chains.tiles), size=1) for rank, chains in sheet.chains.items()}
        sheet.fill()
        row = np.array([int(np.ravel(column)[0]) for column in sheet.columns])
        tree = tree_of(problem, spaces[pick], {rank: chains.tiles[int(sheet.told[rank][0])] for rank, chains in sheet.chains.items()})
        done = walk(tree, graph, params)
        compute = int(row[1]) * operation(problem.einsum, params)[0] / params.macs_per_cycle
        assert Fraction(int(row[0]), scale.energy) == energy_pj(done), f"{params}\n{tree}"
        assert row_cycles(row, scale, compute) == cycles(done), f"{params}\n{tree}"
        held = {level.name: Fraction(int(np.ravel(sheet.tiles(place))[0]), scale.words) for place, level in enumerate(params.levels)}
        assert held == {level.name: done.peak[level.name] for level in params.levels}


def test_nothing_is_left_out() -> None:
    """A copy of three elements through one level: each way to cut it in front of either node, in either order."""
    rng = np.random.default_rng(0)
    params = machine(rng, Taste(levels=(2,), words=(30, 31), axes=0.0, bypass=0.0))
    graph = next(graph for graph in (chain(rng, 1, (3,), most=1) for _ in range(99)) if len(graph.einsums[0].inputs) == 1)
    problem = job(graph, graph.einsums[0], params)
    spaces = list(arrangements(problem))
    assert [[node[0] for node in space.nodes] for space in spaces] == [["t0", "t1"], ["t1", "t0"]]
    assert len(Sheet(problem, spaces[0], prices(graph, params)).chains["r0"].tiles) == 6  # 3 3, 3 2, 3 1, 2 2, 2 1, 1 1
    assert [words for _, _, words in rows(problem, prices(graph, params))] == [2, 3, 4, 5, 6]  # 1 1, 2 1, 3 1 or 2 2, 3 2, 3 3
