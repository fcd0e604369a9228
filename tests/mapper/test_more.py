"""What more of a resource brings, and what constraints cost, are searches again: each figure is that of the changed machine or goal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import load_machine
from archmodel.cost import default_costs
from archmodel.records.constraints import AxisRule, Constraints, TileRule
from archmodel.records.goal import Goal, Limit
from archmodel.records.machine import Machine
from archmodel.workload.gemm import gemm_graph
from mapper.more import gains, optimum, resources
from mapper.prices import prices

GRAPH = gemm_graph(64, 64, 64)
COSTS = default_costs()
GOAL = Goal("energy", tiles="perfect")


def words(level: str, count: int) -> Machine:
    return load_machine("plain-a3", [f"engines.array.levels.{level}.words={count}"])


def test_each_gain_is_the_optimum_of_the_machine_with_more() -> None:
    machine = load_machine("plain-a3")
    now = optimum(GRAPH, machine, COSTS, GOAL)
    found = {gain.resource: gain for gain in gains(GRAPH, machine, COSTS, GOAL, now)}
    assert list(found) == ["buffer", "rows", "cols", "register"]
    register = found["register"]
    assert register.one_more == optimum(GRAPH, words("register", 65), COSTS, GOAL)
    assert register.twice == optimum(GRAPH, words("register", 128), COSTS, GOAL) < now
    assert register.next is not None and register.then == optimum(GRAPH, words("register", register.next), COSTS, GOAL) < now
    assert optimum(GRAPH, words("register", register.next - 1), COSTS, GOAL) == now
    assert found["buffer"].twice == now and found["buffer"].next is None


def test_a_machine_that_is_refused_says_why() -> None:
    machine = load_machine("edge-npu")
    goal = Goal()
    found = {gain.resource: gain for gain in gains(GRAPH, machine, COSTS, goal, optimum(GRAPH, machine, COSTS, goal))}
    assert found["array rows"].one_more is None and "port_bytes 16 does not divide" in found["array rows"].why
    assert found["array rows"].twice is not None and found["dram bandwidth"].one_more is not None


def test_every_resource_grows_by_itself() -> None:
    for name in ("plain-a3", "edge-npu", "edge-attention"):
        machine = load_machine(name)
        for resource in resources(machine):
            assert resource.grown(resource.have) == machine
            assert resource.grown(resource.have * 2) != machine


def test_prices_are_differences_of_optima() -> None:
    machine = load_machine("plain-a3")
    tile, axis, limit = TileRule("*", "register", "k", only=(2,)), AxisRule("*", "cols", None, ("k",)), Limit("latency", 4096)
    goal = replace(GOAL, constraints=Constraints((tile, axis)), limits=(limit,))
    now, free = optimum(GRAPH, machine, COSTS, goal), optimum(GRAPH, machine, COSTS, GOAL)
    least, found = prices(GRAPH, machine, COSTS, goal, now)
    assert least == free <= now
    by = {price.rule: price for price in found}
    assert by[tile].alone == optimum(GRAPH, machine, COSTS, replace(GOAL, constraints=Constraints((tile,)))) - free > 0
    assert by[axis].last == now - optimum(GRAPH, machine, COSTS, replace(goal, constraints=Constraints((tile,))))
    assert by[limit].alone == optimum(GRAPH, machine, COSTS, replace(GOAL, limits=(limit,))) - free


@pytest.mark.parametrize("others", [(), (Limit("latency", 4096),)])
def test_a_rule_without_which_nothing_is_left_has_no_price(others: tuple[Limit, ...]) -> None:
    machine = load_machine("plain-a3")
    none = Limit("energy", 1)
    _, found = prices(GRAPH, machine, COSTS, replace(GOAL, limits=(none, *others)), 0.0)
    assert found[0].alone is None and (found[0].last is not None)
