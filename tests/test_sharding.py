"""Sharding: the shares of all devices are the whole stage, and what is exchanged between them follows from where sums are cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.communication import LINKS
from archmodel.fitting import capacity, fewest_devices, largest_batch, missing, refusal_of, splits_of
from archmodel.legality import refuse_overflow
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.goal import Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Fabric, Machine
from archmodel.records.mapping import Mapping, Split
from archmodel.sharding import collectives, sharded

RING = Fabric(8, "ring", 150 * 10**9, 2_500_000)


def work(graph: Graph, groups: tuple[str, ...]) -> int:
    return sum(einsum.work * einsum.repeat for einsum in graph.einsums if einsum.is_gemm and einsum.group in groups)


def joined(devices: int, topology: str = "ring") -> Machine:
    return replace(load_machine("cloud"), fabric=replace(RING, devices=devices, topology=topology))


@pytest.mark.parametrize(("model", "split"), [
    ("llama-3.1-8b", Split(4)), ("llama-3.1-8b", Split(2, 1, 4)), ("llama-3.1-70b", Split(8, 1, 2)), ("opt-13b", Split(8)),
    ("gpt-oss-20b", Split(2, 1, 4)),
])  # fmt: skip
def test_shares_of_a_dense_model_add_up_to_it(model: str, split: Split) -> None:
    for graph in (load_model(model).decode(batch=8, context=300), load_model(model).prefill(96, batch=8)):
        device = sharded(graph, split)
        groups = ("qkv", "attention", "attn_out", "ffn", "head")
        assert work(device, groups) * split.devices == work(graph, groups)
        assert device.stage.tokens * split.data == graph.stage.tokens
        assert dict(device.resident)["kv"] * split.devices == dict(graph.resident)["kv"]


def test_unlike_sequences_of_a_step_are_dealt_out_too() -> None:
    graph = load_model("llama-3.1-8b").mixed(((256, 0), (256, 0)), ((4, 1024), (6, 300)))
    device, again = sharded(graph, Split(1, 1, 2)), load_model("llama-3.1-8b").mixed(((256, 0),), ((2, 1024), (3, 300)))
    assert [replace(einsum) for einsum in device.einsums] == list(again.einsums)
    assert dict(device.resident)["kv"] == dict(again.resident)["kv"]


def test_data_parallelism_of_a_model_is_a_smaller_batch_of_it() -> None:
    model = load_model("mixtral-8x7b")
    device, again = sharded(model.decode(batch=32, context=512), Split(1, 1, 4)), model.decode(batch=8, context=512)
    assert device.einsums == again.einsums
    assert device.stage == again.stage
    assert device.resident == again.resident


def test_kv_heads_are_kept_in_copies_where_devices_are_more() -> None:
    graph = load_model("llama-3.1-8b").decode(batch=4, context=256)  # 8 kv heads of 4 query heads each
    device = {einsum.name: dict(einsum.ranks) for einsum in sharded(graph, Split(16)).einsums}
    assert (device["attn.k"]["k"], device["attn.q"]["k"], device["attn.q"]["g"]) == (1, 1, 2)
    with pytest.raises(SpecError, match=r"tensor=3: .* has 8 kv heads, which 3 devices can neither share evenly"):
        sharded(graph, Split(3))
    with pytest.raises(SpecError, match=r"tensor=64: .* which 64 devices can neither"):
        sharded(graph, Split(64))


@pytest.mark.parametrize(("model", "split", "says"), [
    ("llama-3.1-8b", Split(1, 2), "split expert=2: llama-3.1-8b has no experts, expected expert=1"),
    ("mixtral-8x7b", Split(1, 3), "8 sequences of 1 new and 64 cached tokens cannot be dealt evenly to 3 devices, expected a multiple"),
    ("mixtral-8x7b", Split(1, 16), "8 sequences .* dealt evenly to 16 devices"),
    ("llama-3.1-8b", Split(1, 1, 5), "split data=5,expert=1: 8 sequences"),
])  # fmt: skip
def test_what_cannot_be_split_is_refused(model: str, split: Split, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        sharded(load_model(model).decode(batch=8, context=64), split)


def test_experts_that_do_not_divide_are_refused() -> None:
    with pytest.raises(SpecError, match="split expert=3: 8 experts cannot be dealt evenly, expected a divisor of 8"):
        sharded(load_model("mixtral-8x7b").decode(batch=9, context=64), Split(1, 3))


def test_only_a_stage_of_a_model_is_split() -> None:
    from archmodel.workload.gemm import gemm_graph

    with pytest.raises(SpecError, match="split: gemm-8x8x8 is a gemm, expected a stage of a model"):
        sharded(gemm_graph(8, 8, 8), Split(2))


def test_no_device_has_less_than_the_busiest_ones_experts() -> None:
    graph = load_model("mixtral-8x7b").decode(batch=16, context=64)
    device = sharded(graph, Split(1, 4))
    for whole, mine in zip(graph.stage.loads, device.stage.loads, strict=True):
        for first in range(0, 8, 2):
            assert all(theirs <= ours for theirs, ours in zip(sorted(whole[first : first + 2], reverse=True), mine, strict=True))
    balanced = sharded(load_model("mixtral-8x7b").decode(batch=16, context=64, routing="balanced"), Split(1, 4))
    assert balanced.stage.loads[0] == (4, 4)


def test_collectives_stand_where_sums_are_cut() -> None:
    graph = load_model("mixtral-8x7b").decode(batch=16, context=64, routing="balanced")
    found = {(item.kind, item.after): item.sizes for item in collectives(graph, Split(2, 4))}
    width, tokens, layers = 4096, 4, 32  # of each device
    assert found == {
        ("all-reduce", "attn.o"): ((tokens * width, layers),), ("all-reduce", "moe.combine"): ((tokens * width, layers),),
        ("all-gather", "lm_head"): ((tokens * 32000, 1),),
        # 32 choices of experts for 4 devices, of each a quarter from each device
        ("all-to-all", "moe.dispatch"): ((2 * width, layers),), ("all-to-all", "moe.combine"): ((2 * width, layers),),
    }  # fmt: skip
    assert not collectives(graph, Split(1, 1, 8))
    dense = {item.after for item in collectives(load_model("deepseek-v3").decode(batch=4, context=64), Split(2))}
    assert dense == {"attn.o", "ffn.down", "moe.add_shared", "lm_head"}


def test_residents_of_all_devices_hold_the_model() -> None:
    graph = load_model("mixtral-8x7b").decode(batch=16, context=1024)
    whole = dict(graph.resident)
    for split in splits_of(8):
        if not refusal_of(graph, split, RING):
            mine = dict(sharded(graph, split).resident)
            assert mine["weight"] * split.devices >= whole["weight"]
            assert mine["kv"] * split.devices >= whole["kv"]
    # Experts are 45.1 GB of 46.7: with them dealt to 8, a device keeps an eighth of them and all of the rest.
    experts = 32 * 8 * 3 * 4096 * 14336
    assert dict(sharded(graph, Split(1, 8)).resident)["weight"] == experts // 8 + whole["weight"] - experts


def test_a_result_of_devices_counts_all_of_them_and_the_time_of_one() -> None:
    graph = load_model("llama-3.1-8b").decode(batch=8, context=256)
    machine, split = joined(4), Split(1, 1, 4)
    mapping = search(graph, machine, goal=Goal(split=split))
    result = evaluate(graph, mapping, machine)
    small = load_model("llama-3.1-8b").decode(batch=2, context=256)
    alone = load_machine("cloud")
    one = evaluate(small, search(small, alone), alone)
    assert (result.cycles, result.macs) == (one.cycles, 4 * one.macs)
    assert result.energy is not None and one.energy is not None
    assert result.energy.value == pytest.approx(4 * one.energy.value, rel=1e-12)
    assert result.area.value == pytest.approx(4 * one.area.value, rel=1e-12)
    assert from_plain(Mapping, to_plain(mapping)) == mapping


def test_links_take_time_and_have_no_price_of_their_own() -> None:
    graph = load_model("llama-3.1-8b").decode(batch=8, context=256)
    machine = joined(8)
    result = evaluate(graph, search(graph, machine, goal=Goal(split=Split(8))), machine)
    rows = {op.name: op for op in result.ops if op.engine == LINKS}
    # 14 steps, each a hop of 2.5 us and a sixteenth of 32 KiB at 150 GB/s, in whole cycles of 995 MHz; 32 layers
    step = 2_500_000 + -(-32768 // 16 * 10**12 // (150 * 10**9))
    assert rows["all-reduce attn.out of attn.o"].cycles == 32 * -(-14 * step * 995_000_000 // 10**12)
    assert result.energy is None
    assert "links between devices are not priced" in result.notes[0]


def test_a_split_must_use_all_devices() -> None:
    graph = load_model("llama-3.1-8b").decode(batch=8, context=256)
    with pytest.raises(SpecError, match="split tensor=2,expert=1,data=1: it is of 2 devices, and machine cloud has 4"):
        search(graph, joined(4), goal=Goal(split=Split(2)))


def test_the_largest_batch_and_the_fewest_devices_are_just_that() -> None:
    model, machine = load_model("llama-3.1-70b"), load_machine("cloud")
    graph = model.decode(batch=64, context=2048)
    batch, split = largest_batch(graph, machine, Split()), fewest_devices(graph, machine)
    assert batch is not None and split is not None
    for tried, fits in ((batch, True), (batch + 1, False)):
        stage = model.decode(batch=tried, context=2048)
        assert (sum(size for _, size in stage.resident) <= (capacity(machine) or 0)) == fits
    assert not missing(graph, split, machine)
    fewer = [other for other in splits_of(split.devices - 1) if not refusal_of(graph, other, None)]
    assert all(missing(graph, other, machine) for other in fewer)
    with pytest.raises(SpecError) as refused:
        refuse_overflow(graph, machine)
    need = sum(size for _, size in graph.resident)
    assert f"{need - 80 * 10**9:,} bytes are missing: take a larger" in str(refused.value)
    would = f"(the largest batch that fits is {batch}, the fewest devices that fit are {split.devices}, split tensor={split.tensor})"
    assert would in str(refused.value)


def test_a_batch_on_several_devices_is_a_multiple_of_its_shares() -> None:
    model, machine, split = load_model("mixtral-8x7b"), joined(8), Split(1, 4, 2)
    graph = model.decode(batch=2048, context=32768)
    batch = largest_batch(graph, machine, split)
    assert batch and batch % 8 == 0
    for tried, fits in ((batch, True), (batch + 8, False)):
        assert (missing(model.decode(batch=tried, context=32768), split, machine) == 0) == fits


def test_the_bound_of_devices_is_below_every_split() -> None:
    graph = load_model("mixtral-8x7b").decode(batch=16, context=512)
    machine = joined(8)
    floor = evaluate(graph, None, machine, "bound").seconds
    for split in (Split(8), Split(1, 8), Split(2, 2, 2)):
        assert floor <= evaluate(graph, search(graph, machine, goal=Goal(split=split)), machine).seconds
