"""What a machine can run and hold, asked before any work is done."""

from __future__ import annotations

from .engines import engine_module
from .records.base import SpecError
from .records.graph import Graph
from .records.machine import Engine, Machine


def refuse_devices(machine: Machine) -> None:
    """Raises SpecError for a machine of devices: they can be described, and nothing counts them yet."""
    if machine.devices:
        names = ", ".join(device.name for device in machine.devices)
        raise SpecError(f"machine {machine.name}: found devices ({names}), expected engines of its own alone; several devices are not "
                        "modelled yet")  # fmt: skip


def refuse_overflow(graph: Graph, machine: Machine) -> None:
    """Raises SpecError with the shortfall when what must stay resident exceeds the memory behind the engines' ports."""
    refuse_devices(machine)
    if not machine.engines:
        raise SpecError(f"machine {machine.name}: found no engine, expected at least one")
    ports = {engine.port for engine in machine.engines if engine.port}
    own = [(engine.name, _own_bytes(engine)) for engine in machine.engines if hasattr(engine_module(engine), "capacity_bytes")]
    if any(size is None for _, size in own):
        return
    have = sum(machine.memory(port).size_bytes for port in ports) + sum(size or 0 for _, size in own)
    need = sum(size for _, size in graph.resident)
    if need > have:
        parts = " + ".join(f"{kind} {size:,}" for kind, size in graph.resident)
        raise SpecError(f"machine {machine.name}: {graph.stage.model} needs {need:,} bytes ({parts}) and "
                        f"{', '.join(sorted({*ports, *dict(own)}))} holds {have:,}; {need - have:,} bytes are missing: "
                        "take a larger memory, narrower bits, a smaller batch or a shorter context")  # fmt: skip


def _own_bytes(engine: Engine) -> int | None:
    """What an engine with storage of its own holds in all copies; None where that is unbounded."""
    size: int | None = engine_module(engine).capacity_bytes(engine)
    return None if size is None else size * engine.count
