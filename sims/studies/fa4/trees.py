"""How a CTA of FlashAttention-4 runs: which unit computes what, what waits for what, and where each tensor stays."""

from __future__ import annotations

import functools
from dataclasses import replace

from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Parallel, Peel, Sequence, Storage

from .graphs import Shape

ENGINE, SHARED = "sm", "smem"
LATEST = 9
"""Iterations that the last step of a chain is behind its first where nothing waits."""


class Units:
    """Leaves on an SM's units: lanes take rows, and the tensor core a tile of ``rows`` x ``cols`` sums."""

    def __init__(self, machine: Machine, extents: dict[str, int]) -> None:
        params = machine.engine(ENGINE).params
        self._sides = {name: sides for name, *sides in zip(params.units, params.rows, params.cols, strict=True)}
        self._extents = extents

    def lanes(self, unit: str, einsum: str, rank: str) -> Node:
        """``rank`` dealt to the lanes of a unit."""
        return Loop(rank, -(-self._extents[rank] // self._sides[unit][1]), Compute(einsum, ENGINE, unit), "cols")

    def product(self, einsum: str, down: str, across: str, along: str) -> Node:
        """Sums of ranks ``down`` x ``across`` side by side; where they leave rows or columns idle, parts of ``along`` too.

        What is left of a rank that is longer takes as long as a whole tile: 64 of 192 columns, a seventh of the backward products.
        """
        rows, cols = self._sides["mma"]
        tree: Node = Compute(einsum, ENGINE, "mma")
        for rank, axis, lanes in ((across, "cols", cols), (down, "rows", rows)):
            extent = min(self._extents[rank], lanes)
            if parts := lanes // extent - 1:
                tree = Loop(along, self._extents[along] // (parts + 1), tree, axis)
            tree = _tiled(rank, extent, self._extents[rank], Loop(rank, 1, tree, axis))
        return tree

    def bulk(self, einsum: str) -> Node:
        """A move between an SM and the memory of all."""
        return Compute(einsum, ENGINE, "bulk")

    def exponentials(self, einsum: str, rank: str, along: str, emulated: int) -> Node:
        """The last ``emulated`` of ``along`` by polynomial, beside the others in hardware."""
        hardware, polynomial = self.lanes("mufu", einsum, rank), self.lanes("alu", einsum, rank)
        whole = self._extents[along]
        if emulated in (0, whole):
            return polynomial if emulated else hardware
        return Peel(along, whole - emulated, hardware, polynomial)


def _tiled(rank: str, tile: int, extent: int, body: Node) -> Node:
    return Loop(rank, tile, body) if tile < extent else body


def keep(level: str, tensors: str, body: Node) -> Node:
    """``tensors`` stay in ``level`` within ``body``."""
    for tensor in reversed(tensors.split()):
        body = Storage(tensor, level, body)
    return body


def forward(graph: Graph, machine: Machine, shape: Shape, tiles: tuple[str, ...], emulated: int, waits: bool = True) -> Mapping:
    """``emulated`` exponentials of each row by polynomial.

    Each tile is a chain: its scores, softmax, its product with V, then the next block.  The tiles ping-pong: their chains run side by
    side on the same units.  Without ``waits`` each step of a chain works on another block, as if there were room for so many.
    """
    on, has = Units(machine, shape.extents), {einsum.name for einsum in graph.einsums}
    blocks: Node = Parallel(tuple(_chain(on, tile, emulated, waits) for tile in tiles))
    late = 0 if waits else LATEST
    ends = Parallel(tuple(_older(_end(on, tile), late) for tile in tiles))
    steps: list[Node] = [_streamed(graph, "K V", Loop("j", 1, keep(SHARED, "K V", blocks)), Loop("j", 1, blocks)), ends]
    if "fetch.k" in has:
        fetches = [on.bulk(f"fetch.{what}") for what in ("k", *tiles)]
        steps = [*fetches, *steps, *(on.bulk(f"store.{tile}") for tile in tiles)]
    tree = keep(SHARED, " ".join(f"Q.{tile} OUT.{tile}" for tile in tiles), Sequence(tuple(steps)))
    if "fetch.k" in has:
        tree = keep("registers", "KS", tree)
    for tile in tiles:
        tree = keep("registers", f"RM.{tile} C.{tile} L.{tile}", keep("tmem", f"O.{tile}", tree))
    return Mapping(graph.name, machine.name, (tree,))


def _streamed(graph: Graph, tensors: str, stream: Node, stay: Node) -> Node:
    """The loop that brings its operands in block by block, or with them around it where all blocks are one."""
    resident = all("j" not in graph.tensor[name].ranks and "i" not in graph.tensor[name].ranks for name in tensors.split())
    return keep(SHARED, tensors, stay) if resident else stream


def backward(graph: Graph, machine: Machine, shape: Shape) -> Mapping:
    """A block of keys stays; of each tile of queries, dK and dQ are computed beside the softmax of the next tile."""
    on = Units(machine, shape.extents)
    young, old = _gradients(on)
    body = keep(SHARED, "DSS DQS", Parallel((young, old)))
    body = keep("tmem", "S P T DS DQ", keep("registers", "Z X E Y U W B", body))
    loop = _streamed(graph, "Q DO", Loop("i", 1, keep(SHARED, "Q DO", body)), Loop("i", 1, body))
    fetches = [on.bulk(f"fetch.{name}") for name in ("k", "v", "q0", "do0")]
    results = [_older(_result(on, name), 1) for name in ("dk", "dv")]
    tree = keep("registers", "DKR DVR Q0 DO0", keep(SHARED, "DKS DVS", Sequence((*fetches, loop, *results))))
    return Mapping(graph.name, machine.name, (keep(SHARED, "K V", keep("tmem", "DK DV", tree)),))


def _gradients(on: Units) -> tuple[Node, Node]:
    """What a tile of queries needs for dV and the scores' gradient, and, an iteration later, for dK and dQ."""
    alu = functools.partial(on.lanes, "alu", rank="n")
    gradient = Sequence((on.lanes("load", "dp.load", "n"), alu("minus"), alu("times"), alu("ds"), alu("ds.shared")))
    young = Sequence((
        Parallel((on.product("s", "n", "m", "d"), on.product("dp", "n", "m", "f"))),
        Sequence((on.lanes("load", "s.load", "n"), alu("scale"), on.lanes("mufu", "exp", "n"), alu("p"))),
        Parallel((on.product("dv", "n", "f", "m"), gradient)),
    ))  # fmt: skip
    add = Sequence((on.product("dq", "m", "d", "n"), on.lanes("load", "dq.load", "d"), on.lanes("alu", "dq.shared", "d"),
                    on.lanes("tma", "dq.add", "d")))  # fmt: skip
    return young, _older(Parallel((on.product("dk", "n", "d", "m"), add)), 1)


def _older(node: Node, age: int) -> Node:
    """The same tree on what came ``age`` iterations before."""
    if isinstance(node, Compute):
        return replace(node, lag=node.lag + age)
    if isinstance(node, Sequence | Parallel):
        return replace(node, bodies=tuple(_older(body, age) for body in node.bodies))
    if isinstance(node, Peel):
        return replace(node, first=_older(node.first, age), rest=_older(node.rest, age))
    return replace(node, body=_older(node.body, age))


def _result(on: Units, name: str) -> Node:
    return Sequence((on.lanes("load", f"load.{name}", "n"), on.lanes("alu", f"result.{name}", "n"), on.bulk(f"store.{name}")))


def _chain(on: Units, t: str, emulated: int, waits: bool) -> Node:
    alu = functools.partial(on.lanes, "alu", rank="m")
    softmax = (alu(f"scale.{t}"), on.exponentials(f"exp.{t}", "m", "n", emulated), alu(f"convert.{t}"))
    correction = (on.lanes("mufu", f"growth.{t}", "m"), alu(f"rescale.{t}"))
    before = (on.product(f"qk.{t}", "m", "n", "d"), on.lanes("load", f"load.{t}", "m"), alu(f"rowmax.{t}"), alu(f"newmax.{t}"))
    product, total = on.product(f"pv.{t}", "m", "f", "n"), alu(f"sum.{t}")
    chain: Node = Sequence((*before, Parallel((Sequence(softmax), Sequence(correction))), Parallel((product, total))))
    if not waits:
        steps = (*before, *softmax, product)
        ages = [_older(step, age) for age, step in enumerate(steps)]
        aside = [_older(step, len(steps)) for step in (*correction[:1], total)]
        chain = Parallel((*ages, *aside, _older(correction[1], len(steps) + 1)))
    return keep("tmem", f"S.{t} P.{t}", keep("registers", f"Z.{t} LM.{t} X.{t} E.{t} A.{t}", chain))


def _end(on: Units, t: str) -> Node:
    steps = Sequence((on.lanes("mufu", f"invert.{t}", "m"), on.lanes("alu", f"divide.{t}", "m"), on.lanes("alu", f"result.{t}", "m")))
    return keep("registers", f"I.{t} R.{t}", steps)


def ends(graph: Graph, machine: Machine) -> Mapping:
    """A row to a lane, straight from memory and back."""
    on = [Units(machine, dict(einsum.ranks)) for einsum in graph.einsums]
    trees = [units.lanes("alu", einsum.name, "r") for units, einsum in zip(on, graph.einsums, strict=True)]
    return Mapping(graph.name, machine.name, tuple(trees))
