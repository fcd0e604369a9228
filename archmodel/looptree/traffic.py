"""What moves between memories under a tree, by reuse analysis of its storage nodes.

A tensor of a tree lives in the memory behind the engine's port, unless a storage node keeps its tile further in.  What a
body reads of it and doesn't make itself passes from the memory outside into the memory of the node (a fill); what it makes
and somebody outside reads passes the other way (a drain).  A leaf reads and writes the innermost memory that keeps the
tensor there.  ``registers`` are a unit's own: what moves there is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archmodel.looptree.flow import Edge, steps_over
from archmodel.looptree.path import Path, left, passing, steps, under
from archmodel.looptree.timing import Placed
from archmodel.records.graph import Einsum, Graph
from archmodel.records.mapping import Loop, Storage

REGISTERS = "registers"


@dataclass(frozen=True)
class Move:
    """``elements`` of ``tensor`` that a memory gives (read) or takes (written) in a whole run."""

    memory: str
    tensor: str
    read: int
    written: int


@dataclass(frozen=True)
class Scene:
    """A tree without Peel, as its parts move data: its leaves, its storage nodes, what waits for what."""

    graph: Graph
    home: str
    placed: dict[str, Placed]
    keeps: tuple[Path, ...]
    waits: tuple[Edge, ...]
    extents: dict[str, int]


def moves(scene: Scene) -> Iterator[Move]:
    """Every move of a run; several of one memory and tensor are to be added up."""
    for keep in scene.keeps:
        yield from _around(scene, keep)
    for item in scene.placed.values():
        yield from _of_leaf(scene, item)


def _around(scene: Scene, keep: Path) -> Iterator[Move]:
    """Fills and drains of a storage node."""
    node = keep[-1]
    assert isinstance(node, Storage)
    outer = _memory(scene, keep[:-1], node.tensor)
    inside = {name for name, item in scene.placed.items() if under(item.path, keep)}
    elements = passing(keep, scene.graph.tensor[node.tensor].ranks, scene.extents, False)
    partial = sum(_partial(scene.graph, scene.placed[name].einsum, node.tensor, elements) for name in inside)
    if fills := elements if _filled(scene, keep, inside, node.tensor) else partial:
        yield Move(outer, node.tensor, fills, 0)
        yield Move(node.level, node.tensor, 0, fills)
    if drains := elements if _drained(scene, keep, inside, node.tensor) else partial:
        yield Move(node.level, node.tensor, drains, 0)
        yield Move(outer, node.tensor, 0, drains)


def _partial(graph: Graph, einsum: Einsum, tensor: str, elements: int) -> int:
    """Sums that leave a node before they are complete, and come back: those of an Einsum reduced by a loop around it."""
    return _again(graph, einsum, elements) if einsum.output == tensor and einsum.reduce != "none" else 0


def _filled(scene: Scene, keep: Path, inside: set[str], tensor: str) -> bool:
    """Whether a body reads what it didn't make."""
    made = {edge.reader for edge in scene.waits if edge.tensor == tensor and edge.writer in inside and not _from_before(scene, keep, edge)}
    return any(tensor in scene.placed[name].einsum.inputs and name not in made for name in inside)


def _drained(scene: Scene, keep: Path, inside: set[str], tensor: str) -> bool:
    """Whether what a body makes is read outside, or later, or by nobody: then it is a result."""
    if not any(scene.placed[name].einsum.output == tensor for name in inside):
        return False
    mine = [edge for edge in scene.waits if edge.tensor == tensor]
    if any(edge.reader not in inside or _from_before(scene, keep, edge) for edge in mine):
        return True
    readers = {einsum.name for einsum in scene.graph.einsums if tensor in einsum.inputs}
    return not readers or not readers <= {edge.reader for edge in mine}


def _from_before(scene: Scene, keep: Path, edge: Edge) -> bool:
    """Whether a state is carried by a loop around the node, so that its body begins with the one before."""
    if not edge.carried:
        return False
    ranks = steps_over(scene.graph, scene.placed[edge.writer].einsum)
    return any(isinstance(node, Loop) and node.rank in ranks for node in keep)


def _of_leaf(scene: Scene, item: Placed) -> Iterator[Move]:
    """What an Einsum reads and writes of the memories that keep its tensors."""
    einsum, path = item.einsum, item.path
    own = dict(einsum.ranks)
    for tensor in dict.fromkeys(einsum.inputs):
        memory = _memory(scene, path, tensor)
        if memory != REGISTERS:
            yield Move(memory, tensor, _touched(scene, path, tensor, own), 0)
    memory = _memory(scene, path, einsum.output)
    if memory != REGISTERS:
        written = _touched(scene, path, einsum.output, own)
        yield Move(memory, einsum.output, 0 if steps_over(scene.graph, einsum) else _again(scene.graph, einsum, written), written)


def _touched(scene: Scene, path: Path, tensor: str, own: dict[str, int]) -> int:
    ranks = scene.graph.tensor[tensor].ranks
    walks = any(_walked(path, rank, own[rank]) for rank in ranks)
    return passing(path, ranks, own, walks)


def _walked(path: Path, rank: str, extent: int) -> bool:
    """Whether a leaf walks a rank in time, within what its loops leave."""
    return steps(left(path, rank, extent), ()) > 1


def _again(graph: Graph, einsum: Einsum, written: int) -> int:
    """Partial sums read back: all but the first of each element."""
    return written - graph.elements(einsum, einsum.output)


def _memory(scene: Scene, path: Path, tensor: str) -> str:
    """The innermost memory that keeps a tensor on a path."""
    kept = [node.level for node in path if isinstance(node, Storage) and node.tensor == tensor]
    return kept[-1] if kept else scene.home
