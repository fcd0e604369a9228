"""Traps in published model tables: each is a way to be nearly right, and each has a test that tells the difference."""

from __future__ import annotations

import dataclasses

import pytest

from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.workload.model import Model
from archmodel.workload.zoo import zoo_model

from .helpers import golden


def changed(name: str, **changes: object) -> Model:
    return dataclasses.replace(zoo_model(name), **changes)  # type: ignore[arg-type]


def names(graph: Graph) -> set[str]:
    return {einsum.name for einsum in graph.einsums}


def matches(count: int, published: str) -> bool:
    """A count rounds to the digits of a published text such as "46.7e9"."""
    number = published.split()[0].partition("e")
    digits = len(number[0].partition(".")[2])
    return bool(round(count / 10 ** int(number[2]), digits) == float(number[0]))


@pytest.mark.parametrize("name", ["gpt-oss-20b", "gpt-oss-120b"])
def test_gpt_oss_publishes_active_without_the_input_embedding(name: str) -> None:
    model = zoo_model(name)
    published = dict(model.published)["active"]
    assert matches(model.active_parameters["excl_input_embedding"], published)
    assert not matches(model.active_parameters["incl_embeddings"], published)


def test_qwen3_publishes_active_with_both_embeddings() -> None:
    model = zoo_model("qwen3-30b-a3b")
    published = dict(model.published)["active"]
    assert not matches(model.active_parameters["excl_input_embedding"], published)
    assert round(model.active_parameters["incl_embeddings"] / 1e9, 3) == 3.353


@pytest.mark.parametrize("name", ["mixtral-8x7b", "mixtral-8x22b", "qwen3-30b-a3b", "qwen3-235b-a22b",
                                  "deepseek-v2-lite", "deepseek-v2", "deepseek-v3", "gpt-oss-20b", "gpt-oss-120b",
                                  "gpt3-175b", "gpt3-xl"])  # fmt: skip
def test_published_totals(name: str) -> None:
    model = zoo_model(name)
    assert matches(model.params_total, dict(model.published)["total"])


def test_published_totals_that_need_the_untied_reading() -> None:
    """Grok-1's 314 B leave the tied embedding out; GLaM's 1.2 T is rounded to two digits."""
    assert round((zoo_model("grok-1").params_total - zoo_model("grok-1").lm_head_weights) / 1e9, 2) == 314.88
    assert round(zoo_model("glam-64b-64e").params_total / 1e12, 1) == 1.2


@pytest.mark.parametrize("part", ["attn_bias", "o_bias", "sinks", "router_bias", "expert_bias"])
def test_gpt_oss_needs_every_bias_and_sink(part: str) -> None:
    expected = golden()["gpt-oss-20b"]["params_total"]
    assert zoo_model("gpt-oss-20b").params_total == expected != changed("gpt-oss-20b", **{part: False}).params_total


def test_gpt_oss_windows_alternate_from_layer_0() -> None:
    model = zoo_model("gpt-oss-20b")
    assert model.attention_layers == ((128, 12), (0, 12))
    graph = model.decode(1, 2048)
    spans = {e.name: (dict(e.ranks)["p"], e.repeat) for e in graph.einsums if e.name.startswith("attn.qk")}
    assert spans == {"attn.qk.window": (128, 12), "attn.qk": (2049, 12)}
    assert changed("gpt-oss-20b", layers=5).attention_layers == ((128, 3), (0, 2))
    assert changed("gpt-oss-20b", layers=5, window_pattern="fw").attention_layers == ((128, 2), (0, 3))


def test_a_window_no_longer_than_the_context_limits_prefill() -> None:
    model = zoo_model("mistral-7b-v0.1")
    assert model.attention_flops_causal(5000) == 32 * 4 * 32 * 128 * (4096 * 4097 // 2 + 904 * 4096)
    graph = model.prefill(5000)
    qk = next(e for e in graph.einsums if e.name == "attn.qk.window")
    assert qk.points == 32 * 128 * (4096 * 4097 // 2 + 904 * 4096)
    assert dict(graph.resident)["kv"] == 32 * 4096 * 2048


def test_sinks_are_one_more_logit_of_maximum_and_sum_only() -> None:
    einsums = {e.name: e for e in zoo_model("gpt-oss-20b").prefill(10).einsums}
    pairs, rows = 64 * 55, 64 * 10
    assert einsums["attn.sink"].work == rows
    assert [einsums[f"attn.softmax.{op}"].work - pairs for op in ("max", "exp", "sum", "div")] == [rows, rows, rows, 0]
    assert einsums["attn.softmax.max"].map == einsums["attn.softmax.sum"].map == "copy"
    assert "attn.sink" not in names(zoo_model("llama-2-7b").prefill(10))


@pytest.mark.parametrize("name", ["mixtral-8x7b", "gpt-oss-20b", "qwen3-30b-a3b", "grok-1"])
def test_pure_moe_models_have_no_dense_ffn(name: str) -> None:
    model = zoo_model(name)
    assert model.moe_layers == model.layers
    assert not any(n.startswith(("ffn.", "ffn_norm", "shared.")) for n in names(model.prefill(4)))


@pytest.mark.parametrize(("name", "dense", "shared"), [("deepseek-v2-lite", 1, 2), ("deepseek-v2", 1, 2),
                                                       ("deepseek-v3", 3, 1)])  # fmt: skip
def test_deepseek_first_dense_layers_and_shared_experts(name: str, dense: int, shared: int) -> None:
    model = zoo_model(name)
    assert (model.first_dense, model.shared, model.layers - model.moe_layers) == (dense, shared, dense)
    einsums = {e.name: e for e in model.prefill(4).einsums}
    assert einsums["ffn.gate_up"].repeat == dense
    assert einsums["shared.gate_up"].repeat == einsums["moe.router"].repeat == model.layers - dense
    assert dict(einsums["shared.gate_up"].ranks)["f"] == shared * model.moe_ffn
    for wrong in ({"first_dense": dense + 1}, {"shared": shared + 1}):
        assert changed(name, **wrong).params_total != golden()[name]["params_total"]


def test_deepseek_v3_router_has_a_bias_a_sigmoid_and_groups() -> None:
    model = zoo_model("deepseek-v3")
    assert model.params_total - changed("deepseek-v3", router_bias=False).params_total == 58 * 256
    einsums = {e.name: e for e in model.prefill(4).einsums}
    assert {"moe.sigmoid.exp", "moe.router.bias", "moe.topk_groups"} <= einsums.keys()
    assert einsums["moe.topk"].work == 4 * 256


def test_deepseek_v2_lite_has_no_query_latent() -> None:
    lite, full = names(zoo_model("deepseek-v2-lite").prefill(4)), names(zoo_model("deepseek-v2").prefill(4))
    assert "attn.q" in lite and not {"attn.q_a", "attn.q_b"} & lite
    assert {"attn.q_a", "attn.q_b", "attn.q_norm.scale"} <= full and "attn.q" not in full
    assert changed("deepseek-v2-lite", q_lora_rank=1536).params_total != golden()["deepseek-v2-lite"]["params_total"]


def test_latent_attention_is_not_grouped_attention() -> None:
    """A model table that writes DeepSeek-V3 as GQA with 2 kv heads (one does) is caught by each count."""
    wrong = changed("deepseek-v3", kv_lora_rank=0, q_lora_rank=0, kv_heads=2)
    assert wrong.params_total != golden()["deepseek-v3"]["params_total"]
    assert wrong.kv_bytes_per_token() != golden()["deepseek-v3"]["kv_bytes_per_token_fp16"]
    with pytest.raises(SpecError, match="kv_heads is 2, expected 128: latent attention has no groups of heads"):
        changed("deepseek-v3", kv_heads=2)


def test_glam_gates_its_dense_ffn_but_not_its_experts() -> None:
    model = zoo_model("glam-64b-64e")
    assert (model.gated, model.moe_gated, model.moe_layers, model.tied) == (True, False, 32, True)
    assert matches(model.params_active_incl_embeddings, dict(model.published)["active"])
    for wrong in ({"gated": False}, {"moe_gated": True}, {"tied": False}, {"moe_every": 1, "moe_offset": 0}):
        assert not matches(changed("glam-64b-64e", **wrong).params_active_incl_embeddings, "96.6e9")
    graph = names(model.prefill(4, routing="balanced"))
    assert {"ffn.gate_up", "ffn.mul", "experts.up.t1"} <= graph and "experts.mul.t1" not in graph


def test_gpt3_xl_has_16_heads() -> None:
    """The paper's table prints 24 heads x 128 for a width of 2048, which is inconsistent and 1.5 B parameters."""
    model = zoo_model("gpt3-xl")
    assert model.heads * model.head_dim == model.hidden
    assert not matches(changed("gpt3-xl", heads=24, kv_heads=24).params_total, dict(model.published)["total"])


def test_grok_1_ffn_width_and_four_norms() -> None:
    model = zoo_model("grok-1")
    assert model.moe_ffn == 8 * 6144 * 2 // 3 and model.moe_gated and model.norms_per_block == 4
    assert model.params_total - changed("grok-1", norms_per_block=2).params_total == 64 * 2 * 6144
    graph = names(model.prefill(4))
    assert {"attn_norm.scale", "attn_post_norm.scale", "moe_norm.scale", "moe_post_norm.scale", "attn.softcap"} <= graph


def test_m3vit_has_two_sources_of_sizes() -> None:
    small, edge = zoo_model("m3vit-small"), zoo_model("m3vit-edge-moe")
    assert (small.hidden, small.heads, small.topk, small.image_tokens) == (384, 12, 4, 1201)
    assert (edge.hidden, edge.heads, edge.topk, edge.moe_ffn, edge.image_tokens) == (192, 3, 2, 384, 129)
    assert {e.repeat for e in edge.prefill().einsums if e.name == "embed.patch"} == {1}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mistral-7b-v0.1", {"kv_heads": 1}),
        ("mixtral-8x7b", {"kv_heads": 1}),
        ("mixtral-8x22b", {"kv_heads": 1}),
        ("mixtral-8x22b", {"vocab": 32000}),
        ("opt-13b", {"hidden": 5140}),
        ("llama-2-7b", {"vocab": 32768}),
        ("deepseek-v3", {"moe_ffn": 18432}),
    ],
)
def test_errors_in_other_tools_tables_are_caught_by_the_count(name: str, wrong: dict[str, int]) -> None:
    assert changed(name, **wrong).params_total != golden()[name]["params_total"]


def test_decode_attends_its_own_token() -> None:
    qk = next(e for e in zoo_model("llama-2-7b").decode(1, 2048).einsums if e.name == "attn.qk")
    assert dict(qk.ranks)["p"] == 2049


def test_embedding_is_a_lookup_and_no_product() -> None:
    lookup = next(e for e in zoo_model("llama-2-7b").prefill(9).einsums if e.name == "embed.token")
    assert lookup.map == "copy" and lookup.work == 9 * 4096 and not lookup.is_gemm
