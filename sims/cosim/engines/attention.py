"""The cross-check's view of the attention engine."""

from __future__ import annotations

from math import gcd

import numpy as np

from archmodel.engines.attention import Attention, price, rows
from archmodel.engines.attention.cycle import accepts
from archmodel.engines.attention.schedule import schedule, shape
from archmodel.engines.attention.timing import attend_cycles
from archmodel.engines.attention.tree import from_tree
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.commands import UNITS
from archmodel.records.engines.attention import (
    BUFFERS,
    ISA_VERSION,
    STATE_OTHERS,
    TYPE,
    Hardware,
    Params,
    decode,
    instruction,
)
from archmodel.records.formats import format_of
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine as MachineEngine
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, leaf
from archmodel.records.program import INSTRUCTION_BYTES, Program, hardware_id

from .. import wild
from ..attention.jobs import Job, given_job, make_job, random_job
from ..drive import Engine

__all__ = [
    "HARDWARE", "build_seconds", "computes", "described", "given_job", "lane_bits", "longest", "random_hardware", "random_job",
    "run_seconds", "same_cycles", "work_cycles", "work_job", "works",
]  # fmt: skip

HARDWARE = Hardware
SIDES = (2, 3, 4, 6, 8, 12, 16)
Rng = np.random.Generator
Fields = dict[str, int]


def longest(program: Program, hardware: Hardware) -> int:
    """Cycles of the longest attend command."""
    _, found = accepts(program, hardware)
    stream = program.streams[UNITS.index("exec")]
    commands = (decode(stream[at : at + INSTRUCTION_BYTES]) for at in range(0, len(stream), INSTRUCTION_BYTES))
    counts = [fields["count"] for name, fields in commands if name == "attend"]
    return attend_cycles(max(counts, default=0), found.period, found.stages)


def build_seconds(hardware: Hardware) -> float:
    """CPU time of generating and building: measured 71 s at 16x16 of int8, 143 s of bf16."""
    return 12.0 + (0.51 if hardware.is_float else 0.23) * hardware.rows * hardware.cols


def run_seconds(hardware: Hardware, cycles: int) -> float:
    """Measured 46,000 cycles/s at 16x16 of int8, 8,000 of bf16."""
    return cycles * hardware.rows * hardware.cols / (2e6 if hardware.is_float else 11e6)


def lane_bits(params: Params) -> tuple[int, ...]:
    bits = format_of(params.format).bits
    return bits * params.rows, bits * params.cols


def computes(hw: Hardware) -> str:
    return f"{hw.format}, degree {hw.degree}, latency {hw.mac_latency}, {hw.tiles} tiles in flight, {hw.rescale} lanes"


def described(hw: Hardware) -> tuple[str, str]:
    """What it computes, and its port and banks."""
    kind = f"{hw.rows}x{hw.cols} {hw.format} degree {hw.degree} L {hw.mac_latency} N {hw.tiles} {hw.rescale}"
    return kind, f"port {hw.port_bytes} B, {hw.outstanding} in flight, {hw.banks} banks"


def random_hardware(rng: Rng, side: int = 0) -> Hardware:
    """Hardware of any shape up to 16x16 and 100 PEs (or side x side), of any format, degree, latency and number of tiles in flight."""
    while True:
        rows, cols = (side, side) if side else (int(drawn) for drawn in rng.choice(SIDES, 2))
        known = str(rng.choice(("int8", "bf16")))
        bits = format_of(known).bits
        if (side or rows * cols <= 100) and not rows * bits % 8 and not cols * bits % 8:
            break
    whole = gcd(rows, cols) * bits // 8
    port = int(rng.choice([size for size in range(1, whole + 1) if whole % size == 0]))
    depth = {name: int(rng.integers(8, 80)) for name in "qkvo"}
    weight_bits = 0 if known == "bf16" else int(rng.integers(4, 14))
    return Hardware(rows, cols, known, int(rng.integers(1, 9)), int(rng.integers(1, 5)), int(rng.integers(1, 9)),
                    str(rng.choice(("fused", "split"))), int(rng.choice((0, 0, 4, 8))), weight_bits, int(rng.choice((0, 0, 2, 3, 4))),
                    port, int(rng.integers(1, 33)), int(rng.integers(2, 5)), depth["q"], depth["k"], depth["v"],
                    int(rng.integers(2, 40)), depth["o"], int(rng.integers(20, 160)), 1024, 512)  # fmt: skip


# --- Work of a mapping -------------------------------------------------------------------------------------------------


def works(graph: Graph, mapping: Mapping, machine: Machine, engine: MachineEngine) -> dict[str, tuple[tuple[Attention, int], ...]]:
    """What one copy of the engine runs for each attention, a Program each, and tiles of a pass; by the name of its row."""
    hardware = rows.hardware_of(machine, engine)
    einsums = {einsum.name: einsum for einsum in graph.einsums}
    found: dict[str, tuple[tuple[Attention, int], ...]] = {}
    for tree in mapping.trees:
        end = leaf(tree)
        if end.engine == engine.name:
            whole = rows.whole(graph, einsums[end.einsum])
            placed = from_tree(whole, tree, engine, hardware)
            dealt = [one for ones, _ in rows.slices(whole, placed, engine, hardware) for one in ones]
            found[whole.name] = tuple(dict.fromkeys((one, rows.pass_size(one, placed, hardware)) for one in dealt))
    return found


def work_cycles(work: tuple[Attention, int], hardware: Hardware, port: Port) -> int:
    return price(work[0], hardware, port, work[1]).cycles


def work_job(work: tuple[Attention, int], hardware: Hardware, port: Port, seed: int) -> Job:
    return make_job(work[0], hardware, port, None, seed, work[1])


# --- Wild Programs ----------------------------------------------------------------------------------------------------


def same_cycles(hardware: Hardware, engine: Engine, seed: int) -> bool:
    """Whether model and hardware agree on every start and end of one wild Program."""
    return wild.same_cycles(wild_program, engine, seed)


def wild_program(hardware: Hardware, rng: Rng) -> Program:
    """Anything that the units execute, in any order, on tiles of any size that has a schedule."""
    while True:
        e = int(rng.integers(1, min(hardware.q_words, hardware.k_words, 12) + 1))
        f = int(rng.integers(1, min(hardware.v_words, hardware.o_words, hardware.s_words - STATE_OTHERS, 12) + 1))
        try:
            table = schedule(shape(hardware, e, f))
        except SpecError:
            continue
        if table.period <= hardware.slots:
            break

    def command(unit: int, rng: Rng, masks: Fields) -> bytes:
        if UNITS[unit] == "exec":
            return _attend(hardware, e, f, rng, masks)
        return instruction("sync", **masks) if rng.random() < 0.3 else _move(hardware, unit, rng, masks)

    configure = instruction("configure", period=table.period, stages=table.stages, e=e, f=f)
    return Program(TYPE, ISA_VERSION, hardware_id(hardware), (*wild.streams(command, rng), configure + table.words()))


def _attend(hardware: Hardware, e: int, f: int, rng: Rng, masks: Fields) -> bytes:
    most = min(hardware.q_words // e, hardware.o_words // f, hardware.s_words // (f + STATE_OTHERS), 5)
    count = int(rng.integers(1, most + 1))
    flags = {name: int(rng.integers(2)) for name in ("first", "finish", "masked", "swap_q", "swap_kv", "swap_m", "swap_o")}
    begin = int(rng.integers(0, most - count + 1))
    return instruction("attend", count=count, q=begin * e, state=begin * (f + STATE_OTHERS), o=begin * f,
                       pattern=int(rng.integers(0, hardware.m_words)), **flags, **masks)  # fmt: skip


def _move(hardware: Hardware, unit: int, rng: Rng, masks: Fields) -> bytes:
    loads = UNITS[unit] == "load"
    buffer = str(rng.choice(list(BUFFERS))) if loads else "O"
    most = min(wild.MOST_WORDS, hardware.depth(buffer))
    inner = int(rng.integers(1, most + 1))
    outer = int(rng.integers(1, most // inner + 1))
    return instruction("move", buffer=BUFFERS.index(buffer) if loads else 0, inner=inner, outer=outer, pitch=inner,
                       swap=int(rng.integers(2)), register=int(rng.integers(len(BUFFERS) if loads else 1)), base=int(rng.integers(64)),
                       stride=inner * hardware.beats(buffer), **masks)  # fmt: skip
