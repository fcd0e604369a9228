"""The search finds the optimum of the space that it states, the same one every time, and says how large that was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mapper.systolic
from archmodel import evaluate, load_model, search
from archmodel.engines import engine_module
from archmodel.engines.systolic import price
from archmodel.engines.systolic.energy import energy_pj
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from mapper.space import grid, in_every_order, order_count
from mapper.systolic import cheapest, choose, target

from .helpers import (
    aim,
    best_of,
    edge,
    every_mapping,
    gemm_graph,
    gemm_of,
    generator,
    integers,
    random_hardware,
    random_port,
)

TIMING = Path(__file__).parents[2] / "docs" / "timing.md"
Case = tuple[dict[str, int], bool, Hardware]


def case(rng: np.random.Generator, most: int) -> Case:
    return dict(zip("mnk", integers(rng, 3, most), strict=True)), bool(rng.integers(2)), random_hardware(rng)


def test_optimum_equals_pricing_everything() -> None:
    """200 GEMMs that fit, with rounds and costs of changes of layout drawn too."""
    rng, done = generator(1), 0
    while done < 200:
        shape, requantise, hardware = case(rng, 150)
        work = every_mapping(shape, requantise, hardware)
        if not len(work):
            continue
        where, rounds = aim(hardware, random_port(rng)), int(rng.integers(1, 9))
        turns = dict(zip(("ws", "is", "os"), (int(v) for v in rng.integers(0, 5000, 3)), strict=True))
        found = cheapest(grid(shape, requantise, hardware), where, rounds, turns)
        cycles, energy = best_of(work, where, rounds, turns)
        assert (found.cycles, found.energy) == (cycles, pytest.approx(energy, rel=1e-12)), (shape, hardware)
        done += 1


def test_a_bound_that_is_too_high_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with bounds a third too high the search prunes what is best."""
    rng, wrong = generator(2), 0
    monkeypatch.setattr(mapper.systolic, "SEEDS", 1)
    for name in ("floor", "lower_bound"):
        honest = getattr(mapper.systolic, name)
        monkeypatch.setattr(mapper.systolic, name, lambda *a, honest=honest: honest(*a) * 4 // 3 if a[0].output[0] else honest(*a) * 2)
    for _ in range(60):
        shape, requantise, hardware = case(rng, 150)
        work = every_mapping(shape, requantise, hardware)
        if len(work):
            where = aim(hardware, random_port(rng))
            found = cheapest(grid(shape, requantise, hardware), where, 1, {})
            wrong += found.cycles != best_of(work, where)[0]
    assert wrong


def test_no_better_than_the_limit_is_no_mapping() -> None:
    shape, requantise, hardware = {"m": 40, "n": 40, "k": 40}, False, replace(random_hardware(generator(3)), z_words=400, p_words=8)
    where, work = aim(hardware, random_port(generator(3))), grid({"m": 40, "n": 40, "k": 40}, requantise, hardware)
    best = cheapest(work, where, 1, {})
    assert cheapest(work, where, 1, {}, best.cycles - 1).mapping is None
    again = cheapest(work, where, 1, {}, best.cycles)
    assert (again.cycles, again.energy) == (best.cycles, best.energy), shape


def test_tiles_outside_the_space() -> None:
    """How much is lost by taking of each trip count only the smallest tile: docs/timing.md says what is found here."""
    rng, losses = generator(7), []
    while len(losses) < 300:
        shape, requantise, hardware = case(rng, 100)
        work = every_mapping(shape, requantise, hardware, all_tiles=True)
        if not 0 < len(work) < 60_000:
            continue
        where = aim(hardware, random_port(rng))
        found = cheapest(grid(shape, requantise, hardware), where, 1, {})
        losses.append(found.cycles / best_of(work, where)[0] - 1)
    assert min(losses) >= 0
    text = (f"in {sum(loss > 0 for loss in losses)} of 300 random cases, by at most {100 * max(losses):.1f} % and by "
            f"{100 * sum(losses) / 300:.2f} % on average")  # fmt: skip
    assert text in " ".join(TIMING.read_text().split())


def brute_force(graph: Graph, machine: Machine) -> tuple[int, float, int]:
    """Cycles, energy and number of mappings of a one-product graph over all splits, everything priced."""
    gemm, engine = gemm_of(graph), machine.engine("array")
    where, copies, best, count = target(machine, engine), engine.count, (2**62, 0.0), 0
    turner = engine_module(machine.engine("vector"))

    def turned(flow: str) -> int:
        sizes = [(gemm.batch * gemm.m * gemm.k, 8)] if flow != "ws" else []
        sizes += [(gemm.batch * gemm.m * gemm.n, graph.tensor["c00"].bits)] if flow == "is" else []
        return sum(turner.relayout_cycles(machine, machine.engine("vector"), *size) for size in sizes)

    turns = {flow: turned(flow) for flow in ("ws", "is", "os")}
    for split in ("",) if copies == 1 else ("m", "n", "batch"):
        sizes = {"m": gemm.m, "n": gemm.n, "k": gemm.k}
        if split in sizes:
            each = -(-sizes[split] // copies)
            sizes[split] = min(sizes[split], -(-each // 16) * 16)
        rounds = -(-gemm.batch // copies) if split == "batch" else gemm.batch
        work = every_mapping(sizes, graph.tensor["c00"].bits == 8, where.hardware)
        if split != "batch" or gemm.batch > 1:
            best = min(best, best_of(work, where, rounds, turns))
            count += int(order_count(grid(sizes, graph.tensor["c00"].bits == 8, where.hardware)).sum())
    return *best, count


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("bits", [8, 32])
def test_choice_over_splits(count: int, bits: int) -> None:
    machine = edge("memories.buffer.size=16 KiB", f"engines.array.count={count}")
    where = target(machine, machine.engine("array"))
    rng = generator(10 * count + bits)
    for _ in range(12):
        m, n, k = integers(rng, 3, 200)
        graph = gemm_graph((int(rng.integers(1, 7)), m, n, k), bits=bits)
        found = choose(graph, graph.einsums[0], gemm_of(graph), where)
        cycles, energy, size = brute_force(graph, machine)
        assert (found.cycles, found.energy) == (cycles, pytest.approx(energy, rel=1e-12)), (m, n, k)
        # A way of sharing that one bound rules out is not enumerated, hence not counted.
        assert found.space == size if count == 1 else found.space <= size
        assert 0 < found.evaluated <= found.space


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
    listed = in_every_order(grid({"m": 60, "n": 70, "k": 80}, True, where.hardware))
    assert choose(graph, graph.einsums[0], gemm_of(graph), where).space == len(listed)


def test_same_answer_every_time() -> None:
    graph, machine = load_model("mixtral-8x7b").decode(batch=4, context=512), edge("memories.dram.size=128 GiB")
    first, second = search(graph, machine), search(graph, machine)
    assert first == second
    assert first.certificate == second.certificate


@pytest.mark.parametrize(("model", "distinct"), [("mixtral-8x7b", None), ("gpt2", None)])
def test_each_distinct_product_is_searched_once(model: str, distinct: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    def counted(graph, einsum, gemm, where):  # type: ignore[no-untyped-def]
        operands = tuple((graph.tensor[t].bits, graph.tensor[t].kind) for t in (gemm.a, gemm.b, einsum.output))
        calls.append((gemm.batch, gemm.m, gemm.n, gemm.k, operands))
        return choose(graph, einsum, gemm, where)

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
    for _ in range(150):
        shape, requantise, hardware = case(rng, 100)
        work = in_every_order(grid(shape, requantise, hardware))
        if not len(work):
            continue
        where = aim(hardware, random_port(rng))
        cost = price(work, hardware, where.port)
        energy = energy_pj(cost, hardware, where.prices)
        equal = energy[cost.cycles == cost.cycles.min()]
        found = cheapest(grid(shape, requantise, hardware), where, 1, {})
        assert found.energy == pytest.approx(equal.min(), rel=1e-12)
        ties += equal.max() > equal.min()
    assert ties > 3


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
