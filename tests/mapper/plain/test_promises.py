"""What the search of one Einsum promises is what its tree costs: energy and cycles, counted from the tree alone."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from archmodel import load_machine, search
from archmodel.engines.plain.cost import cost_of
from archmodel.records.goal import Goal
from archmodel.workload.gemm import gemm_graph
from mapper.plain import plan
from mapper.plain.one import best
from mapper.plain.problem import problem

from . import draw

ANY = draw.Taste(words=(4, 40), holds=0.2, rates=0.4, unicast=0.3, operations=0.5, buffering=("shared", "double", "single"),
                 word_bits=(8, 16))  # fmt: skip


def broken(count: int) -> list[str]:
    """Of so many random Einsums and machines, those whose promise is not kept."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        graph = draw.chain(rng, 1, (2, 4, 6), most=2, widths=(8, 12))
        params = draw.machine(rng, ANY)
        choice = best(problem(graph, graph.einsums[0], "array", params), Goal("energy", tiles="perfect"))
        if choice is not None:
            cost = cost_of(graph, choice.tree, params)
            if (choice.energy_pj, choice.cycles) != (cost.energy_pj, ceil(cost.cycles)):
                found.append(f"{seed}: promised {choice.energy_pj} pJ in {choice.cycles} cycles, costs {cost.energy_pj} in {cost.cycles}")
    return found


def test_energy_and_cycles_are_those_of_the_tree() -> None:
    assert broken(32) == []


def test_a_price_that_is_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_times", lambda rate, amount: float(rate) if isinstance(amount, np.ndarray) else rate + Fraction(1, 7))
    assert broken(4)


def test_an_append_to_a_cache_is_searched_by_what_it_appends() -> None:
    from tests.engines.plain.small import A3, graph_of

    graph = graph_of({"s": 8, "p": 512, "e": 4}, "c[p,e] = copy x[s,e]", points=32)
    found = best(problem(graph, graph.einsums[0], "array", A3), Goal("energy"))
    assert found is not None
    assert found.energy_pj == cost_of(graph, found.tree, A3).energy_pj == 32 * (2 * 200 + 4 * 6 + 4 * 1 + 1)


def test_a_budget_leaves_a_gap_and_says_so() -> None:
    graph, machine = gemm_graph(1024, 1024, 1024), load_machine("plain-a3")
    soon, later = (search(graph, machine, goal=Goal("energy", nodes=nodes)).certificate for nodes in (2_000, 500_000))
    assert soon is not None and later is not None
    assert not soon.optimal and soon.gap > 0 and soon.nodes >= 2_000 and soon.space > 1
    assert soon.lower_bound <= later.lower_bound <= later.value <= soon.value
    assert search(graph, machine, goal=Goal("energy", nodes=2_000)).certificate == soon
