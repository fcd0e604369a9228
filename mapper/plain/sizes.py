"""Sizes: the tile sizes of a rank that a search tells apart, and how many pieces each makes of it.

Ragged, sizes that make equally many pieces of every piece above count as one, the smallest of them: ``ceil(ceil(n / t) / s) =
ceil(n / (t s))``, so spreading keeps that apart too.  What loops inside others make of a rank is at least as many pieces: here are bounds,
which perfect tiles meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from .problem import Rank

Array = npt.NDArray[Any]


def cut(pieces: Counter[int], tile: int) -> Counter[int]:
    """What a loop with a tile makes of pieces: how many there are of each size."""
    found: Counter[int] = Counter()
    for size, times in pieces.items():
        full, rest = divmod(size, tile)
        if full:
            found[tile] += full * times
        if rest:
            found[rest] += times
    return found


def divisors(number: int) -> list[int]:
    small = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    return small + [number // d for d in reversed(small) if d * d != number]


def breaks(number: int) -> list[int]:
    """The smallest tile for each number of pieces that tiles can make of a whole."""
    few = range(1, isqrt(number) + 2)
    return sorted({-(-number // pieces) for pieces in (*few, *(-(-number // tile) for tile in few))})


class Sizes:
    """``values``, ascending, and ``counts``, the pieces that each makes of the whole rank; ``perfect`` ones divide what is left of it."""

    def __init__(self, rank: Rank, perfect: bool, most: int | None = None) -> None:
        pieces = Counter({rank.extent: 1})
        for tile in rank.above:
            pieces = cut(pieces, tile)
        self.left, self.perfect = rank.left, perfect
        found = divisors(self.left) if perfect else sorted({value for size in pieces for value in breaks(size)})
        self.values = np.array([value for value in found if most is None or value <= most], dtype=np.int64)
        self.pieces = pieces
        self.counts = self.count(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def stop(self, place: int) -> int:
        """The first size beyond those that make as many pieces as the one at a place."""
        if self.perfect:
            return int(self.values[place]) + 1
        return int(self.values[place + 1]) if place + 1 < len(self.values) else int(self.values[place]) + 1

    def count(self, tiles: Array) -> Array:
        """Pieces that tiles of these sizes make."""
        return np.asarray(sum(times * -(-size // tiles) for size, times in self.pieces.items()), dtype=np.float64)

    def place(self, tiles: Array) -> Array:
        """Where sizes stand among the values: the same one or, ragged, the largest that is no larger; -1 for one that doesn't divide."""
        at = np.searchsorted(self.values, tiles, "right") - 1
        return np.where(self.values[at] == tiles, at, -1) if self.perfect else at

    def spread(self, times: Sequence[int]) -> Array:
        """[times, values]: where each size that many times over stands; -1 where it doesn't divide what is left."""
        return self.place(np.minimum(self.values[None, :] * np.array(times, dtype=np.int64)[:, None], self.left) if not self.perfect
                          else self.values[None, :] * np.array(times, dtype=np.int64)[:, None])  # fmt: skip

    @cached_property
    def inside(self) -> Array:
        """[outer, inner]: whether a tile fits in another."""
        inner, outer = self.values[None, :], self.values[:, None]
        return outer % inner == 0 if self.perfect else outer >= inner

    def close(self, table: Array, axis: int) -> Array:
        """At each size the least entry of all sizes that it fits in."""
        if not self.perfect:
            return np.flip(np.minimum.accumulate(np.flip(table, axis), axis), axis)
        table = np.moveaxis(table.copy(), axis, 0)
        for prime in _primes(self.left):
            for at in range(len(self.values) - 1, -1, -1):
                if self.left % (larger := int(self.values[at]) * prime) == 0:
                    np.minimum(table[at], table[np.searchsorted(self.values, larger)], out=table[at])
        return np.moveaxis(table, 0, axis)


def _primes(number: int) -> list[int]:
    found, factor = [], 2
    while factor * factor <= number:
        if number % factor == 0:
            found.append(factor)
            while number % factor == 0:
                number //= factor
        factor += 1
    return found + [number] * (number > 1)


def powers(number: int) -> list[int]:
    """How often each prime divides a number."""
    found = []
    for prime in _primes(number):
        found.append(0)
        while number % prime == 0:
            number //= prime
            found[-1] += 1
    return found
