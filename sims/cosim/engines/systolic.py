"""The cross-check's view of the systolic engine."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from archmodel.engines.systolic.closed_form import Folds, exec_cycles, price
from archmodel.engines.systolic.cycle import decoded
from archmodel.engines.systolic.tiling import Tiling
from archmodel.engines.systolic.tree import from_tree
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.commands import UNITS
from archmodel.records.engines.systolic import BUFFERS, ISA_VERSION, TYPE, Hardware, Params, instruction
from archmodel.records.formats import FLOATS, Format, format_of
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine as MachineEngine
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, leaf
from archmodel.records.program import Program, hardware_id

from .. import wild
from ..drive import Engine
from ..jobs import Job, make_job, plain_tiling, random_job

__all__ = [
    "HARDWARE", "build_seconds", "computes", "described", "given_job", "lane_bits", "longest", "random_hardware", "random_job",
    "run_seconds", "same_cycles",
    "work_cycles", "work_job", "works",
]  # fmt: skip

HARDWARE = Hardware
SIDES = (2, 3, 4, 6, 8, 12, 16)
FLOWS = (("ws",), ("is",), ("os",), ("is", "ws"), ("os", "ws"), ("is", "os", "ws"))
Rng = np.random.Generator
Fields = dict[str, int]


def longest(program: Program, hardware: Hardware) -> int:
    """Cycles of the longest exec command."""
    runs = (fields for name, fields in decoded(program.streams[UNITS.index("exec")]) if name == "exec")
    return max((int(exec_cycles(Folds(run["outer"], run["inner"], run["t"]), hardware)) for run in runs), default=0)


def given_job(hardware: Hardware, shape: dict[str, Any], port: Port, stalls: Stalls | None, seed: int) -> Job:
    """The job of a tiling as its recipe wrote it."""
    return make_job(plain_tiling(shape), hardware, port, stalls, seed)


def build_seconds(hardware: Hardware) -> float:
    """CPU time of generating and building: measured 47 s at 32x32, and 66 s at 16x16 of bf16."""
    return 14.0 + (0.2 if hardware.is_float else 0.033) * hardware.rows * hardware.cols


def run_seconds(hardware: Hardware, cycles: int) -> float:
    """Measured 146,000 cycles/s at 16x16, and 635,000 at 4x4 of bf16."""
    return cycles * hardware.rows * hardware.cols / (10e6 if hardware.is_float else 40e6)


def lane_bits(params: Params) -> tuple[int, ...]:
    return tuple(bits * lanes for bits, lanes, _ in params.words())


def computes(hardware: Hardware) -> str:
    return f"{', '.join(hardware.dataflows)}; {hardware.x_format} x {hardware.y_format}"


def described(hw: Hardware) -> tuple[str, str]:
    """What it computes, and its port and banks."""
    return (f"{hw.rows}x{hw.cols} {'+'.join(hw.dataflows)} {hw.x_format}x{hw.y_format}",
            f"port {hw.port_bytes} B, {hw.outstanding} in flight, {hw.banks} bank{'s' if hw.banks > 1 else ''}")  # fmt: skip


def random_hardware(rng: Rng, side: int = 0) -> Hardware:
    """Hardware of any shape up to 16x16 and 100 PEs, with buffers from the smallest that work; two in five have deep
    ones, and up to 128 requests in flight."""
    while True:
        rows, cols = (side, side) if side else (int(drawn) for drawn in rng.choice(SIDES, 2))
        flows = FLOWS[rng.integers(len(FLOWS))]
        x, y = _formats(flows, rng)
        port = _port_bytes(rows * x.bits, cols * y.bits, cols * (y if flows == ("is",) else x).bits, rng)
        if (side or rows * cols <= 100) and port:
            break
    deep = rng.random() < 0.4
    least = max(rows, cols)  # so that every product has a tile that fits
    x_words, y_words, z_words = (int(rng.integers(least, 12 * least + 1 + 480 * deep)) for _ in range(3))
    outstanding, banks, p = int(rng.integers(1, 129 if deep else 33)), int(rng.integers(1, 3)), int(rng.integers(1, 25 if deep else 9))
    return Hardware(rows, cols, flows, x.name, y.name, port, outstanding, banks, x_words, y_words, z_words, p,
                    program_words=512)  # fmt: skip


def _formats(flows: tuple[str, ...], rng: Rng) -> tuple[Format, Format]:
    """Of X and Y: integers or floating point, two formats where the dataflows agree on which operand the weights are."""
    alike = "is" in flows and len(flows) > 1
    if rng.integers(2):
        act, weight = (str(name) for name in rng.choice(FLOATS, 2))
    else:
        act, weight = "int8", str(rng.choice(("int4", "int8")))
    if alike:
        weight = act
    return (format_of(weight), format_of(act)) if flows == ("is",) else (format_of(act), format_of(weight))


def _port_bytes(x_bits: int, y_bits: int, q_bits: int, rng: Rng) -> int:
    """A width that divides every word; 0 where a word is no whole number of bytes."""
    if x_bits % 8 or y_bits % 8:
        return 0
    whole = gcd(x_bits, y_bits, q_bits) // 8
    return int(rng.choice([size for size in range(1, whole + 1) if whole % size == 0]))


# --- Work of a mapping -------------------------------------------------------------------------------------------------


def works(graph: Graph, mapping: Mapping, machine: Machine, engine: MachineEngine) -> dict[str, tuple[Tiling, ...]]:
    """Shapes that each matrix product runs on one copy of the engine, by the Einsum's name."""
    del machine
    einsums = {einsum.name: einsum for einsum in graph.einsums}
    found: dict[str, tuple[Tiling, ...]] = {}
    for tree in mapping.trees:
        end = leaf(tree)
        if end.engine == engine.name:
            place = from_tree(graph, einsums[end.einsum], tree, engine)
            found[end.einsum] = (place.tiling, place.last) if place.last else (place.tiling,)
    return found


def work_cycles(work: Tiling, hardware: Hardware, port: Port) -> int:
    return int(price(work, hardware, port).cycles[0])


def work_job(work: Tiling, hardware: Hardware, port: Port, seed: int) -> Job:
    return make_job(work, hardware, port, None, seed)


# --- Wild Programs ----------------------------------------------------------------------------------------------------


def same_cycles(hardware: Hardware, engine: Engine, seed: int) -> bool:
    """Whether model and hardware agree on every start and end of one wild Program."""
    return wild.same_cycles(wild_program, engine, seed)


def wild_program(hardware: Hardware, rng: Rng) -> Program:
    """Anything that the units execute, in any order."""

    def command(unit: int, rng: Rng, masks: Fields) -> bytes:
        if rng.random() < 0.3:
            return instruction("sync", **masks)
        return _exec(hardware, rng, masks) if UNITS[unit] == "exec" else _move(hardware, unit, rng, masks)

    return Program(TYPE, ISA_VERSION, hardware_id(hardware), wild.streams(command, rng))


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
    most = min(wild.MOST_WORDS, hardware.depth(buffer))
    inner = int(rng.integers(1, min(most, hardware.p_words * hardware.cols if broadcast else most) + 1))
    outer = int(rng.integers(1, min(most // inner, hardware.p_words if quantises and not broadcast else most) + 1))
    return instruction(
        "move", buffer=BUFFERS.index(buffer), inner=inner, outer=outer, pitch=inner, requantise=quantises, swap=int(rng.integers(2)),
        broadcast=broadcast, register=int(rng.integers(2)), base=int(rng.integers(64)),
        stride=inner * hardware.beats("Q" if quantises else buffer), **masks,
    )  # fmt: skip
