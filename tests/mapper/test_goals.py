"""Goals that no operator can meet by itself: products and limits over a whole graph, against every pair of mappings."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.engines import Work, engine_module
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal, Limit
from mapper.pricing import target

from .helpers import costs_of, edge, every_mapping, gemm_graph

MACHINE = edge("memories.buffer.size=16 KiB", "memories.dram.latency=20 ns")
SHAPES = ((1, 60, 64, 96), (1, 33, 80, 48))
GRAPH = gemm_graph(*SHAPES, repeat=3)


def everything() -> list[tuple[np.ndarray, np.ndarray]]:
    """Picojoules and cycles of all mappings of each product, changes of layout and static power included."""
    where, turner, found = target(MACHINE, MACHINE.engine("array")), MACHINE.engine("vector"), []
    for number, einsum in enumerate(GRAPH.einsums):
        gemm = GRAPH.gemm(einsum)
        work = every_mapping({"m": gemm.m, "n": gemm.n, "k": gemm.k}, True, where.hardware)
        energy, cycles = costs_of(work, where)
        for flow, mine in (("os", work.output), ("is", work.n_is_i)):
            for name in (f"a{number:02}", *((f"c{number:02}",) if flow == "is" else ())):
                row = engine_module(turner).relayout(Work(GRAPH, (), {}, MACHINE, turner, "analytic", where.costs), einsum, name)
                energy = energy + mine * (row.energy.value + where.static_pj * row.cycles) / 3
                cycles = cycles + mine * (row.cycles // 3)
        found.append((energy * 3, cycles * 3))
    return found


EVERYTHING = everything()


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Of every pair of mappings that no other of its product beats, energy and cycles."""
    fronts = []
    for energy, cycles in EVERYTHING:
        fewest, front = np.inf, []
        for at in np.lexsort((cycles, energy)).tolist():
            if cycles[at] < fewest:
                fewest = cycles[at]
                front.append(at)
        fronts.append((energy[front], cycles[front]))
    (first, more), (second, other) = fronts
    return (first[:, None] + second[None, :]).ravel(), (more[:, None] + other[None, :]).ravel()


ENERGIES, CYCLES = pairs()


def test_energy_times_delay() -> None:
    proof = search(GRAPH, MACHINE, goal=Goal("edp")).certificate
    assert proof is not None and proof.optimal
    assert proof.value == pytest.approx((ENERGIES * CYCLES).min(), rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_least_energy_in_so_many_cycles_and_fewest_cycles_for_so_much_energy(share: float) -> None:
    most = int(CYCLES.min() + share * (CYCLES[ENERGIES.argmin()] - CYCLES.min()))
    mapping = search(GRAPH, MACHINE, goal=Goal("energy", (Limit("latency", most),)))
    result, proof = evaluate(GRAPH, mapping, MACHINE), mapping.certificate
    assert result.cycles <= most and proof is not None and result.energy is not None
    assert proof.value == pytest.approx(ENERGIES[most >= CYCLES].min(), rel=1e-12) == pytest.approx(result.energy.value, rel=1e-12)
    budget = float(ENERGIES.min() + share * (ENERGIES[CYCLES.argmin()] - ENERGIES.min())) * (1 + 1e-12)
    fast = search(GRAPH, MACHINE, goal=Goal("latency", (Limit("energy", budget),))).certificate
    assert fast is not None and fast.value == CYCLES[budget >= ENERGIES].min()


def test_limits_that_nothing_keeps_say_what_the_least_is() -> None:
    least = int(CYCLES.min())
    with pytest.raises(SpecError, match=rf" has latency of at most {least - 1:,}; the least is {least:,}$"):
        search(GRAPH, MACHINE, goal=Goal("energy", (Limit("latency", least - 1),)))
    with pytest.raises(SpecError, match=r"area.* 1\b.*[\d,.]{7}"):
        search(GRAPH, MACHINE, goal=Goal(limits=(Limit("area", 1.0),)))


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_the_value_is_what_evaluate_says(objective: str) -> None:
    """Of a whole model: elementwise operators, attention in the best of its ways, static power."""
    graph, machine = load_model("gpt2").prefill(40), load_machine("edge-attention")
    mapping = search(graph, machine, goal=Goal(objective))
    result, proof = evaluate(graph, mapping, machine), mapping.certificate
    assert proof is not None and proof.optimal and result.energy is not None and proof.scope
    value = {"latency": result.cycles, "energy": result.energy.value, "edp": result.energy.value * result.cycles}[objective]
    assert proof.value == pytest.approx(value, rel=1e-9)


def test_a_budget_of_nodes_is_for_all_operators() -> None:
    """Stopped early, twice alike, with an honest bound."""
    graph = gemm_graph((1, 1000, 1000, 1000), (1, 900, 800, 700))
    whole, *some = (search(graph, edge(), goal=Goal(nodes=nodes)) for nodes in (None, 1, 1))
    proof, early = whole.certificate, some[0].certificate
    assert proof is not None and early is not None and some[0] == some[1] and early == some[1].certificate
    assert early.nodes < proof.nodes and early.lower_bound <= proof.value <= early.value and not early.optimal
