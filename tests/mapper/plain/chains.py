"""All ways to cut one rank, each walked piece by piece: what the enumerator multiplies out.

A chain is a tile size for each of a row of loops, some in time, some on an axis.  A piece knows the iterations in time and the places
on axes that lead to it; whatever is counted is the size of a set of such histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Piece = tuple[tuple[int, ...], tuple[tuple[str, int], ...], int]
"""Iterations in time, (axis, index) of each loop on an axis, size."""


@dataclass(frozen=True, eq=False)
class Chains:
    """Every chain of loops of ``kinds`` ("" in time, else an axis) over pieces that are there already, first to last.

    ``pieces[c][b]`` are the pieces that the first ``b`` loops of chain ``c`` make; what counts them is an array over chains.
    """

    kinds: tuple[str, ...]
    tiles: tuple[tuple[int, ...], ...]
    pieces: tuple[tuple[tuple[Piece, ...], ...], ...]

    def places(self, at: int) -> int:
        """Loops on axes among the first ``at``."""
        return sum(bool(kind) for kind in self.kinds[:at])

    def visits(self, at: int, outside: int, alone: frozenset[str] = frozenset()) -> Ints:
        """Pieces; those at one time once, unless a loop on an axis among the first ``outside``, or on one of ``alone``, parts them."""
        return self._distinct(at, outside, alone, True)

    def first(self, at: int, outside: int, alone: frozenset[str] = frozenset()) -> Ints:
        """Of those, the ones that are their instance's first."""
        return self._distinct(at, outside, alone, False)

    @cache  # noqa: B019
    def _distinct(self, at: int, outside: int, alone: frozenset[str], timed: bool) -> Ints:
        known = self.places(outside)

        def history(time: tuple[int, ...], place: tuple[tuple[str, int], ...]) -> object:
            return time if timed else (), place[:known], tuple(pair for pair in place[known:] if pair[0] in alone)

        return np.array([len({history(time, place) for time, place, _ in mine[at]}) for mine in self.pieces])

    @cache  # noqa: B019
    def turns(self, at: int) -> Ints:
        """Pieces that come one after another, whatever lies side by side."""
        return np.array([len({time for time, _, _ in mine[at]}) for mine in self.pieces])

    @cache  # noqa: B019
    def largest(self, at: int) -> Ints:
        return np.array([max(size for _, _, size in mine[at]) for mine in self.pieces])

    @cache  # noqa: B019
    def passing(self, at: int) -> Ints:
        """Elements that pass through the instance where most do."""
        return np.array([max(_sums(mine[at]).values()) for mine in self.pieces])

    @cache  # noqa: B019
    def wide(self, axis: str) -> Ints:
        """The most pieces that lie side by side on an axis."""
        return np.array([max(_widths(mine, self.kinds, axis)) for mine in self.pieces])

    def finals(self) -> list[tuple[int, ...]]:
        """The sizes that each chain leaves, first to last."""
        return [tuple(size for _, _, size in mine[-1]) for mine in self.pieces]


def _sums(pieces: tuple[Piece, ...]) -> dict[object, int]:
    found: dict[object, int] = {}
    for _, place, size in pieces:
        found[place] = found.get(place, 0) + size
    return found


def _widths(mine: tuple[tuple[Piece, ...], ...], kinds: tuple[str, ...], axis: str) -> Iterator[int]:
    """Copies side by side on one axis in each chain: of its loops' largest counts the product."""
    wide = 1
    for at, kind in enumerate(kinds):
        if kind == axis:
            before, after = max(size for _, _, size in mine[at]), max(size for _, _, size in mine[at + 1])
            wide *= -(-before // after)
    yield wide


@cache
def chains(left: tuple[int, ...], kinds: tuple[str, ...], perfect: bool, limits: tuple[tuple[str, int], ...] = ()) -> Chains:
    """``left`` are the sizes that loops outside have left of a rank; ``limits`` are the sizes of axes."""
    start = tuple(((index,), (), size) for index, size in enumerate(left))
    tiles = tuple(_tiles(max(left), kinds, perfect, dict(limits)))
    return Chains(kinds, tiles, tuple(tuple(_walked(start, kinds, tile)) for tile in tiles))


@cache
def ended(cut: Chains) -> Chains:
    """With the points of each last piece as one more loop in time."""
    points = (tuple(((*time, point), place, 1) for time, place, size in mine[-1] for point in range(size)) for mine in cut.pieces)
    return Chains((*cut.kinds, ""), cut.tiles, tuple((*mine, last) for mine, last in zip(cut.pieces, points, strict=True)))


def _tiles(size: int, kinds: tuple[str, ...], perfect: bool, limits: dict[str, int]) -> Iterator[tuple[int, ...]]:
    if not kinds:
        yield ()
        return
    for tile in range(1, size + 1):
        if (not perfect or size % tile == 0) and -(-size // tile) <= limits.get(kinds[0], size):
            for rest in _tiles(tile, kinds[1:], perfect, limits):
                yield (tile, *rest)


def _walked(pieces: tuple[Piece, ...], kinds: tuple[str, ...], tiles: tuple[int, ...]) -> Iterator[tuple[Piece, ...]]:
    yield pieces
    for kind, tile in zip(kinds, tiles, strict=True):
        pieces = tuple(piece for outer in pieces for piece in _cut(outer, kind, tile))
        yield pieces


def _cut(outer: Piece, kind: str, tile: int) -> Iterator[Piece]:
    time, place, size = outer
    for index in range(-(-size // tile)):
        part = min(tile, size - index * tile)
        yield (time, (*place, (kind, index)), part) if kind else ((*time, index), place, part)
