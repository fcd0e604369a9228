"""What follows from the parameters of a systolic engine: its peak, and how its buffer is divided."""

from __future__ import annotations

from archmodel.engines import Derived
from archmodel.memory.port import port_of
from archmodel.records.engines.systolic import BUFFERS, MAX_OUTSTANDING, resolve
from archmodel.records.machine import Engine, Machine


def derived(machine: Machine, engine: Engine) -> tuple[Derived, ...]:
    """Operations a second of all copies, then each buffer of one copy.  Raises SpecError for a buffer that holds no tile."""
    params = engine.params
    memory = machine.memory(engine.buffer or "")
    hardware = resolve(params, memory.size_bytes)
    peak = 2 * params.rows * params.cols * engine.count * machine.clock_hz(engine.clock)
    rows = [Derived("peak", ((peak, "op/s"),), "2 x rows x cols x count x clock")]
    shares = sum(params.buffer_split)
    for buffer, share in zip(BUFFERS, params.buffer_split, strict=True):
        word = hardware.beats(buffer) * hardware.port_bytes
        depth = hardware.depth(buffer)
        amounts = [(depth * word * hardware.banks, "bytes"), (hardware.banks, "banks"), (depth, "words a bank"),
                   (word, "bytes a word"), (hardware.beats(buffer), "beats a word")]  # fmt: skip
        if buffer == "Z":
            amounts.append((hardware.beats("Q"), "beats a requantised word"))
        rows.append(Derived(buffer, tuple(amounts), f"{share} of {shares} shares of {memory.name}, whole words"))
    return tuple(rows)


def remarks(machine: Machine, engine: Engine) -> tuple[str, ...]:
    """What is allowed and yet slow: requests in flight that end before the first is answered."""
    hardware = resolve(engine.params, machine.memory(engine.buffer or "").size_bytes)
    port = port_of(machine, engine)
    request = min(hardware.beats("X"), hardware.beats("Y")) * port.interval
    if hardware.outstanding * request > port.latency:
        return ()
    needed = port.latency // request + 1
    remedy = f"outstanding {needed} covers it" if needed <= MAX_OUTSTANDING else "a wider word or a shorter latency would"
    each = f"{request} cycle{'s' if request > 1 else ''}"
    flight = f"{hardware.outstanding} requests of {each} in flight do not cover {port.latency} cycles of latency"
    return (f"{flight}, and the port waits; {remedy}",)
