"""What a mask lets through: pairs of queries and keys, as arrays, without holding all of them at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .records.mask import Mask

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
AT_ONCE = 1 << 22
"""Pairs that ``count`` looks at in one piece."""


def visible(mask: Mask, queries: Ints, keys: Ints) -> Bools:
    """[queries, keys]: whether the query of index i sees the key of index k, for all given indices."""
    own, at = queries[:, None] + mask.offset, keys[None, :] + mask.first
    seen = np.ones((len(queries), len(keys)), dtype=np.bool_)
    if mask.causal:
        seen &= at <= own
    if mask.window:
        seen &= (at > own - mask.window) | (at < mask.sink)
    if mask.query_block:
        seen &= _in_blocks(mask, queries, keys)
    return seen


def _in_blocks(mask: Mask, queries: Ints, keys: Ints) -> Bools:
    """[queries, keys]: whether the pair's blocks are among those of the mask."""
    rows, of_query = np.unique(queries // mask.query_block, return_inverse=True)
    columns, of_key = np.unique(keys // mask.key_block, return_inverse=True)
    table = np.zeros((len(rows), len(columns)), dtype=np.bool_)
    blocks = np.array(mask.blocks, dtype=np.int64).reshape(-1, 2)
    row, column = (np.minimum(np.searchsorted(axis, of), len(axis) - 1) for axis, of in ((rows, blocks[:, 0]), (columns, blocks[:, 1])))
    here = (rows[row] == blocks[:, 0]) & (columns[column] == blocks[:, 1])
    table[row[here], column[here]] = True
    return table[of_query[:, None], of_key[None, :]]


def count(mask: Mask, queries: int, keys: int) -> int:
    """Pairs that are seen, of so many queries and keys; looks at ``looked_at`` queries."""
    if mask.query_block:
        total = looked_at(mask, queries)
        return sum(_of_blocks(mask, np.arange(at, min(at + AT_ONCE, total)), queries, keys) for at in range(0, total, AT_ONCE))
    return sum(int(_in_ranges(mask, np.arange(at, min(at + AT_ONCE, queries)), keys).sum()) for at in range(0, queries, AT_ONCE))


def keys_needed(mask: Mask, queries: int, keys: int) -> int:
    """Keys that are seen by some query; where blocks are given, a number that these are at least."""
    if mask.query_block:
        return -(-count(mask, queries, keys) // queries)
    low, high, sinks = ranges(mask, np.array([0, queries - 1]), keys)
    begin = min(int(low[0]), keys)  # the ranges of neighbours overlap or touch, so all of them are one, and before it are the sinks
    return max(0, min(int(high[1]), keys) - begin) + min(int(sinks[1]), begin)


def looked_at(mask: Mask, queries: int) -> int:
    """How many queries ``count`` looks at: each once, or with blocks once for each of its blocks."""
    return len(mask.blocks) * min(mask.query_block, queries) if mask.query_block else queries


def _of_blocks(mask: Mask, items: Ints, queries: int, keys: int) -> int:
    """Pairs seen of some (block, query in it), counted through all blocks one after another."""
    rows = min(mask.query_block, queries)
    first_query, first_key = (np.array(mask.blocks, dtype=np.int64) * (mask.query_block, mask.key_block))[items // rows].T
    own = first_query + items % rows
    low, high, sinks = ranges(mask, own, keys)
    start, stop = first_key, np.minimum(first_key + mask.key_block, keys)
    seen = np.maximum(np.minimum(high, stop) - np.maximum(low, start), 0) + np.maximum(np.minimum(sinks, stop) - start, 0)
    return int(seen[own < queries].sum())


def ranges(mask: Mask, queries: Ints, keys: int) -> tuple[Ints, Ints, Ints]:
    """What each query sees of so many keys, where no blocks are given: ``low`` up to ``high``, and before ``low`` the first ``sinks``."""
    own, end = queries + mask.offset, mask.first + keys
    high = np.minimum(own + 1, end) if mask.causal else np.full_like(own, end)
    low = np.maximum(own - mask.window + 1, mask.first) if mask.window else np.full_like(own, mask.first)
    sinks = np.maximum(np.minimum(np.minimum(mask.sink, low), high) - mask.first, 0)
    return low - mask.first, np.maximum(high, low) - mask.first, sinks


def _in_ranges(mask: Mask, queries: Ints, keys: int) -> Ints:
    """Keys that each query sees, where no blocks are given."""
    low, high, sinks = ranges(mask, queries, keys)
    return high - low + sinks
