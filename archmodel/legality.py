"""What a machine can run and hold, asked before any work is done."""

from __future__ import annotations

from .fitting import advice, capacity, holders, needed
from .records.base import SpecError
from .records.graph import Graph
from .records.machine import Machine
from .records.mapping import Split
from .sharding import sharded


def refuse_devices(machine: Machine) -> None:
    """Raises SpecError for a machine of devices that differ: they can be described, and nothing counts them yet."""
    if machine.devices:
        names = ", ".join(device.name for device in machine.devices)
        raise SpecError(f"machine {machine.name}: found devices ({names}), expected engines of its own alone; devices that differ are not "
                        "modelled yet")  # fmt: skip


def refuse_overflow(graph: Graph, machine: Machine, split: Split | None = None) -> None:
    """Raises SpecError with the shortfall when what must stay resident exceeds the memory behind the engines' ports of a device.

    Without a split the stage is dealt evenly, at best, to all devices of the machine.
    """
    refuse_devices(machine)
    if not machine.engines:
        raise SpecError(f"machine {machine.name}: found no engine, expected at least one")
    devices = machine.fabric.devices if machine.fabric else 1
    device = sharded(graph, split) if split else graph
    need, room = needed(device), capacity(machine)
    if room is not None and need > (have := room * (1 if split else devices)):
        parts = " + ".join(f"{kind} {size:,}" for kind, size in device.resident)
        each = " on each device" if split and split.devices > 1 else ""
        told = advice(graph, machine, split or Split())
        raise SpecError(f"machine {machine.name}: {graph.stage.model} needs {need:,} bytes ({parts}){each} and "
                        f"{', '.join(holders(machine))} holds {have:,}; {need - have:,} bytes are missing: "
                        f"take a larger memory, narrower bits, a smaller batch or a shorter context{told and f' ({told})'}")  # fmt: skip
