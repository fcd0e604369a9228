"""The cross-check's view of the systolic engine."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from archmodel.engines.systolic.closed_form import Folds, exec_cycles
from archmodel.engines.systolic.cycle import decoded
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.commands import UNITS
from archmodel.records.engines.systolic import Hardware
from archmodel.records.formats import FLOATS, Format, format_of
from archmodel.records.program import Program

from ..jobs import Job, make_job, plain_tiling, random_job
from ..wild import same_cycles

__all__ = ["HARDWARE", "described", "given_job", "longest", "random_hardware", "random_job", "same_cycles"]

HARDWARE = Hardware
SIDES = (2, 3, 4, 6, 8, 12, 16)
FLOWS = (("ws",), ("is",), ("os",), ("is", "ws"), ("os", "ws"), ("is", "os", "ws"))
Rng = np.random.Generator


def longest(program: Program, hardware: Hardware) -> int:
    """Cycles of the longest exec command."""
    runs = (fields for name, fields in decoded(program.streams[UNITS.index("exec")]) if name == "exec")
    return max((int(exec_cycles(Folds(run["outer"], run["inner"], run["t"]), hardware)) for run in runs), default=0)


def given_job(hardware: Hardware, shape: dict[str, Any], port: Port, stalls: Stalls | None, seed: int) -> Job:
    """The job of a tiling as its recipe wrote it."""
    return make_job(plain_tiling(shape), hardware, port, stalls, seed)


def described(hw: Hardware) -> tuple[str, str]:
    """What it computes, and its port and banks."""
    return (f"{hw.rows}x{hw.cols} {'+'.join(hw.dataflows)} {hw.x_format}x{hw.y_format}",
            f"port {hw.port_bytes} B, {hw.outstanding} in flight, {hw.banks} bank{'s' if hw.banks > 1 else ''}")  # fmt: skip


def random_hardware(rng: Rng) -> Hardware:
    """Hardware of any shape up to 16x16 and 100 PEs, with buffers from the smallest that work; two in five have deep
    ones, and up to 128 requests in flight."""
    while True:
        rows, cols = (int(side) for side in rng.choice(SIDES, 2))
        flows = FLOWS[rng.integers(len(FLOWS))]
        x, y = _formats(flows, rng)
        port = _port_bytes(rows * x.bits, cols * y.bits, cols * (y if flows == ("is",) else x).bits, rng)
        if rows * cols <= 100 and port:
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
