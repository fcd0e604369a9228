"""The search finds the optimum of the space that it states, the same one every time, and says how large that was."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

import mapper.cheapest
import mapper.systolic
from archmodel import evaluate, load_model, search
from archmodel.engines import Work, engine_module
from archmodel.engines.systolic import price
from archmodel.engines.systolic.energy import energy_pj
from archmodel.engines.systolic.tiling import ROLES
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from archmodel.records.goal import OBJECTIVES, Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from mapper.pricing import target
from mapper.space import count
from mapper.systolic import choose

from .helpers import (
    aim,
    best_of,
    costs_of,
    distinct_orders,
    edge,
    every_mapping,
    gemm_graph,
    gemm_of,
    generator,
    integers,
    random_hardware,
    random_port,
    searched,
)

Case = tuple[dict[str, int], bool, Hardware]


def case(rng: np.random.Generator, most: int) -> Case:
    return dict(zip("mnk", integers(rng, 3, most), strict=True)), bool(rng.integers(2)), random_hardware(rng)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_optimum_equals_pricing_everything(objective: str) -> None:
    """100 GEMMs that fit, of all legal tiles, with rounds and costs of changes of layout drawn too."""
    rng, done = generator(1), 0
    while done < 100:
        shape, requantise, hardware = case(rng, 90)
        work = every_mapping(shape, requantise, hardware)
        if not 0 < len(work) < 60_000:
            continue
        where, rounds = aim(hardware, random_port(rng)), int(rng.integers(1, 9))
        where = replace(where, static_pj=where.static_pj * (done % 2))
        turns = dict(zip(("ws", "is", "os"), (int(v) for v in rng.integers(0, 5000, 3)), strict=True))
        best = searched(shape, requantise, where, rounds, turns, objective).best
        assert best is not None
        cycles, energy = best_of(work, where, rounds, turns, objective)
        if objective == "edp":  # of equal products any
            assert best.energy_pj * best.cycles == pytest.approx(energy * cycles, rel=1e-12)
        else:
            assert (best.cycles, best.energy_pj) == (cycles, pytest.approx(energy, rel=1e-12)), (shape, hardware)
        done += 1


def test_energy_and_latency_have_different_optima() -> None:
    """Else three objectives would be one.  Where the machine draws much whatever it does, they often are."""
    rng, apart = generator(4), 0
    for _ in range(60):
        shape, requantise, hardware = case(rng, 400)
        where = replace(aim(hardware, random_port(rng)), static_pj=0.0)
        fast, thrifty = (searched(shape, requantise, where, objective=objective).best for objective in ("latency", "energy"))
        if fast and thrifty:
            assert fast.cycles <= thrifty.cycles and thrifty.energy_pj <= fast.energy_pj
            apart += thrifty.energy_pj < 0.999 * fast.energy_pj
    assert apart > 3


def test_a_bound_that_is_too_high_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with bounds a third too high the search prunes what is best."""
    rng, wrong = generator(2), 0
    monkeypatch.setattr(mapper.cheapest, "SEEDS", 1)
    for name in ("floor", "lower_bound", "cut_bound"):
        honest = getattr(mapper.pricing, name)
        monkeypatch.setattr(mapper.pricing, name, lambda *a, honest=honest: honest(*a) * 4 // 3 if a[0].output[0] else honest(*a) * 2)
    for _ in range(60):
        shape, requantise, hardware = case(rng, 90)
        work = every_mapping(shape, requantise, hardware)
        if 0 < len(work) < 60_000:
            where = aim(hardware, random_port(rng))
            best = searched(shape, requantise, where).best
            wrong += best is None or best.cycles != best_of(work, where)[0]
    assert wrong


def test_a_budget_stops_early_with_an_honest_gap() -> None:
    """The same again with as many nodes; the bound is below what the whole search finds."""
    graph, machine = gemm_graph((1, 1000, 1000, 1000)), edge()
    where = target(machine, machine.engine("array"))
    whole, some = (choose(graph, graph.einsums[0], gemm_of(graph), where, Goal(nodes=nodes)) for nodes in (None, 1))
    assert whole.lower_bound == whole.cycles <= some.cycles and some.lower_bound <= whole.cycles and some.nodes < whole.nodes
    assert asdict(some) == asdict(choose(graph, graph.einsums[0], gemm_of(graph), where, Goal(nodes=some.nodes)))


def brute_force(graph: Graph, machine: Machine, objective: str) -> tuple[tuple[float, float], int]:
    """What the objective compares, and the number of mappings, of a one-product graph over all splits, everything priced."""
    gemm, engine, (einsum,) = gemm_of(graph), machine.engine("array"), graph.einsums
    where, copies, found, space = target(machine, engine), engine.count, [], 0
    requantise, turner = graph.tensor["c00"].bits == 8, machine.engine("vector")

    def turned(flow: str) -> tuple[int, float]:
        work = Work(graph, (), {}, machine, turner, "analytic", where.costs)
        names = (("a00",) if flow != "ws" else ()) + (("c00",) if flow == "is" else ())
        rows = [engine_module(turner).relayout(work, einsum, name) for name in names]
        return sum(row.cycles for row in rows), sum(row.energy.value for row in rows)

    for split in ("",) if copies == 1 else ("m", "n", "batch"):
        sizes, runs, rest = {"m": gemm.m, "n": gemm.n, "k": gemm.k}, gemm.batch, 0
        if split in sizes:
            each = -(-sizes[split] // copies)
            sizes[split] = min(sizes[split], -(-each // 16) * 16)
            full, rest = divmod(getattr(gemm, split), sizes[split])
            runs *= full
        rounds = -(-gemm.batch // copies) if split == "batch" else gemm.batch
        if split == "batch" and gemm.batch == 1:
            continue
        work = every_mapping(sizes, requantise, where.hardware)
        space += distinct_orders(work)
        cost = price(work, where.hardware, where.port)
        energy, cycles = energy_pj(cost, where.hardware, where.prices) * runs, cost.cycles * rounds
        if rest:
            extent = work.extent.copy()
            for at in range(len(work)):
                flow = "os" if work.output[at] else "is" if work.n_is_i[at] else "ws"
                extent[ROLES[flow].index(split), at] = rest
            last = replace(work, extent=extent, tile=np.minimum(work.tile, extent))
            energy = energy + energy_pj(price(last, where.hardware, where.port), where.hardware, where.prices) * rounds
        turns = np.array([turned("os" if o else "is" if i else "ws") for o, i in zip(work.output, work.n_is_i, strict=True)])
        cycles = cycles + turns[:, 0].astype(int)
        energy = energy + turns[:, 1] + where.static_pj * cycles
        keys = {"latency": (cycles, energy), "energy": (energy, cycles), "edp": (energy * cycles, energy)}[objective]
        at = np.lexsort(keys[::-1])[0]
        found.append((keys[0][at].item(), keys[1][at].item()))
    return min(found), space


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("count", [1, 3])
def test_choice_over_splits(count: int, objective: str) -> None:
    """Energy is that of all copies, the last one's smaller slice included, changes of layout and static power too."""
    machine = edge("memories.buffer.size=16 KiB", f"engines.array.count={count}")
    where = target(machine, machine.engine("array"))
    rng = generator(10 * count)
    for case_number in range(8):
        m, n, k = integers(rng, 3, 80)
        graph = gemm_graph((int(rng.integers(1, 7)), m, n, k), bits=(8, 32)[case_number % 2])
        found = choose(graph, graph.einsums[0], gemm_of(graph), where, Goal(objective))
        wanted, size = brute_force(graph, machine, objective)
        costs = {"latency": (found.cycles, found.energy), "energy": (found.energy, found.cycles),
                 "edp": (found.energy * found.cycles, found.energy)}[objective]  # fmt: skip
        assert costs == (pytest.approx(wanted[0], rel=1e-12), pytest.approx(wanted[1], rel=1e-12)), (m, n, k)
        assert found.space == size
        assert 0 < found.evaluated <= found.space
        if objective == "energy":
            assert found.energy == pytest.approx(evaluate(graph, search(graph, machine, goal=Goal(objective)), machine).energy.value)


def test_certificate_adds_up() -> None:
    """Cycles of the products and their changes of layout, the space of each, and no gap."""
    graph, machine = gemm_graph((1, 100, 200, 300), (3, 7, 64, 33), (1, 1, 512, 512), repeat=5), edge()
    mapping = search(graph, machine)
    proof = mapping.certificate
    assert proof is not None and proof.gap == 0.0
    assert proof.value == evaluate(graph, mapping, machine).cycles
    where = target(machine, machine.engine("array"))
    choices = [choose(graph, einsum, graph.gemm(einsum), where) for einsum in graph.einsums]
    assert proof.value == 5 * sum(choice.cycles for choice in choices)
    assert proof.space == sum(choice.space for choice in choices)
    assert proof.evaluated == sum(choice.evaluated for choice in choices) < proof.space


def test_space_is_counted_by_enumeration() -> None:
    graph, machine = gemm_graph((1, 60, 70, 80)), edge("memories.buffer.size=8 KiB")
    where = target(machine, machine.engine("array"))
    listed = every_mapping({"m": 60, "n": 70, "k": 80}, True, where.hardware)
    assert choose(graph, graph.einsums[0], gemm_of(graph), where).space == distinct_orders(listed)
    rng = generator(8)
    for _ in range(40):
        shape, requantise, hardware = case(rng, 60)
        assert count(shape, requantise, hardware) == distinct_orders(every_mapping(shape, requantise, hardware))


def test_same_answer_every_time() -> None:
    graph, machine = load_model("mixtral-8x7b").decode(batch=4, context=512), edge("memories.dram.size=128 GiB")
    first, second = search(graph, machine), search(graph, machine)
    assert first == second
    assert first.certificate == second.certificate


@pytest.mark.parametrize(("model", "distinct"), [("mixtral-8x7b", None), ("gpt2", None)])
def test_each_distinct_product_is_searched_once(model: str, distinct: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    def counted(graph, einsum, gemm, where, goal, budget):  # type: ignore[no-untyped-def]
        operands = tuple((graph.tensor[t].bits, graph.tensor[t].kind) for t in (gemm.a, gemm.b, einsum.output))
        calls.append((gemm.batch, gemm.m, gemm.n, gemm.k, operands))
        return choose(graph, einsum, gemm, where, goal, budget)

    monkeypatch.setattr(mapper.systolic, "choose", counted)
    graph = load_model(model).decode(batch=8, context=256)
    search(graph, edge("memories.dram.size=128 GiB"))
    products = [einsum for einsum in graph.einsums if einsum.is_gemm]
    shapes = {(g.batch, g.m, g.n, g.k) for g in map(graph.gemm, products)}
    assert len(calls) == len(set(calls)) < len(products)
    assert {call[:4] for call in calls} == shapes


def test_more_buffer_is_never_slower() -> None:
    graph = gemm_graph((1, 100, 300, 200))
    cycles = [search(graph, edge(f"memories.buffer.size={size} KiB")).certificate.value for size in (8, 16, 32, 64, 128, 320)]  # type: ignore[union-attr]
    assert cycles == sorted(cycles, reverse=True)


def test_energy_breaks_ties() -> None:
    """Among the mappings with the fewest cycles the one with the least energy is taken, and there are such ties."""
    rng, ties = generator(30), 0
    for _ in range(120):
        shape, requantise, hardware = case(rng, 60)
        work = every_mapping(shape, requantise, hardware)
        if not 0 < len(work) < 60_000:
            continue
        where = aim(hardware, random_port(rng))
        energy, cycles = costs_of(work, where)
        equal = energy[cycles == cycles.min()]
        best = searched(shape, requantise, where).best
        assert best is not None and best.energy_pj == pytest.approx(equal.min(), rel=1e-12)
        ties += equal.max() > equal.min() * (1 + 1e-9)
    assert ties > 2


def test_nothing_fits() -> None:
    """Output parameters have no tile smaller than a word, but an array needs rows of words for each operand."""
    graph, where = gemm_graph((1, 64, 64, 64)), target(edge(), edge().engine("array"))
    small = replace(where, hardware=replace(where.hardware, x_words=8))
    with pytest.raises(SpecError) as caught:
        choose(graph, graph.einsums[0], gemm_of(graph), replace(small, hardware=replace(small.hardware, x_words=0)))
    assert str(caught.value) == "einsum g00: no tile of it fits the buffers of engine array; enlarge its buffer"


def test_k_that_could_overflow() -> None:
    graph, machine = gemm_graph((1, 2, 2, 131072)), edge()
    with pytest.raises(SpecError) as caught:
        search(graph, machine)
    assert str(caught.value) == (
        "einsum g00: k is 131,072, and a 32-bit accumulator surely holds 131,071 products; shorten it"
        ", or set the engine's overflow to wrap if its operands are never so large at once"
    )


def test_k_that_may_wrap_when_the_user_says_so() -> None:
    graph, machine = gemm_graph((1, 2, 2, 131072)), edge("engines.array.overflow=wrap")
    results = [evaluate(graph, search(graph, machine), machine, fidelity).cycles for fidelity in ("analytic", "cycle")]
    assert results[0] == results[1] > 0


def test_a_product_of_too_many_cycles() -> None:
    graph, machine = gemm_graph((1, 1 << 20, 1 << 20, 1 << 16), repeat=1 << 20), edge("memories.dram.size=64 TiB")
    with pytest.raises(SpecError) as caught:
        search(graph, machine)
    assert str(caught.value) == (
        "einsum g00: 1 x 1048576 x 1048576 x 65536 on array could take more than 2^62 cycles; expected a smaller product "
        "or a faster memory"
    )


def test_no_engine() -> None:
    graph = gemm_graph((1, 4, 4, 4), bits=16)
    with pytest.raises(SpecError) as caught:
        search(graph, edge())
    assert str(caught.value).startswith("machine edge-npu: no engine for g00: array: c00 has 16 bits and array writes 8 or 32")


def test_a_change_of_layout_of_too_many_cycles() -> None:
    """2**36 elements in and out of a memory that the vector engine reaches at 10 B/s."""
    slow = "memories.slow={technology: lpddr4, size: 1 TiB, bandwidth: 10 B/s}"
    machine = edge("engines.array.dataflows=[is]", "memories.dram.size=64 TiB", slow, "engines.vector.port=slow")
    with pytest.raises(SpecError) as caught:
        search(gemm_graph((1, 1 << 18, 1 << 18, 16)), machine)
    assert str(caught.value) == (
        "einsum g00: 1 x 262144 x 262144 x 16 on array could take more than 2^62 cycles; expected a smaller product or a faster memory"
    )
