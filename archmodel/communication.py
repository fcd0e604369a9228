"""The rows of a result that are exchanges between devices, and what a result of one device is for all of them."""

from __future__ import annotations

from dataclasses import replace

from .cost import Costs
from .links import PICOSECONDS, Cost, cost, lines_of
from .records.base import SpecError
from .records.figure import Figure, scaled
from .records.graph import Graph
from .records.machine import Fabric, Machine
from .records.mapping import Split
from .records.result import OpResult
from .sharding import Collective, collectives

GROUP = "collectives"
LINKS = "links"


def check_split(machine: Machine, split: Split) -> None:
    """Raises SpecError unless a split uses all devices of a machine."""
    have = machine.fabric.devices if machine.fabric else 1
    if split.devices != have:
        text = f"tensor={split.tensor},expert={split.expert},data={split.data}"
        raise SpecError(f"split {text}: it is of {split.devices} devices, and machine {machine.name} has {have}")


def exchanged(graph: Graph, split: Split, machine: Machine, costs: Costs) -> tuple[OpResult, ...]:
    """A row for each collective, all its instances together, in cycles of the machine's first clock."""
    if machine.fabric is None or split.devices == 1:
        return ()
    fabric = machine.fabric
    inner = {"tensor": 1, "expert": split.tensor}
    rows = []
    for item in collectives(graph, split):
        size = getattr(split, item.axis)
        lines = lines_of(fabric, inner[item.axis], size)
        rows.append(_row(item, [(cost(item.kind, lines, sent, fabric), count) for sent, count in item.sizes], split.devices // size,
                         machine, costs))  # fmt: skip
    return tuple(rows)


def _row(item: Collective, parts: list[tuple[Cost, int]], groups: int, machine: Machine, costs: Costs) -> OpResult:
    """Whole cycles of each instance: a collective starts on a clock edge."""
    hz = machine.clocks[0].hz
    whole = sum(count * _cycles(part.picoseconds, hz) for part, count in parts)
    hops = min(whole, sum(count * _cycles(part.latency_picoseconds, hz) for part, count in parts))
    moved = groups * sum(count * part.moved_bytes for part, count in parts)
    energy = (("links", scaled(costs.energy_pj("link", 1, machine.node_nm), 8.0 * moved)),) if costs.has("link", "pj") else ()
    return OpResult(
        f"{item.kind} {item.tensor} of {item.after}", GROUP, LINKS, hz, whole, 0, ((LINKS, moved),), 0.0,
        "latency" if 2 * hops > whole else LINKS, "closed form", (("latency", hops), ("transfer", whole - hops)), energy,
        sum(count for _, count in parts),
    )  # fmt: skip


def _cycles(picoseconds: int, hz: int) -> int:
    return -(-picoseconds * hz // PICOSECONDS)


def times(op: OpResult, devices: int) -> OpResult:
    """A row of one device as that of all: they take the same time, and each moves, computes and draws as much."""
    if devices == 1:
        return op
    return replace(op, macs=op.macs * devices, bytes=tuple((memory, size * devices) for memory, size in op.bytes),
                   energy_by=every(op.energy_by, devices))  # fmt: skip


def every(figures: tuple[tuple[str, Figure], ...], devices: int) -> tuple[tuple[str, Figure], ...]:
    """Named figures of one device as those of all."""
    return tuple((name, scaled(figure, devices)) for name, figure in figures)


def devices_of(fabric: Fabric | None) -> int:
    return fabric.devices if fabric else 1
