"""Fused search on plain machines: AccelForge's cases, every mapping of small problems, planted faults.  About 12 CPU s."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import load_machine, load_model
from archmodel.cascade.graph import graph_of as cascade_graph
from archmodel.engines.plain.cost import cost_of
from archmodel.load import load_cascade
from archmodel.records.constraints import Constraints, GroupRule, TreeRule
from archmodel.records.goal import Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, leaves
from mapper.plain import fused, groups
from mapper.plain.grouping import Grouping
from mapper.plain.shared import Shared
from mapper.search import search
from tests.engines.plain.small import graph_of

from .problems import Small, best, key, small

ENERGY = Goal("energy", tiles="perfect")


def attention(h: int, m: int, p: int, e: int) -> Graph:
    return graph_of({"h": h, "m": m, "p": p, "e": e, "f": e}, "qk[h,m,p] = mul+add q[h,m,e] k[h,p,e]", "sm[h,m,p] = exp qk[h,m,p]",
                    "av[h,m,f] = mul+add sm[h,m,p] v[h,p,f]")  # fmt: skip


def chain(m: int, a: int, b: int, c: int) -> Graph:
    return graph_of({"m": m, "a": a, "b": b, "c": c}, "x[m,b] = mul+add i[m,a] w[a,b]", "y[m,c] = mul+add x[m,b] v[b,c]")


def plain(buffer: int = 131072, register: int = 64, side: int = 16) -> Machine:
    machine = load_machine("plain-a3")
    engine = machine.engines[0]
    dram, middle, inner = engine.params.levels
    axes = tuple(replace(axis, size=side) for axis in middle.axes)
    levels = (dram, replace(middle, words=buffer, axes=axes), replace(inner, words=register))
    return replace(machine, engines=(replace(engine, params=replace(engine.params, levels=levels)),))


def proved(graph: Graph, machine: Machine, goal: Goal = ENERGY) -> Mapping:
    """The mapping found, its certificate's value checked against what its trees cost."""
    found = search(graph, machine, goal=goal)
    repeats = {einsum.name: einsum.repeat for einsum in graph.einsums}
    costs = [(cost_of(graph, tree, machine.engines[0].params), repeats[leaves(tree)[0].einsum]) for tree in found.trees]
    assert found.certificate is not None and found.certificate.optimal
    if goal.objective == "energy":
        assert found.certificate.value == sum(cost.energy_pj * times for cost, times in costs)
    return found


# AccelForge 1.0.467, one worker, perfect factors: pJ of the whole graph.
ACCELFORGE = [
    (attention(32, 4096, 4096, 128), plain(), 870_334_857_216),
    (attention(2, 64, 64, 32), plain(), 6_361_088),
    (attention(8, 1, 4096, 128), plain(), 1_830_383_616),
    (attention(4, 512, 512, 64), plain(), 851_050_496),
    (attention(2, 48, 36, 8), plain(600, 8, 4), 1_348_992),
    (chain(256, 128, 512, 128), plain(), 221_839_360),
    (chain(1024, 256, 1024, 256), plain(), 3_887_071_232),
    (chain(60, 30, 42, 24), plain(900, 8, 4), 3_695_040),
    (chain(2048, 2048, 8192, 2048), plain(), 505_757_564_928),
]


@pytest.mark.parametrize(("graph", "machine", "peer"), ACCELFORGE)
def test_energy_is_never_above_accelforge(graph: Graph, machine: Machine, peer: int) -> None:
    found = proved(graph, machine).certificate
    assert found is not None and found.value <= peer


def test_fused_attention_is_the_mapping_of_accelforge() -> None:
    """Queries and results stay for all keys, which come 16 times: 870,334,857,216 pJ, of which DRAM takes 114,085,068,800."""
    graph = attention(32, 4096, 4096, 128)
    found = proved(graph, plain())
    assert len(found.trees) == 1
    cost = cost_of(graph, found.trees[0], plain().engines[0].params)
    assert (cost.energy_pj, dict(cost.energy_by)["dram"]) == (870_334_857_216, 114_085_068_800)


def test_kept_apart_it_costs_what_accelforge_says_unfused() -> None:
    apart = Constraints((GroupRule(("qk", "sm", "av"), False),))
    found = proved(attention(32, 4096, 4096, 128), plain(), replace(ENERGY, constraints=apart)).certificate
    assert found is not None and found.value == 1_252_721_164_288


def exact(seed: int, count: int) -> Small | None:
    """A drawn problem that the search proves, for energy or latency and with perfect tiles; None for another one."""
    drawn = small(seed, count)
    levels = drawn.params.levels
    rates = any((level.bandwidth, level.read_bandwidth, level.write_bandwidth) != (None, None, None) for level in levels)
    if rates or any(level.bypass or level.holds for level in levels) or not Grouping.takes(drawn.machine.engines[0]):
        return None
    return replace(drawn, goal=Goal("latency" if drawn.goal.objective == "latency" else "energy", tiles="perfect"))


def same(problem: Small) -> bool:
    """Whether the search finds what the enumeration finds."""
    want = best(problem)
    if want is None:
        return True
    found = search(problem.graph, problem.machine, goal=problem.goal).certificate
    assert found is not None
    return found.optimal and found.value == key(want, problem.goal.objective)[0]


@pytest.mark.parametrize(("count", "seeds"), [(2, range(100)), (3, range(60))])
def test_the_search_finds_what_enumeration_finds(count: int, seeds: range) -> None:
    problems = [problem for seed in seeds if (problem := exact(seed, count)) is not None]
    assert len(problems) >= 10
    assert not [str(problem) for problem in problems if not same(problem)]


FAULTS = {
    "intermediates are written home": lambda patch: patch.setattr(Shared, "constant", property(lambda self: 1000 + 0j)),
    "nothing stays above loops": lambda patch: patch.setattr(Shared, "able", ()),
    "nothing is fused": lambda patch: patch.setattr(groups.Flow, "group", lambda self, which: None),
    "bodies have no room": lambda patch: patch.setattr(fused.Fusion, "free", lambda self, point, body: 8.0),
    "bodies have all the room": lambda patch: patch.setattr(fused.Fusion, "free", lambda self, point, body: self.shared.room),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    seen = False
    for graph, machine, peer in (ACCELFORGE[4], ACCELFORGE[7]):
        try:
            found = search(graph, machine, goal=ENERGY).certificate
            seen = seen or found is None or found.value > peer or not found.optimal
        except Exception:  # a tree that is not legal
            seen = True
    assert seen


def test_a_model_is_mapped_whole() -> None:
    graph = load_model("mixtral-8x7b").prefill(tokens=256)
    graph = replace(graph, einsums=tuple(einsum for einsum in graph.einsums if not einsum.name.startswith("experts.")))
    found = proved(graph, plain())
    assert sorted(leaf.einsum for tree in found.trees for leaf in leaves(tree)) == sorted(einsum.name for einsum in graph.einsums)
    assert max(len(leaves(tree)) for tree in found.trees) >= 4


def test_the_same_search_finds_the_same() -> None:
    assert search(chain(256, 128, 512, 128), plain(), goal=ENERGY) == search(chain(256, 128, 512, 128), plain(), goal=ENERGY)


def test_a_budget_stops_early_with_an_honest_bound_and_is_replayed() -> None:
    graph = attention(32, 4096, 4096, 128)
    few = search(graph, plain(), goal=replace(ENERGY, nodes=2)).certificate
    assert few is not None and few.nodes <= 2
    assert few.lower_bound <= 870_334_857_216 <= few.value
    timed = search(graph, plain(), goal=replace(ENERGY, seconds=1e-6)).certificate
    assert timed is not None
    again = search(graph, plain(), goal=replace(ENERGY, nodes=max(1, timed.nodes))).certificate
    assert again is not None and again.value <= timed.value


def test_a_tree_that_is_given_is_taken() -> None:
    graph = chain(64, 32, 64, 32)
    alone = search(chain(64, 32, 64, 32), plain(), goal=replace(ENERGY, constraints=Constraints((GroupRule(("x", "y"), False),))))
    tree = next(tree for tree in alone.trees if leaves(tree)[0].einsum == "x")
    found = proved(graph, plain(), replace(ENERGY, constraints=Constraints((TreeRule(tree),))))
    assert set(found.trees) == set(alone.trees)


def test_what_reads_its_own_result_is_mapped_by_itself() -> None:
    """A running maximum reads what its step before gave: nothing is proved of it but what is compulsory."""
    graph = cascade_graph(load_cascade("one-pass", {"p": 64, "m1": 4}))
    found = search(graph, plain(), goal=ENERGY)
    own = {einsum.name for einsum in graph.einsums if einsum.output in einsum.inputs}
    assert own and own <= {leaves(tree)[0].einsum for tree in found.trees if len(leaves(tree)) == 1}
    assert found.certificate is not None and found.certificate.lower_bound < found.certificate.value
