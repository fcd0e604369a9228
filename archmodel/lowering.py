"""lower: the Programs of a mapping, one for each shape that a matrix product runs on one copy of its engine."""

from __future__ import annotations

from .engines.systolic import hardware_of
from .engines.systolic.lower import Bases
from .engines.systolic.lower import lower as lower_tiling
from .engines.systolic.tiling import Tiling, flow_ranks
from .engines.systolic.tree import from_tree
from .records.base import SpecError
from .records.engines.systolic import Hardware
from .records.graph import Graph
from .records.machine import Machine
from .records.mapping import Mapping, leaf
from .records.program import Program


def lower(graph: Graph, mapping: Mapping, machine: Machine, einsum: str) -> Program:
    """The Program that one copy runs for one product of ``einsum`` (its full slice, where copies share it).

    Its operands lie one after another from address 0: X, Y, sums, results, output parameters.
    Raises SpecError for an Einsum that has no tree or whose engine has no lowering, or that the hardware can't execute.
    """
    tree = next((tree for tree in mapping.trees if leaf(tree).einsum == einsum), None)
    if tree is None:
        raise SpecError(f"lower: the mapping of {mapping.graph} has no Einsum {einsum!r}")
    engine = machine.engine(leaf(tree).engine)
    if engine.type != "systolic":
        raise SpecError(f"lower: {einsum} runs on {engine.name}, a {engine.type} engine, and only systolic engines have programs")
    hardware = hardware_of(machine, engine)
    work = next(item for item in graph.einsums if item.name == einsum)
    tiling = from_tree(graph, work, tree, engine).tiling
    return lower_tiling(tiling, hardware, one_after_another(tiling, hardware))


def one_after_another(tiling: Tiling, hardware: Hardware) -> Bases:
    """Addresses, in beats, of operands packed without gaps."""
    roles = flow_ranks(tiling.flow)

    def words(lane: str, index: str, lanes: int) -> int:
        return -(-tiling.extent(lane) // lanes) * int(tiling.extent(index))

    x = words(roles.x_lane, roles.x_index, hardware.rows) * hardware.beats("X")
    y = words(roles.y_lane, roles.y_index, hardware.cols) * hardware.beats("Y")
    z = words(roles.y_lane, roles.z_index, hardware.cols)
    ends = (0, x, x + y, x + y + z * hardware.beats("Z"), x + y + z * (hardware.beats("Z") + hardware.beats("Q")))
    return Bases(*ends)
