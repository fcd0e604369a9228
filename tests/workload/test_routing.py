"""Tokens per expert: conservation, determinism, the law of the uniform draw, and what a graph makes of them."""

from __future__ import annotations

import itertools
import math

import pytest

from archmodel.records.base import SpecError
from archmodel.records.graph import ROUTINGS, Graph
from archmodel.workload.routing import expected_distinct, expert_loads
from archmodel.workload.zoo import zoo_model

from .helpers import linear_flops

PINNED = ((521, 506, 515, 492, 525, 505, 518, 514),)


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize(("experts", "topk", "tokens"), [(8, 2, 1), (8, 2, 2048), (128, 8, 37), (4, 4, 5), (256, 8, 16),
                                                         (5, 1, 3), (3, 2, 300_000)])  # fmt: skip
def test_loads_are_integers_that_add_up(routing: str, experts: int, topk: int, tokens: int) -> None:
    loads = expert_loads(routing, 3, experts, topk, tokens, seed=5)
    assert len(loads) == 3
    for layer in loads:
        assert len(layer) == experts and sum(layer) == tokens * topk
        assert all(type(load) is int and 0 <= load <= tokens for load in layer)


def test_the_seed_decides_the_draw() -> None:
    first, again, other = (expert_loads("uniform", 4, 64, 6, 100, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 4


def test_the_draw_of_seed_0_is_pinned() -> None:
    assert expert_loads("uniform", 1, 8, 2, 2048, 0) == PINNED


@pytest.mark.parametrize(("experts", "topk", "tokens"), [(8, 2, 4), (128, 8, 16), (256, 8, 64)])
def test_uniform_touches_the_expected_number_of_experts(experts: int, topk: int, tokens: int) -> None:
    """Mean over 400 layers within 5 standard errors of E (1 - (1 - k/E)^B); the bound on the deviation is E / 2."""
    distinct = [sum(load > 0 for load in layer) for layer in expert_loads("uniform", 400, experts, topk, tokens, 11)]
    mean = sum(distinct) / 400
    deviation = math.sqrt(sum((d - mean) ** 2 for d in distinct) / 399 / 400)
    assert abs(mean - expected_distinct(experts, topk, tokens)) < 5 * deviation + 1e-9


def test_every_set_of_experts_is_equally_likely() -> None:
    """Chi-squared over the 10 pairs of 5 experts, 4,000 single tokens; 27.9 is the 0.1 % point of 9 degrees."""
    counts = dict.fromkeys(itertools.combinations(range(5), 2), 0)
    for layer in expert_loads("uniform", 4000, 5, 2, 1, 3):
        first, second = (i for i, load in enumerate(layer) if load)
        counts[first, second] += 1
    assert sum((n - 400) ** 2 / 400 for n in counts.values()) < 27.9


@pytest.mark.parametrize(("name", "tokens", "published"), [
    ("mixtral-8x7b", (1, 4, 8, 16), (2.0, 5.47, 7.20, 7.92)),
    ("qwen3-30b-a3b", (1, 4, 8, 16, 64), (8.0, 29.1, 51.6, 82.4, 125.9)),
    ("deepseek-v3", (1, 4, 8, 16, 64), (8.0, 30.5, 57.4, 102.0, 222.4)),
])  # fmt: skip
def test_expected_distinct_experts(name: str, tokens: tuple[int, ...], published: tuple[float, ...]) -> None:
    model = zoo_model(name)
    for count, value in zip(tokens, published, strict=True):
        assert expected_distinct(model.experts, model.topk, count) == pytest.approx(value, abs=0.05)


def test_balanced_worst_and_expected_by_hand() -> None:
    assert expert_loads("balanced", 1, 4, 2, 3) == ((2, 2, 1, 1),)
    assert expert_loads("worst", 2, 4, 2, 3) == ((3, 3, 0, 0), (3, 3, 0, 0))
    assert expert_loads("expected", 1, 8, 2, 4) == ((2, 2, 1, 1, 1, 1, 0, 0),)


def test_unknown_routing_and_seed() -> None:
    with pytest.raises(SpecError) as error:
        expert_loads("zipf", 1, 8, 2, 4)
    assert str(error.value) == "routing 'zipf': unknown, expected one of uniform, balanced, worst, expected"
    with pytest.raises(SpecError) as error:
        zoo_model("mixtral-8x7b").prefill(4, seed=-1)
    assert str(error.value) == "seed -1: expected an integer of at least 0"


def _expert_rows(graph: Graph) -> dict[int, int]:
    return {dict(e.ranks)["s"]: e.repeat for e in graph.einsums if e.name.startswith("experts.gate_up.t")}


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v2-lite", "glam-64b-64e"])
def test_graph_runs_each_loaded_expert_once(name: str, routing: str) -> None:
    model = zoo_model(name)
    graph = model.prefill(50, routing=routing, seed=4)
    assert (graph.stage.routing, graph.stage.seed) == (routing, 4)
    assert len(graph.stage.loads) == model.moe_layers
    loads = [load for layer in graph.stage.loads for load in layer if load]
    down = {dict(e.ranks)["s"]: e.repeat for e in graph.einsums if e.name.startswith("experts.down.t")}
    assert down == {load: loads.count(load) for load in loads}
    assert linear_flops(graph) == model.linear_flops(50)


def test_experts_without_tokens_are_not_read() -> None:
    graph = zoo_model("mixtral-8x7b").decode(1, 100)
    assert _expert_rows(graph) == {1: 2 * 32}
    assert _expert_rows(zoo_model("mixtral-8x7b").decode(16, 100, routing="worst")) == {16: 2 * 32}
    assert _expert_rows(zoo_model("mixtral-8x7b").decode(16, 100, routing="balanced")) == {4: 8 * 32}


def test_dense_models_carry_no_loads() -> None:
    stage = zoo_model("llama-2-7b").prefill(4, routing="worst", seed=9).stage
    assert (stage.routing, stage.seed, stage.loads) == ("none", 0, ())
