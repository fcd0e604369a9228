"""Work of everything that is no matrix product, by hand: the vector engine prices each of these points."""

from __future__ import annotations

from collections import Counter

import pytest

from archmodel.records.graph import Graph
from archmodel.workload.zoo import zoo_model

S = 10


def work(graph: Graph, by: str) -> dict[str, int]:
    """Points of one layer's (or stack's) instance summed over the layers, by operator group or by map."""
    total: Counter[str] = Counter()
    for einsum in graph.einsums:
        if not einsum.is_gemm:
            total[getattr(einsum, by)] += einsum.work * einsum.repeat
    return dict(total)


def test_llama_3_1_8b_by_group() -> None:
    pairs, layers, hidden, heads, kv_heads, width = S * (S + 1) // 2, 32, 4096, 32, 8, 128
    assert work(zoo_model("llama-3.1-8b").prefill(S), "group") == {
        "embed": S * hidden,
        "norm": (2 * layers + 1) * (2 * S * hidden + S),
        "rope": layers * S * (heads + kv_heads) * width,
        "kv_append": layers * S * 2 * kv_heads * width,
        "softmax": layers * (S * heads * width + 4 * heads * pairs),
        "ffn": layers * 2 * S * 14336,
        "residual": 2 * layers * S * hidden,
    }


def test_deepseek_v2_lite_by_group() -> None:
    pairs, layers, hidden, heads, moe = S * (S + 1) // 2, 27, 2048, 16, 26
    graph = zoo_model("deepseek-v2-lite").prefill(S)
    assert work(graph, "group") == {
        "embed": S * hidden,
        "norm": (2 * layers + 1) * (2 * S * hidden + S) + layers * (2 * S * 512 + S),
        "rope": layers * S * (heads + 1) * 64,
        "kv_append": layers * S * 576,
        "qkv": layers * S * heads * 64,
        "softmax": layers * (S * heads * 192 + 4 * heads * pairs),
        "ffn": 2 * S * 10944,
        "router": moe * S * (4 * 64 + 64 + 2 * 6),
        "experts": moe * S * 6 * (hidden + 2 * 1408 + hidden),
        "shared": moe * S * (2 * 2 * 1408 + hidden),
        "residual": 2 * layers * S * hidden,
    }


def test_absorbed_and_expanded_latents_do_the_same_elementwise_work_but_for_key_copies() -> None:
    model = zoo_model("deepseek-v3")
    absorbed, expanded = (work(model.decode(2, 30, attention=form), "group") for form in ("absorbed", "expanded"))
    copies = 61 * 2 * 128 * 64
    assert expanded.pop("qkv") == copies and expanded.pop("kv_expand") == 30 * copies
    assert absorbed == expanded


def test_gpt2_by_map() -> None:
    """Six steps a LayerNorm, biases, and no rotation."""
    pairs, hidden, layers = S * (S + 1) // 2, 768, 12
    norms, heads = 2 * layers + 1, 12
    assert work(zoo_model("gpt2").prefill(S), "map") == {
        "copy": S * hidden + norms * S * hidden + layers * (2 * S * hidden + 2 * heads * pairs),
        "muladd": norms * S * hidden,
        "square": norms * S * hidden,
        "rsqrt": norms * S,
        "mul": norms * S * hidden + layers * S * hidden,
        "add": S * hidden + norms * S * hidden + layers * S * (5 * hidden + 4 * hidden + 2 * hidden),
        "exp": layers * heads * pairs,
        "div": layers * heads * pairs,
        "gelu": layers * S * 4 * hidden,
    }


@pytest.mark.parametrize("name", ["qwen3-30b-a3b", "qwen3-235b-a22b"])
def test_query_and_key_norms(name: str) -> None:
    model = zoo_model(name)
    einsums = {e.name: e for e in model.prefill(S).einsums}
    assert einsums["attn.q_norm.scale"].work == S * model.heads * model.head_dim
    assert einsums["attn.k_norm.sumsq"].work == S * model.kv_heads * model.head_dim
    assert einsums["attn.q_norm.rsqrt"].work == S * model.heads


def test_relative_bias_is_looked_up_once_a_stack() -> None:
    einsums = {e.name: e for e in zoo_model("t5-small").prefill(S).einsums}
    assert (einsums["enc.attn.relative_lookup"].work, einsums["enc.attn.relative_lookup"].repeat) == (8 * S * S, 1)
    assert (einsums["enc.attn.relative"].work, einsums["enc.attn.relative"].repeat) == (8 * S * S, 6)
    assert "dec.cross.relative" not in einsums and "enc.attn.scale" not in einsums
