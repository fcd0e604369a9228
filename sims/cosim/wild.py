"""Random Programs that no mapping gives: moves that fight for the port, deep loops, tokens in any direction.

Lowered Programs keep loads and stores apart by tokens, so they never show what the port does when both want it.  These
do.  Their data would depend on who comes first, so only cycles are compared: every start, every end, the total.
"""

from __future__ import annotations

import numpy as np

from archmodel.engines.systolic.cycle import run
from archmodel.memory.port import Port
from archmodel.memory.stalls import random_stalls
from archmodel.records.commands import UNITS
from archmodel.records.engines.systolic import BUFFERS, ISA_VERSION, TYPE, Hardware, instruction
from archmodel.records.program import Program, hardware_id

from .drive import Engine, capacity

MEMORY_BEATS = 1 << 15
MOST_WORDS = 128
"""Of one move, so that it ends within the memory."""
Rng = np.random.Generator
Fields = dict[str, int]


def wild_program(hardware: Hardware, rng: Rng, commands: int = 30) -> Program:
    """A Program without deadlock: a command waits only for tokens of commands drawn before it."""
    streams: list[list[bytes]] = [[], [], []]
    tokens = np.zeros((3, 3), dtype=int)  # [from, to]
    for _ in range(commands):
        unit = int(rng.integers(3))
        if rng.random() < 0.3:
            streams[unit] += _loop(hardware, unit, rng, depth=int(rng.integers(1, 5)))
            continue
        wait = [source for source in range(3) if tokens[source, unit] and rng.random() < 0.5]
        signal = [target for target in range(3) if rng.random() < 0.2]
        tokens[wait, unit] -= 1
        tokens[unit, signal] += 1
        masks = {"wait": sum(1 << u for u in wait), "signal": sum(1 << u for u in signal)}
        streams[unit].append(_command(hardware, unit, rng, masks))
    return Program(TYPE, ISA_VERSION, hardware_id(hardware), tuple(b"".join((*s, instruction("halt"))) for s in streams))


def _loop(hardware: Hardware, unit: int, rng: Rng, depth: int) -> list[bytes]:
    body: list[bytes] = []
    for _ in range(int(rng.integers(1, 3))):
        body.append(_command(hardware, unit, rng, {}))
    inner = _loop(hardware, unit, rng, depth - 1) if depth > 1 else []
    steps = {f"step{r}": int(rng.integers(0, 16)) for r in range(4)}
    return [instruction("loop", count=int(rng.integers(1, 4)), **steps), *body, *inner, instruction("end")]


def _command(hardware: Hardware, unit: int, rng: Rng, masks: Fields) -> bytes:
    if rng.random() < 0.3:
        return instruction("sync", **masks)
    return _exec(hardware, rng, masks) if UNITS[unit] == "exec" else _move(hardware, unit, rng, masks)


def _exec(hardware: Hardware, rng: Rng, masks: Fields) -> bytes:
    output = int(hardware.has_output_stationary and (not hardware.has_operand_stationary or rng.integers(2)))
    flags = {name: int(rng.integers(2)) for name in ("acc_first", "acc_rest", "swap_x", "swap_y", "swap_z")}
    longest = min(19, hardware.x_words, hardware.y_words if output else hardware.z_words)
    counts = {"outer": int(rng.integers(1, 4)), "inner": int(rng.integers(1, 4)), "t": int(rng.integers(1, longest + 1))}
    return instruction("exec", output=output, **flags, **counts, **masks)


def _move(hardware: Hardware, unit: int, rng: Rng, masks: Fields) -> bytes:
    buffer = "Z" if UNITS[unit] == "store" else str(rng.choice(list(BUFFERS)))
    quantises = int(UNITS[unit] == "store" and rng.integers(2))
    broadcast = int(quantises and rng.integers(2))
    most = min(MOST_WORDS, hardware.depth(buffer))
    inner = int(rng.integers(1, min(most, hardware.p_words * hardware.cols if broadcast else most) + 1))
    outer = int(rng.integers(1, min(most // inner, hardware.p_words if quantises and not broadcast else most) + 1))
    return instruction(
        "move", buffer=BUFFERS.index(buffer), inner=inner, outer=outer, pitch=inner, requantise=quantises, swap=int(rng.integers(2)),
        broadcast=broadcast, register=int(rng.integers(2)), base=int(rng.integers(64)),
        stride=inner * hardware.beats("Q" if quantises else buffer), **masks,
    )  # fmt: skip


def same_cycles(hardware: Hardware, engine: Engine, seed: int) -> bool:
    """Whether model and hardware agree on every start and end of one wild Program."""
    rng = np.random.Generator(np.random.PCG64(seed))
    program = wild_program(hardware, rng)
    latency = int(rng.integers(1, 40))
    port = Port(latency, int(rng.integers(1, min(latency, 4) + 1)))
    stalls = random_stalls(seed, 61, rng.random() * 0.5, rng.random() * 0.5) if seed % 2 else None
    model = run(program, hardware, port, None, stalls)
    memory = np.zeros(MEMORY_BEATS * hardware.port_bytes, dtype=np.uint8)
    real = engine.run(program, port, memory, stalls, events=capacity(model))
    if real.status != "done":
        engine.reset()
    return (real.status, real.cycles, real.trace) == ("done", model.cycles, model.trace)
