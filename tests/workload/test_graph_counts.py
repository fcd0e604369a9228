"""The same integers once more, from the Einsums of the graphs: nothing left out, nothing counted twice."""

from __future__ import annotations

import pytest

from archmodel.records.graph import Graph
from archmodel.workload.operators import GROUPS, MAPS, REDUCES, Bits
from archmodel.workload.zoo import zoo_model, zoo_names

from .helpers import attention_flops, decoders, golden, head_flops, kv_bytes, linear_flops, weight_bytes

WIDE = Bits(16, 16, 16)


@pytest.mark.parametrize("name", decoders())
def test_prefill_graph(name: str) -> None:
    graph, expected = zoo_model(name).prefill(2048), golden()[name]["prefill_2048_b1"]
    assert linear_flops(graph) == expected["linear_flops"]
    assert attention_flops(graph) == expected["attn_flops_causal"]
    assert head_flops(graph) == expected["lm_head_flops_last_token"]


@pytest.mark.parametrize("name", decoders())
def test_square_attention_is_the_full_iteration_space(name: str) -> None:
    model = zoo_model(name)
    graph = model.prefill(2048)
    square = sum(2 * e.volume * e.repeat for e in graph.einsums if e.is_gemm and e.group == "attention")
    assert square == golden()[name]["prefill_2048_b1"]["attn_flops_square"]


@pytest.mark.parametrize("name", decoders())
def test_decode_graph(name: str) -> None:
    model, expected = zoo_model(name), golden()[name]["decode_ctx2048_b1"]
    graph = model.decode(1, 2048, bits=WIDE)
    assert linear_flops(graph) == expected["linear_flops"]
    assert head_flops(graph) == expected["lm_head_flops"]
    assert weight_bytes(graph) == expected["weight_bytes_fp16"]
    assert kv_bytes(graph) == expected["kv_read_bytes_fp16"]
    assert attention_flops(graph) == expected["attn_flops_absorbed" if model.mla else "attn_flops"]


@pytest.mark.parametrize("name", ["deepseek-v2-lite", "deepseek-v2", "deepseek-v3"])
def test_expanded_latent_decode(name: str) -> None:
    model, expected = zoo_model(name), golden()[name]["decode_ctx2048_b1"]
    graph = model.decode(1, 2048, attention="expanded")
    assert attention_flops(graph) == expected["attn_flops"]
    assert linear_flops(graph) == expected["linear_flops"]
    again = sum(2 * e.work * e.repeat for e in graph.einsums if e.is_gemm and e.group == "kv_expand")
    assert again == 2 * 2048 * model.layers * model.kv_lora_rank * model.heads * (model.qk_nope + model.v_dim)


@pytest.mark.parametrize("name", ["bert-base-uncased", "vit-s-16", "m3vit-edge-moe", "m3vit-small"])
def test_encoder_graph_attends_everything(name: str) -> None:
    model = zoo_model(name)
    graph = model.prefill(None if model.patch else 100)
    tokens = graph.stage.tokens
    assert linear_flops(graph) == model.linear_flops(tokens)
    assert attention_flops(graph) == model.attention_flops_square(tokens)
    assert dict(graph.resident)["kv"] == 0


def test_encoder_decoder_graph() -> None:
    """T5: 10 encoded tokens and a start token, then a decode step behind 4 tokens and a source of 10."""
    model = zoo_model("t5-small")
    block, ffn, layers = 4 * 512 * 512, 2 * 512 * 2048, 6
    prefill, decode = model.prefill(10), model.decode(1, 4, source=10)
    encoder, cross, start = 10 * (block + ffn), 10 * block // 2, block + block // 2 + ffn
    assert linear_flops(prefill) == 2 * layers * (encoder + cross + start)
    assert linear_flops(decode) == 2 * layers * start
    assert attention_flops(prefill) == 4 * layers * 512 * (100 + 1 + 10)
    assert attention_flops(decode) == 4 * layers * 512 * (5 + 10)
    assert dict(decode.resident)["kv"] == layers * 2 * 512 * (5 + 10)


def _weights_met(graph: Graph) -> int:
    """Weights that the graph's Einsums touch, tables left out; one that several parts of a block share counts once."""
    elements: dict[tuple[str, str], int] = {}
    for einsum in graph.einsums:
        own = einsum.name if einsum.name.startswith(("experts.", "attn.sink")) else ""
        for tensor in {t for t in einsum.inputs if graph.tensor[t].kind == "weight" and not t.endswith(".table")}:
            touched = graph.elements(einsum, tensor) * einsum.repeat
            elements[tensor, own] = max(elements.get((tensor, own), 0), touched)
    return sum(elements.values())


@pytest.mark.parametrize("name", zoo_names())
def test_weights_in_the_graph_are_the_models(name: str) -> None:
    """Every weight that one token meets is an operand: matrices, norms, biases, sinks, head, stem, pooler."""
    model = zoo_model(name)
    tables = model.position_weights + model.type_vocab * model.hidden
    tables += 2 * model.position_table * model.heads * (model.positions == "relative_bias")
    unused = model.lm_head_weights if model.encoder or not model.tied else 0
    stem = model.stem_weights - model.hidden if model.patch else 0
    expected = model.params_active_incl_embeddings + model.outside_weights + stem - tables - unused
    assert _weights_met(model.prefill(model.image_tokens or 1, routing="worst")) == expected


def _check_connected(graph: Graph) -> None:
    """Every activation is written by an earlier Einsum: the graph has an order of execution."""
    written = {"pixels"} | {t.name for t in graph.tensors if t.kind == "weight"}
    if graph.stage.kind != "prefill":
        written |= {t.name for t in graph.tensors if t.kind == "kv"}
    writers = {t: [e for e in graph.einsums if e.output == t] for t in graph.tensor}
    waiting = list(graph.einsums)
    while waiting:
        ready = [e for e in waiting if all(t in written for t in e.inputs)]
        assert ready, [e.name for e in waiting]
        waiting = [e for e in waiting if e not in ready]
        written |= {e.output for e in ready if not any(w in waiting for w in writers[e.output])}


@pytest.mark.parametrize("name", zoo_names())
def test_vocabulary_connection_and_classification(name: str) -> None:
    model = zoo_model(name)
    graphs = [model.prefill(model.image_tokens or 5, routing="balanced")]
    if not model.encoder:
        graphs += [model.decode(3, 7, routing="worst"), model.mixed([(4, 0)], [(2, 6), (1, 300)], routing="expected")]
    for graph in graphs:
        _check_connected(graph)
        assert [e.name for e in graph.einsums] == sorted(e.name for e in graph.einsums)
        for einsum in graph.einsums:
            assert einsum.map in MAPS and einsum.reduce in REDUCES and einsum.group in GROUPS
            if einsum.is_gemm:
                gemm = graph.gemm(einsum)
                assert gemm.batch * gemm.m * gemm.n * gemm.k == einsum.volume
                assert graph.tensor[gemm.a].kind != "weight"


def test_gqa_decode_packs_the_heads_of_a_group() -> None:
    graph = zoo_model("llama-3.1-8b").decode(16, 4096)
    products = {e.name: graph.gemm(e) for e in graph.einsums if e.is_gemm}
    qk, av = products["attn.qk"], products["attn.av"]
    assert (qk.batch, qk.m, qk.n, qk.k) == (16 * 8, 4, 4097, 128)
    assert (av.batch, av.m, av.n, av.k) == (16 * 8, 4, 128, 4097)
    assert graph.tensor[qk.b].kind == graph.tensor[av.b].kind == "kv"
    assert graph.tensor[av.a].kind == "activation"
    wide = products["ffn.gate_up"]
    assert (wide.batch, wide.m, wide.n, wide.k) == (1, 16, 2 * 14336, 4096)
    assert products["lm_head"].m == 16


def test_prefill_head_sees_the_last_token_of_each_prompt() -> None:
    graph = zoo_model("llama-2-7b").prefill(128, batch=3)
    lm_head = next(e for e in graph.einsums if e.name == "lm_head")
    assert graph.gemm(lm_head).m == graph.stage.emitted == 3
    assert graph.stage.tokens == 384 and graph.stage.sequences == ((128, 0, 3),)


def test_bits_reach_their_tensor_class_only() -> None:
    graph = zoo_model("gpt-oss-20b").decode(1, 300, bits=Bits(weight=4, activation=16, kv=6))
    assert {(t.kind, t.bits) for t in graph.tensors} == {("weight", 4), ("activation", 16), ("kv", 6)}
    assert dict(graph.resident) == {"weight": -(-20_914_757_184 * 4 // 8), "kv": 12 * (301 + 128) * 1024 * 6 // 8}
