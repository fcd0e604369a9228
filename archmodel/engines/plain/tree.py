"""From a Mapping's tree to what is counted: storage nodes and leaves with the loops above them.  Refuses what is no legal tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archmodel.engines.plain.addressed import counted
from archmodel.engines.plain.counts import Cut, Leaf, Scene, Stay
from archmodel.records.base import SpecError, one_of, shown
from archmodel.records.engines.plain import Params
from archmodel.records.graph import Einsum, Graph
from archmodel.records.mapping import Compute, Loop, Node, Sequence, Storage, leaves


def refusal(einsum: str, why: str) -> SpecError:
    return SpecError(f"mapping of {einsum}: {why}")


@dataclass
class Nest:
    """A tree taken apart: storage nodes and leaves in its order."""

    scene: Scene
    stays: list[Stay] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)


@dataclass(frozen=True)
class _Above:
    """What stands above a node.

    lives  of storage nodes without a loop below them so far: whether their tile comes, and goes, within the body at hand
    gone   storage nodes whose tile is not there yet, or no longer
    """

    cuts: tuple[Cut, ...] = ()
    stays: tuple[Stay, ...] = ()
    lives: tuple[tuple[Stay, bool, bool], ...] = ()
    gone: tuple[Stay, ...] = ()


def nest_of(graph: Graph, tree: Node, params: Params) -> Nest:
    """The parts of a tree.  Raises SpecError for nodes, ranks, tensors, levels and axes that a plain engine doesn't have."""
    names = [leaf.einsum for leaf in leaves(tree)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise refusal(twice[0], "it has two leaves, expected one")
    mine = [einsum for einsum in graph.einsums if einsum.name in names]
    nest = Nest(scene_of(graph, mine, params))
    _take(tree, _Above(), {einsum.name: counted(graph, einsum)[0] for einsum in mine}, params, nest)
    return nest


def scene_of(graph: Graph, einsums: list[Einsum], params: Params) -> Scene:
    """What Einsums in one tree compute.  Raises SpecError where they don't agree on a rank or on how often they are repeated."""
    extents: dict[str, int] = {}
    ranks: dict[str, tuple[str, ...]] = {}
    for einsum, own in (counted(graph, einsum) for einsum in einsums):
        for name, found in own.items():
            if ranks.setdefault(name, found) != found:
                raise refusal(einsum.name, f"{name} is {', '.join(found)} and {', '.join(ranks[name])} in an Einsum fused with it")
        for rank, extent in einsum.ranks:
            if extents.setdefault(rank, extent) != extent:
                raise refusal(einsum.name, f"rank {rank} is {extent}, and {extents[rank]} in an Einsum fused with it")
        if einsum.repeat != einsums[0].repeat:
            first = einsums[0]
            raise refusal(einsum.name, f"repeat is {einsum.repeat}, and {first.repeat} in {first.name} fused with it")
    alone = frozenset((axis.name, name) for _, axis in params.axis.values() for name in ranks
                      if name in axis.unicast or graph.tensor[name].kind in axis.unicast)  # fmt: skip
    wanted = frozenset(einsum.output for einsum in einsums if _wanted(graph, einsum, einsums))
    return Scene(extents, ranks, wanted, alone, params.convention)


def _wanted(graph: Graph, writer: Einsum, inside: list[Einsum]) -> bool:
    """Whether a result leaves the tree: somebody else reads it, nobody does, or it is a cache, which the next step reads.

    Experts of different loads write tensors of one name and different extents: each has readers of its own, and one that has the
    extents of no writer may want any of them.
    """
    tensor = writer.output
    if graph.tensor[tensor].kind == "kv":
        return True
    made = {_instance(graph, einsum, tensor) for einsum in graph.einsums if einsum.output == tensor}
    readers = [einsum for einsum in graph.einsums if tensor in einsum.inputs]
    mine = [reader for reader in readers
            if (key := _instance(graph, reader, tensor)) == _instance(graph, writer, tensor) or key not in made]  # fmt: skip
    return not mine or any(reader not in inside for reader in mine)


def _instance(graph: Graph, einsum: Einsum, tensor: str) -> tuple[int, ...]:
    """What tells apart tensors of one name: their extents, and how many there are."""
    extents = dict(einsum.ranks)
    return (einsum.repeat, *(extents[rank] for rank in graph.tensor[tensor].ranks))


def _take(node: Node, above: _Above, einsums: dict[str, Einsum], params: Params, nest: Nest) -> None:
    while isinstance(node, Loop | Storage):
        above = _under_loop(node, above, params, nest) if isinstance(node, Loop) else _under_stay(node, above, params, nest)
        node = node.body
    if isinstance(node, Sequence):
        for place, body in enumerate(node.bodies):
            _take(body, _in_turn(node, place, above, einsums), einsums, params, nest)
    elif isinstance(node, Compute):
        if node.unit or node.lag:
            raise refusal(node.einsum, f"a leaf with a {'unit' if node.unit else 'lag'}, expected neither unit nor lag")
        nest.leaves.append(Leaf(einsums[node.einsum], above.cuts, above.stays, above.gone))
    else:
        raise refusal(leaves(node)[0].einsum, f"found a {type(node).__name__}, expected loops, storage nodes, Sequences and "
                      "leaves: bodies run one after another here")  # fmt: skip


def _in_turn(node: Sequence, place: int, above: _Above, einsums: dict[str, Einsum]) -> _Above:
    """One body of a Sequence: a tile that is made anew for each run of it lives from the first body that touches it to the last."""
    inside = [[einsums[leaf.einsum] for leaf in leaves(body)] for body in node.bodies]
    touched = [{name for einsum in group for name in (*einsum.inputs, einsum.output)} for group in inside]
    lives, gone = [], list(above.gone)
    for stay, comes, goes in above.lives:
        bodies = [index for index, names in enumerate(touched) if stay.tensor in names] or [place]
        if (comes and place < bodies[0]) or (goes and place > bodies[-1]):
            gone.append(stay)
        else:
            lives.append((stay, comes and place == bodies[0], goes and place == bodies[-1]))
    return _Above(above.cuts, above.stays, tuple(lives), tuple(gone))


def _under_loop(node: Loop, above: _Above, params: Params, nest: Nest) -> _Above:
    if node.rank not in nest.scene.extents:
        raise SpecError(f"mapping: a loop over {shown(node.rank)}, expected a rank of its Einsums: {', '.join(sorted(nest.scene.extents))}")
    if node.spatial:
        if node.spatial not in params.axis:
            known = one_of(params.axis) if params.axis else "none"
            raise SpecError(f"mapping: a loop over {node.rank} is spread over {shown(node.spatial)}, expected {known}")
        place, _ = params.axis[node.spatial]
        if inner := next((stay for stay in above.stays if stay.level > place), None):
            where = f"{inner.tensor} in {params.levels[inner.level].name}"
            raise SpecError(f"mapping: a loop over {node.rank} is spread over {node.spatial} below {where}, expected it above: the axis is "
                            f"between {_between(params, place)}")  # fmt: skip
    return _Above((*above.cuts, Cut(node.rank, node.tile, node.spatial)), above.stays, (), above.gone)


def _between(params: Params, place: int) -> str:
    inner = params.levels[place + 1].name if place + 1 < len(params.levels) else "compute"
    return f"{params.levels[place].name} and {inner}"


def _under_stay(node: Storage, above: _Above, params: Params, nest: Nest) -> _Above:
    tensor, names = node.tensor, [level.name for level in params.levels]
    below = [leaf.einsum for leaf in leaves(node.body)]
    if tensor not in nest.scene.ranks:
        raise SpecError(f"mapping: {shown(tensor)} stays in {node.level}, expected a tensor of its Einsums: {', '.join(nest.scene.ranks)}")
    if node.level not in names:
        raise refusal(below[0], f"{tensor} stays in {shown(node.level)}, expected {one_of(names)}")
    place = params.depth[node.level]
    parent = next((stay for stay in reversed(above.stays) if stay.tensor == tensor), None)
    if place == 0:
        if above.cuts or parent:
            raise refusal(below[0], f"{tensor} stays in {node.level} below a loop or a node, expected it at the top: the "
                          "outermost level holds everything all the time")  # fmt: skip
        return above
    if outer := next((stay for stay in above.stays if stay.level > place), None):
        raise refusal(below[0], f"{tensor} stays in {node.level} below {outer.tensor} in {names[outer.level]}, which is further "
                      "in: expected levels from the outside inwards")  # fmt: skip
    if parent and parent.level == place:
        raise refusal(below[0], f"{tensor} stays in {node.level} twice on one path, expected it once")
    if spread := next((cut for cut in above.cuts if cut.axis and params.axis[cut.axis][0] >= place), None):
        raise refusal(below[0], f"{tensor} stays in {node.level} below the loop over {spread.rank} on {spread.axis}, expected it "
                      f"above: the axis is between {_between(params, params.axis[spread.axis][0])}")  # fmt: skip
    stay = Stay(tensor, place, above.cuts, parent)
    nest.stays.append(stay)
    return _Above(above.cuts, (*above.stays, stay), (*above.lives, (stay, True, True)), above.gone)


def paths(nest: Nest) -> Iterator[tuple[Leaf, str]]:
    """Each leaf with each tensor that it touches."""
    for leaf in nest.leaves:
        for tensor in dict.fromkeys((*leaf.einsum.inputs, leaf.einsum.output)):
            yield leaf, tensor
