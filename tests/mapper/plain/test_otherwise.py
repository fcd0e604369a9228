"""Machines that count as another tool: searched as AccelForge counts, priced as they say, with a bound that holds for all."""

from __future__ import annotations

import pytest

from archmodel import load_machine, search
from archmodel.engines.plain.cost import cost_of
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal, Limit
from archmodel.records.machine import Machine
from archmodel.workload.gemm import gemm_graph

GRAPH = gemm_graph(2, 2, 4)
SMALL = ["engines.array.levels.buffer.axes.rows=1", "engines.array.levels.buffer.axes.cols=1", "engines.array.levels.register.words=3"]
"""One element with room for one word of each operand: c stays, so its first visits are all that ZigZag counts more."""


def small(counting: str) -> Machine:
    return load_machine("plain-a3", [*SMALL, f"engines.array.counting={counting}"])


@pytest.mark.parametrize("counting", ["timeloop", "zigzag"])
@pytest.mark.parametrize("objective", ["energy", "latency", "edp"])
def test_it_is_the_tree_of_accelforges_counts_priced_otherwise(counting: str, objective: str) -> None:
    machine, goal = small(counting), Goal(objective, tiles="perfect")
    found, free = search(GRAPH, machine, goal=goal), search(GRAPH, small("accelforge"), goal=goal)
    cost = cost_of(GRAPH, found.trees[0], machine.engine("array").params)
    certificate = found.certificate
    assert found.trees == free.trees and certificate and free.certificate
    assert certificate.value == {"energy": cost.energy_pj, "latency": cost.cycles, "edp": cost.energy_pj * cost.cycles}[objective]
    assert certificate.scope.endswith(f"searched as accelforge counts, priced as {counting} does")
    assert certificate.lower_bound <= certificate.value


def test_the_bound_is_points_and_home_traffic() -> None:
    """16 multiply-adds, 16 words of inputs read from DRAM, 4 of results written: nothing is proved of the rest."""
    found = search(GRAPH, small("timeloop"), goal=Goal("energy", tiles="perfect"))
    assert found.certificate is not None
    assert found.certificate.lower_bound == 16 + 200 * (16 + 4)
    assert not found.certificate.optimal and found.certificate.gap > 0


def test_a_limit_holds_as_the_machine_counts() -> None:
    goal = Goal("energy", tiles="perfect")
    free, plain = search(GRAPH, small("zigzag"), goal=goal).certificate, search(GRAPH, small("accelforge"), goal=goal).certificate
    assert free and plain and free.value == plain.value + 4
    with pytest.raises(SpecError, match=r"^the limit on energy: no mapping .* was found with .*; the least that was found is [0-9,]+$"):
        search(GRAPH, small("zigzag"), goal=Goal("energy", (Limit("energy", plain.value + 1),), "perfect"))
