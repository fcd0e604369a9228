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
