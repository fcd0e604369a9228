"""The paper's five variants as Mappings: what is fused, what stays where, what runs beside what, which tile it works on."""

from __future__ import annotations

from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Parallel, Sequence, Storage

BUFFER, REGISTERS = "buffer", "registers"
CHIP = "chip"
PASSING = ("QK", "LM", "SLN", "SLD", "SLNV", "PRM", "SPD", "SPNV")
"""What a tile makes and uses up itself."""


def array(name: str, lag: int = 0) -> Compute:
    return Compute(name, CHIP, "array", lag)


def lanes(name: str, lag: int = 0) -> Compute:
    return Compute(name, CHIP, "lanes", lag)


def keep(level: str, tensors: tuple[str, ...], body: Node) -> Node:
    """``body`` with storage nodes for all of ``tensors`` around it."""
    for tensor in reversed(tensors):
        body = Storage(tensor, level, body)
    return body


def rows(*leaves: Compute) -> Node:
    """Leaves of the array, keys of a tile over its rows."""
    return Loop("m0", 1, leaves[0] if len(leaves) == 1 else Sequence(leaves), "rows")


def binding() -> Node:
    """+Binding: every reader of a sum over the rows works on an older tile, so that no drain is waited for."""
    return Sequence((
        Parallel((rows(array("QK", 0), array("LM", 0)), Sequence((lanes("RD", 2), lanes("RNV", 2), lanes("AV", 2))))),
        Storage("RM", REGISTERS, Sequence((
            lanes("RM", 1),
            Parallel((rows(array("SLN", 1), array("SLD", 1)), Sequence((lanes("PRM", 1), lanes("SPD", 1))))),
            Parallel((rows(array("SLNV", 1)), lanes("SPNV", 1))),
        ))),
    ))  # fmt: skip


def architecture() -> Node:
    """+Architecture: a tile is made and used up before the next, so the running maximum waits for the local one to leave."""
    return Sequence((
        Parallel((rows(array("QK", 0), array("LM", 0)), Sequence((lanes("RD", 1), lanes("AV", 2))))),
        Storage("RM", REGISTERS, Sequence((
            lanes("RM", 0),
            Parallel((rows(array("SLN", 0), array("SLD", 0)), Sequence((lanes("PRM", 0), lanes("SPD", 0))))),
            Parallel((rows(array("SLNV", 0)), Sequence((lanes("SPNV", 0), lanes("RNV", 1))))),
        ))),
    ))  # fmt: skip


def cascade() -> Node:
    """+Cascade: FLAT's array multiplies alone; all else is the lanes'."""
    softmax = [lanes(name, 1) for name in ("LM", "RM", "SLN", "SLD", "PRM", "SPD", "RD", "SPNV")]
    return Parallel((
        rows(array("QK", 0), array("SLNV", 2)),
        Storage("RM", REGISTERS, Sequence((*softmax, lanes("RNV", 3), lanes("AV", 3)))),
    ))  # fmt: skip


def one_pass(graph: Graph, machine: Machine, body: Node, group: int, cols: int, spilled: tuple[str, ...] = ()) -> Mapping:
    """``group`` tiles of ``cols`` queries meet each tile of keys, which is read once for them.

    ``spilled`` of what a tile makes goes through the buffer, from one unit to the other.
    """
    inside = keep(REGISTERS, tuple(name for name in PASSING if name not in spilled), body)
    tile = Loop("p", cols, Loop("p", 1, inside, "cols"))
    group_of_queries = keep(BUFFER, ("Q", "RM", "RD", "RNV", *spilled), Loop("m1", 1, keep(BUFFER, ("K", "V"), tile)))
    return Mapping(graph.name, machine.name, (Loop("b", 1, Loop("h", 1, Loop("p", group * cols, group_of_queries))),))
