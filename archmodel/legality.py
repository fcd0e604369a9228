"""What a machine can hold and what its engines can execute, asked before any work is done."""

from __future__ import annotations

from .records.base import SpecError
from .records.graph import Einsum, Graph
from .records.machine import Engine, Machine


def refuse_overflow(graph: Graph, machine: Machine) -> None:
    """Raises SpecError with the shortfall when what must stay resident exceeds the memory behind the engines' ports."""
    ports = {engine.port for engine in machine.engines if engine.port}
    have = sum(machine.memory(port).size_bytes for port in ports)
    need = sum(size for _, size in graph.resident)
    if need > have:
        parts = " + ".join(f"{kind} {size:,}" for kind, size in graph.resident)
        raise SpecError(f"machine {machine.name}: {graph.stage.model} needs {need:,} bytes ({parts}) and "
                        f"{', '.join(sorted(ports))} holds {have:,}; {need - have:,} bytes are missing: "
                        "take a larger memory, narrower bits, a smaller batch or a shorter context")  # fmt: skip


def supports(graph: Graph, einsum: Einsum, engine: Engine) -> str | None:
    """Why a systolic engine cannot execute a matrix product, or None if it can."""
    first, second = (graph.tensor[name] for name in einsum.inputs)
    params = engine.params
    if first.bits != params.act_bits:
        return f"{first.name} has {first.bits} bits and {engine.name} takes activations of {params.act_bits}"
    if second.bits != params.weight_bits:
        return f"{second.name} has {second.bits} bits and {engine.name} takes weights of {params.weight_bits}"
    bits = graph.tensor[einsum.output].bits
    return None if bits in (8, 32) else f"{einsum.output} has {bits} bits and {engine.name} writes 8 or 32"
