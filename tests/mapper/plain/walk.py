"""A mapping tree walked iteration by iteration on a plain engine, every element that moves noted: the oracle of the closed-form counts.

Nothing is multiplied out.  A move is an entry in a set: what is the same word, at the same moment, out of the same residence of a
tile, is one entry, so that multicast and spatial reduction fall out of the entries' keys; whether a result has been visited before
is looked up in what has been visited before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any

from archmodel.records.engines.plain import Level, Params
from archmodel.records.graph import Einsum, Graph
from archmodel.records.mapping import Compute, Loop, Node, Storage, leaves
from archmodel.records.mapping import Sequence as InTurn

Key = tuple[Any, ...]
HOME: Key = ("home",)
"""Where a tensor is that no storage node keeps: the outermost level, which has one instance."""


@dataclass(frozen=True)
class Residence:
    """A tile that stays: which node keeps it, at which level, from which moment on, in which instance."""

    node: Key
    level: int
    time: Key = ()
    place: Key = ()

    @property
    def key(self) -> Key:
        return (self.node, self.time, self.place)


@dataclass(frozen=True)
class Here:
    """Where the walk stands.

    node   path of branches from the root
    box    (start, stop) of each rank
    time   (rank, index) of each loop in time above
    most   the size of each rank in the first instance, which has the largest tile
    place  (axis, index, stride, count) of each spatial loop above; index x stride adds up to where an instance stands on an axis
    held   the innermost residence of each tensor
    root   the outermost residence of each intermediate that the group keeps to itself
    live   storage nodes above: level, tensor, words of the tile, whether a loop stands below it
    """

    node: Key = ()
    box: dict[str, tuple[int, int]] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    time: Key = ()
    place: Key = ()
    held: dict[str, Residence] = field(default_factory=dict)
    root: dict[str, Residence] = field(default_factory=dict)
    live: tuple[tuple[int, str, int, bool], ...] = ()


@dataclass
class Walk:
    """What passed.  Moves are sets of keys, each beginning with (level, tensor, place)."""

    graph: Graph
    params: Params
    reads: set[Key] = field(default_factory=set)
    writes: set[Key] = field(default_factory=set)
    seen: set[Key] = field(default_factory=set)
    steps: dict[str, set[Key]] = field(default_factory=dict)
    peak: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)


def walk(tree: Node, graph: Graph, params: Params) -> Walk:
    """Walks a tree from its root; intermediates of its Einsums that nobody else reads stay where the tree keeps them."""
    done = Walk(graph, params)
    extents = {rank: extent for end in leaves(tree) for rank, extent in _einsum(done, end.einsum).ranks}
    _visit(done, tree, Here(box={rank: (0, extent) for rank, extent in extents.items()}, most=extents), _kept(done, tree))
    return done


def _einsum(done: Walk, name: str) -> Einsum:
    return next(einsum for einsum in done.graph.einsums if einsum.name == name)


def _kept(done: Walk, tree: Node) -> frozenset[str]:
    """Tensors that the tree writes and reads, that no Einsum outside it reads, and that no later step reads out of a cache."""
    names = {end.einsum for end in leaves(tree)}
    inside = [einsum for einsum in done.graph.einsums if einsum.name in names]
    outside = {tensor for einsum in done.graph.einsums if einsum.name not in names for tensor in einsum.inputs}
    kept = {e.output for e in inside} & {tensor for e in inside for tensor in e.inputs} - outside
    return frozenset(name for name in kept if done.graph.tensor[name].kind != "kv")


def _visit(done: Walk, node: Node, here: Here, kept: frozenset[str]) -> None:
    if isinstance(node, Loop):
        _loop(done, node, here, kept)
    elif isinstance(node, Storage):
        _storage(done, node, here, kept)
    elif isinstance(node, InTurn):
        for place, body in enumerate(node.bodies):
            live = tuple(tile for tile in here.live if tile[3] or _alive(done, tile[1], node.bodies, place))
            _visit(done, body, replace(here, node=(*here.node, place), live=live), kept)
    elif isinstance(node, Compute):
        _compute(done, node, here)
    else:
        raise TypeError(f"{type(node).__name__} is not walked")


def _alive(done: Walk, tensor: str, bodies: Sequence[Node], place: int) -> bool:
    """Whether a tile that is made anew for each run of a sequence is in use while one of its bodies runs."""
    touching = [index for index, body in enumerate(bodies) if any(tensor in _tensors(done, end) for end in leaves(body))]
    return bool(touching) and touching[0] <= place <= touching[-1]


def _tensors(done: Walk, end: Compute) -> tuple[str, ...]:
    einsum = _einsum(done, end.einsum)
    return (*einsum.inputs, einsum.output)


def _loop(done: Walk, loop: Loop, here: Here, kept: frozenset[str]) -> None:
    start, stop = here.box[loop.rank]
    inner = replace(here, node=(*here.node, "o"), most={**here.most, loop.rank: min(here.most[loop.rank], loop.tile)},
                    live=tuple((level, tensor, words, True) for level, tensor, words, _ in here.live))  # fmt: skip
    stride = max((before * count for axis, _, before, count in here.place if axis == loop.spatial), default=1)
    count = -(-here.most[loop.rank] // loop.tile)
    for index, low in enumerate(range(start, stop, loop.tile)):
        box = {**here.box, loop.rank: (low, min(low + loop.tile, stop))}
        if loop.spatial:
            _visit(done, loop.body, replace(inner, box=box, place=(*here.place, (loop.spatial, index, stride, count))), kept)
        else:
            _visit(done, loop.body, replace(inner, box=box, time=(*here.time, (loop.rank, index))), kept)


def _storage(done: Walk, node: Storage, here: Here, kept: frozenset[str]) -> None:
    tensor, level = node.tensor, done.params.depth[node.level]
    tile = Residence((*here.node, tensor), level, here.time, here.place)
    elements = list(_elements(done, tensor, here))
    live = (*here.live, (level, tensor, len(elements), False))
    inner = replace(here, node=(*here.node, "s"), held={**here.held, tensor: tile}, live=live)
    if tensor in kept and tensor not in here.held:
        inner = replace(inner, root={**here.root, tensor: tile})
        _visit(done, node.body, inner, kept)
        return
    parent = here.held.get(tensor, Residence(HOME, 0))
    result = any(_einsum(done, end.einsum).output == tensor for end in leaves(node.body))
    for element in elements:
        if not result or _again(done, tile, here, tensor, element):
            _read(done, parent, tile, tensor, here, element)
            _note(done.writes, tile, tensor, tile.key, element)
    _visit(done, node.body, inner, kept)
    for element in elements if result else ():
        _note(done.reads, tile, tensor, tile.key, ("drain", element))
        _note(done.writes, parent, tensor, (parent.key, tile.node, here.time), element)


def _elements(done: Walk, tensor: str, here: Here) -> Iterator[Key]:
    return product(*(range(*here.box[rank]) for rank in done.graph.tensor[tensor].ranks))


def _again(done: Walk, tile: Residence, here: Here, tensor: str, element: Key) -> bool:
    """Whether this instance has held this result before, since it was begun: what is computed again is begun again."""
    root = here.root[tensor].key if tensor in here.root else HOME
    ranks = {rank for einsum in done.graph.einsums if einsum.output == tensor for rank, _ in einsum.ranks}
    key = (tile.node, tile.place, root, tuple(pair for pair in here.time if pair[0] not in ranks), element)
    found = key in done.seen
    done.seen.add(key)
    return found


def _read(done: Walk, parent: Residence, tile: Residence, tensor: str, here: Here, element: Key) -> None:
    """One word out of the parent, for all instances that share it, but for those on an axis that sends it to each alone."""
    alone = _alone(done, tensor, here.place[len(parent.place) :])
    _note(done.reads, parent, tensor, (parent.key, tile.node, here.time, alone), element)


def _alone(done: Walk, tensor: str, between: Key) -> Key:
    names = {tensor, done.graph.tensor[tensor].kind}
    return tuple((axis, index) for axis, index, *_ in between if names & set(done.params.axis[axis][1].unicast))


def _note(moves: set[Key], tile: Residence, tensor: str, moment: Key, element: Key) -> None:
    moves.add((tile.level, tensor, tile.place, moment, element))


def _compute(done: Walk, end: Compute, here: Here) -> None:
    einsum = _einsum(done, end.einsum)
    _weigh(done, here)
    for point in product(*(range(*here.box[rank]) for rank, _ in einsum.ranks)):
        at = dict(zip((rank for rank, _ in einsum.ranks), point, strict=True))
        moment = (*here.time, *((rank, value - here.box[rank][0]) for rank, value in at.items()))
        done.steps.setdefault(end.einsum, set()).add((here.node, moment))
        done.points[end.einsum] += 1
        _point(done, einsum, replace(here, time=moment), at)


def _point(done: Walk, einsum: Einsum, here: Here, at: dict[str, int]) -> None:
    unit = Residence((*here.node, einsum.name), len(done.params.levels), here.time, here.place)
    for operand, tensor in enumerate(einsum.inputs):
        element = tuple(at[rank] for rank in done.graph.tensor[tensor].ranks)
        _read(done, here.held.get(tensor, Residence(HOME, 0)), replace(unit, node=(*unit.node, operand)), tensor, here, element)
    element = tuple(at[rank] for rank in done.graph.tensor[einsum.output].ranks)
    tile = here.held.get(einsum.output, Residence(HOME, 0))
    if _again(done, unit, here, einsum.output, element):
        _read(done, tile, unit, einsum.output, here, element)
    _note(done.writes, tile, einsum.output, (tile.key, unit.node, here.time), element)


def _weigh(done: Walk, here: Here) -> None:
    """What lies in each level's instance right now, in words."""
    now: Counter[str] = Counter()
    for place, tensor, elements, _ in here.live:
        level = done.params.levels[place]
        now[level.name] += Fraction(elements * (2 if level.buffering == "double" else 1) * done.graph.tensor[tensor].bits, level.word_bits)  # type: ignore[assignment]
    for name, words in now.items():
        done.peak[name] = max(done.peak[name], words)


# --- What the moves amount to ---------------------------------------------------------------------------------------


def totals(done: Walk) -> dict[tuple[str, str], tuple[int, int]]:
    """Elements read and written, by level and tensor."""
    reads, writes = (Counter(move[:2] for move in moves) for moves in (done.reads, done.writes))
    return {(done.params.levels[key[0]].name, key[1]): (reads[key], writes[key]) for key in sorted({*reads, *writes})}


def energy_pj(done: Walk) -> Fraction:
    energy = Fraction(0)
    for (name, tensor), (reads, writes) in totals(done).items():
        level = done.params.levels[done.params.depth[name]]
        energy += Fraction(done.graph.tensor[tensor].bits, level.word_bits) * (reads * level.read_pj + writes * level.write_pj)
    return energy + sum(count * _operation(done, name)[1] for name, count in done.points.items())


def _operation(done: Walk, name: str) -> tuple[Fraction, Fraction]:
    """Cycles and pJ of one point of an Einsum."""
    einsum = _einsum(done, name)
    operator = einsum.map if einsum.reduce == "none" else f"{einsum.map}+{einsum.reduce}"
    found = [operation for operation in done.params.operations if operation.operator == operator]
    return (found[0].cycles, found[0].pj) if found else (Fraction(1), done.params.mac_pj)


def busiest(done: Walk, level: Level) -> tuple[Fraction, Fraction]:
    """Words read and written by the instance of a level that moves most, wherever the loops of each body put it."""
    depth = done.params.depth[level.name]
    sums: dict[Key, list[Fraction]] = {}
    for side, moves in enumerate((done.reads, done.writes)):
        for place, tensor, instance, *_ in moves:
            if place == depth:
                words = Fraction(done.graph.tensor[tensor].bits, level.word_bits)
                sums.setdefault(_on_axes(instance), [Fraction(0), Fraction(0)])[side] += words
    most = max(sums.values(), key=sum, default=[Fraction(0), Fraction(0)])
    return most[0], most[1]


def _on_axes(place: Key) -> Key:
    """Where an instance stands on each axis, but for those on which it is the first."""
    at: Counter[str] = Counter()
    for axis, index, stride, _ in place:
        at[axis] += index * stride
    return tuple(sorted((axis, where) for axis, where in at.items() if where))


def cycles(done: Walk) -> Fraction:
    """Compute and the transfers beside it, whichever takes longest, then those of levels with a single buffer."""
    compute = sum((len(steps) * _operation(done, name)[0] / done.params.macs_per_cycle for name, steps in done.steps.items()), Fraction(0))
    beside, after = [compute], Fraction(0)
    for level in done.params.levels:
        read, written = busiest(done, level)
        rates = ((read, level.read_bandwidth), (written, level.write_bandwidth), (read + written, level.bandwidth))
        time = max([moved / rate for moved, rate in rates if rate is not None], default=Fraction(0))
        if level.buffering == "single":
            after += time
        else:
            beside.append(time)
    return max(beside) + after
