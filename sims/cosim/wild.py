"""Random Programs that no mapping gives: moves that fight for the port, deep loops, tokens in any direction.

Lowered Programs keep loads and stores apart by tokens, so they never show what the port does when both want it.  These
do.  Their data would depend on who comes first, so only cycles are compared: every start, every end, the total.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from archmodel.engines import module_of
from archmodel.memory.port import Port
from archmodel.memory.stalls import random_stalls
from archmodel.records import commands
from archmodel.records.program import Program

from .drive import Engine, capacity

MEMORY_BEATS = 1 << 15
MOST_WORDS = 128
"""Of one move, so that it ends within the memory."""
Rng = np.random.Generator
Fields = dict[str, int]
Command = Callable[[int, Rng, Fields], bytes]
"""An instruction of a unit, drawn, with the given wait and signal masks."""
SHARED = commands.Isa(0, {}).instruction


def streams(command: Command, rng: Rng, count: int = 30) -> tuple[bytes, ...]:
    """Those of the three units, without deadlock: a command waits only for tokens of commands drawn before it."""
    drawn: list[list[bytes]] = [[], [], []]
    tokens = np.zeros((3, 3), dtype=int)  # [from, to]
    for _ in range(count):
        unit = int(rng.integers(3))
        if rng.random() < 0.3:
            drawn[unit] += _loop(command, unit, rng, depth=int(rng.integers(1, 5)))
            continue
        wait = [source for source in range(3) if tokens[source, unit] and rng.random() < 0.5]
        signal = [target for target in range(3) if rng.random() < 0.2]
        tokens[wait, unit] -= 1
        tokens[unit, signal] += 1
        masks = {"wait": sum(1 << u for u in wait), "signal": sum(1 << u for u in signal)}
        drawn[unit].append(command(unit, rng, masks))
    return tuple(b"".join((*stream, SHARED("halt"))) for stream in drawn)


def _loop(command: Command, unit: int, rng: Rng, depth: int) -> list[bytes]:
    body: list[bytes] = []
    for _ in range(int(rng.integers(1, 3))):
        body.append(command(unit, rng, {}))
    inner = _loop(command, unit, rng, depth - 1) if depth > 1 else []
    steps = {f"step{r}": int(rng.integers(0, 16)) for r in range(4)}
    return [SHARED("loop", count=int(rng.integers(1, 4)), **steps), *body, *inner, SHARED("end")]


def same_cycles(make: Callable[[Any, Rng], Program], engine: Engine, seed: int) -> bool:
    """Whether model and hardware agree on every start and end of the Program that ``make`` draws."""
    hardware, rng = engine.hardware, np.random.Generator(np.random.PCG64(seed))
    program = make(hardware, rng)
    latency = int(rng.integers(1, 40))
    port = Port(latency, int(rng.integers(1, min(latency, 4) + 1)))
    stalls = random_stalls(seed, 61, rng.random() * 0.5, rng.random() * 0.5) if seed % 2 else None
    model = module_of(program.engine).run(program, hardware, port, None, stalls)
    memory = np.zeros(MEMORY_BEATS * hardware.port_bytes, dtype=np.uint8)
    real = engine.run(program, port, memory, stalls, events=capacity(model))
    if real.status != "done":
        engine.reset()
    return (real.status, real.cycles, real.trace) == ("done", model.cycles, model.trace)
