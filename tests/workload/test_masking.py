"""A mask of the user's own: points are the pairs that both masks let through, and bounds stay bounds."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel import evaluate, load_machine, search
from archmodel.blocks import blocks
from archmodel.masks import keys_needed, visible
from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.records.mask import Mask
from archmodel.workload.masking import with_mask
from archmodel.workload.zoo import zoo_model

LAMBDA = Mask(window=40, sink=4)
SPARSE = Mask(query_block=16, key_block=32, blocks=((0, 0), (1, 0), (2, 1), (3, 0), (3, 3), (6, 2)))
PAGES = Mask(query_block=1, key_block=16, blocks=((0, 0), (0, 5), (0, 31)))


def _pairs(graph: Graph) -> int:
    (block,) = blocks(graph)
    return block.div.work // block.size(*block.batch) // (block.size(*block.queries) // block.size(block.position_rank))


@pytest.mark.parametrize("mask", [LAMBDA, SPARSE], ids=["lambda", "sparse"])
def test_a_pair_counts_where_both_masks_let_it_through(mask: Mask) -> None:
    graph = zoo_model("llama-3.1-8b").prefill(120)
    every = np.arange(120)
    both = visible(Mask(True), every, every) & visible(mask, every, every)
    after = with_mask(graph, mask)
    assert _pairs(after) == both.sum()
    (before,), (block,) = blocks(graph), blocks(after)
    for old, new in zip(before.einsums, block.einsums, strict=True):
        assert new.work * int(np.tril(np.ones((120, 120))).sum()) == old.work * both.sum(), new.name
        assert new.mask == block.mask and new.mask_ranks == ("s", "p")
    untouched = {einsum.name for einsum in before.einsums}
    assert [e for e in after.einsums if e.name not in untouched] == [e for e in graph.einsums if e.name not in untouched]


def test_a_decode_step_reads_pages_of_its_cache() -> None:
    after = with_mask(zoo_model("llama-3.1-8b").decode(2, 499), PAGES)
    (block,) = blocks(after)
    assert (block.keys, _pairs(after), block.mask.offset) == (500, 16 + 16 + 4, 499)


def test_a_window_of_a_decode_step_stands_at_its_end() -> None:
    after = with_mask(zoo_model("llama-3.1-8b").decode(1, 499), Mask(window=32, sink=2))
    assert _pairs(after) == 34
    assert with_mask(zoo_model("llama-3.1-8b").decode(1, 20), Mask(window=32)) == zoo_model("llama-3.1-8b").decode(1, 20)


@pytest.mark.parametrize("mask", [LAMBDA, SPARSE, Mask(window=8)], ids=["lambda", "sparse", "window"])
def test_the_bound_stays_below_what_runs(mask: Mask) -> None:
    machine = load_machine("edge-attention")
    for graph in (zoo_model("gpt2").prefill(120), zoo_model("gpt2").mixed([(60, 60)])):
        masked = with_mask(graph, mask)
        mapping = search(masked, machine)
        assert evaluate(masked, None, machine, "bound").seconds <= evaluate(masked, mapping, machine).seconds


@pytest.mark.parametrize("seed", range(40))
def test_keys_that_some_query_sees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, keys = (int(n) for n in rng.integers(1, 40, 2))
    window = int(rng.integers(0, 12))
    mask = Mask(bool(rng.integers(2)), int(rng.integers(0, 20)), int(rng.integers(0, 3)), window, int(rng.integers(0, 6)) if window else 0)
    seen = visible(mask, np.arange(queries), np.arange(keys)).any(axis=0).sum()
    assert keys_needed(mask, queries, keys) == seen
    if queries > 8 and keys > 8:
        sparse = Mask(True, 40, 0, 0, 0, 8, 8, ((0, 0), (1, 0)))
        assert 0 < keys_needed(sparse, queries, keys) <= visible(sparse, np.arange(queries), np.arange(keys)).any(axis=0).sum()


@pytest.mark.parametrize(
    ("name", "mask", "text"),
    [
        ("llama-3.1-8b", Mask(offset=3), r"mask: offset 3 and first 0, expected 0: a graph knows where its queries and keys stand"),
        ("gpt-oss-20b", LAMBDA, r"mask: graph gpt-oss-20b prefill has no attention block, expected a model whose "),
        ("mistral-7b-v0.1", LAMBDA, r"mask: attn\.qk\.window has a window of 4096 already, expected a mask without one"),
        ("gpt2", Mask(query_block=8, key_block=8, blocks=((0, 3),)), r"mask: it hides every pair of 30 queries and 30 keys of "),
    ],
    ids=["offset", "sinks", "window", "nothing"],
)  # fmt: skip
def test_masks_that_do_not_fit(name: str, mask: Mask, text: str) -> None:
    with pytest.raises(SpecError, match=rf"^{text}"):
        with_mask(zoo_model(name).prefill(30), mask)
