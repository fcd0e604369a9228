"""The paper's five variants as Mappings: what is fused, what stays where, what runs beside what, which tile it works on."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Parallel, Peel, Sequence, Storage

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


def cascade(again: bool = False) -> Node:
    """+Cascade: FLAT's array multiplies alone; all else is the lanes'.

    Local maximum and sum take scores and weights as they come, unless they read them ``again`` from the buffer.
    """
    kept = () if again else ("QK", "SLN")
    summed = Sequence((lanes("SLN", 2), lanes("SLD", 2)))
    return Parallel((
        keep(REGISTERS, kept[:1], Parallel((rows(array("QK", 0)), lanes("LM", 1)))),
        Storage("RM", REGISTERS, Sequence((
            lanes("RM", 2), keep(REGISTERS, kept[1:], summed),
            *(lanes(name, 2) for name in ("PRM", "SPD", "RD", "SPNV")), lanes("RNV", 4), lanes("AV", 4),
        ))),
        rows(array("SLNV", 3)),
    ))  # fmt: skip


def one_pass(graph: Graph, machine: Machine, body: Node, group: int, cols: int, through: tuple[str, ...] = ()) -> Mapping:
    """``group`` tiles of ``cols`` queries meet each tile of keys, which is read once for them.

    ``through`` of what a tile makes goes from one unit to the other by way of the buffer.
    """
    inside = keep(REGISTERS, tuple(name for name in PASSING if name not in through), body)
    tile = Loop("p", cols, Loop("p", 1, inside, "cols"))
    group_of_queries = keep(BUFFER, ("Q", "RM", "RD", "RNV", *through), Loop("m1", 1, keep(BUFFER, ("K", "V"), tile)))
    return Mapping(graph.name, machine.name, (Loop("b", 1, Loop("h", 1, Loop("p", group * cols, group_of_queries))),))


def _tiled(leaf: Compute, cols: int, stay: tuple[str, ...] = (), keys_outside: bool = False) -> Node:
    """A product on the array in tiles of keys over the rows by queries over the columns; ``stay`` in registers under the outer loop."""
    inner, outer = ("p", "m") if keys_outside else ("m", "p")
    tile = Loop("m", 1, Loop("p", 1, leaf, "cols"), "rows")
    return Loop(outer, cols, keep(REGISTERS, stay, Loop(inner, cols, tile)))


def _softmax(lanes_wide: int, lag: int, stay: tuple[str, ...] = (), again: bool = False, staged: bool = False) -> Node:
    """Softmax of a row, its keys over the lanes; ``stay`` in the buffer for that row alone; results are ``staged`` in the buffer."""

    def wide(*leaves: Compute) -> Node:
        return Loop("m", lanes_wide, Loop("m", 1, leaves[0] if len(leaves) == 1 else Sequence(leaves), "cols"))

    summed = keep(REGISTERS, () if again else ("SN",), wide(lanes("SN", lag), lanes("SD", lag)))
    weights, shares = (("SN",), ("A",)) if staged else ((), ())
    parts = Sequence((wide(lanes("GM", lag)), keep(BUFFER, weights, summed), keep(BUFFER, shares, wide(lanes("A", lag)))))
    return Loop("p", 1, keep(BUFFER, stay, keep(REGISTERS, ("GM", "SD"), parts)))


def unfused(graph: Graph, machine: Machine, groups: int, cols: int) -> Mapping:
    """Three trees through DRAM.  ``groups`` of queries: K and V are read once for each."""
    queries = dict(next(einsum for einsum in graph.einsums if einsum.name == "QK").ranks)["p"]
    group = queries // groups

    def around(body: Node) -> Node:
        return Loop("b", 1, Loop("h", 1, body))

    scores = around(Loop("p", group, Storage("Q", BUFFER, _tiled(array("QK"), cols, ("K",), True))))
    softmax = around(_softmax(cols, 0, ("QK", "SN")))
    values = around(Loop("p", group, Storage("AV", BUFFER, _tiled(array("AV"), cols, ("V",), True))))
    return Mapping(graph.name, machine.name, (values, softmax, scores))


@dataclass(frozen=True)
class Flat:
    """What the FLAT authors' search chose for one point.

    granule  queries of one head whose scores are made together
    on_chip  of Q, QK, V and AV; A stays where QK does
    spilled  keys of a row whose scores don't fit beside the others, and go through DRAM
    again    the sum reads its weights from the buffer, not as they come
    """

    granule: int
    on_chip: tuple[str, ...]
    spilled: int
    again: bool = False


def flat(graph: Graph, machine: Machine, choice: Flat, cols: int) -> Mapping:
    """Scores, softmax and values of three granules side by side."""
    tree = _resident(choice, cols)
    return Mapping(graph.name, machine.name, (Peel("m", choice.spilled, _spilled(choice, cols), tree) if choice.spilled else tree,))


def _resident(choice: Flat, cols: int) -> Node:
    """Output-stationary products where the scores stay on chip, else weight-stationary ones."""
    if "QK" in choice.on_chip:
        scores, values = _tiled(array("QK", 0), cols), _tiled(array("AV", 2), cols, ("AV",))
        return _granules(choice.granule, (*choice.on_chip, "SN", "A"), scores, values, _softmax(cols, 1, (), choice.again))
    scores, values = _tiled(array("QK", 0), cols, ("K",), True), _tiled(array("AV", 2), cols, ("V",), True)
    return _granules(choice.granule, choice.on_chip, scores, values, _softmax(cols, 1, ("QK", "SN"), choice.again))


def _spilled(choice: Flat, cols: int) -> Node:
    """What is made goes through the buffer to DRAM, and is read from there; nothing else stays on chip."""
    scores, values = Storage("QK", BUFFER, _tiled(array("QK", 0), cols)), _tiled(array("AV", 2), cols, ("AV",))
    return _granules(choice.granule, (), scores, values, _softmax(cols, 1, (), choice.again, True))


def _granules(granule: int, stay: tuple[str, ...], scores: Node, values: Node, softmax: Node) -> Node:
    beside = keep(BUFFER, stay, Parallel((Sequence((scores, values)), softmax)))
    return Loop("b", 1, Loop("h", 1, Loop("p", granule, beside)))


def linear(graph: Graph, machine: Machine, cols: int) -> Mapping:
    """Each product by itself: weights stay in the buffer, inputs and results pass once."""
    trees = []
    for einsum in graph.einsums:
        inner = Loop("i", cols, Loop("i", 1, Loop("o", 1, array(einsum.name), "cols"), "rows"))
        x, w = einsum.inputs
        trees.append(Storage(w, BUFFER, Loop("t", cols, keep(BUFFER, (x, einsum.output), Loop("o", cols, inner)))))
    return Mapping(graph.name, machine.name, tuple(trees))
