"""emit: the Verilog of a machine's engine."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from archmodel.records.base import SpecError
from archmodel.records.machine import Machine, engine_records


def emit(machine: Machine, engine: str | None = None) -> str:
    """Verilog of one copy of ``engine`` (by name), or of the first engine whose type has a generator ``rtl/<type>.py``.

    Raises SpecError when there is none.
    """
    able = [e for e in machine.engines if engine in (None, e.name) and find_spec(f"{__package__}.{e.type}")]
    if not able:
        have = ", ".join(f"{e.name} ({e.type})" for e in machine.engines) or "none"
        raise SpecError(f"machine {machine.name}: no engine {engine or ''} that has RTL; it has: {have}".replace("  ", " "))
    chosen = able[0]
    resolve = getattr(engine_records(chosen.type), "resolve", None)
    hardware = resolve(chosen.params, machine.memory(chosen.buffer or "").size_bytes) if resolve else chosen.params
    verilog: str = import_module(f"{__package__}.{chosen.type}").emit(hardware)
    return verilog
