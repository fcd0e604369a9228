"""The mask of an Einsum lets through just the points that its graph counts."""

from __future__ import annotations

import pytest

from archmodel.masks import count
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.graph import Einsum, Graph
from archmodel.records.mask import Mask
from archmodel.workload.zoo import zoo_model

from .helpers import decoders


def _check(graph: Graph) -> int:
    """Asserts that masks explain the points of all Einsums over queries and keys; how many carry one."""
    masked = [einsum for einsum in graph.einsums if einsum.mask]
    for einsum in masked:
        assert einsum.mask is not None and einsum.mask_ranks == ("s", "p")
        ranks = dict(einsum.ranks)
        seen = count(einsum.mask, ranks["s"], ranks["p"])
        assert einsum.work * ranks["s"] * ranks["p"] == einsum.volume * seen, einsum.name
    return len(masked)


@pytest.mark.parametrize("name", decoders())
def test_masks_count_as_the_points_do(name: str) -> None:
    model = zoo_model(name)
    assert _check(model.prefill(300)) >= 3
    assert _check(model.mixed([(200, 77), (50, 5000)], [(3, 100)])) >= 6
    for einsum in model.prefill(64).einsums:
        if einsum.is_gemm and einsum.group == "attention":
            assert einsum.mask == Mask(True, 0, 0, window=0) or "window" in einsum.name


def test_a_window_tells_where_its_keys_begin() -> None:
    graph = zoo_model("mistral-7b-v0.1").mixed([(10, 5000)])
    (scores,) = (einsum for einsum in graph.einsums if einsum.name.startswith("attn.qk"))
    assert dict(scores.ranks)["p"] == 10 + 4095
    assert scores.mask == Mask(True, offset=5000, first=5010 - 4105, window=4096)


def test_a_decode_step_and_an_encoder_hide_nothing() -> None:
    for graph in (zoo_model("llama-3.1-8b").decode(4, 100), zoo_model("bert-base-uncased").prefill(50)):
        assert not any(einsum.mask for einsum in graph.einsums)


def test_a_masked_graph_reads_back() -> None:
    graph = zoo_model("llama-3.1-8b").prefill(20)
    assert from_plain(Graph, to_plain(graph)) == graph


def test_a_mask_over_the_wrong_ranks() -> None:
    ranks = (("e", 2), ("p", 4), ("s", 3))
    with pytest.raises(SpecError, match=r"^einsum qk: a mask over 0 ranks, expected one of queries and one of keys$"):
        Einsum("qk", "g", "c", ("a", "b"), ranks, "mul", "add", mask=Mask(True))
    with pytest.raises(SpecError, match=r"^einsum qk: its mask is over rank p1, which it lacks$"):
        Einsum("qk", "g", "c", ("a", "b"), ranks, "mul", "add", mask=Mask(True), mask_ranks=("s", "p1.p"))
