"""A cascade as a Graph: what is work, on which engine, and that every fidelity prices it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import evaluate, load_machine, search
from archmodel.cascade.graph import graph_of
from archmodel.load import cascade_from_yaml, list_cascades, load_cascade, record_from_yaml, record_to_yaml
from archmodel.masks import count
from archmodel.records.base import SpecError
from archmodel.records.cascade import Masked
from archmodel.records.graph import Einsum, Gemm, Graph
from archmodel.records.mask import Mask
from archmodel.workload.operators import GROUPS, MAPS, REDUCES


def graph(name: str, **ranks: int) -> Graph:
    return graph_of(load_cascade(name, ranks))


def einsum(of: Graph, name: str) -> Einsum:
    return next(einsum for einsum in of.einsums if einsum.name == name)


@pytest.mark.parametrize("name", list_cascades())
def test_every_fidelity_prices_it(name: str) -> None:
    found, machine = graph(name), load_machine("edge-npu")
    assert all(e.map in MAPS and e.reduce in REDUCES and e.group in GROUPS for e in found.einsums)
    assert record_from_yaml(Graph, record_to_yaml(found)) == found
    mapping = search(found, machine)
    analytic, cycle, bound = (evaluate(found, mapping, machine, fidelity) for fidelity in ("analytic", "cycle", "bound"))
    assert analytic.cycles == cycle.cycles >= bound.cycles > 0


def test_products_of_one_pass() -> None:
    """Scores are one product; weighted values are one for each tile of keys, which nothing shares."""
    found = graph("one-pass", e=8, f=16, m1=3, m0=5, p=7)
    assert found.gemm(einsum(found, "BQK")) == Gemm(1, 7, 15, 8, "Q", "K", ("p",), ("m0", "m1"), ("e",))
    assert found.gemm(einsum(found, "SLNV")) == Gemm(3, 7, 16, 5, "SLN", "V", ("p",), ("f",), ("m0",))
    assert [e.name for e in found.einsums if e.is_gemm] == ["BQK", "SLNV"]


def test_work_of_one_pass() -> None:
    """Points of every Einsum, counted by hand; the division is made once, and not for every tile."""
    e, f, m1, m0, p = 8, 16, 3, 5, 7
    found = graph("one-pass", e=e, f=f, m1=m1, m0=m0, p=p)
    keys, tiles = m1 * m0 * p, m1 * p
    assert {item.name: item.work for item in found.einsums} == {
        "BQK": keys * e, "LM": keys, "SLN": keys, "SLD": keys, "SLNV": keys * f, "RM": tiles, "PRM": tiles, "SPD": tiles, "RD": tiles,
        "SPNV": tiles * f, "RNV": tiles * f, "AV": p * f,
    }  # fmt: skip
    assert einsum(found, "RM").inputs == ("RM", "LM"), "a recurrence reads its own result"


def test_grouped_heads_lie_beside_the_queries() -> None:
    found = graph("one-pass-gqa", h=2, g=3, e=8, m1=2, m0=4, p=5)
    scores = found.gemm(einsum(found, "BQK"))
    assert (scores.batch, scores.m, scores.n, scores.k) == (2, 3 * 5, 2 * 4, 8)


def test_five_products_of_the_backward_pass() -> None:
    found = graph("backward")
    assert [e.name for e in found.einsums if e.is_gemm] == ["DK", "DP", "DQ", "DV", "S"]
    assert (einsum(found, "D").map, einsum(found, "D").reduce) == ("muladd", "add"), "nothing is used twice: no matrix product"


def test_a_mask_leaves_pairs_out_and_costs_nothing_itself() -> None:
    found = graph("one-pass-causal", m1=2, m0=4, p=8, e=3)
    assert "QK" not in found.tensor and "QK" not in {e.name for e in found.einsums}
    scores = einsum(found, "BQK")
    assert scores.work == 3 * (8 * 9 // 2) and scores.mask == Mask(causal=True) and scores.mask_ranks == ("p", "m1.m0")
    assert einsum(found, "SLNV").work == 64 * (8 * 9 // 2)
    assert einsum(found, "RM").mask is None


def test_a_mask_whose_scores_are_read_elsewhere_is_an_operator() -> None:
    text = """
ranks: {e: 2, m: 4, p: 4}
inputs: {Q: {ranks: [e, p]}, K: {ranks: [e, m]}}
mask: {queries: p, keys: m, causal: true}
einsums:
  - S[m,p] = sum(e) Q[e,p] * K[e,m]
  - T[m,p] = mask(S[m,p])
  - U[m,p] = T[m,p] + S[m,p]
"""
    found = graph_of(cascade_from_yaml(text))
    assert [(e.name, e.map) for e in found.einsums] == [("S", "mul"), ("T", "mask"), ("U", "add")]


def test_blocks_and_pages_count_too() -> None:
    mask = Mask(query_block=1, key_block=4, blocks=((0, 0), (1, 1), (5, 0), (5, 1)))
    cascade = replace(load_cascade("one-pass-causal", {"m1": 2, "m0": 4, "p": 8}), masked=Masked("p", "m", mask))
    assert einsum(graph_of(cascade), "SLN").work == count(mask, 8, 8) == 16


def test_a_mask_that_hides_everything_is_refused() -> None:
    cascade = replace(load_cascade("one-pass-causal", {"p": 4}), masked=Masked("p", "m", Mask(causal=True, first=9)))
    with pytest.raises(SpecError, match="its mask hides every pair of 4 queries and 1024 keys, expected one to compute"):
        graph_of(cascade)


def test_a_mask_too_large_to_count_is_refused() -> None:
    with pytest.raises(SpecError, match="found 1,073,741,824 queries under a mask, expected at most 67,108,864"):
        graph("one-pass-causal", p=1 << 30)
    blocks = Masked("p", "m", Mask(query_block=1 << 30, key_block=4, blocks=((0, 0),)))
    with pytest.raises(SpecError, match="found 134,217,728 queries in all blocks of a mask, expected at most 67,108,864"):
        graph_of(replace(load_cascade("one-pass-causal", {"p": 1 << 27}), masked=blocks))


def test_resident_bytes() -> None:
    """Four bits of keys and values, sixteen of scales and offsets; queries and the result are activations."""
    tokens, heads = 1024, 64
    kv = tokens * (2 * heads * 4 + 4 * 16) // 8
    assert dict(graph("one-pass-kv4").resident) == {"kv": kv, "activation": 2 * 1024 * heads}


def test_more_keys_cost_more() -> None:
    machine = load_machine("edge-npu")
    cycles = [evaluate(g, search(g, machine), machine).cycles for g in (graph("one-pass", m1=4), graph("one-pass", m1=8))]
    assert cycles[0] < cycles[1] < 2.2 * cycles[0]
