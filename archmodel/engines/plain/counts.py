"""What moves between the levels of a plain engine under a tree of loops: exact counts of elements, tensor by tensor.

A tensor's residence begins at its storage node: every iteration of the loops above it brings the tile anew.  So each count is a
product over ranks: along a rank of the tensor all elements pass once, along another one the tile passes again for each piece that
the loops above cut.  Pieces are counted over their real sizes, the last ones smaller (docs/plain.md has the rules).

Tiles may be NumPy arrays of candidates that share a shape; then so are all counts, int64 or, where that may be too small, floats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from archmodel.records.engines.plain import Counting
from archmodel.records.graph import Einsum

Amount = Any
"""A whole number, or an array of them."""
HOME = 0
"""The outermost level, where every tensor lives."""
PLAIN = Counting()
LARGEST = 2**63 - 1
"""What int64 holds: arrays of counts that may exceed it are of floats, single counts exact at any size."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A loop over a rank, in time or spread over ``axis``."""

    rank: str
    tile: Amount
    axis: str = ""


@dataclass(frozen=True, eq=False)
class Stay:
    """A storage node: ``tensor`` stays in the level at place ``level`` under the loops ``cuts``.

    ``parent`` is the next one outside, None where that is the outermost level.
    """

    tensor: str
    level: int
    cuts: tuple[Cut, ...]
    parent: Stay | None = None


@dataclass(frozen=True, eq=False)
class Leaf:
    """An Einsum under all loops ``cuts`` and storage nodes ``stays`` on its path, outermost first.

    gone  those of them whose tile is not there yet, or no longer, while the Einsum runs
    """

    einsum: Einsum
    cuts: tuple[Cut, ...]
    stays: tuple[Stay, ...]
    gone: tuple[Stay, ...] = ()

    def innermost(self, tensor: str) -> Stay | None:
        """Where the compute unit finds a tensor; None is the outermost level."""
        return next((stay for stay in reversed(self.stays) if stay.tensor == tensor), None)


@dataclass(frozen=True)
class Scene:
    """What a tree computes.

    extents  of every rank of its Einsums
    ranks    of every tensor
    wanted   tensors that somebody outside the tree reads, or nobody: results
    unicast  (axis, tensor) pairs: read once for each instance on the axis
    counting what mappers count differently
    """

    extents: Mapping[str, int]
    ranks: Mapping[str, tuple[str, ...]]
    wanted: frozenset[str]
    unicast: frozenset[tuple[str, str]] = frozenset()
    counting: Counting = PLAIN


@dataclass(frozen=True)
class Count:
    """Elements of ``tensor`` that the level at place ``level`` gives and takes: all instances together, and the busiest one."""

    level: int
    tensor: str
    reads: Amount = 0
    writes: Amount = 0
    busiest_reads: Amount = 0
    busiest_writes: Amount = 0


def visited(extent: Amount, chain: Sequence[tuple[Amount, bool]], sizes: bool) -> Amount:
    """Pieces (``sizes``: elements of them) that the loops of one rank visit; of a loop that isn't whole, the first iteration alone.

    chain  (tile, whole) of each loop, outermost first
    """
    if sizes and all(whole for _, whole in chain):
        return extent
    if not isinstance(extent, int) or not all(isinstance(tile, int) for tile, _ in chain):
        return _visited_together(extent, chain, sizes)
    pieces = {extent: 1}
    for tile, whole in chain:
        cut: dict[int, int] = defaultdict(int)
        for size, count in pieces.items():
            step = min(tile, size)
            full, left = divmod(size, step) if whole else (1, 0)
            cut[step] += full * count
            if left:
                cut[left] += count
        pieces = cut
    return sum(size * count if sizes else count for size, count in pieces.items())


def _visited_together(extent: Amount, chain: Sequence[tuple[Amount, bool]], sizes: bool) -> Amount:
    """The same for arrays: pieces of the largest size, and for each loop so far what it left over."""
    largest: Amount = extent
    count: Amount = 1
    rests: list[tuple[Amount, Amount]] = []
    for tile, whole in chain:
        step = np.minimum(tile, largest)
        if whole:
            full = count * (largest // step) + sum(np.where(left >= tile, number * (left // tile), 0) for left, number in rests)
            rests = [*((np.where(left >= tile, left % tile, left), number) for left, number in rests), (largest % step, count)]
            rests = [(left, np.where(left > 0, number, 0)) for left, number in rests]
            count = full
        else:
            rests = [(np.minimum(left, tile), number) for left, number in rests]
        largest = step
    return sum((left * number if sizes else number for left, number in rests), largest * count if sizes else count)


@dataclass(frozen=True)
class Passing:
    """Elements of a tensor that pass under loops.

    own      the tensor's ranks
    cuts     the loops
    below    how many of them stand above the place where it is counted; what is spread by others is counted once for all that share it
    points   ranks of which each element counts, own or not: those that a compute unit goes through
    unicast  axes below the place whose instances are counted one by one all the same
    held     innermost loops in time of which the first iteration alone counts
    """

    extents: Mapping[str, int]
    own: tuple[str, ...]
    cuts: tuple[Cut, ...]
    below: int
    points: frozenset[str] = frozenset()
    unicast: frozenset[str] = frozenset()
    held: int = 0

    def all(self, once: frozenset[str] = frozenset()) -> Amount:
        """In all instances; of ranks ``once`` only what passes first."""
        return self._product(False, once)

    def busiest(self, once: frozenset[str] = frozenset()) -> Amount:
        """In the instance where most pass: the first, whose pieces are the largest."""
        return self._product(True, once)

    def _product(self, one: bool, once: frozenset[str]) -> Amount:
        chains: dict[str, list[tuple[Amount, bool]]] = {rank: [] for rank in (*self.own, *self.points)}
        for place, cut in enumerate(self.cuts):
            chains.setdefault(cut.rank, []).append((cut.tile, self._whole(place, cut, one, once)))
        total: Amount = 1
        large = prod(self.extents[rank] for rank in chains) > LARGEST
        for rank, chain in chains.items():
            counted = rank in self.own or (rank in self.points and rank not in once)
            count = visited(self.extents[rank], chain, counted)
            total = total * (count.astype(np.float64) if large and isinstance(count, np.ndarray) else count)
        return total

    def _whole(self, place: int, cut: Cut, one: bool, once: frozenset[str]) -> bool:
        if not cut.axis:
            return cut.rank not in once and place < len(self.cuts) - self.held
        return not one if place < self.below else cut.rank in self.own or cut.axis in self.unicast


def counts(scene: Scene, stays: Sequence[Stay], leaves: Sequence[Leaf]) -> Iterator[Count]:
    """Every movement of a run; several of one level and tensor add up."""
    for stay in stays:
        inside = [leaf for leaf in leaves if stay in leaf.stays]
        writers = [leaf for leaf in inside if leaf.einsum.output == stay.tensor]
        if not writers:
            yield from _read(scene, stay.tensor, stay.cuts, stay.parent, stay)
        elif stay.tensor in scene.wanted or any(stay.tensor in leaf.einsum.inputs and leaf not in inside for leaf in leaves):
            for leaf in writers[:1]:
                yield from _written(scene, leaf.einsum, stay.cuts, stay.parent, stay)
    for leaf in leaves:
        points = frozenset(dict(leaf.einsum.ranks))
        for tensor in dict.fromkeys(leaf.einsum.inputs):
            for _ in range(leaf.einsum.inputs.count(tensor)):
                yield from _read(scene, tensor, leaf.cuts, leaf.innermost(tensor), None, points)
        yield from _written(scene, leaf.einsum, leaf.cuts, leaf.innermost(leaf.einsum.output), None, points)


def _read(scene: Scene, tensor: str, cuts: tuple[Cut, ...], parent: Stay | None, child: Stay | None,
          points: frozenset[str] = frozenset()) -> Iterator[Count]:  # fmt: skip
    """What a tile, or where there is no ``child`` a compute unit, reads of the level outside."""
    given, taken = _sides(scene, tensor, cuts, parent, points)
    if scene.counting.sustains and not child:
        given = replace(given, held=_held(cuts, given.own))
    yield Count(_level(parent), tensor, reads=given.all(), busiest_reads=given.busiest())
    if child:
        yield Count(child.level, tensor, writes=taken.all(), busiest_writes=taken.busiest())


def _written(scene: Scene, einsum: Einsum, cuts: tuple[Cut, ...], parent: Stay | None, child: Stay | None,
             points: frozenset[str] = frozenset()) -> Iterator[Count]:  # fmt: skip
    """What leaves a tile of results, or where there is no ``child`` a compute unit, and what comes back to be added to.

    Its first visit over the whole reduction finds nothing to add to: it is neither read outside nor filled, unless ``firsts`` are.
    """
    tensor = einsum.output
    taken, given = _sides(scene, tensor, cuts, parent, points, alone=False)
    yield Count(_level(parent), tensor, writes=taken.all(), busiest_writes=taken.busiest())
    if child and scene.counting.drains:
        yield Count(child.level, tensor, reads=given.all(), busiest_reads=given.busiest())
    if einsum.reduce == "none":
        return
    reduced = frozenset(dict(einsum.ranks)) - set(scene.ranks[tensor])
    back, filled = _sides(scene, tensor, cuts, parent, points)
    firsts = scene.counting.firsts
    yield Count(_level(parent), tensor, reads=_again(back.all(), back.all(reduced), firsts),
                busiest_reads=_again(back.busiest(), back.busiest(reduced), firsts))  # fmt: skip
    if child:
        yield Count(child.level, tensor, writes=_again(filled.all(), filled.all(reduced), firsts),
                    busiest_writes=_again(filled.busiest(), filled.busiest(reduced), firsts))  # fmt: skip


def _again(visits: Amount, first: Amount, firsts: bool) -> Amount:
    """Of the visits those that find a sum; with ``firsts`` all of them where any does."""
    again = visits - first
    return again + first * (again > 0) if firsts else again


def _held(cuts: tuple[Cut, ...], own: tuple[str, ...]) -> int:
    """How many of the innermost loops leave a tensor as it is: those in time over other ranks, and what is spread between them."""
    return next((number for number, cut in enumerate(reversed(cuts)) if not cut.axis and cut.rank in own), len(cuts))


def _sides(scene: Scene, tensor: str, cuts: tuple[Cut, ...], parent: Stay | None, points: frozenset[str],
           alone: bool = True) -> tuple[Passing, Passing]:  # fmt: skip
    """What passes at the parent, and at the child; ``alone`` whether instances that may not share are counted one by one."""
    own, above = scene.ranks[tensor], len(parent.cuts) if parent else 0
    unicast = frozenset(axis for axis, name in scene.unicast if name == tensor) if alone else frozenset()
    return (Passing(scene.extents, own, cuts, above, points, unicast), Passing(scene.extents, own, cuts, len(cuts), points))


def _level(stay: Stay | None) -> int:
    return stay.level if stay else HOME


def points(scene: Scene, leaf: Leaf) -> Passing:
    """The points of an Einsum, computed again in each iteration of loops over ranks that it lacks."""
    return Passing(scene.extents, (), leaf.cuts, len(leaf.cuts), frozenset(dict(leaf.einsum.ranks)))


def tile(scene: Scene, stay: Stay) -> Amount:
    """Elements that a storage node holds: the largest tile."""
    first: dict[str, list[tuple[Amount, bool]]] = {rank: [] for rank in scene.ranks[stay.tensor]}
    for cut in stay.cuts:
        if cut.rank in first:
            first[cut.rank].append((cut.tile, False))
    total: Amount = 1
    for rank, chain in first.items():
        total = total * visited(scene.extents[rank], chain, True)
    return total
