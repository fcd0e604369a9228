"""Masks, pair by pair: a plain loop over the definition says what arrays say."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel.masks import count, visible
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.mask import Mask
from archmodel.workload.counts import attended, keys


def _sees(mask: Mask, i: int, k: int) -> bool:
    own, at = mask.offset + i, mask.first + k
    if mask.causal and at > own:
        return False
    if mask.window and own - at >= mask.window and at >= mask.sink:
        return False
    return not mask.query_block or (i // mask.query_block, k // mask.key_block) in mask.blocks


def _random_mask(rng: np.random.Generator) -> Mask:
    window = int(rng.integers(0, 12)) * int(rng.integers(2))
    blocks = {(int(a), int(b)) for a, b in rng.integers(0, 5, (int(rng.integers(0, 9)), 2))}
    sizes = (int(rng.integers(1, 5)), int(rng.integers(1, 7))) if rng.integers(2) else (0, 0)
    return Mask(bool(rng.integers(2)), int(rng.integers(0, 20)), int(rng.integers(0, 9)), window,
                int(rng.integers(0, 14)) * bool(window), *sizes, tuple(sorted(blocks)) if sizes[0] else ())  # fmt: skip


def test_every_pair_of_random_masks() -> None:
    rng = np.random.default_rng(5)
    for _ in range(500):
        mask, queries, span = _random_mask(rng), int(rng.integers(1, 24)), int(rng.integers(1, 32))
        wanted = np.array([[_sees(mask, i, k) for k in range(span)] for i in range(queries)])
        assert np.array_equal(visible(mask, np.arange(queries), np.arange(span)), wanted), mask
        assert count(mask, queries, span) == wanted.sum(), mask


@pytest.mark.parametrize(("new", "cached", "window"), [(7, 0, 0), (7, 5, 0), (9, 20, 4), (3, 2, 8), (300, 9000, 4096)])
def test_causal_and_window_count_as_the_workload_does(new: int, cached: int, window: int) -> None:
    span = keys(new, cached, window)
    mask = Mask(causal=True, offset=cached, first=new + cached - span, window=window)
    assert count(mask, new, span) == attended(new, cached, window)


def test_a_mask_reads_back() -> None:
    mask = Mask(True, 3, 0, 8, 4, 2, 16, ((0, 1), (2, 0)))
    assert from_plain(Mask, to_plain(mask)) == mask
    assert Mask().hides_nothing
    assert not mask.hides_nothing


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"sink": 4}, "mask: sink 4 without a window, expected a window that it is an exception to"),
        ({"query_block": 4}, "mask: query_block 4 and key_block 0, expected both or neither"),
        ({"blocks": ((0, 0),)}, "mask: blocks without their size, expected query_block and key_block"),
        ({"query_block": 1, "key_block": 1, "blocks": ((1, 0), (0, 0))}, "mask: blocks must be sorted, each once"),
        ({"query_block": 1, "key_block": 1, "blocks": ((-1, 0),)}, "mask: a block is negative, expected 0 or more"),
        ({"offset": -1}, "mask: offset is -1, expected at least 0"),
    ],
)
def test_refusals(fields: dict[str, object], text: str) -> None:
    with pytest.raises(SpecError) as caught:
        Mask(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == text
