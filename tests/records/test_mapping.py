"""Trees that fuse Einsums: read back as printed, walked in order, refused where they make no sense."""

import json

import pytest

from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.mapping import Compute, Loop, Mapping, Parallel, Peel, Sequence, Storage, leaf, leaves, nodes

QK = Compute("QK", "attn", "array")
SOFTMAX = Compute("SN", "attn", "lanes", lag=1)
AV = Compute("AV", "attn", "array", lag=2)
FUSED = Loop("p", 256, Storage("QK", "buffer", Parallel((Sequence((QK, AV)), SOFTMAX))))
PEELED = Peel("m", 127, Loop("p", 256, Sequence((QK, AV, SOFTMAX))), FUSED)


def test_a_fused_tree_reads_back_as_it_was_printed() -> None:
    mapping = Mapping("g", "m", (PEELED,))
    assert from_plain(Mapping, json.loads(json.dumps(to_plain(mapping)))) == mapping


def test_nodes_come_before_what_is_below_them_in_the_order_of_the_bodies() -> None:
    assert [type(node).__name__ for node in nodes(FUSED)] == ["Loop", "Storage", "Parallel", "Sequence", "Compute", "Compute", "Compute"]
    assert leaves(FUSED) == (QK, AV, SOFTMAX)
    assert leaf(PEELED) == QK
    assert len(leaves(PEELED)) == 6


def test_what_makes_no_tree_is_refused() -> None:
    with pytest.raises(SpecError, match="mapping: Parallel has 1 bodies, expected at least 2"):
        Parallel((QK,))
    with pytest.raises(SpecError, match="mapping of QK: a lag of -1, expected at least 0"):
        Compute("QK", "attn", lag=-1)
    for tile in (0, -4):
        with pytest.raises(SpecError, match=f"mapping: a loop over m has a tile of {tile}, expected at least 1"):
            Loop("m", tile, QK)
    with pytest.raises(SpecError, match="mapping: Peel takes 0 of rank m, expected at least 1"):
        Peel("m", 0, QK, QK)
    with pytest.raises(SpecError, match="mapping: both trees of a Peel of rank m are the same, expected two"):
        Peel("m", 8, QK, QK)
    with pytest.raises(SpecError, match="mapping: Peel of rank m has AV in only one of its trees"):
        Peel("m", 8, QK, Sequence((QK, AV)))
