"""A row of the attention engine: fidelities agree, actions add up, and what it cannot execute is refused in a line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archmodel import evaluate, load_cascade, load_machine, lower, search
from archmodel.cascade.graph import graph_of
from archmodel.engines.attention import hardware_of, run
from archmodel.engines.attention.rows import slices, whole
from archmodel.engines.attention.tree import Placement, from_tree
from archmodel.masks import count
from archmodel.memory.port import port_of
from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, leaf
from archmodel.records.result import OpResult
from archmodel.rewriting import rewritten
from archmodel.workload.operators import Bits
from archmodel.workload.zoo import zoo_model


def _machine(*sets: str) -> Machine:
    return load_machine("edge-attention", sets=["memories.dram.size=8 TB", *sets])


def _row(graph: Graph, mapping: Mapping, machine: Machine, fidelity: str = "analytic") -> OpResult:
    (row,) = (op for op in evaluate(graph, mapping, machine, fidelity).ops if op.engine == "attention")
    return row


def _fused(graph: Graph, machine: Machine) -> Mapping:
    mapping = search(graph, machine)
    assert mapping.rewrites, "the attention engine should win here"
    return mapping


THREE = ("engines.attention.count=3", "memories.dram.bandwidth=48 GB/s")
SLOW = ("engines.attention.rescale=split", "engines.attention.mac_latency=3")


@pytest.mark.parametrize("sets", [(), THREE, SLOW], ids=["one", "three", "slow"])
@pytest.mark.parametrize(("name", "tokens"), [("llama-3.1-8b", 150), ("gpt2", 77), ("mistral-7b-v0.1", 200)])
def test_the_closed_form_is_the_cycle_model(name: str, tokens: int, sets: tuple[str, ...]) -> None:
    machine, graph = _machine(*sets), zoo_model(name).prefill(tokens)
    mapping = _fused(graph, machine)
    analytic, cycle = (_row(graph, mapping, machine, fidelity) for fidelity in ("analytic", "cycle"))
    assert analytic == cycle
    assert sum(cycles for _, cycles in analytic.causes) == analytic.cycles >= analytic.ideal_cycles
    assert evaluate(graph, None, machine, "bound").seconds <= evaluate(graph, mapping, machine).seconds


def test_a_row_counts_the_pairs_of_its_mask() -> None:
    machine, graph = _machine(), zoo_model("llama-3.1-8b").prefill(150)
    mapping = _fused(graph, machine)
    row = _row(graph, mapping, machine)
    (scores,) = (einsum for einsum in graph.einsums if einsum.name == "attn.qk")
    assert scores.mask is not None
    assert row.macs == 32 * 32 * 2 * 128 * count(scores.mask, 150, 150)
    assert row.repeat == 32 and row.group == "attention" and row.provenance == "rtl-covered"
    # Q, and K and V once a pass of ten tiles of queries, in words of 16 bytes; O; patterns of 32 bytes.
    moved = dict(row.bytes)["dram"] // (32 * 8)
    whole_tiles = 38 * 128 * 16
    assert moved > 2 * whole_tiles + 10 * 2 * 128 * 16


def test_the_copies_share_the_work() -> None:
    graph = zoo_model("llama-3.1-8b").prefill(150)
    one, three = _machine("memories.dram.bandwidth=48 GB/s"), _machine(*THREE)
    alone, shared = (_row(graph, _fused(graph, machine), machine) for machine in (one, three))
    assert shared.macs == alone.macs and alone.cycles / 3 <= shared.cycles < alone.cycles


def test_each_copy_has_its_own_part() -> None:
    machine, graph = _machine(*THREE), zoo_model("llama-3.1-8b").prefill(150)
    mapping, engine = _fused(graph, machine), machine.engine("attention")
    after, hardware = rewritten(graph, mapping.rewrites), hardware_of(machine, engine)
    found = whole(after, next(einsum for einsum in after.einsums if einsum.name == "attn.qk"))
    for placed in (Placement(4, "batch", 600, 600), Placement(4, "queries", 256, 128), Placement(4, "", 600, 320)):
        dealt = slices(found, placed, engine, hardware)
        assert sum(copies for _, copies in dealt) <= 3
        every = [one for ones, copies in dealt for one in ones * copies]
        seen = sorted(int(at) for one in every for at in (one.mask.offset * 4 + np.arange(one.packed)).tolist() * one.heads)
        assert seen == sorted(list(range(600)) * 8)


def test_long_prompts_run_as_several_programs() -> None:
    machine, graph = _machine("engines.attention.program_words=64"), zoo_model("gpt2").prefill(300)
    mapping, engine = _fused(graph, machine), machine.engine("attention")
    after, hardware = rewritten(graph, mapping.rewrites), hardware_of(machine, engine)
    (tree,) = (tree for tree in mapping.trees if leaf(tree).engine == "attention")
    found = whole(after, next(einsum for einsum in after.einsums if einsum.name == "attn.qk"))
    placed = from_tree(found, tree, engine, hardware)
    assert placed.stretch < placed.piece == 300
    assert _row(graph, mapping, machine) == _row(graph, mapping, machine, "cycle")
    roomy = _machine()
    assert _row(graph, _fused(graph, roomy), roomy).cycles < _row(graph, mapping, machine).cycles


def test_a_program_of_a_mapping_runs_in_the_time_that_the_row_says() -> None:
    machine, graph = _machine(), zoo_model("gpt2").prefill(60)
    mapping, engine = _fused(graph, machine), machine.engine("attention")
    program = lower(graph, mapping, machine, "attn.qk")
    cycles = run(program, hardware_of(machine, engine), port_of(machine, engine)).cycles
    assert cycles * 12 == _row(graph, mapping, machine).cycles
    with pytest.raises(SpecError, match=r"^lower: the mapping of gpt2 prefill has no Einsum 'attn\.qk\.rm'$"):
        lower(graph, mapping, machine, "attn.qk.rm")
    moved = replace(mapping, layouts=tuple(replace(x, lanes=8) if x.einsum == "attn.qk.av" else x for x in mapping.layouts))
    text = r"^mapping of attn\.qk: attn\.heads lies in dram as 8 of s\.g by v, and the engine needs dram, 16 of s\.g by v$"
    with pytest.raises(SpecError, match=text):
        lower(graph, moved, machine, "attn.qk")


def test_why_the_fixed_point_engine_refuses_a_long_context() -> None:
    machine = _machine()
    proof = search(zoo_model("llama-3.1-8b").decode(1, 20000), machine).certificate
    assert proof is not None
    (why,) = (choice.why for choice in proof.choices if choice.way == "one-pass")
    assert why.startswith("mapping of attn.qk: lower: 20,016 keys with weights up to 2^10 make a numerator of up to ")


def test_narrow_keys_are_dequantised_where_that_alone_helps() -> None:
    machine, graph = _machine(), zoo_model("llama-3.1-8b").prefill(100, bits=Bits(8, 8, 4))
    mapping = search(graph, machine)
    (rewrite,) = mapping.rewrites
    assert rewrite.wide == 8
    result = evaluate(graph, mapping, machine)
    widened = [op for op in result.ops if "dequantise" in op.name]
    assert len(widened) == 2 and all(op.engine == "vector" for op in widened)
    proof = mapping.certificate
    assert proof is not None
    ways = {choice.way: choice for choice in proof.choices}
    assert ways["dequantise, one-pass"].chosen and "attn.v.cache has 4 bits" in ways["unfused"].why


def test_bf16_takes_the_same_blocks() -> None:
    machine = _machine("engines.attention.format=bf16", "engines.array.act=bf16", "engines.array.weight=bf16")
    graph = zoo_model("gpt2").prefill(60, bits=Bits(16, 16, 16))
    row = _row(graph, _fused(graph, machine), machine)
    assert dict(row.bytes)["dram"] > 0 and row.energy is not None and row.energy.value > 0


@pytest.mark.parametrize(("name", "masked"), [("one-pass", False), ("one-pass-causal", True)])
def test_a_cascade_of_the_user_s_own_runs_fused(name: str, masked: bool) -> None:
    machine = _machine()
    graph = graph_of(load_cascade(name, {"m0": 16, "m1": 8, "p": 100}))
    mapping = search(graph, machine)
    assert not mapping.rewrites and len([tree for tree in mapping.trees if leaf(tree).engine == "attention"]) == 1
    row = _row(graph, mapping, machine)
    assert row == _row(graph, mapping, machine, "cycle")
    assert row.macs == 2 * 64 * (100 * 101 // 2 if masked else 100 * 128)


def test_a_cascade_whose_tiles_are_not_the_engine_s_says_so() -> None:
    mapping = search(graph_of(load_cascade("one-pass", {"m0": 32, "m1": 4, "p": 64})), _machine())
    proof = mapping.certificate
    assert proof is not None and all(leaf(tree).engine != "attention" for tree in mapping.trees)
    assert [(item.way, item.chosen, item.why) for item in proof.choices] == [
        ("unfused", True, ""), ("one-pass", False, "BQK takes 32 keys at a time, and attention has 16 rows of them")]  # fmt: skip


@pytest.mark.parametrize("name", ["llama-3.1-8b", "mistral-7b-v0.1", "gpt2"])
def test_several_blocks_of_one_step_are_fused_each_by_itself(name: str) -> None:
    """Their results are parts of one tensor."""
    machine, graph = _machine(), zoo_model(name).mixed([(40, 30)], [(2, 70)])
    mapping = search(graph, machine)
    assert len(mapping.rewrites) == 2
    result, cycle = evaluate(graph, mapping, machine), evaluate(graph, mapping, machine, "cycle")
    assert len([op for op in result.ops if op.engine == "attention"]) == 2 and result.cycles == cycle.cycles
    assert result.macs == sum(einsum.work * einsum.repeat for einsum in graph.einsums if einsum.is_gemm)
    assert evaluate(graph, None, machine, "bound").seconds <= result.seconds
