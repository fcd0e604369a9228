"""The bound fidelity: no schedule of a stage is faster, whatever the mapping and however much of it overlaps."""

from __future__ import annotations

from math import inf, prod

from .engines import engine_module
from .fusion import fused_somewhere, fusing
from .masks import keys_needed
from .records.graph import Einsum, Graph
from .records.machine import Engine, Machine
from .records.result import OpResult


def compulsory_bytes(graph: Graph) -> int:
    """Bytes that must cross the memory port once: weights and KV that some Einsum reads; intermediates are free."""
    seen: dict[tuple[object, ...], int] = {}
    for einsum in graph.einsums:
        for name in dict.fromkeys(einsum.inputs):
            tensor = graph.tensor[name]
            if tensor.kind == "activation":
                continue
            key = _identity(graph, einsum, name)
            bits = min(_elements(graph, einsum, name), einsum.work) * tensor.bits * einsum.repeat
            seen[key] = max(seen.get(key, 0), bits)
    return sum(seen.values()) // 8


def _elements(graph: Graph, einsum: Einsum, name: str) -> int:
    """Elements of a tensor that one instance must read: of keys that no query sees, none."""
    elements = graph.elements(einsum, name)
    if einsum.mask is None:
        return elements
    (queries, keys), extents = einsum.mask_ranks, dict(einsum.ranks)
    parts = keys.split(".")
    if not set(parts) <= set(graph.tensor[name].ranks):
        return elements
    size = prod(extents[rank] for rank in parts)
    return elements // size * min(size, keys_needed(einsum.mask, prod(extents[rank] for rank in queries.split(".")), size))


def _identity(graph: Graph, einsum: Einsum, name: str) -> tuple[object, ...]:
    """What tells the parts of a tensor apart: a KV cache by its extents (its readers share it), a weight by its reader."""
    tensor = graph.tensor[name]
    if tensor.kind == "weight":
        return name, einsum.name
    extents = dict(einsum.ranks)
    return name, *(extents[rank] for rank in tensor.ranks)


def bound_seconds(graph: Graph, machine: Machine) -> float:
    """The largest of: ideal seconds of each engine for what only it executes, all products on what takes any, bytes over bandwidth.

    Several devices have at best as many times the speed, and exchange nothing.
    """
    times: dict[str, float] = {}
    elsewhere = fused_somewhere(graph, machine)
    for einsum in (einsum for einsum in graph.einsums if einsum.name not in elsewhere):
        able = [engine for engine in machine.engines if engine_module(engine).supports(graph, einsum, engine) is None]
        if len(able) == 1:
            part, cycles = _only(einsum, machine, able[0])
            times[part] = times.get(part, 0.0) + cycles / machine.clock_hz(able[0].clock) * einsum.repeat
    ports = {engine.port for engine in machine.engines if engine.port}
    bandwidth = sum(machine.memory(port).bandwidth_bytes_per_second or 0 for port in ports)
    seconds = max([compulsory_bytes(graph) / bandwidth if bandwidth else 0.0, _products(graph, machine, elsewhere), *times.values()])
    return seconds / (machine.fabric.devices if machine.fabric else 1)


def _products(graph: Graph, machine: Machine, elsewhere: set[str]) -> float:
    """Seconds of all matrix products, dealt evenly to every engine that takes one, alone or as a part of attention."""
    if machine.convention == "published":  # units of one engine work side by side, each at a rate of its own
        return 0.0
    products = [einsum for einsum in graph.einsums if einsum.is_gemm and einsum.work]
    rate = 0.0
    for engine in machine.engines:
        module = engine_module(engine)
        whole = elsewhere if engine in fusing(machine) else set()
        taken = [einsum for einsum in products if einsum.name in whole or module.supports(graph, einsum, engine) is None]
        hz = machine.clock_hz(engine.clock)
        ideals = ((einsum.work, module.ideal_cycles(einsum, engine)) for einsum in taken)
        rate += max((work * hz / ideal if ideal else inf for work, ideal in ideals), default=0.0)
    return sum(einsum.work * einsum.repeat for einsum in products) / rate if rate else 0.0


def _only(einsum: Einsum, machine: Machine, engine: Engine) -> tuple[str, float]:
    """What alone can execute an Einsum, and its ideal cycles: the engine, or one of its units where these work side by side."""
    module = engine_module(engine)
    if machine.convention != "published" or not hasattr(module, "units"):
        return engine.name, module.ideal_cycles(einsum, engine)
    rates = [(unit, rate) for unit in module.units(machine, engine) if (rate := unit.point_cycles(einsum)) is not None]
    if len(rates) != 1:
        return engine.name, 0.0
    (unit, rate), = rates
    return f"{engine.name} {unit.name}", float(einsum.work * rate / (unit.rows * unit.cols * engine.count))


def bound_row(graph: Graph, machine: Machine) -> OpResult:
    """The whole stage as one row; energy has no bound here."""
    hz = machine.clocks[0].hz
    cycles = int(bound_seconds(graph, machine) * hz)
    macs = sum(e.work * e.repeat for e in graph.einsums if e.is_gemm)
    return OpResult("stage", "stage", "all", hz, cycles, macs, (("memory", compulsory_bytes(graph)),), float(cycles),
                    "roofline", "closed form", (("roofline", cycles),), ())  # fmt: skip
