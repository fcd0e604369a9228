"""Paths: from the root of a tree to a node, and what the loops on it do to a rank, to a tensor, to time.

All counts are exact, but for traffic under ragged tiles, which is an upper bound: what a last tile of a single step would
spare is counted as for the others.  A tensor's elements along a rank of its own all pass, whatever the tiles; along another rank the tile
passes again for each iteration of the loops that stand outside one that changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from archmodel.records.base import SpecError
from archmodel.records.mapping import Compute, Loop, Node, Parallel, Peel, Storage, below
from archmodel.records.mapping import Sequence as InTurn

Path = tuple[Node, ...]
"""Nodes from the root down."""


MOST_PEELS = 8
"""Of one tree: the choices between their shares multiply."""


@dataclass(frozen=True)
class Branch:
    """One choice of share at every Peel of a tree: a tree without Peel that counts ``weight`` times."""

    weight: Fraction
    tree: Node


def branches(tree: Node, extents: Mapping[str, int]) -> Iterator[Branch]:
    """The trees that the Peels of a tree choose between, whose weights sum to 1.

    Every share is counted over the whole rank and weighed, as Timeloop's users do with what spills: no ragged tile.
    """
    if isinstance(tree, Compute):
        yield Branch(Fraction(1), tree)
    elif isinstance(tree, Peel):
        extent = extents.get(tree.rank, 0)
        if not tree.size < extent:
            raise SpecError(f"mapping: Peel takes {tree.size} of rank {tree.rank}, which has {extent} there")
        first = Fraction(tree.size, extent)
        for part, body in ((first, tree.first), (1 - first, tree.rest)):
            yield from (Branch(part * found.weight, found.tree) for found in branches(body, extents))
    elif isinstance(tree, InTurn | Parallel):
        for weight, bodies in _products([list(branches(body, extents)) for body in tree.bodies]):
            yield Branch(weight, type(tree)(bodies))
    else:
        if isinstance(tree, Loop):
            extents = {**extents, tree.rank: min(tree.tile, extents.get(tree.rank, tree.tile))}
        for found in branches(tree.body, extents):
            yield Branch(found.weight, _over(tree, found.tree))


def _products(choices: Sequence[list[Branch]]) -> Iterator[tuple[Fraction, tuple[Node, ...]]]:
    if not choices:
        yield Fraction(1), ()
        return
    for first in choices[0]:
        for weight, rest in _products(choices[1:]):
            yield first.weight * weight, (first.tree, *rest)


def _over(node: Loop | Storage, body: Node) -> Node:
    if isinstance(node, Loop):
        return Loop(node.rank, node.tile, body, node.spatial)
    return Storage(node.tensor, node.level, body)


def under(path: Path, above: Path) -> bool:
    """Whether a path begins with another: the very nodes, as equal ones may stand elsewhere in the tree too."""
    return len(path) >= len(above) and all(mine is theirs for mine, theirs in zip(path, above, strict=False))


def share(path: Path, extents: Mapping[str, int]) -> Fraction:
    """What the Peels on a path leave to its last node."""
    weight = Fraction(1)
    for place, node in enumerate(path[:-1]):
        if isinstance(node, Peel):
            first = Fraction(node.size, left(path[:place], node.rank, extents[node.rank]))
            weight *= first if path[place + 1] is node.first else 1 - first
    return weight


def paths(tree: Node) -> Iterator[Path]:
    """Every node of a tree, with those above it, in the tree's order."""
    waiting: list[Path] = [(tree,)]
    while waiting:
        path = waiting.pop()
        yield path
        waiting.extend((*path, body) for body in reversed(below(path[-1])))


def _chain(path: Path, rank: str) -> tuple[Loop, ...]:
    return tuple(node for node in path if isinstance(node, Loop) and node.rank == rank)


def steps(extent: int, chain: Sequence[Loop]) -> int:
    """Steps in time that ``extent`` of a rank takes under its loops, those within a leaf included."""
    if not chain:
        return extent
    tile = min(chain[0].tile, extent)
    if chain[0].spatial:
        return steps(tile, chain[1:])
    full, rest = divmod(extent, tile)
    return full * steps(tile, chain[1:]) + (steps(rest, chain[1:]) if rest else 0)


def tiles(extent: int, chain: Sequence[Loop]) -> int:
    """Iterations of the innermost of a rank's loops in time, all of the outer ones together."""
    if not chain:
        return 1
    tile = min(chain[0].tile, extent)
    if chain[0].spatial:
        return tiles(tile, chain[1:])
    full, rest = divmod(extent, tile)
    return full * tiles(tile, chain[1:]) + (tiles(rest, chain[1:]) if rest else 0)


def left(path: Path, rank: str, extent: int) -> int:
    """What the loops on a path leave of a rank."""
    return min([extent, *(loop.tile for loop in _chain(path, rank))])


def steps_of_leaf(path: Path, ranks: Sequence[tuple[str, int]]) -> int:
    """Steps in time of all points of an Einsum; loops over ranks that it lacks don't repeat it."""
    return prod(steps(extent, _chain(path, rank)) for rank, extent in ranks)


def side_by_side(path: Path, ranks: Sequence[tuple[str, int]], axis: str) -> int:
    """Copies of the inner loops that the spatial loops over ``axis`` put side by side."""
    count = 1
    for rank, extent in ranks:
        size = extent
        for loop in _chain(path, rank):
            if loop.spatial == axis:
                count *= -(-size // loop.tile)
            size = min(size, loop.tile)
    return count


def iterations(path: Path, extents: Mapping[str, int]) -> int:
    """How often the loops in time above the last node of a path run it."""
    return prod(tiles(extents[rank], _chain(path, rank)) for rank in dict.fromkeys(_ranks(path)) if rank in extents)


def _ranks(path: Path) -> Iterator[str]:
    return (node.rank for node in path if isinstance(node, Loop))


def passing(path: Path, own: Sequence[str], extents: Mapping[str, int], inside: bool) -> int:
    """Elements of a tensor of ranks ``own`` that pass into or out of what the last node of a path keeps or computes.

    extents  of all ranks that repeat it; loops over others don't
    inside   whether it changes further within the node, as it does in a leaf that walks a rank of the tensor in time
    """
    last = -1
    for place, node in enumerate(path):
        if isinstance(node, Loop) and not node.spatial and node.rank in own and _trips(path[:place], node, extents) > 1:
            last = place
    outside = path if inside else path[: last + 1]
    again = prod(tiles(extent, _chain(outside, rank)) for rank, extent in extents.items() if rank not in own)
    return prod(extents[rank] for rank in own) * again


def _trips(above: Path, loop: Loop, extents: Mapping[str, int]) -> int:
    size = left(above, loop.rank, extents.get(loop.rank, 1))
    return -(-size // loop.tile)
