"""One attention in tiles: which tiles of keys each tile of queries visits, and what they hide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Annotated

import numpy as np
import numpy.typing as npt

from archmodel.masks import ranges, visible
from archmodel.records.base import SpecError, Within, check_fields
from archmodel.records.engines.attention import INDEX_BITS, MOST_SHIFT, STATE_OTHERS, Hardware
from archmodel.records.mask import Mask

Size = Annotated[int, Within(1, 1 << 30)]
Head = Annotated[int, Within(1, (1 << INDEX_BITS) - 1)]
MOST_TILES = 1 << 26
"""(tile of queries, tile of keys) pairs of one head that lowering looks at."""
AT_ONCE = 1 << 22
"""(query, key) pairs that it looks at in one piece."""
Codes = npt.NDArray[np.int32]
"""[tile of queries, tile of keys]: NONE, ALL, or SOME + the number of a pattern."""
NONE, ALL, SOME = 0, 1, 2


NO_MASK = Mask()


@dataclass(frozen=True)
class Attention:
    """softmax(Q*K) * V, the scores in powers of two, for each of ``heads`` heads of keys and values.

    e, f       sizes of a query's or key's and of a value's vector
    queries    positions that ask
    keys       positions that are asked
    heads      of keys and values, those of all sequences of a batch
    group      heads of queries that share one of them; query j stands at position j // group
    mask       which keys a position sees, the same for every head
    shift      int8: fraction bits of a score
    out_shift  int8: of the product of a numerator and the reciprocal of the denominator
    """

    e: Head
    f: Head
    queries: Size
    keys: Size
    heads: Size = 1
    group: Size = 1
    mask: Mask = NO_MASK
    shift: Annotated[int, Within(0, MOST_SHIFT)] = 0
    out_shift: Annotated[int, Within(0, 63)] = 0

    def __post_init__(self) -> None:
        check_fields(self, "attention")

    @property
    def packed(self) -> int:
        """Queries of one head of keys and values."""
        return self.queries * self.group


@dataclass(frozen=True)
class Run:
    """Tiles of queries beside each other that one command does: from ``begin`` on, ``count`` of them."""

    begin: int
    count: int
    first: bool
    pattern: int | None
    """Of the block's patterns; None where nothing is hidden."""


@dataclass(frozen=True)
class Rows:
    """Tiles of keys from ``begin`` on, ``count`` of them, that are done by the same runs."""

    begin: int
    count: int
    runs: tuple[Run, ...]

    @property
    def tiles(self) -> int:
        """That enter the arrays in each row."""
        return sum(run.count for run in self.runs)


@dataclass(frozen=True, eq=False)
class Block:
    """Tiles of queries that stay while the keys pass: from ``begin`` on, ``count`` of them.

    rows      what is visited, in order of the keys
    finish    one row: all tiles, ``first`` where no key was seen
    patterns  [number, rows of the array, columns]: whether a key is seen
    """

    begin: int
    count: int
    rows: tuple[Rows, ...]
    finish: tuple[Run, ...]
    patterns: npt.NDArray[np.bool_]

    @property
    def visits(self) -> int:
        """Tiles of keys that are loaded."""
        return sum(rows.count for rows in self.rows)


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def query_tiles(work: Attention, hardware: Hardware) -> int:
    return ceil_div(work.packed, hardware.cols)


def key_tiles(work: Attention, hardware: Hardware) -> int:
    return ceil_div(work.keys, hardware.rows)


def most_in_block(work: Attention, hardware: Hardware) -> int:
    """Tiles of queries that fit the buffers at once.  Raises SpecError where none does."""
    needs = {"Q": work.e, "S": work.f + STATE_OTHERS, "O": work.f, "K": work.e, "V": work.f}
    for name, need in needs.items():
        if need > hardware.depth(name):
            raise SpecError(f"attention: one tile needs {need} words of {name} and a bank has {hardware.depth(name)}; enlarge the buffer "
                            "or its share")  # fmt: skip
    return min(query_tiles(work, hardware), *(hardware.depth(name) // needs[name] for name in "QSO"), (1 << 16) - 1)


@lru_cache(maxsize=16)
def blocks(work: Attention, hardware: Hardware, size: int = 0) -> tuple[Block, ...]:
    """The blocks of one head, of ``size`` tiles of queries each but the last; 0 for as many as fit.

    Raises SpecError where a block fits no buffer, or is more than lowering looks at.
    """
    most = most_in_block(work, hardware)
    if not 0 <= size <= most:
        raise SpecError(f"attention: blocks of {size} tiles of queries, expected 1 to {most}, or 0 for as many as fit")
    tiles, size = query_tiles(work, hardware), size or most
    if not work.mask.hides_nothing and tiles * key_tiles(work, hardware) > MOST_TILES:
        raise SpecError(f"attention: {tiles:,} x {key_tiles(work, hardware):,} tiles under a mask, expected at most {MOST_TILES:,}; split "
                        "the queries")  # fmt: skip
    begins = range(0, tiles, size)
    if work.mask.hides_nothing:  # all tiles of queries are alike
        return tuple(_block(work, hardware, begin, np.repeat(codes, min(size, tiles - begin), axis=0), patterns)
                     for codes, patterns in [_codes(work, hardware, 0, 1)] for begin in begins)  # fmt: skip
    return tuple(_block(work, hardware, begin, *_codes(work, hardware, begin, min(size, tiles - begin))) for begin in begins)


def _codes(work: Attention, hardware: Hardware, begin: int, count: int) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """What each of ``count`` tiles of queries sees of each tile of keys, and the patterns that this takes, each once."""
    codes = np.empty((count, key_tiles(work, hardware)), dtype=np.int32)
    known: dict[bytes, int] = {}
    patterns: list[npt.NDArray[np.bool_]] = []
    for p in range(count):
        queries = np.minimum(np.arange((begin + p) * hardware.cols, (begin + p + 1) * hardware.cols), work.packed - 1) // work.group
        codes[p], unsure = _certain(work, hardware, queries)
        for some in _pieces(unsure, hardware):
            seen = _seen(work, hardware, queries, some)
            for at, pattern in zip(some, seen, strict=True):
                if pattern.all() or not pattern.any():
                    codes[p, at] = ALL if pattern.any() else NONE
                    continue
                number = known.setdefault(pattern.tobytes(), len(known))
                if number == len(patterns):
                    patterns.append(pattern)
                codes[p, at] = SOME + number
    return codes, np.array(patterns, dtype=np.bool_).reshape(-1, hardware.rows, hardware.cols)


def _pieces(tiles: npt.NDArray[np.int64], hardware: Hardware) -> Iterator[npt.NDArray[np.int64]]:
    step = max(1, AT_ONCE // (hardware.rows * hardware.cols))
    return (tiles[at : at + step] for at in range(0, len(tiles), step))


def _certain(work: Attention, hardware: Hardware, queries: npt.NDArray[np.int64]) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Codes of the tiles of keys that ranges alone decide, and the numbers of all others."""
    begin = np.arange(key_tiles(work, hardware), dtype=np.int64) * hardware.rows
    end = begin + hardware.rows
    if work.mask.query_block:
        return np.zeros(len(begin), dtype=np.int32), np.arange(len(begin))
    low, high, sinks = ranges(work.mask, queries, work.keys)
    all_seen = (low.max() <= begin) & (end <= high.min())
    none_seen = ((end <= low.min()) | (begin >= high.max())) & (begin >= sinks.max())
    return np.where(all_seen, ALL, NONE).astype(np.int32), np.flatnonzero(~all_seen & ~none_seen)


def _seen(work: Attention, hardware: Hardware, queries: npt.NDArray[np.int64], tiles: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """[tile, row, column]: whether the query of that column sees the key of that row; what lies behind the last key is hidden."""
    keys = (tiles[:, None] * hardware.rows + np.arange(hardware.rows)).ravel()
    seen = visible(work.mask, queries, np.minimum(keys, work.keys - 1)) & (keys < work.keys)
    return np.ascontiguousarray(seen.reshape(len(queries), len(tiles), hardware.rows).transpose(1, 2, 0))


def _block(work: Attention, hardware: Hardware, begin: int, codes: Codes, patterns: npt.NDArray[np.bool_]) -> Block:
    if len(patterns) > hardware.m_words:
        raise SpecError(f"attention: {len(codes)} tiles of queries take {len(patterns)} patterns of the mask, and a bank of M holds "
                        f"{hardware.m_words}; enlarge its share, or take smaller blocks")  # fmt: skip
    visited = codes != NONE
    opening = np.where(visited.any(axis=1), visited.argmax(axis=1), -1)
    first = np.arange(codes.shape[1])[None] == opening[:, None]
    states = 2 * codes + first
    changes = np.flatnonzero((states[:, 1:] != states[:, :-1]).any(axis=0)) + 1
    bounds = [0, *changes.tolist(), codes.shape[1]]
    rows = tuple(Rows(at, to - at, _runs(codes[:, at], first[:, at])) for at, to in pairwise(bounds) if visited[:, at].any())
    finish = _runs(np.full(len(codes), ALL), opening < 0)
    return Block(begin, len(codes), rows, finish, patterns)


def _runs(codes: npt.NDArray[np.int32], first: npt.NDArray[np.bool_]) -> tuple[Run, ...]:
    """Neighbours that are done alike; those that see nothing are left out."""
    states = 2 * codes + first
    bounds = [0, *(np.flatnonzero(states[1:] != states[:-1]) + 1).tolist(), len(codes)]
    return tuple(Run(at, to - at, bool(first[at]), int(codes[at]) - SOME if codes[at] >= SOME else None)
                 for at, to in pairwise(bounds) if codes[at] != NONE)  # fmt: skip
