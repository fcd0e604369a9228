"""Which of several able engines an operator goes to: the best alone, and with overlap the one that hides most."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.cost import default_costs
from archmodel.records.base import SpecError
from archmodel.records.constraints import Constraints, EngineRule
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Compute, leaf
from archmodel.workload.gemm import gemm_graph
from mapper.budget import Budget
from mapper.found import Found
from mapper.placement import Setting, cheapest
from mapper.search import search as of_one


def two(first: dict[str, int], second: dict[str, int]) -> Machine:
    """edge-npu with two arrays of these parameters behind its memory."""
    machine = load_machine("edge-npu")
    array = machine.engine("array")
    arrays = [Engine(name, "systolic", "core", replace(array.params, **fields), "buffer", "dram")
              for name, fields in (("one", first), ("two", second))]  # fmt: skip
    return replace(machine, engines=(*arrays, machine.engine("vector")))


WIDE, SMALL = {"rows": 16, "cols": 16}, {"rows": 8, "cols": 8, "port_bytes": 8}


@pytest.mark.parametrize(("m", "n", "k"), ((64, 64, 64), (1, 512, 256), (3, 8, 8), (200, 24, 72)))
@pytest.mark.parametrize("objective", ("latency", "energy"))
def test_an_operator_goes_to_the_engine_that_is_best_for_it(m: int, n: int, k: int, objective: str) -> None:
    graph, goal = gemm_graph(m, n, k), Goal(objective)
    for machine in (two(WIDE, SMALL), two(SMALL, WIDE)):
        found = evaluate(graph, search(graph, machine, goal=goal), machine)
        bound = [evaluate(graph, of_one(graph, machine, None, goal, {"gemm": name}), machine) for name in ("one", "two")]
        prices = [(result.seconds, result.energy.value) if result.energy else () for result in (found, *bound)]
        order = prices if objective == "latency" else [price[::-1] for price in prices]
        assert order[0] == min(order[1:])


def test_products_that_do_not_depend_on_each_other_run_on_both_arrays() -> None:
    graph, machine = load_model("gpt2").prefill(32), two(WIDE, WIDE)
    alone, beside = search(graph, machine), search(graph, machine, goal=Goal(overlap=True))
    engines = {leaf(tree).einsum: leaf(tree).engine for tree in beside.trees}
    assert len({leaf(tree).engine for tree in alone.trees}) == 2, "equal arrays: the first takes all, and the vector the rest"
    assert {engines[name] for name in ("attn.q", "attn.k", "attn.v")} == {"one", "two"}
    times = [evaluate(graph, mapping, machine).cycles for mapping in (alone, beside)]
    assert times[1] < times[0]
    assert evaluate(graph, beside, machine, "cycle").cycles == times[1]
    assert search(graph, machine, goal=Goal(overlap=True)) == beside


def test_what_fits_one_engine_only_goes_there() -> None:
    graph, setting = gemm_graph(8, 8, 8), Setting(load_machine("edge-npu"), default_costs(), Goal(), Budget())
    fine = Found(Compute("gemm", "array"), space=3)

    def refuse(_graph: Graph, einsum: Einsum) -> Found:
        raise SpecError(f"{einsum.name}: no tile fits")

    assert cheapest(graph, graph.einsums[0], [refuse, lambda _graph, _einsum: fine], 64, setting) == (fine, 64)
    with pytest.raises(SpecError, match="gemm: no tile fits"):
        cheapest(graph, graph.einsums[0], [refuse, refuse], 64, setting)


def test_a_plain_engine_beside_another_that_could_take_its_einsums_is_refused_and_a_rule_says_which() -> None:
    """Each alone proves its best; a mapping on the first of them is none of the whole machine."""
    plain = load_machine("plain-a3")
    slow, fast = (Engine(name, "plain", "core", replace(plain.engine("array").params, mac_pj=Fraction(pj)))
                  for name, pj in (("slow", 10), ("fast", 1)))  # fmt: skip
    graph = gemm_graph(16, 16, 16)
    for engines in ((slow, fast), (load_machine("edge-npu").engine("array"), fast)):
        machine = replace(load_machine("edge-npu"), engines=engines)
        with pytest.raises(SpecError, match=f"^machine edge-npu: {engines[0].name}, fast could share the Einsums, and a plain engine maps"):
            search(graph, machine, goal=Goal("energy", tiles="perfect"))
        rule = Constraints((EngineRule("*", ("fast",), "rules.yaml:1"),))
        found = search(graph, machine, goal=Goal("energy", tiles="perfect", constraints=rule))
        assert [leaf(tree).engine for tree in found.trees] == ["fast"]
