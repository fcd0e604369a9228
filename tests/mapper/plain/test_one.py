"""The search of one Einsum on a plain engine: published optima, proved."""

import pytest

from archmodel import load_machine
from archmodel.engines.plain.cost import cost_of
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph, Stage, Tensor
from mapper.plain.one import best
from mapper.plain.problem import problem


def gemm(m: int, n: int, k: int) -> Graph:
    tensors = (Tensor("A", "activation", ("m", "k"), 8), Tensor("B", "weight", ("k", "n"), 8), Tensor("C", "activation", ("m", "n"), 8))
    einsum = Einsum("product", "products", "C", ("A", "B"), (("k", k), ("m", m), ("n", n)), "mul", "add")
    return Graph("gemm", Stage("gemm", "prefill", 1, 1, 1, 1, ()), tensors, (einsum,), ())


@pytest.mark.parametrize(("m", "n", "k", "energy", "cycles"), [
    (64, 64, 64, 3_928_064, 2048),
    (512, 512, 512, 1_022_885_888, 524_288),  # AccelForge 1.0.467: 1,027,080,192
    (1, 4096, 4096, 3_660_857_344, 4_194_304),
    (100, 300, 70, 22_845_000, 15_000),
])  # fmt: skip
def test_energy_with_perfect_tiles(m: int, n: int, k: int, energy: int, cycles: int) -> None:
    machine = load_machine("plain-a3")
    engine, graph = machine.engines[0], gemm(m, n, k)
    found = best(problem(graph, graph.einsums[0], engine.name, engine.params), Goal("energy", tiles="perfect"))
    assert found is not None
    cost = cost_of(graph, found.tree, engine.params)
    assert (found.energy_pj, found.cycles) == (energy, cycles) == (cost.energy_pj, cost.cycles)


def test_a_budget_of_nodes_stops_with_a_bound_and_again_at_the_same_place() -> None:
    machine = load_machine("plain-a3")
    engine, graph = machine.engines[0], gemm(64, 64, 64)
    mine = problem(graph, graph.einsums[0], engine.name, engine.params)
    stopped, again, proved = (best(mine, Goal("energy", tiles=tiles, nodes=nodes))
                              for tiles, nodes in (("ragged", 20_000), ("ragged", 20_000), ("perfect", None)))  # fmt: skip
    assert stopped and again and proved
    assert proved.lower_bound is None
    assert (stopped.energy_pj, stopped.lower_bound, stopped.nodes) == (again.energy_pj, again.lower_bound, again.nodes)
    assert stopped.tree == again.tree
    assert stopped.lower_bound is not None and stopped.lower_bound <= stopped.energy_pj <= proved.energy_pj
    assert stopped.space > proved.space > proved.nodes


def test_ragged_tiles_are_never_worse_than_perfect_ones() -> None:
    machine = load_machine("plain-a3")
    engine, graph = machine.engines[0], gemm(1021, 509, 127)
    found = best(problem(graph, graph.einsums[0], engine.name, engine.params), Goal("energy"))
    assert found and found.energy_pj == 486_283_552  # 1,404,211,485 with perfect tiles, of which primes have none
    assert cost_of(graph, found.tree, engine.params).energy_pj == found.energy_pj
