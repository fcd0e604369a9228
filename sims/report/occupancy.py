"""What the memories hold while a stage runs: activations from their writer to their last reader, and tiles in the buffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from archmodel.engines.systolic import hardware_of
from archmodel.engines.systolic.tiling import check, words_of
from archmodel.engines.systolic.tree import from_tree
from archmodel.records.engines.systolic import TYPE, Hardware
from archmodel.records.graph import Graph
from archmodel.records.mapping import Compute, leaf, leaves

from .saved import Saved
from .timeline import Span


@dataclass(frozen=True)
class Live:
    """One instance of an activation in ``memory``, from the first operator that touches it to the last."""

    tensor: str
    memory: str
    bytes: int
    first: Span
    last: Span


@dataclass(frozen=True)
class Tiles:
    """What one product keeps in the buffer of one copy of its engine, all banks: (buffer, bytes) pairs."""

    span: Span
    memory: str
    parts: tuple[tuple[str, int], ...]
    size_bytes: int

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.parts)


def live(saved: Saved, spans: Sequence[Span]) -> list[Live]:
    """Every activation, by its start; in the memory behind the port of the engine that touches it first.

    What is made and used within one fused tree never comes to memory.
    """
    rows = _by_einsum(saved, {span.op.name: span for span in spans})
    ports = {engine.name: engine.port for engine in saved.machine.engines}
    touched: dict[str, list[Span]] = {}
    inside = _inside(saved)
    for einsum in saved.executed.einsums:
        for tensor in (einsum.output, *einsum.inputs):
            if einsum.name in rows and saved.executed.tensor[tensor].kind == "activation" and tensor not in inside:
                touched.setdefault(tensor, []).append(rows[einsum.name])
    found = []
    for tensor, users in touched.items():
        first, last = min(users, key=lambda span: span.start), max(users, key=lambda span: span.end)
        found.append(Live(tensor, ports.get(first.op.engine) or "", instance_bytes(saved.executed, tensor), first, last))
    return sorted(found, key=lambda item: (item.first.start, item.tensor))


def _by_einsum(saved: Saved, rows: dict[str, Span]) -> dict[str, Span]:
    """The span of every Einsum: a fused one's is that of the tree which computes it."""
    trees = saved.mapping.trees if saved.mapping else ()
    fused = {end.einsum: rows[leaf(tree).einsum] for tree in trees for end in leaves(tree) if leaf(tree).einsum in rows}
    return rows | fused


def _inside(saved: Saved) -> set[str]:
    """Tensors that only the Einsums of one fused tree touch."""
    home = {end.einsum: leaf(tree).einsum for tree in (saved.mapping.trees if saved.mapping else ()) for end in leaves(tree)}
    users: dict[str, list[str]] = {}
    for einsum in saved.executed.einsums:
        for tensor in dict.fromkeys((einsum.output, *einsum.inputs)):
            users.setdefault(tensor, []).append(home.get(einsum.name, einsum.name))
    return {tensor for tensor, homes in users.items() if len(homes) > 1 and len(set(homes)) == 1}


def instance_bytes(graph: Graph, tensor: str) -> int:
    """The most of a tensor that one instance of an operator touches: one written in parts is whole where it is read."""
    users = [einsum for einsum in graph.einsums if tensor in (einsum.output, *einsum.inputs)]
    return -(-max(graph.elements(einsum, tensor) for einsum in users) * graph.tensor[tensor].bits // 8)


def steps(items: Sequence[Live]) -> list[tuple[Fraction, int]]:
    """(time, bytes live from then on), times ascending; the last is 0 bytes at the end."""
    change: dict[Fraction, int] = {}
    for item in items:
        change[item.first.start] = change.get(item.first.start, 0) + item.bytes
        change[item.last.end] = change.get(item.last.end, 0) - item.bytes
    held, found = 0, []
    for time in sorted(change):
        held += change[time]
        found.append((time, held))
    return found


def tiles(saved: Saved, spans: Sequence[Span]) -> list[Tiles]:
    """Of every product on a systolic engine, by time; other engines keep no tiles."""
    rows = {span.op.name: span for span in spans}
    einsums = {einsum.name: einsum for einsum in saved.executed.einsums}
    found = []
    for tree in saved.mapping.trees if saved.mapping else ():
        name, engine = leaf(tree).einsum, saved.machine.engine(leaf(tree).engine)
        if isinstance(tree, Compute) or engine.type != TYPE or name not in rows:
            continue
        hardware = hardware_of(saved.machine, engine)
        tiling = from_tree(saved.executed, einsums[name], tree, engine).tiling
        check(tiling, hardware)
        words = words_of(tiling, {rank: min(tiling.tile(rank), tiling.extent(rank)) for rank in "mnk"}, hardware)
        held = {"X": words.x, "Y": words.y_rows * words.y_pitch, "Z": words.y_rows * words.z_pitch, "P": words.p * tiling.requantise}
        parts = tuple((part, int(count) * _word_bytes(hardware, part)) for part, count in held.items())
        found.append(Tiles(rows[name], engine.buffer or "", parts, saved.machine.memory(engine.buffer or "").size_bytes))
    return sorted(found, key=lambda item: item.span.start)


def _word_bytes(hardware: Hardware, buffer: str) -> int:
    """Of one word in every bank."""
    return hardware.beats(buffer) * hardware.port_bytes * hardware.banks
