"""The arithmetic units alone, generated and in Verilator, against the C library: every operand, where there are few enough.

``python -m sims.cosim.arithmetic`` compares all 2^32 pairs of bf16 and all 2^32 values that leave as bf16, e4m3 and e5m2.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archmodel.records.formats import FLOATS, FP32, Format, format_of
from rtl.floating import MultiplyAdd
from rtl.requantizer import FloatRequantizer
from rtl.verilog import convert

from .build import simulator

MULTIPLY_ADD, REQUANTIZER = "archmodel_multiply_add", "archmodel_requantizer"
OPTIMISE = "OPT_FAST=-O2 OPT_SLOW=-O0 OPT_GLOBAL=-O2"
_U64, _U32 = ctypes.c_uint64, ctypes.c_uint32


class _Format(ctypes.Structure):
    _fields_ = [(name, _U32) for name in ("bits", "exponent_bits", "has_infinity", "saturates")]


class _Sweep(ctypes.Structure):
    _fields_ = [
        ("x", _Format), ("y", _Format), ("x_begin", _U64), ("x_end", _U64), ("x_step", _U64),
        ("y_begin", _U64), ("y_count", _U64), ("y_random", _U64),
        ("addends", ctypes.c_void_p), ("addend_count", _U64), ("drawn", _U64), ("seed", _U64), ("compared", _U64), ("wrong", _U64),
        *((name, _U32) for name in ("at_x", "at_y", "at_addend", "got", "wanted")),
    ]  # fmt: skip


@dataclass(frozen=True)
class Found:
    """How many results were compared and how many were wrong; the first wrong one in words."""

    compared: int
    wrong: int
    report: str = ""


class Unit:
    """A multiply-add of two formats, or (``y`` None) the way out into ``x``, in a simulator of its own."""

    def __init__(self, x: Format, y: Format | None = None, source: str | None = None) -> None:
        self.x, self.y = x, y
        built = simulator(source or verilog_of(x, y), MULTIPLY_ADD if y else REQUANTIZER, optimise=OPTIMISE)
        self._library = ctypes.CDLL(str(built))
        self._library.unit_open.restype = ctypes.c_void_p
        self._library.unit_sweep.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._library.unit_sweep.restype = None
        self._handle = self._library.unit_open()

    def sweep(self, xs: range, ys: range | int, addends: Sequence[int] = (), drawn: int = 0, seed: int = 0) -> Found:
        """Every x with every y (or so many random ones), with each addend and ``drawn`` random ones.

        Of the way out, x is the value, y the upper half of the bias and an addend the scale; with random y, x is the upper
        half of the value, and bias and the value's lower half are drawn: every second pair a tie of the narrow format beside
        half a unit of its last place; half of the drawn scales are powers of two, a quarter lead to a tie.
        """
        given = np.array(addends, dtype=np.uint32)
        first, count = (0, ys) if isinstance(ys, int) else (ys.start, len(ys))
        left, right = (self.x, self.y) if self.y else (FP32, self.x)
        sweep = _Sweep(_format(left), _format(right), xs.start, xs.stop, xs.step, first, count, int(isinstance(ys, int)), given.ctypes.data,
                       len(given), drawn, seed)  # fmt: skip
        self._library.unit_sweep(self._handle, ctypes.byref(sweep))
        report = (f"{sweep.wrong:,} of {sweep.compared:,} results wrong; first x {sweep.at_x:#x}, y {sweep.at_y:#x}, addend "
                  f"{sweep.at_addend:#010x}: {sweep.got:#x}, expected {sweep.wanted:#x}") if sweep.wrong else ""  # fmt: skip
        return Found(sweep.compared, sweep.wrong, report)


def _format(known: Format) -> _Format:
    return _Format(known.bits, known.exponent_bits, known.has_infinity, known.saturates)


def verilog_of(x: Format, y: Format | None = None) -> str:
    """The unit as the engine has it."""
    return convert(MultiplyAdd(x, y), MULTIPLY_ADD) if y else convert(FloatRequantizer(x), REQUANTIZER)


def specials(known: Format) -> list[int]:
    """Patterns at every edge of a format, of both signs."""
    half, quiet = 1 << known.mantissa_bits, 1 << known.mantissa_bits - 1
    one = known.bias << known.mantissa_bits
    edges = {0, 1, 2, half - 1, half, half + 1, one - 1, one, one + 1, one + quiet, known.largest - 1, known.largest, known.infinity,
             known.infinity | 1, known.infinity | quiet, known.nan, (1 << known.bits - 1) - 1}  # fmt: skip
    return sorted(edge | sign << known.bits - 1 for edge in edges for sign in (0, 1))


def exhaustive(seed: int) -> bool:
    """All pairs of bf16 with a drawn addend each, all values on every way out; prints, and says whether all were equal."""
    fine = True
    for x, y in (*itertools.product(FLOATS, FLOATS), *((x, "") for x in FLOATS)):
        begun, unit = time.monotonic(), Unit(format_of(x), format_of(y) if y else None)
        name = f"{x} x {y}, all pairs" if y else f"to {x}, all values"
        if unit.y:
            pairs = 1 << unit.x.bits + unit.y.bits
            found = unit.sweep(range(1 << unit.x.bits), range(1 << unit.y.bits), drawn=max(1, (1 << 28) // pairs), seed=seed)
        else:
            found = unit.sweep(range(1 << 32), range(0x8000, 0x8001), addends=(FP32.bias << FP32.mantissa_bits,))
        print(f"{name:28} {found.compared:15,} results, {found.wrong} wrong, {time.monotonic() - begun:6.0f} s", flush=True)
        if found.wrong:
            print(found.report)
        fine &= not found.wrong
    return fine


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every result was right, else 1."""
    parser = argparse.ArgumentParser(prog="python -m sims.cosim.arithmetic", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the addends drawn (default 1)")
    return 0 if exhaustive(parser.parse_args(arguments).seed) else 1


if __name__ == "__main__":
    sys.exit(main())
