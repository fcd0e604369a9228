"""What of a stage fits a machine: how much memory a device needs, and which batch or number of devices would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from .engines import engine_module
from .links import lines_of
from .records.base import SpecError
from .records.graph import Graph
from .records.machine import Engine, Fabric, Machine
from .records.mapping import Split
from .sharding import STAGES, sharded

MOST_DEVICES = 512
"""As far as is looked for a number of devices that would do."""


def capacity(machine: Machine) -> int | None:
    """Bytes that one device holds: behind its engines' ports, and in engines with storage of their own; None where that is unbounded."""
    ports = {engine.port for engine in machine.engines if engine.port}
    own = [_own_bytes(engine) for engine in machine.engines if hasattr(engine_module(engine), "capacity_bytes")]
    if any(size is None for size in own):
        return None
    return sum(machine.memory(port).size_bytes for port in ports) + sum(size or 0 for size in own)


def holders(machine: Machine) -> tuple[str, ...]:
    """The names of what holds it."""
    own = {engine.name for engine in machine.engines if hasattr(engine_module(engine), "capacity_bytes")}
    return tuple(sorted({*(engine.port for engine in machine.engines if engine.port), *own}))


def _own_bytes(engine: Engine) -> int | None:
    """What an engine with storage of its own holds in all copies; None where that is unbounded."""
    size: int | None = engine_module(engine).capacity_bytes(engine)
    return None if size is None else size * engine.count


def needed(graph: Graph) -> int:
    """Bytes of weights and KV cache that must stay resident."""
    return sum(size for _, size in graph.resident)


def splits_of(devices: int) -> Iterator[Split]:
    """Every split of so many devices, those with the most data parallelism last."""
    for tensor in (size for size in range(devices, 0, -1) if devices % size == 0):
        rest = devices // tensor
        yield from (Split(tensor, expert, rest // expert) for expert in range(rest, 0, -1) if rest % expert == 0)


def refusal_of(graph: Graph, split: Split, fabric: Fabric | None) -> str:
    """Why a stage cannot be split so on a fabric, or nothing."""
    try:
        sharded(graph, split)
        if fabric is not None:
            for inner, size in ((1, split.tensor), (split.tensor, split.expert)):
                lines_of(fabric, inner, size)
    except SpecError as error:
        return str(error)
    return ""


def missing(graph: Graph, split: Split, machine: Machine) -> int:
    """Bytes that the busiest device lacks; 0 where the stage fits."""
    room = capacity(machine)
    return 0 if room is None else max(0, needed(sharded(graph, split)) - room)


def advice(graph: Graph, machine: Machine, split: Split) -> str:
    """What would fit where a stage does not: the largest batch under the same split, the fewest devices for the same batch."""
    batch, devices = largest_batch(graph, machine, split), fewest_devices(graph, machine)
    found = []
    if batch is not None:
        found.append(f"the largest batch that fits is {batch:,}" if batch else "no batch fits")
    if devices is not None:
        found.append(f"the fewest devices that fit are {devices.devices}, split {shown(devices)}")
    elif graph.stage.kind in STAGES:
        found.append(f"no number of devices up to {MOST_DEVICES} fits")
    return ", ".join(found)


def largest_batch(graph: Graph, machine: Machine, split: Split) -> int | None:
    """The most sequences that fit under a split, 0 if not even one a share does; None where sequences differ, or none is cached.

    The KV cache grows with each sequence by as much, everything else stays.
    """
    room = capacity(machine)
    if room is None or len(graph.stage.sequences) != 1 or not dict(graph.resident).get("kv"):
        return None
    shares, stays = split.expert * split.data, dict(sharded(graph, split).resident)
    each = Fraction(stays["kv"], graph.stage.sequences[0][2] // shares)
    return shares * int(max(0, room - stays["weight"]) / each)


def fewest_devices(graph: Graph, machine: Machine) -> Split | None:
    """The first split of the smallest number of devices, up to MOST_DEVICES, under which a stage fits a machine's copies."""
    room = capacity(machine)
    if graph.stage.kind not in STAGES or room is None:
        return None
    first = -(-needed(graph) // room) if room else MOST_DEVICES + 1
    for devices in range(max(1, first), MOST_DEVICES + 1):
        fabric = replace(machine.fabric, devices=devices) if machine.fabric else None
        for split in splits_of(devices):
            if not refusal_of(graph, split, fabric) and not missing(graph, split, machine):
                return split
    return None


def shown(split: Split) -> str:
    """``tensor=4,data=2``: what a split is of, as --split takes it."""
    parts = [(name, getattr(split, name)) for name in ("tensor", "expert", "data")]
    return ",".join(f"{name}={size}" for name, size in parts if size > 1) or "tensor=1"
