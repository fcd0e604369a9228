"""From a mapping's tree and layouts to the Program of one product."""

from __future__ import annotations

from math import prod

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Layout, Node
from archmodel.records.program import Program

from .lower import Bases, lower
from .rows import hardware_of
from .tiling import OPERANDS, Tiling, ceil_div, flow_ranks
from .tree import from_tree, layouts


def program(graph: Graph, einsum: Einsum, tree: Node, machine: Machine, engine: Engine, placed: tuple[Layout, ...]) -> Program:
    """The Program of one product of ``einsum`` on one copy; its operands begin where ``placed`` says.

    Raw sums and output parameters, which no layout names, lie behind the last operand of the whole mapping.
    Raises SpecError for a layout that the tree's dataflow doesn't read or write, or a base between beats.
    """
    tiling, hardware = from_tree(graph, einsum, tree, engine).tiling, hardware_of(machine, engine)
    mine = {layout.tensor: layout for layout in placed if layout.einsum == einsum.name}
    expected, _ = layouts(graph, einsum, engine, tiling.flow, 0)
    for layout in expected:
        _check(layout, mine.get(layout.tensor), einsum, hardware)
    return lower(tiling, hardware, _bases(graph, einsum, tiling, hardware, mine, placed))


def _check(wanted: Layout, found: Layout | None, einsum: Einsum, hardware: Hardware) -> None:
    if found is None:
        raise SpecError(f"mapping of {einsum.name}: no layout of {wanted.tensor}")
    have, want = ((x.level, x.lane, x.lanes, x.index) for x in (found, wanted))
    if have != want:
        raise SpecError(f"mapping of {einsum.name}: {wanted.tensor} lies in {have[0]} as {have[2]} of {have[1]} by {have[3]}, and its "
                        f"dataflow needs {want[0]}, {want[2]} of {want[1]} by {want[3]}")  # fmt: skip
    if found.base_bytes < 0 or found.base_bytes % hardware.port_bytes:
        raise SpecError(f"mapping of {einsum.name}: {wanted.tensor} begins at byte {found.base_bytes}, expected a multiple of "
                        f"{hardware.port_bytes}")  # fmt: skip


def _bases(graph: Graph, einsum: Einsum, tiling: Tiling, hardware: Hardware, mine: dict[str, Layout], placed: tuple[Layout, ...]) -> Bases:
    gemm = graph.gemm(einsum)
    x, y = (gemm.a, gemm.b) if OPERANDS[tiling.flow][0] == "a" else (gemm.b, gemm.a)
    at = {name: mine[tensor].base_bytes // hardware.port_bytes for name, tensor in (("x", x), ("y", y), ("result", einsum.output))}
    last = max(placed, key=lambda layout: layout.base_bytes)
    behind = last.base_bytes // hardware.port_bytes + _beats(graph, last, hardware)
    roles = flow_ranks(tiling.flow)
    sums = ceil_div(tiling.extent(roles.y_lane), hardware.cols) * tiling.extent(roles.z_index) * hardware.beats("Z")
    if tiling.requantise:
        return Bases(at["x"], at["y"], behind, at["result"], behind + sums)
    return Bases(at["x"], at["y"], at["result"], behind, behind)


def _beats(graph: Graph, layout: Layout, hardware: Hardware) -> int:
    """Beats of the operand that ``layout`` places, padding of its words included."""
    owner = next(einsum for einsum in graph.einsums if einsum.name == layout.einsum)
    extents = dict(owner.ranks)
    along = prod(extents.get(rank, 1) for rank in layout.lane.split("."))
    padded = graph.elements(owner, layout.tensor) // along * ceil_div(along, layout.lanes) * layout.lanes
    return -(-padded * graph.tensor[layout.tensor].bits // (8 * hardware.port_bytes))
