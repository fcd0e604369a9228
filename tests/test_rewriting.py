"""Attention blocks are found by their tensors, and another cascade computes the same from the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel.blocks import blocks, odd_ones
from archmodel.onepass import one_passes
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.graph import Graph
from archmodel.records.mapping import Rewrite
from archmodel.rewriting import cascade, rewritten, steps_of
from archmodel.workload.operators import Bits
from archmodel.workload.zoo import zoo_model

from .workload.helpers import decoders

PLAIN = [name for name in decoders() if not name.startswith(("gpt-oss", "grok"))]


def _macs(graph: Graph) -> int:
    return sum(einsum.work * einsum.repeat for einsum in graph.einsums if einsum.is_gemm)


@pytest.mark.parametrize("name", PLAIN)
def test_every_softmax_over_keys_is_found_and_rewritten(name: str) -> None:
    model = zoo_model(name)
    for graph in (model.prefill(100), model.mixed([(20, 30), (40, 0)], [(2, 50)])):
        found = blocks(graph)
        core = [e for e in graph.einsums if e.name.startswith(("attn.qk", "attn.softmax", "attn.av"))]
        assert sorted(e.name for block in found for e in block.einsums) == sorted(e.name for e in core)
        assert not odd_ones(graph)
        after = rewritten(graph, tuple(Rewrite(block.name, "one-pass", 16) for block in found))
        assert _macs(after) == _macs(graph)
        assert len(after.einsums) == len(graph.einsums) + len(found) * (len(steps_of("one-pass")) - 6)
        gone = {einsum.output for block in found for einsum in block.einsums[:-1]}
        assert not gone & after.tensor.keys()
        assert from_plain(Graph, to_plain(after)) == after
        assert [whole.name for whole in one_passes(after)] == [block.name for block in found]


def test_the_roles_of_grouped_and_of_latent_heads() -> None:
    (block,) = blocks(zoo_model("llama-3.1-8b").prefill(100))
    assert (block.batch, block.queries, block.position_rank, block.keys, block.e, block.f) == (("b", "k"), ("g", "s"), "s", 100, 128, 128)
    (block,) = blocks(zoo_model("deepseek-v3").decode(3, 100))
    assert (block.batch, block.queries, block.keys, block.e, block.f) == (("b",), ("k", "g", "s"), 101, 576, 512)
    assert block.key == block.value == "attn.latent.cache"


def test_the_last_tile_of_keys_is_padded_in_ranks_and_not_in_points() -> None:
    graph = zoo_model("llama-3.1-8b").prefill(100)
    (block,) = blocks(graph)
    steps = {step.output: einsum for step, (einsum, _) in
             zip(steps_of("one-pass"), cascade(graph.tensor, block, Rewrite(block.name, "one-pass", 16)), strict=True)}  # fmt: skip
    assert dict(steps["BQK"].ranks)["p1"] == 7 and dict(steps["BQK"].ranks)["p0"] == 16
    assert steps["BQK"].work == block.scores.work and steps["SLNV"].work == block.values.work
    assert steps["SLN"].work == steps["LM"].work == block.exp.work
    assert steps["BQK"].mask == block.mask and steps["BQK"].mask_ranks == ("s", "p1.p0")
    assert steps["RNV"].work == 32 * 100 * 7 * 128 and steps["AV"].work == 32 * 100 * 128
    assert steps["AV"].output == block.values.output


@pytest.mark.parametrize(
    ("model", "einsum", "text"),
    [
        ("grok-1", "attn.softcap", r"attn\.softcap stands between scores and softmax \(tanh\); expected no rewrite"),
        ("gpt-oss-20b", "attn.qk", r"attn\.sink adds a logit to the scores; expected no rewrite"),
        ("llama-3.1-8b", "attn.q", r"no attention block of graph llama-3\.1-8b prefill, or one that is rewritten twice; "
                                   r"expected one of attn\.qk"),
    ],
)
def test_what_is_no_block(model: str, einsum: str, text: str) -> None:
    with pytest.raises(SpecError, match=rf"^rewrite of {einsum}: {text}$"):
        rewritten(zoo_model(model).prefill(20), (Rewrite(einsum, "one-pass", 16),))


def test_a_block_is_rewritten_once() -> None:
    twice = (Rewrite("attn.qk", "one-pass", 16),) * 2
    with pytest.raises(SpecError, match=r"^rewrite of attn\.qk: .* rewritten twice; expected no rewrite$"):
        rewritten(zoo_model("llama-3.1-8b").prefill(20), twice)


def test_a_cascade_that_nobody_knows() -> None:
    with pytest.raises(SpecError, match=r"^rewrite of attn\.qk: cascade is four-pass, "
                                         r"expected one of three-pass, deferred-division, two-pass, one-pass$"):
        Rewrite("attn.qk", "four-pass", 16)


def test_tiles_of_no_keys() -> None:
    text = r"^rewrite of attn\.qk: two-pass takes tiles of keys, expected how many keys a tile has$"
    with pytest.raises(SpecError, match=text):
        rewritten(zoo_model("llama-3.1-8b").prefill(20), (Rewrite("attn.qk", "two-pass"),))


DIVISIONS = {"three-pass": 210, "two-pass": 210, "deferred-division": 20 * 128, "one-pass": 20 * 128}


@pytest.mark.parametrize(("name", "divisions"), DIVISIONS.items())
def test_every_cascade_multiplies_as_much_and_divides_as_it_says(name: str, divisions: int) -> None:
    graph = zoo_model("llama-3.1-8b").prefill(20)
    after = rewritten(graph, (Rewrite("attn.qk", name, 8),))
    assert _macs(after) == _macs(graph)
    own = [einsum for einsum in after.einsums if einsum.name.startswith("attn.qk")]
    assert sum(einsum.work for einsum in own if einsum.map == "div") == 32 * divisions
    assert len(one_passes(after)) == (name == "one-pass")
    assert {"attn.heads", "attn.q.scaled"} <= after.tensor.keys()


@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("name", ["llama-3.1-8b", "mistral-7b-v0.1", "deepseek-v3", "bert-base-uncased"])
def test_one_pass_is_found_again(name: str, tokens: int) -> None:
    graph = zoo_model(name).prefill(tokens)
    (block,) = blocks(graph)
    (found,) = one_passes(rewritten(graph, (Rewrite(block.name, "one-pass", 16),)))
    assert (found.name, found.batch, found.queries, found.mask) == (block.name, block.batch, block.queries, block.mask)
    assert (found.keys, found.positions, found.size(found.e), found.value_width) == (tokens, tokens, block.e, block.f)
    assert not one_passes(graph)


def test_a_cascade_with_one_step_changed_is_not_found() -> None:
    graph = rewritten(zoo_model("llama-3.1-8b").prefill(20), (Rewrite("attn.qk", "one-pass", 16),))
    for index, einsum in enumerate(graph.einsums):
        if einsum.name.startswith("attn.qk"):
            wrong = replace(einsum, map="tanh")
            assert not one_passes(replace(graph, einsums=(*graph.einsums[:index], wrong, *graph.einsums[index + 1 :]))), einsum.name


def test_narrow_keys_and_values_are_widened_first() -> None:
    graph = zoo_model("llama-3.1-8b").prefill(100, bits=Bits(8, 8, 4))
    after = rewritten(graph, (Rewrite("attn.qk", "one-pass", 16, wide=8),))
    first, second = (einsum for einsum in after.einsums if einsum.map == "dequantise")
    assert first.inputs == ("attn.k.cache", "attn.k.cache.scale") and second.inputs == ("attn.v.cache", "attn.v.cache.scale")
    assert (first.ranks, first.repeat) == ((("b", 1), ("e", 128), ("k", 8), ("p", 100)), 32)
    assert after.tensor[first.output].bits == 8 and after.tensor["attn.k.cache.scale"].ranks == ("b", "p", "k")
    (found,) = one_passes(after)
    assert (found.key, found.value) == (f"{first.output}.tiles", f"{second.output}.tiles")
    graph = zoo_model("deepseek-v3").decode(3, 100, bits=Bits(8, 8, 2))
    after = rewritten(graph, (Rewrite("attn.qk", "one-pass", 16, wide=8),))
    (both,) = (einsum for einsum in after.einsums if einsum.map == "dequantise")
    assert dict(both.ranks)["z"] == 576
