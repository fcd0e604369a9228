"""What follows from the parameters of an attention engine: its peak, its buffers, and how long a tile takes."""

from __future__ import annotations

from archmodel.engines import Derived
from archmodel.records.engines.attention import MAX_TILES, Hardware, Params, resolve
from archmodel.records.machine import Engine, Machine

from .energy import BUFFERS, word_bits
from .schedule import least_period, schedule, shape

HEADS = (64, 128)
"""Sizes of heads that a tile's cycles are told of."""


def derived(machine: Machine, engine: Engine) -> tuple[Derived, ...]:
    """Operations a second of all copies, cycles a tile, then each buffer of one copy.  Raises SpecError for a buffer that holds no tile."""
    params: Params = engine.params
    memory = machine.memory(engine.buffer or "")
    hardware = resolve(params, memory.size_bytes)
    peak = 2 * params.rows * params.cols * engine.count * machine.clock_hz(engine.clock)
    rows = [Derived("peak", ((peak, "op/s"),), "2 x rows x cols x count x clock")]
    for head in HEADS:
        table = schedule(shape(hardware, head, head))
        rows.append(Derived(f"tile-{head}", ((table.period, "cycles"), (table.stages, "tiles in flight")),
                            f"the schedule at head size {head}: {params.rows} keys by {params.cols} queries"))  # fmt: skip
    bits, shares = word_bits(hardware), sum(params.buffer_split)
    for name, share in zip(BUFFERS, params.buffer_split, strict=True):
        banks, depth = hardware.banks_of(name), hardware.depth(name)
        amounts = ((banks * depth * bits[name] // 8, "bytes"), (banks, "banks"), (depth, "words a bank"))
        rows.append(Derived(name, amounts, f"{share} of {shares} shares of {memory.name}, whole words"))
    return tuple(rows)


def remarks(machine: Machine, engine: Engine) -> tuple[str, ...]:
    """What is allowed and yet slow: tiles that wait for each other, though the arrays have free slots."""
    hardware = resolve(engine.params, machine.memory(engine.buffer or "").size_bytes)
    return tuple(text for head in HEADS if (text := _waiting(hardware, head)))


def _waiting(hardware: Hardware, head: int) -> str:
    of = shape(hardware, head, head)
    least, period = least_period(of), schedule(of).period
    if period == least:
        return ""
    enough = next((tiles for tiles in range(of.tiles + 1, MAX_TILES + 1) if schedule(of._replace(tiles=tiles)).period == least), None)
    remedy = f"tiles {enough} would do" if enough else f"even {MAX_TILES} tiles in flight would not do"
    return f"at head size {head} a tile takes {period} cycles, and its micro-ops need {least}: {of.tiles} in flight; {remedy}"
