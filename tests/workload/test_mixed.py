"""Mixed steps are the sum of their parts; what a stage says of itself; bad requests."""

from __future__ import annotations

import pytest

from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.graph import Graph
from archmodel.workload.operators import Bits
from archmodel.workload.zoo import zoo_model

from .helpers import attention_flops, head_flops, kv_bytes, linear_flops

CHUNKS, DECODES = [(512, 0), (100, 300), (512, 0)], [(8, 1000), (3, 200), (2, 1000)]
MODELS = ["llama-3.1-8b", "mixtral-8x7b", "gpt-oss-20b", "deepseek-v3", "opt-1.3b", "mistral-7b-v0.1"]


def parts(name: str) -> list[Graph]:
    model = zoo_model(name)
    return [model.mixed([c]) for c in CHUNKS] + [model.decode(b, c) for b, c in DECODES]


@pytest.mark.parametrize("name", MODELS)
def test_mixed_is_the_sum_of_its_parts(name: str) -> None:
    graph = zoo_model(name).mixed(CHUNKS, DECODES)
    for measure in (linear_flops, attention_flops, head_flops, kv_bytes):
        assert measure(graph) == sum(map(measure, parts(name))), measure.__name__
    assert dict(graph.resident)["kv"] == sum(dict(part.resident)["kv"] for part in parts(name))


@pytest.mark.parametrize("name", MODELS)
def test_mixed_elementwise_work_is_the_sum_too(name: str) -> None:
    """All operators but the experts, whose loads are drawn for the step as a whole."""

    def work(graph: Graph, group: str) -> int:
        return sum(e.work * e.repeat for e in graph.einsums if e.group == group)

    graph = zoo_model(name).mixed(CHUNKS, DECODES)
    for group in ("embed", "norm", "rope", "kv_append", "kv_expand", "softmax", "residual", "router", "ffn"):
        assert work(graph, group) == sum(work(part, group) for part in parts(name)), group


def test_stage_of_a_mixed_step() -> None:
    stage = zoo_model("mixtral-8x7b").mixed(CHUNKS, DECODES, seed=3).stage
    assert (stage.kind, stage.batch, stage.tokens, stage.emitted, stage.context) == ("mixed", 16, 1137, 16, 1000)
    assert stage.sequences == ((1, 200, 3), (1, 1000, 10), (100, 300, 1), (512, 0, 2))
    assert all(sum(layer) == 2 * 1137 for layer in stage.loads)


def test_equal_sequences_are_one_einsum_and_unlike_ones_are_not() -> None:
    graph = zoo_model("llama-2-7b").mixed(CHUNKS, DECODES)
    batches = {e.name: dict(e.ranks)["b"] for e in graph.einsums if e.name.startswith("attn.qk")}
    assert batches == {"attn.qk.n512c0": 2, "attn.qk.n100c300": 1, "attn.qk.n1c200": 3, "attn.qk.n1c1000": 10}


def test_one_chunk_is_a_prefill_and_one_decode_a_decode() -> None:
    model = zoo_model("qwen3-30b-a3b")
    assert model.mixed([(70, 0)], seed=2).einsums == model.prefill(70, seed=2).einsums
    assert model.mixed([], [(4, 90)], seed=2).einsums == model.decode(4, 90, seed=2).einsums


def test_chunked_prefill_does_the_work_of_a_whole_one() -> None:
    model = zoo_model("llama-3.1-8b")
    whole, chunks = model.prefill(1000), [model.mixed([(250, start)]) for start in range(0, 1000, 250)]
    assert attention_flops(whole) == sum(map(attention_flops, chunks))
    assert linear_flops(whole) == sum(map(linear_flops, chunks))


def test_cached_latents_are_expanded_again_in_a_chunk() -> None:
    names = {e.name: dict(e.ranks) for e in zoo_model("deepseek-v2").mixed([(10, 30)], [(2, 50)]).einsums}
    assert (names["attn.k_b"]["p"], names["attn.k_b.cached"]["p"]) == (10, 30)
    assert names["attn.qk.n1c50.absorbed"]["z"] == 576 and names["attn.qk.n10c30"]["e"] == 192


def test_encoder_decoder_mixed_step() -> None:
    model = zoo_model("t5-small")
    graph = model.mixed([(10, 0), (20, 0)], [(3, 7)])
    together = [model.prefill(10), model.prefill(20), model.decode(3, 7)]
    for measure in (linear_flops, attention_flops, head_flops):
        assert measure(graph) == sum(map(measure, together)), measure.__name__
    assert dict(graph.resident)["kv"] == sum(dict(part.resident)["kv"] for part in together)


@pytest.mark.parametrize("name", ["llama-2-7b", "deepseek-v2-lite", "t5-small"])
def test_graphs_survive_plain_data(name: str) -> None:
    graph = zoo_model(name).prefill(6, batch=2)
    assert from_plain(Graph, to_plain(graph)) == graph


@pytest.mark.parametrize(
    ("name", "stage", "arguments", "text"),
    [
        ("llama-2-7b", "prefill", {}, "llama-2-7b: a prefill needs its number of tokens"),
        ("llama-2-7b", "prefill", {"tokens": 0}, "tokens is 0, expected an integer from 1 to 16777216"),
        ("llama-2-7b", "prefill", {"tokens": 5, "batch": -1}, "batch is -1, expected an integer from 1 to 16777216"),
        ("llama-2-7b", "prefill", {"tokens": 1 << 20, "batch": 17},
         "17825792 tokens in one step, expected at most 16777216"),
        ("llama-2-7b", "decode", {"batch": 2.0}, "batch is 2.0, expected an integer from 1 to 16777216"),
        ("llama-2-7b", "decode", {"context": 1 << 40},
         "context is 1099511627776, expected an integer from 0 to 1073741824"),
        ("llama-2-7b", "mixed", {}, "mixed: no chunk and no decode, expected at least one"),
        ("llama-2-7b", "mixed", {"chunks": [(0, 4)]}, "new tokens is 0, expected an integer from 1 to 16777216"),
        ("deepseek-v3", "decode", {"attention": "fast"},
         "attention 'fast': unknown, expected one of auto, expanded, absorbed"),
        ("bert-base-uncased", "decode", {}, "bert-base-uncased is an encoder and has no decode stage; use prefill"),
        ("t5-small", "mixed", {"chunks": [(4, 2)]},
         "t5-small encodes in both directions: a chunk can't have cached tokens, use (new, 0)"),
        ("vit-s-16", "prefill", {"tokens": 2048}, "vit-s-16 takes the 197 tokens of a 224x224 image, found 2048"),
    ],
)  # fmt: skip
def test_bad_requests(name: str, stage: str, arguments: dict[str, object], text: str) -> None:
    with pytest.raises(SpecError) as error:
        getattr(zoo_model(name), stage)(**arguments)
    assert str(error.value) == text


def test_bad_bits() -> None:
    with pytest.raises(SpecError) as error:
        Bits(weight=0)
    assert str(error.value) == "bits of weight: 0, expected an integer from 1 to 64"
