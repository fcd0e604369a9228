"""A tree of one Einsum on a plain engine as what it decides: which tiles stay where, in which order, and what is spread on each axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from archmodel.records.engines.plain import Params
from archmodel.records.graph import Einsum
from archmodel.records.mapping import Compute, Loop, Node, Sequence, Storage, nodes

Sizes = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Held:
    """A tile: what is left of each rank of the Einsum where ``tensor`` begins to stay."""

    tensor: str
    sizes: Sizes


@dataclass(frozen=True)
class Shape:
    """By level, outermost first: its tiles in their order, then what is spread below it, as (axis, rank, tile)."""

    levels: tuple[tuple[str, tuple[Held, ...]], ...]
    axes: tuple[tuple[str, Sizes], ...]


def shape_of(einsum: Einsum, tree: Node, params: Params) -> Shape | None:
    """What a tree decides; None of one that fuses several Einsums."""
    held: dict[str, list[Held]] = {level.name: [] for level in params.levels}
    axes: dict[str, list[tuple[str, int]]] = {axis: [] for axis in params.axis}
    left = dict(einsum.ranks)
    for node in nodes(tree):
        if isinstance(node, Loop):
            left[node.rank] = min(node.tile, left[node.rank])
            if node.spatial:
                axes[node.spatial].append((node.rank, left[node.rank]))
        elif isinstance(node, Storage):
            held[node.level].append(Held(node.tensor, tuple(sorted(left.items()))))
        elif isinstance(node, Sequence):
            return None
    return Shape(tuple((level, tuple(tiles)) for level, tiles in held.items()), tuple((axis, tuple(sizes)) for axis, sizes in axes.items()))


def tree_of(einsum: Einsum, shape: Shape, params: Params, engine: str) -> Node:
    """The tree of a shape; what is larger inside than outside is cut to what is left."""
    left, outside = dict(einsum.ranks), list[Callable[[Node], Node]]()

    def cut(sizes: Sizes, axis: str = "") -> None:
        for rank, size in sizes:
            if size < left[rank]:
                left[rank] = size
                outside.append(partial(_loop, rank, size, axis))

    axes = dict(shape.axes)
    for level, (name, tiles) in zip(params.levels, shape.levels, strict=True):
        for held in tiles:
            cut(held.sizes)
            outside.append(partial(Storage, held.tensor, name))
        for axis in level.axes:
            cut(axes[axis.name], axis.name)
    node: Node = Compute(einsum.name, engine)
    for wrap in reversed(outside):
        node = wrap(node)
    return node


def _loop(rank: str, tile: int, axis: str, body: Node) -> Loop:
    return Loop(rank, tile, body, axis)
