"""What a goal leaves of the systolic mapspace: the search finds the best of it, and of nothing else."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from archmodel import evaluate, search
from archmodel.engines.systolic.closed_form import Batch
from archmodel.engines.systolic.tiling import RANKS, ROLES, Tiling, words_of
from archmodel.engines.systolic.tree import from_tree
from archmodel.records.base import SpecError
from archmodel.records.constraints import AxisRule, Constraints, OrderRule, Rule, TileRule
from archmodel.records.goal import OBJECTIVES, Goal, Limit
from archmodel.records.graph import Graph
from mapper.pricing import target
from mapper.space import buffer_bytes
from mapper.systolic import choose

from .helpers import best_of, costs_of, distinct_orders, edge, every_mapping, gemm_graph, gemm_of

MACHINE = edge("memories.buffer.size=16 KiB")
WHERE = target(MACHINE, MACHINE.engine("array"))
SHAPE = {"m": 60, "n": 64, "k": 96}
BIG = gemm_graph((1, 60, 64, 96), bits=8)


def flow_of(work: Batch, at: int) -> str:
    return "os" if work.output[at] else "is" if work.n_is_i[at] else "ws"


def tiling_at(work: Batch, at: int) -> tuple[str, dict[str, int], tuple[str, ...]]:
    """Dataflow, tile of each rank, order of the loops."""
    roles = ROLES[flow_of(work, at)]
    return flow_of(work, at), dict(zip(roles, work.tile[:, at].tolist(), strict=True)), tuple(roles[role] for role in work.order[:, at])


def kept(work: Batch, able: object) -> Batch:
    return work[np.array([at for at in range(len(work)) if able(*tiling_at(work, at))], dtype=int)]  # type: ignore[operator]


def found(goal: Goal, graph: Graph = BIG) -> object:
    return choose(graph, graph.einsums[0], gemm_of(graph), WHERE, goal)


def constrained(*rules: Rule, **more: object) -> Goal:
    return Goal(constraints=Constraints(rules), **more)  # type: ignore[arg-type]


def once(order: tuple[str, ...], tile: dict[str, int]) -> tuple[str, ...]:
    """Ranks of several trips, in order."""
    return tuple(rank for rank in order if tile[rank] < SHAPE[rank])


def may_stand(first: tuple[str, ...], order: tuple[str, ...], tile: dict[str, int]) -> bool:
    """Whether the loops, those of one trip put anywhere, can begin with ``first``."""
    return any(other[: len(first)] == first and once(other, tile) == once(order, tile) for other in permutations(RANKS))


CASES = {
    "perfect": (Goal(tiles="perfect"), lambda flow, tile, order: all(SHAPE[rank] % size == 0 for rank, size in tile.items())),
    "one tile": (constrained(TileRule("*", "buffer", "m", only=(32,))), lambda flow, tile, order: tile["m"] == 32),
    "of one tensor, in a range": (constrained(TileRule("g00", "buffer", "k", tensor="b00", least=20, most=50)),
                                  lambda flow, tile, order: 20 <= tile["k"] <= 50),
    "multiples": (constrained(TileRule("g*", "buffer", "n", multiple=32)), lambda flow, tile, order: tile["n"] % 32 == 0),
    "another Einsum": (constrained(TileRule("g01", "buffer", "m", only=(32,))), lambda flow, tile, order: True),
    "order": (constrained(OrderRule("*", "buffer", allowed=(("k", "n"),))), lambda flow, tile, order: may_stand(("k", "n"), order, tile)),
    "dataflow": (constrained(AxisRule("*", "rows", ranks=("m",))), lambda flow, tile, order: flow == "os"),
    "no dataflow": (constrained(AxisRule("*", "cols", forbidden=("n",))), lambda flow, tile, order: flow == "is"),
}  # fmt: skip


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", CASES)
def test_the_best_of_what_is_left(name: str, objective: str) -> None:
    goal, able = CASES[name]
    goal = Goal(objective, goal.limits, goal.tiles, constraints=goal.constraints)
    best = found(goal)
    work = kept(every_mapping(SHAPE, True, WHERE.hardware), able)
    # Changes of layout are no part of the tilings: their cycles and energy are taken off by comparing within one dataflow.
    same = kept(work, lambda flow, tile, order: flow == best.tiling.flow)  # type: ignore[attr-defined]
    assert able(best.tiling.flow, {rank: best.tiling.tile(rank) for rank in RANKS}, best.tiling.order)  # type: ignore[attr-defined]
    assert best.space == distinct_orders(work)  # type: ignore[attr-defined]
    tiling = best.tiling  # type: ignore[attr-defined]
    chosen = {rank: tiling.tile(rank) for rank in RANKS}
    mine = kept(same, lambda flow, tile, order: tile == chosen and once(order, tile) == once(tiling.order, tile))
    cycles, energy = best_of(same, WHERE, objective=objective)
    found_energy, found_cycles = (column[0] for column in costs_of(mine, WHERE))
    value = {"latency": lambda e, c: c, "energy": lambda e, c: e, "edp": lambda e, c: e * c}[objective]
    if objective != "edp":  # the changes of layout multiply in
        assert value(found_energy, found_cycles) == pytest.approx(value(energy, cycles), rel=1e-12)


def test_the_order_that_is_asked_for_is_in_the_tree() -> None:
    """Also where a loop of one trip has to stand first."""
    graph = gemm_graph((1, 8, 70, 90))
    goal = constrained(OrderRule("*", "buffer", allowed=(("n", "m"),)), TileRule("*", "buffer", "m", only=(8,)))
    mapping = search(graph, MACHINE, goal=goal)
    placed = from_tree(graph, graph.einsums[0], mapping.trees[0], MACHINE.engine("array"))
    assert placed.tiling.order[:2] == ("n", "m") and placed.tiling.tile_m == 8
    assert evaluate(graph, mapping, MACHINE).cycles > 0


@pytest.mark.parametrize("most", [4096, 9000])
def test_a_limit_on_the_buffer(most: int) -> None:
    """The best of the tilings whose tiles take no more bytes, in all banks."""
    def size(flow: str, tile: dict[str, int]) -> int:
        words = words_of(Tiling(60, 64, 96, tile["m"], tile["n"], tile["k"], flow), tile, WHERE.hardware)
        return int(buffer_bytes(words, True, WHERE.hardware))

    best = found(Goal(limits=(Limit("buffer", most),)))
    tile = {rank: best.tiling.tile(rank) for rank in RANKS}  # type: ignore[attr-defined]
    assert size(best.tiling.flow, tile) <= most  # type: ignore[attr-defined]
    work = kept(every_mapping(SHAPE, True, WHERE.hardware), lambda flow, tile, order: size(flow, tile) <= most)
    assert best.space == distinct_orders(work)  # type: ignore[attr-defined]
    same = kept(work, lambda flow, tile, order: flow == best.tiling.flow)  # type: ignore[attr-defined]
    if best.tiling.flow == "ws":  # type: ignore[attr-defined]
        assert best.cycles == best_of(same, WHERE)[0]  # type: ignore[attr-defined]


def test_nothing_left() -> None:
    with pytest.raises(SpecError) as caught:
        found(constrained(TileRule("*", "buffer", "m", only=(7,)), TileRule("*", "buffer", "m", only=(8,))))
    assert str(caught.value) == "einsum g00: no mapping of it on array keeps the constraints and limits; loosen them"
