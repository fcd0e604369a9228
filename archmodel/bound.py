"""The bound fidelity: no schedule of a stage is faster, whatever the mapping and however much of it overlaps."""

from __future__ import annotations

from .engines.vector import lane_cycles, touched_bits
from .records.graph import Einsum, Graph
from .records.machine import Machine


def compulsory_bytes(graph: Graph) -> int:
    """Bytes that must cross the memory port once: weights and KV that some Einsum reads; intermediates are free."""
    seen: dict[tuple[object, ...], int] = {}
    for einsum in graph.einsums:
        for name in dict.fromkeys(einsum.inputs):
            tensor = graph.tensor[name]
            if tensor.kind == "activation":
                continue
            key = _identity(graph, einsum, name)
            bits = touched_bits(graph, einsum, name) * einsum.repeat
            seen[key] = max(seen.get(key, 0), bits)
    return sum(seen.values()) // 8


def _identity(graph: Graph, einsum: Einsum, name: str) -> tuple[object, ...]:
    """What tells the parts of a tensor apart: a KV cache by its extents (its readers share it), a weight by its reader."""
    tensor = graph.tensor[name]
    if tensor.kind == "weight":
        return name, einsum.name
    extents = dict(einsum.ranks)
    return name, *(extents[rank] for rank in tensor.ranks)


def bound_seconds(graph: Graph, machine: Machine) -> float:
    """The largest of: multiply-adds over the arrays' peak, lane cycles over the vector engines', bytes over bandwidth."""
    macs = sum(einsum.work * einsum.repeat for einsum in graph.einsums if einsum.is_gemm)
    times = [0.0]
    peak = sum(e.params.rows * e.params.cols * e.count * machine.clock_hz(e.clock) for e in machine.engines if e.type == "systolic")
    if peak:
        times.append(macs / peak)
    vectors = [engine for engine in machine.engines if engine.type == "vector"]
    if vectors:
        fastest = vectors[0].params
        lanes = sum(e.params.lanes * e.count * machine.clock_hz(e.clock) for e in vectors)
        work = sum(e.work * lane_cycles(e, fastest) * e.repeat for e in graph.einsums if not e.is_gemm)
        times.append(work / lanes)
    ports = {engine.port for engine in machine.engines if engine.port}
    bandwidth = sum(machine.memory(port).bandwidth_bytes_per_second or 0 for port in ports)
    if bandwidth:
        times.append(compulsory_bytes(graph) / bandwidth)
    return max(times)
