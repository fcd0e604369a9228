"""Fresh random hardware and Programs until the time is up: ``python -m sims.cosim.long --seconds 3600 --seed 1``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from math import gcd

import numpy as np

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from archmodel.records.formats import FLOATS, Format, format_of

from .build import check_tools
from .crosscheck import Agreement, crosscheck, random_jobs

PROGRAMS, WILD = 400, 40
SIDES = (2, 3, 4, 6, 8, 12, 16)
FLOWS = (("ws",), ("is",), ("os",), ("is", "ws"), ("os", "ws"), ("is", "os", "ws"))
Rng = np.random.Generator


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


def _line(number: int, hw: Hardware, found: Agreement) -> str:
    shape = f"{hw.rows}x{hw.cols} {'+'.join(hw.dataflows)} {hw.x_format}x{hw.y_format}"
    port = f"port {hw.port_bytes} B, {hw.outstanding} in flight, {hw.banks} bank{'s' if hw.banks > 1 else ''}"
    return (f"{number:4}  {shape:24} {port:34} {found.programs:5} Programs and {found.wild:3} wild, {found.cycles:9} cycles "
            f"{'equal' if found.equal else 'DIFFER'}")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything agreed, 1 at the first mismatch, 2 where nothing can be built."""
    parser = argparse.ArgumentParser(prog="python -m sims.cosim.long", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--configurations", type=int, default=1 << 30, help="stop after so many, even with time left")
    given = parser.parse_args(arguments)
    try:
        check_tools()
        return _until(time.monotonic() + given.seconds, given.seed, given.configurations)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; everything printed so far was equal", file=sys.stderr)
        return 2


def _until(deadline: float, seed: int, most: int) -> int:
    rng, number, programs, wild, cycles = np.random.Generator(np.random.PCG64(seed)), 0, 0, 0, 0
    while time.monotonic() < deadline and number < most:
        hardware, first = random_hardware(rng), int(rng.integers(1 << 40))
        found = crosscheck(hardware, random_jobs(hardware, range(first, first + PROGRAMS)), range(first, first + WILD),
                           deadline=deadline)  # fmt: skip
        number, programs, wild, cycles = number + 1, programs + found.programs, wild + found.wild, cycles + found.cycles
        print(_line(number, hardware, found), flush=True)
        if not found.equal:
            print(found.report)
            return 1
    print(f"seed {seed}: {programs} Programs and {wild} wild ones on {number} configurations, {cycles} simulated cycles, all equal")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
