"""Between a Mapping's tree and the one-pass attention that the engine executes: which trees are legal here, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from math import lcm

from archmodel.engines.systolic.tree import COPIES
from archmodel.onepass import OnePass
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import Hardware
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine
from archmodel.records.mapping import Compute, Layout, Loop, Node, Parallel, Sequence, Storage, below, nodes

from .schedule import schedule, shape

UNITS = ("array", "lanes")
"""Parts of the engine: the processing elements, and the lanes below them."""
BINDING = {"BQK": ("array", "qk"), "LM": ("array", "max"), "RM": ("lanes", "rmax"), "SLN": ("array", "sub"), "SLD": ("array", "sum"),
           "SLNV": ("array", "av"), "PRM": ("lanes", "psub"), "SPD": ("lanes", "spd"), "RD": ("lanes", "rd"),
           "SPNV": ("lanes", "spnv"), "RNV": ("lanes", "rnv")}  # fmt: skip
"""Where each step of the cascade runs, and the micro-op that begins it; fused lanes rescale in the op that adds."""
FUSED = {"spd": "rd", "spnv": "rnv"}
STATE = ("RM", "RD", "RNV")
LOOPS = 3
"""Over queries in time, where one Program does them all: passes, tiles of a pass, tiles that finish."""
SPLITS = ("", "batch", "queries")


@dataclass(frozen=True)
class Placement:
    """How one-pass attention is dealt to an engine.

    tiles    tiles of queries that one pass over the keys serves; their queries and state stay in the buffer meanwhile
    split    what the copies of the engine share: whole instances (batch), the queries of each, or nothing
    piece    queries of one instance that one copy treats
    stretch  queries of it in one Program; where that is fewer, one Program runs after another
    """

    tiles: int
    split: str
    piece: int
    stretch: int


def query_ranks(found: OnePass) -> tuple[str, ...]:
    """Ranks of queries as they are packed: positions outermost, so that the heads of a group stand beside each other."""
    scores = found.steps["BQK"]
    first = scores.mask_ranks[0] if scores.mask else found.queries[-1]
    return (first, *(rank for rank in found.queries if rank != first))


def query_name(found: OnePass) -> str:
    return ".".join(query_ranks(found))


def instances(found: OnePass) -> int:
    return found.size(*found.batch)


def queries(found: OnePass) -> int:
    """Queries of one instance: positions times heads that share keys."""
    return found.size(*found.queries)


def group(found: OnePass) -> int:
    """Queries of one position."""
    return queries(found) // found.positions


def most_tiles(found: OnePass, hardware: Hardware) -> int:
    """Tiles of queries whose queries, state and results the buffer holds; 0 where it holds none, or no tile of keys and values."""
    e, f = found.size(found.e), found.value_width
    if e > hardware.k_words or f > hardware.v_words:
        return 0
    return min(hardware.q_words // e, hardware.s_words // (f + 2), hardware.o_words // f)


def to_tree(found: OnePass, engine: Engine, hardware: Hardware, placed: Placement) -> Node:
    """The tree of a placement: FuseMax's Mapping 1, with the units and ages of tiles of the engine's schedule."""
    buffer, name, steps = engine.buffer or "", query_name(found), found.steps
    tile: Node = Parallel(tuple(_leaf(found, engine, hardware, step) for step in BINDING))
    tile = Loop(found.inner, 1, Loop(name, 1, tile, "cols"), "rows")
    keys: Node = Loop(name, hardware.cols, tile)
    for tensor in dict.fromkeys((found.value, found.key)):
        keys = Storage(tensor, buffer, keys)
    last = Loop(name, hardware.cols, Loop(name, 1, Compute(steps["AV"].name, engine.name, "lanes"), "cols"))
    node: Node = Sequence((Loop(found.outer, 1, keys), last))
    for tensor in (steps["AV"].output, *(steps[step].output for step in reversed(STATE)), found.query):
        node = Storage(tensor, buffer, node)
    node = Loop(name, placed.tiles * hardware.cols, node)
    if instances(found) > 1:
        node = Loop("batch", 1, node)
    if placed.stretch < placed.piece:
        node = Loop(name, placed.stretch, node)
    if placed.split:
        node = Loop("batch" if placed.split == "batch" else name, 1 if placed.split == "batch" else placed.piece, node, COPIES)
    for tensor in sorted({found.query, found.key, found.value, steps["AV"].output}, reverse=True):
        node = Storage(tensor, engine.port or "", node)
    return node


def _leaf(found: OnePass, engine: Engine, hardware: Hardware, step: str) -> Compute:
    unit, op = BINDING[step]
    table = schedule(shape(hardware, found.size(found.e), found.value_width))
    begins = {item.name: item.slot for item in reversed((*table.two, *table.one))}
    slot = begins[op] if op in begins else begins[FUSED[op]]
    return Compute(found.steps[step].name, engine.name, unit, slot // table.period)


def from_tree(found: OnePass, tree: Node, engine: Engine, hardware: Hardware) -> Placement:
    """The placement that a tree means.  Raises SpecError, naming the first node that is not what the engine does."""
    name, loops = query_name(found), [node for node in nodes(tree) if isinstance(node, Loop)]
    shared = next((loop for loop in loops if loop.spatial == COPIES), None)
    split = "" if shared is None else {"batch": "batch", name: "queries"}.get(shared.rank, shared.rank)
    if split not in SPLITS:
        raise SpecError(f"mapping of {found.name}: copies share rank {split}, expected batch or {name}")
    timed = [loop.tile for loop in loops if loop.rank == name and not loop.spatial]
    piece = shared.tile if shared is not None and split == "queries" else queries(found)
    stretch = timed.pop(0) if len(timed) > LOOPS else piece
    if not timed or timed[0] % hardware.cols:
        raise SpecError(f"mapping of {found.name}: {f'a pass over {timed[0]}' if timed else 'no loop over'} {name}, expected a "
                        f"multiple of {hardware.cols}, the columns of {engine.name}")  # fmt: skip
    placed = Placement(timed[0] // hardware.cols, split, piece, stretch)
    _check_nodes(tree, to_tree(found, engine, hardware, placed), found, engine)
    _check_placement(found, engine, hardware, placed)
    return placed


def _check_nodes(tree: Node, expected: Node, found: OnePass, engine: Engine) -> None:
    """Raises SpecError at the first node in which a tree differs; storage of one depth in any order."""
    if tree == expected:
        return
    for have, want in zip_longest(_outline(tree), _outline(expected), fillvalue="nothing"):
        if have != want:
            raise SpecError(f"mapping of {found.name}: {have}, where {engine.name} needs {want}")


def _outline(node: Node) -> list[str]:
    """A line for each node, those around it first; neighbouring storage nodes sorted."""
    kept = []
    while isinstance(node, Storage):
        kept.append(f"{node.tensor} stays in {node.level}")
        node = node.body
    if isinstance(node, Loop):
        own = f"loop {node.rank} by {node.tile}" + (f" over {node.spatial}" if node.spatial else "")
    elif isinstance(node, Compute):
        own = f"{node.einsum} on {node.engine}.{node.unit}, {node.lag} tiles behind"
    else:
        own = {"Sequence": "one after another", "Parallel": "side by side"}.get(type(node).__name__, type(node).__name__)
    return [*sorted(kept), own, *(line for child in below(node) for line in _outline(child))]


def _check_placement(found: OnePass, engine: Engine, hardware: Hardware, placed: Placement) -> None:
    most, tiles = most_tiles(found, hardware), -(-placed.piece // hardware.cols)
    if not 1 <= placed.tiles <= min(most, tiles):
        raise SpecError(f"mapping of {found.name}: a pass over the keys serves {placed.tiles} tiles of queries, expected 1 to "
                        f"{min(most, tiles)}: what {engine.name} holds, and there are")  # fmt: skip
    if placed.split == "queries" and -(-queries(found) // max(1, placed.piece)) > engine.count:
        raise SpecError(f"mapping of {found.name}: slices of {placed.piece} make {-(-queries(found) // placed.piece)}, and there are "
                        f"{engine.count} copies")  # fmt: skip
    for who, size, whole in (("copies", placed.piece, queries(found)), ("Programs", placed.stretch, placed.piece)):
        if not 1 <= size <= whole or (size < whole and size % grain(found, placed.tiles, hardware)):
            raise SpecError(f"mapping of {found.name}: {who} take {size} of {whole} queries, expected all or a multiple of "
                            f"{grain(found, placed.tiles, hardware)}: whole passes of whole positions")  # fmt: skip
        if size < whole and found.mask.query_block:
            raise SpecError(f"mapping of {found.name}: {who} take {size} of {whole} queries, expected all: blocks of its mask are "
                            "counted from the first")  # fmt: skip


def grain(found: OnePass, tiles: int, hardware: Hardware) -> int:
    """Queries are dealt to copies and Programs in multiples of this."""
    return lcm(tiles * hardware.cols, group(found))


def turned(graph: Graph, found: OnePass) -> tuple[str, ...]:
    """Tensors whose lanes and words change places: activations lie with features along the lanes, the engine wants queries there.

    Keys and values that are cached lie as they are wanted.
    """
    own = (found.query, found.key, found.value, found.steps["AV"].output)
    return tuple(dict.fromkeys(tensor for tensor in own if graph.tensor[tensor].kind == "activation"))


def layouts(graph: Graph, found: OnePass, engine: Engine, hardware: Hardware, at: int) -> tuple[tuple[Layout, ...], int]:
    """Layouts of queries, keys, values and results in the memory behind the port from byte ``at`` on, and the byte after them."""
    name, keys, steps = query_name(found), f"{found.outer}.{found.inner}", found.steps
    tiles, tall = -(-queries(found) // hardware.cols), found.size(found.outer)
    wide = {"Q": hardware.cols, "K": hardware.rows, "V": hardware.rows, "O": hardware.cols}
    operands = (("Q", "BQK", found.query, name, found.e, tiles * found.size(found.e)),
                ("K", "BQK", found.key, keys, found.e, tall * found.size(found.e)),
                ("V", "SLNV", found.value, keys, found.f, tall * found.value_width),
                ("O", "AV", steps["AV"].output, name, found.f, tiles * found.value_width))  # fmt: skip
    laid = []
    for buffer, step, tensor, lane, index, words in operands:
        laid.append(Layout(steps[step].name, tensor, engine.port or "", lane, wide[buffer], index, at))
        at += instances(found) * words * hardware.beats(buffer) * hardware.port_bytes
    return tuple(laid), at
