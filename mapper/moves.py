"""Moves: small rewrites of a Mapping, each by a name, printable, and checked: what the engine cannot execute is refused with its rule.

    split    a loop over a rank, below what stays in a level        split m of qk by 64 below buffer
    reorder  two loops that stand right below each other            reorder m and k of qk
    fuse     two trees that begin with the same loops               fuse qk with av under b, h
    bind     an Einsum to another engine, or a part of one          bind qk to array
    pin      a tensor in a level, below a loop or around all        pin K of qk in buffer below h
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from archmodel.evaluation import evaluate
from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Parallel, Peel, Sequence, Storage, leaf, leaves


@dataclass(frozen=True)
class Split:
    """A loop in time over ``rank`` with tiles of ``tile``, right below what stays in ``level`` on the way to ``einsum``; else outermost."""

    einsum: str
    rank: str
    tile: int
    level: str = ""

    def __str__(self) -> str:
        return f"split {self.rank} of {self.einsum} by {self.tile}{f' below {self.level}' if self.level else ''}"


@dataclass(frozen=True)
class Reorder:
    """The loop over ``outer`` and the one over ``inner`` right below it change places."""

    einsum: str
    outer: str
    inner: str

    def __str__(self) -> str:
        return f"reorder {self.outer} and {self.inner} of {self.einsum}"


@dataclass(frozen=True)
class Fuse:
    """The trees of two Einsums become one: they share the loops over ``ranks``, with which both begin, and follow each other inside."""

    first: str
    second: str
    ranks: tuple[str, ...] = ()

    def __str__(self) -> str:
        under = f" under {', '.join(self.ranks)}" if self.ranks else ""
        return f"fuse {self.first} with {self.second}{under}"


@dataclass(frozen=True)
class Bind:
    """The Einsum goes to ``engine``, or to a ``unit`` of it."""

    einsum: str
    engine: str
    unit: str = ""

    def __str__(self) -> str:
        return f"bind {self.einsum} to {self.engine}{f'.{self.unit}' if self.unit else ''}"


@dataclass(frozen=True)
class Pin:
    """``tensor`` stays in ``level`` from below the innermost loop over ``rank`` on, or from the root, and no longer from where it did."""

    einsum: str
    tensor: str
    level: str
    rank: str = ""

    def __str__(self) -> str:
        return f"pin {self.tensor} of {self.einsum} in {self.level}{f' below {self.rank}' if self.rank else ''}"


Move = Split | Reorder | Fuse | Bind | Pin


def moved(graph: Graph, mapping: Mapping, machine: Machine, move: Move) -> Mapping:
    """The mapping after a move; what was proved of it before is left out.

    Raises SpecError, which begins with the move, where there is nothing to move, or the engine cannot execute what comes out: then
    it says which rule is broken and by how much.
    """
    try:
        found = replace(_fused(mapping, move) if isinstance(move, Fuse) else _edited(graph, mapping, move), certificate=None)
        evaluate(graph, found, machine)
    except SpecError as error:
        raise SpecError(f"{move}: {error}") from None
    return found


def _edited(graph: Graph, mapping: Mapping, move: Split | Reorder | Bind | Pin) -> Mapping:
    tree = _tree_of(mapping, move.einsum)
    extents = dict(next(einsum for einsum in graph.einsums if einsum.name == move.einsum).ranks)
    if isinstance(move, Split):
        after = _split(tree, move, extents)
    elif isinstance(move, Reorder):
        after = _reordered(tree, move)
    elif isinstance(move, Bind):
        end = _path(tree, move.einsum)[-1]
        after = _replaced(tree, move.einsum, end, Compute(move.einsum, move.engine, move.unit))
    else:
        after = _pinned(tree, move)
    return replace(mapping, trees=tuple(after if other is tree else other for other in mapping.trees))


def _tree_of(mapping: Mapping, einsum: str) -> Node:
    for tree in mapping.trees:
        if any(end.einsum == einsum for end in leaves(tree)):
            return tree
    raise SpecError(f"no tree has {einsum}")


def _path(tree: Node, einsum: str) -> list[Node]:
    """Nodes from the root to the leaf of an Einsum."""
    found = [tree]
    while not isinstance(found[-1], Compute):
        node = found[-1]
        if isinstance(node, Peel):
            raise SpecError(f"it stands under a Peel of {node.rank}, expected loops, storage and branches")
        bodies = node.bodies if isinstance(node, Sequence | Parallel) else (node.body,)
        found.append(next(body for body in bodies if any(end.einsum == einsum for end in leaves(body))))
    return found


def _replaced(tree: Node, einsum: str, old: Node, new: Node) -> Node:
    """The tree with one node on the way to an Einsum replaced."""
    if tree is old:
        return new
    if isinstance(tree, Sequence | Parallel):
        bodies = ((body, any(end.einsum == einsum for end in leaves(body))) for body in tree.bodies)
        return replace(tree, bodies=tuple(_replaced(body, einsum, old, new) if mine else body for body, mine in bodies))
    assert isinstance(tree, Loop | Storage), "what is replaced stands on the way to the leaf"
    return replace(tree, body=_replaced(tree.body, einsum, old, new))


def _split(tree: Node, move: Split, extents: dict[str, int]) -> Node:
    path = _path(tree, move.einsum)
    if move.rank not in extents:
        raise SpecError(f"{move.einsum} has no rank {move.rank}, expected one of {', '.join(extents)}")
    at = max((place for place, node in enumerate(path) if isinstance(node, Storage) and node.level == move.level), default=-1)
    if move.level and at < 0:
        raise SpecError(f"nothing stays in {move.level} on the way to {move.einsum}")
    left = min((node.tile for node in path[: at + 1] if isinstance(node, Loop) and node.rank == move.rank), default=extents[move.rank])
    if not 1 <= move.tile < left:
        raise SpecError(f"{left} of {move.rank} are left there, expected a tile from 1 to {left - 1}")
    return _replaced(tree, move.einsum, path[at + 1], Loop(move.rank, move.tile, path[at + 1]))


def _reordered(tree: Node, move: Reorder) -> Node:
    for node in _path(tree, move.einsum):
        if isinstance(node, Loop) and node.rank == move.outer and isinstance(node.body, Loop) and node.body.rank == move.inner:
            outer, inner = node, node.body
            swapped = Loop(inner.rank, inner.tile, Loop(outer.rank, outer.tile, inner.body, outer.spatial), inner.spatial)
            return _replaced(tree, move.einsum, outer, swapped)
    raise SpecError(f"no loop over {move.inner} stands right below one over {move.outer}")


def _pinned(tree: Node, move: Pin) -> Node:
    path = _path(tree, move.einsum)
    at = max((place for place, node in enumerate(path) if isinstance(node, Loop) and node.rank == move.rank), default=-1)
    if move.rank and at < 0:
        raise SpecError(f"no loop over {move.rank} stands on the way to {move.einsum}")
    below = path[at + 1]
    after = _replaced(tree, move.einsum, below, Storage(move.tensor, move.level, below))
    for node in _path(after, move.einsum):
        if isinstance(node, Storage) and (node.tensor, node.level) == (move.tensor, move.level) and node.body is not below:
            return _replaced(after, move.einsum, node, node.body)
    return after


def _fused(mapping: Mapping, move: Fuse) -> Mapping:
    first, second = _tree_of(mapping, move.first), _tree_of(mapping, move.second)
    if first is second:
        raise SpecError("they stand in one tree already")
    shared, bodies = [], [first, second]
    for place, rank in enumerate(move.ranks, 1):
        loops = []
        for name, node in zip((move.first, move.second), bodies, strict=True):
            if not isinstance(node, Loop) or node.rank != rank:
                raise SpecError(f"node {place} of {name} is {_said(node)}, expected a loop over {rank}")
            loops.append(node)
        if (loops[0].tile, loops[0].spatial) != (loops[1].tile, loops[1].spatial):
            raise SpecError(f"{move.first} has {_said(loops[0])} and {move.second} {_said(loops[1])}, expected the same")
        shared.append(loops[0])
        bodies = [loop.body for loop in loops]
    parts = [node.bodies if isinstance(node, Sequence) else (node,) for node in bodies]
    tree: Node = Sequence((*parts[0], *parts[1]))
    for loop in reversed(shared):
        tree = replace(loop, body=tree)
    others = [other for other in mapping.trees if other is not first and other is not second]
    return replace(mapping, trees=tuple(sorted((*others, tree), key=lambda tree: leaf(tree).einsum)))


def _said(node: Node) -> str:
    if isinstance(node, Loop):
        return f"a loop over {node.rank} by {node.tile}{f' over {node.spatial}' if node.spatial else ''}"
    if isinstance(node, Storage):
        return f"{node.tensor} in {node.level}"
    return f"{node.einsum} on {node.engine}" if isinstance(node, Compute) else f"a {type(node).__name__}"
