"""Optima are executable: what the mapper found runs in Verilator in exactly the cycles that it promised, with the right result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mapper.pricing
from archmodel import evaluate, load_cascade, load_machine, search
from archmodel.cascade.graph import graph_of
from archmodel.engines.attention import rows
from archmodel.engines.attention.tree import from_tree
from archmodel.memory.port import Port, port_of
from archmodel.records.goal import OBJECTIVES, Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import leaf
from mapper.systolic import tiling_of
from sims.cosim.compare import check
from sims.cosim.drive import Engine
from sims.cosim.sides import side_of

from ..cosim.configurations import CONFIGURATIONS
from ..cosim.test_attention_rtl import SETS
from .helpers import aim, generator, integers, searched

ARRAYS = ("all 4x4", "all 4x4, single buffers", "all 8x4", "all 2x8", "ws 4x4, int4 weights")
"""Builds that other tests of the hardware make too; with the attention engine's there are six."""
EACH = 32
ATTENTIONS = 40


def products(name: str) -> tuple[int, int]:
    """How many random optima ran, and in how many the promise was kept and every output bit was right."""
    hardware, kept, done = CONFIGURATIONS[name], 0, 0
    rng = generator(len(name))
    with Engine(hardware) as engine:
        while done < EACH:
            shape = dict(zip("mnk", integers(rng, 3, 60), strict=True))
            requantise, interval = bool(rng.integers(2)), int(rng.integers(1, 5))
            where = aim(hardware, Port(interval + int(rng.integers(0, 40)), interval))
            where = replace(where, static_pj=where.static_pj * float(rng.integers(2)))
            best = searched(shape, requantise, where, objective=OBJECTIVES[done % 3]).best
            if best is None:  # output parameters of so many columns have no room
                continue
            verdict = check(side_of("systolic").work_job(tiling_of(best), hardware, where.port, done), engine)
            assert not verdict.failures, verdict.report
            kept, done = kept + (verdict.cycles == best.cycles), done + 1
    return done, kept


@pytest.mark.rtl
@pytest.mark.parametrize("name", ARRAYS)
def test_optima_of_products_take_the_promised_cycles(name: str) -> None:
    assert products(name) == (EACH, EACH)


@pytest.mark.rtl
def test_a_wrong_promise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapper that forgets the last cycle of the drain promises what the hardware doesn't keep."""
    honest = mapper.pricing.price

    def short(*given: Any) -> Any:
        found = honest(*given)
        return replace(found, cycles=found.cycles - 1)

    monkeypatch.setattr(mapper.pricing, "price", short)
    assert products("all 4x4") == (EACH, 0)


def attention(rng: np.random.Generator) -> tuple[Graph, Machine]:
    """A random one-pass attention, at a random memory."""
    sizes = dict(zip(("m1", "p", "e", "f"), (*integers(rng, 2, 40), *integers(rng, 2, 12)), strict=True)) | {"m0": 4}
    name = ("one-pass", "one-pass-causal")[rng.integers(2)]
    if name == "one-pass-causal":
        sizes["p"] = min(sizes["p"], 4 * sizes["m1"])
    memory = [f"memories.dram.latency={rng.integers(1, 60)} ns", f"memories.dram.bandwidth={rng.choice([1, 2, 4, 16])} GB/s"]
    return graph_of(load_cascade(name, sizes)), load_machine("edge-attention", sets=[*SETS, *memory])


@pytest.mark.rtl
@pytest.mark.xdist_group("attention rtl")
def test_optima_of_attention_take_the_promised_cycles() -> None:
    rng, done = generator(50), 0
    side, engine = side_of("attention"), load_machine("edge-attention", sets=SETS).engine("attention")
    hardware = rows.hardware_of(load_machine("edge-attention", sets=SETS), engine)
    with Engine(hardware) as simulated:
        while done < ATTENTIONS:
            graph, machine = attention(rng)
            mapping = search(graph, machine, goal=Goal(OBJECTIVES[done % 3]))
            result, (tree,) = evaluate(graph, mapping, machine), mapping.trees
            turns = sum(op.cycles for op in result.ops if op.name.startswith("relayout"))
            assert leaf(tree).engine == "attention" and mapping.certificate is not None and mapping.certificate.optimal
            promised = result.cycles if OBJECTIVES[done % 3] != "latency" else mapping.certificate.value
            found = rows.whole(graph, next(einsum for einsum in graph.einsums if einsum.name == leaf(tree).einsum))
            placed = from_tree(found, tree, engine, hardware)
            ((programs, copies),) = rows.slices(found, placed, engine, hardware)
            cycles = 0
            for one in programs:
                job = side.work_job((one, rows.pass_size(one, placed, hardware)), hardware, port_of(machine, engine), done)
                verdict = check(job, simulated)
                assert not verdict.failures, verdict.report
                cycles += verdict.cycles
            assert copies == 1 and cycles + turns == promised
            done += 1


def test_there_are_two_hundred() -> None:
    assert EACH * len(ARRAYS) + ATTENTIONS >= 200 and len(ARRAYS) + 1 <= 6
