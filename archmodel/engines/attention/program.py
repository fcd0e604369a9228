"""From a mapping's tree and layouts to the Program of one attention."""

from __future__ import annotations

from archmodel.records.base import SpecError
from archmodel.records.engines.attention import Hardware
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Layout, Node
from archmodel.records.program import Program

from .lower import Bases, lower
from .rows import hardware_of, pass_size, slices, whole
from .tree import from_tree, layouts


def program(graph: Graph, einsum: Einsum, tree: Node, machine: Machine, engine: Engine, placed: tuple[Layout, ...]) -> Program:
    """The Program of all instances that one copy computes, the first one where there are several; operands begin where ``placed`` says.

    Patterns of the mask, which no layout names, lie behind the last operand of the whole mapping.  Raises SpecError for a layout
    that the engine doesn't read or write, or a base between beats.
    """
    hardware, found = hardware_of(machine, engine), whole(graph, einsum)
    dealt = from_tree(found, tree, engine, hardware)
    (one, *_), _ = slices(found, dealt, engine, hardware)[0]
    members = {step.name for step in found.steps.values()}
    mine = {(layout.einsum, layout.tensor): layout for layout in placed if layout.einsum in members}
    expected, _ = layouts(graph, found, engine, hardware, 0)
    beats = [_base(wanted, mine.get((wanted.einsum, wanted.tensor)), found.name, hardware) for wanted in expected]
    q, k, v, o = beats
    return lower(one, hardware, Bases(q, k, v, _behind(placed, graph, hardware), o), pass_size(one, dealt, hardware))


def _base(wanted: Layout, have: Layout | None, name: str, hardware: Hardware) -> int:
    """The first beat of an operand."""
    if have is None:
        raise SpecError(f"mapping of {name}: no layout of {wanted.tensor}")
    ours, theirs = ((x.level, x.lanes, x.lane, x.index) for x in (wanted, have))
    if ours != theirs:
        raise SpecError(f"mapping of {name}: {wanted.tensor} lies in {theirs[0]} as {theirs[1]} of {theirs[2]} by {theirs[3]}, and the "
                        f"engine needs {ours[0]}, {ours[1]} of {ours[2]} by {ours[3]}")  # fmt: skip
    if have.base_bytes < 0 or have.base_bytes % hardware.port_bytes:
        raise SpecError(f"mapping of {name}: {wanted.tensor} begins at byte {have.base_bytes}, expected a multiple of "
                        f"{hardware.port_bytes}")  # fmt: skip
    return have.base_bytes // hardware.port_bytes


def _behind(placed: tuple[Layout, ...], graph: Graph, hardware: Hardware) -> int:
    """The first beat behind the last operand of a mapping."""
    owners = {einsum.name: einsum for einsum in graph.einsums}
    last = max(placed, key=lambda layout: layout.base_bytes)
    owner = owners[last.einsum]
    extents, along = dict(owner.ranks), 1
    for rank in last.lane.split("."):
        along *= extents.get(rank, 1)
    padded = graph.elements(owner, last.tensor) // along * -(-along // last.lanes) * last.lanes
    end = last.base_bytes + -(-padded * graph.tensor[last.tensor].bits // 8)
    return -(-end // hardware.port_bytes)
