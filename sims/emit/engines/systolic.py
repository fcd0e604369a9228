"""The systolic engine in its emitted folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archmodel.records.commands import MIN_CYCLES
from archmodel.records.engines.systolic import BUFFERS, OUTPUT_PARAMETER_BYTES, SUM_BITS, Hardware
from archmodel.records.formats import FP32, format_of
from rtl import systolic_axi

from ...cosim.jobs import draw_words as draw

if TYPE_CHECKING:
    from archmodel.records.machine import Engine, Machine
    from archmodel.records.program import Program

__all__ = ["AXI", "FIELDS", "INSTRUCTIONS", "LETTERS", "NAMES", "beats_of", "default_program", "draw", "layout_notes", "numbers"]

AXI = systolic_axi
NAMES = "XYZPQ"
LETTERS = "X enters the array from the left, Y from the top, Z leaves at the bottom, P is read on the way out; Q is a requantised word."
INSTRUCTIONS = {"exec": f"in `exec`: outer x inner folds through the array. At least {MIN_CYCLES} cycles"}
_FOLD = {"": "first word of fold 0", "0": "words from one inner fold to the next", "1": "words from one outer fold to the next"}
FIELDS = {
    "buffer": "X, Y, Z or P, from 0; a store has Z",
    "inner": "move: words of a row; exec: folds inside an outer one",
    "outer": "move: rows; exec: outer folds",
    "output": "1: output-stationary, 0: operand-stationary",
    "acc_first": "the folds of outer fold 0 add to what stands in Z",
    "acc_rest": "the folds of the others do",
    **{f"swap_{b}": f"afterwards exec goes on with the other bank of {b.upper()}" for b in "xyz"},
    "idle": "rows at the bottom of the array without work in the last outer folds",
    "t": "words of a fold's stream",
    **{f"{b}{s}": f"{b.upper()}: {text}" for b in "xyz" for s, text in _FOLD.items()},
}


def numbers(hardware: Hardware) -> str:
    """What the arithmetic does to every bit."""
    if not hardware.is_float:
        return (
            f"Operands are signed two's complement: X {hardware.x.name}, Y {hardware.y.name}. Sums have {SUM_BITS} bits and wrap. On the "
            "way out (sum + bias) times multiplier, exact in 64 bits, is shifted right, rounded half to even and saturated to "
            f"{hardware.result.name}."
        )
    out, sums = hardware.result, f"{FP32.nan:08X}"
    return (
        f"Operands: X {hardware.x.name}, Y {hardware.y.name}; sums, bias and scale: fp32. A processing element rounds its exact product "
        "plus the sum that enters it once, to nearest, ties to even. Sums begin with +0 and go down a column, top row first, or (os) "
        "through the stream; an idle row multiplies +0 by +0. What comes out is added to Z, or to +0 where nothing accumulates. On "
        f"the way out sum + bias, then its product with scale, are rounded to fp32, and that to {out.name}.\n\n"
        "Subnormals are numbers like others. The sum of opposite numbers is +0, of two -0 it is -0. Infinity minus infinity and zero "
        f"times infinity are NaN; every NaN that is made is {sums}, in {out.name} {out.nan:0{out.bits // 4}X}. Beyond the largest number "
        f"fp32 becomes infinite; {out.name} {'stays at its largest finite one, infinities too' if out.saturates else 'too'}."
    )


def layout_notes() -> str:
    words = OUTPUT_PARAMETER_BYTES // 4
    return f"A lane of P is {words} words of 32 bits: bias, multiplier, shift; of floating point bias, scale, nothing."


def beats_of(hardware: Hardware, unit: str, fields: dict[str, int]) -> tuple[str, int]:
    """The buffer that a move fills or empties, and the beats of one word."""
    buffer = BUFFERS[fields["buffer"]]
    return buffer, hardware.beats("Q" if unit == "store" and fields["requantise"] else buffer)


def default_program(machine: Machine, engine: Engine, hardware: Hardware) -> tuple[Program, str]:
    """A small product, mapped by the search."""
    from archmodel import lower, search
    from archmodel.workload.gemm import gemm_graph
    from archmodel.workload.operators import Bits

    rows, cols = hardware.rows, hardware.cols
    m, n, k = min(rows, 32) + 3, cols + cols // 2, rows + rows // 2
    bits = Bits(weight=format_of(engine.params.weight).bits, activation=format_of(engine.params.act).bits)
    graph = gemm_graph(m, n, k, bits)
    return lower(graph, search(graph, machine), machine, "gemm"), f"the product {m}x{n}x{k}"
