"""Between a Mapping's tree and the tiling that the engine executes: which trees are legal here, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import SUM_BITS
from archmodel.records.graph import Einsum, Gemm, Graph
from archmodel.records.machine import Engine
from archmodel.records.mapping import Compute, Layout, Loop, Node, Storage, leaf, nodes

from .tiling import OPERANDS, RANKS, ROLES, Tiling, ceil_div, operand_ranks, quantum

COPIES = "copies"
"""Spatial axis over the copies of an engine."""


@dataclass(frozen=True)
class Placement:
    """How one instance of a GEMM is dealt to the copies of an engine: split along ``split`` (batch, m, n or none).

    Each copy runs ``rounds`` products of the shape in ``tiling``, one after another; where the split rank doesn't
    divide, ``last`` is the smaller shape of the last copy, else None, and ``full`` is how many copies have the full one.
    """

    tiling: Tiling
    split: str
    rounds: int
    full: int
    last: Tiling | None


def place(gemm: Gemm, split: str, copies: int, tiling: Tiling) -> Placement:
    """Deal ``gemm`` in slices of the size that ``tiling`` has along ``split``."""
    if split == "batch":
        return Placement(tiling, split, ceil_div(gemm.batch, copies), min(copies, gemm.batch), None)
    if not split:
        return Placement(tiling, split, gemm.batch, 1, None)
    size, piece = getattr(gemm, split), tiling.extent(split)
    full, rest = divmod(size, piece)
    if full + (rest > 0) > copies:
        raise SpecError(f"mapping: slices of {piece} along {split} make {full + (rest > 0)}, and there are {copies} copies")
    last = None if not rest else _resized(tiling, split, rest)
    return Placement(tiling, split, gemm.batch, full, last)


def _resized(tiling: Tiling, rank: str, size: int) -> Tiling:
    sizes = {r: size if r == rank else tiling.extent(r) for r in RANKS}
    tile = {r: min(tiling.tile(r), sizes[r]) for r in RANKS}
    return Tiling(sizes["m"], sizes["n"], sizes["k"], tile["m"], tile["n"], tile["k"], tiling.flow, tiling.order,
                  tiling.requantise, tiling.init, tiling.wraps)  # fmt: skip


def slice_size(size: int, copies: int, grain: int) -> int:
    """The piece of a rank that each copy gets: as even as whole lanes allow."""
    return min(size, ceil_div(ceil_div(size, copies), grain) * grain)


def rank_names(gemm: Gemm) -> dict[str, str]:
    """Names that the loops of a tree use for batch, m, n and k."""
    return {"m": ".".join(gemm.rank_m) or "m", "n": ".".join(gemm.rank_n) or "n", "k": ".".join(gemm.rank_k) or "k"}


def to_tree(graph: Graph, einsum: Einsum, engine: Engine, tiling: Tiling, split: str) -> Node:
    """The tree of a placement: storage in memory, copies, batch, tile loops, buffers at their own depth, rows, cols."""
    gemm = graph.gemm(einsum)
    names, buffer = rank_names(gemm), engine.buffer or ""
    l_rank, _, y_rank = ROLES[tiling.flow]
    node: Node = Compute(einsum.name, engine.name)
    node = Loop(names[y_rank], 1, node, "cols")
    node = Loop(names[l_rank], 1, node, "rows")
    x, y = (gemm.a, gemm.b) if OPERANDS[tiling.flow][0] == "a" else (gemm.b, gemm.a)
    ranks = dict(zip((x, y, einsum.output), operand_ranks(tiling.flow), strict=True))
    waiting = dict(ranks)
    for rank in reversed(tiling.order):
        for tensor in [t for t, mine in waiting.items() if rank in mine]:
            node = Storage(tensor, buffer, node)
            del waiting[tensor]
        node = Loop(names[rank], tiling.tile(rank), node)
    if gemm.batch > 1:
        node = Loop("batch", 1, node)
    if split:
        node = Loop("batch" if split == "batch" else names[split], 1 if split == "batch" else tiling.extent(split), node, COPIES)
    for tensor in sorted(ranks, reverse=True):
        node = Storage(tensor, engine.port or "", node)
    return node


def from_tree(graph: Graph, einsum: Einsum, tree: Node, engine: Engine) -> Placement:
    """The placement that a tree means.  Raises SpecError, naming the rule, for a tree that this engine can't execute."""
    gemm = graph.gemm(einsum)
    names = {name: rank for rank, name in rank_names(gemm).items()}
    loops = [node for node in nodes(tree) if isinstance(node, Loop)]
    axes = {loop.spatial: names.get(loop.rank, loop.rank) for loop in loops if loop.spatial}
    flow = _flow(einsum, axes)
    timed = [loop for loop in loops if not loop.spatial and loop.rank != "batch"]
    order = tuple(names.get(loop.rank, loop.rank) for loop in timed)
    if sorted(order) != sorted(RANKS):
        raise SpecError(f"mapping of {einsum.name}: loops in time over {list(order)}, expected each of m, n, k once")
    split = axes.get(COPIES, "")
    piece = {loop.spatial: loop.tile for loop in loops}.get(COPIES, 0)
    _check_split(gemm, einsum, split, piece, flow, engine)
    extent = {rank: piece if rank == split else getattr(gemm, rank) for rank in RANKS}
    tile = {rank: min(loop.tile, extent[rank]) for rank, loop in zip(order, timed, strict=True)}
    requantise = graph.tensor[einsum.output].bits < SUM_BITS
    tiling = Tiling(extent["m"], extent["n"], extent["k"], tile["m"], tile["n"], tile["k"], flow, order, requantise,  # type: ignore[arg-type]
                    wraps=engine.params.overflow == "wrap")  # fmt: skip
    _check_nodes(tree, to_tree(graph, einsum, engine, tiling, split), einsum)
    return place(gemm, split, engine.count, tiling)


def _flow(einsum: Einsum, axes: dict[str, str]) -> str:
    """The dataflow whose ranks run over rows and cols."""
    over = (axes.get("rows"), axes.get("cols"))
    for flow, (l_rank, _, y_rank) in ROLES.items():
        if over == (l_rank, y_rank):
            return flow
    raise SpecError(f"mapping of {einsum.name}: rows x cols run over {over[0]} x {over[1]}, expected k x n (ws), k x m (is) or m x n (os)")


def _check_split(gemm: Gemm, einsum: Einsum, split: str, piece: int, flow: str, engine: Engine) -> None:
    """Raises SpecError unless copies take whole products, or slices of m or n that begin with a word."""
    if split not in ("", "batch", "m", "n"):
        raise SpecError(f"mapping of {einsum.name}: copies share rank {split}, expected batch, m or n")
    if split in RANKS:
        size, grain = getattr(gemm, split), quantum(flow, split, engine.params)
        if not 1 <= piece <= size or (piece < size and piece % grain):
            raise SpecError(f"mapping of {einsum.name}: copies take slices of {piece} along {split}, expected a multiple of {grain} "
                            f"or the whole rank ({size})")  # fmt: skip


def _check_nodes(tree: Node, expected: Node, einsum: Einsum) -> None:
    """Raises SpecError at the first node in which ``tree`` is not what the engine does; storage of one depth in any order."""
    if tree == expected:
        return
    for have, want in zip_longest(_outline(tree, expected), _outline(expected, expected), fillvalue="nothing"):
        if have != want:
            raise SpecError(f"mapping of {einsum.name}: {have}, where {leaf(expected).engine} needs {want}")


def _outline(tree: Node, expected: Node) -> list[str]:
    """A line for each node, outermost first; a tile larger than its rank is the rank."""
    most = {(node.rank, node.spatial): node.tile for node in nodes(expected) if isinstance(node, Loop)}
    lines: list[tuple[int, str]] = []
    depth = 0
    for node in nodes(tree):
        depth += not isinstance(node, Storage)
        if isinstance(node, Storage):
            lines.append((2 * depth + 1, f"{node.tensor} stays in {node.level}"))
        elif isinstance(node, Loop):
            axis = f" over {node.spatial}" if node.spatial else ""
            tile = node.tile if node.spatial else min(node.tile, most.get((node.rank, ""), node.tile))
            lines.append((2 * depth, f"loop {node.rank} by {tile}{axis}"))
        elif isinstance(node, Compute):
            lines.append((2 * depth, f"{node.einsum} on {node.engine}" + " as part of a fused tree" * (node.unit != "" or node.lag > 0)))
        else:
            lines.append((2 * depth, f"a {type(node).__name__}"))
    return [text for _, text in sorted(lines)]


def turned(flow: str, kind: str) -> tuple[str, ...]:
    """Which of operands a and c change layout in a dataflow; ``kind`` is that of a.

    Activations lie with features along the lanes, as ws reads and ws and os write them; weights lie as they are wanted.
    """
    reads = ("a",) if flow != "ws" and kind == "activation" else ()
    return reads + (("c",) if flow == "is" else ())


def relayouts(graph: Graph, einsum: Einsum, tree: Node, engine: Engine) -> tuple[str, ...]:
    """Tensors whose layout must change for a tree."""
    del engine
    gemm = graph.gemm(einsum)
    ranks = {name: rank for rank, name in rank_names(gemm).items()}
    axes = {n.spatial: ranks.get(n.rank, n.rank) for n in nodes(tree) if isinstance(n, Loop) and n.spatial}
    names = {"a": gemm.a, "c": einsum.output}
    return tuple(names[operand] for operand in turned(_flow(einsum, axes), graph.tensor[gemm.a].kind))


def layouts(graph: Graph, einsum: Einsum, engine: Engine, flow: str, at: int) -> tuple[tuple[Layout, ...], int]:
    """Layouts of the operands in the memory behind the port from byte ``at`` on, and the byte after them."""
    gemm = graph.gemm(einsum)
    names, (l_rank, i_rank, y_rank) = rank_names(gemm), ROLES[flow]
    x, y = (gemm.a, gemm.b) if OPERANDS[flow][0] == "a" else (gemm.b, gemm.a)
    words = ((x, l_rank, engine.params.rows, i_rank), (y, y_rank, engine.params.cols, "k"),
             (einsum.output, y_rank, engine.params.cols, l_rank if flow == "os" else i_rank))  # fmt: skip
    found = []
    for tensor, lane, lanes, index in words:
        found.append(Layout(einsum.name, tensor, engine.port or "", names[lane], lanes, names[index], at))
        padded = ceil_div(getattr(gemm, lane), lanes) * lanes * getattr(gemm, index) * gemm.batch
        at += -(-padded * graph.tensor[tensor].bits // (8 * engine.params.port_bytes)) * engine.params.port_bytes
    return tuple(found), at
