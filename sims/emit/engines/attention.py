"""The attention engine in its emitted folder."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from archmodel.records.engines.attention import BUFFERS, ENTRY, ENTRY_BYTES, OPS_1D, OPS_2D, Hardware
from archmodel.records.formats import BF16, FP32

if TYPE_CHECKING:
    from archmodel.records.machine import Engine, Machine
    from archmodel.records.program import Program

AXI = None
NAMES = "QKVMO"
LETTERS = ("Q enters the array from the top, K and V from the left, M says which keys are seen: bit r*cols + c is set where key r is, by "
           "query c; O leaves the lanes.")  # fmt: skip
INSTRUCTIONS = {
    "attend": "in `exec`: tiles of queries with one tile of keys, one a period; later commands begin while its tiles are in flight",
    "configure": "the first instruction of the schedule: its period, and what holds for every tile",
}
FIELDS = {
    "buffer": "Q, K, V or M, from 0; a store has 0 and writes O",
    "requantise": "zero", "broadcast": "zero", "turn_z": "zero", "params": "zero",
    "inner": "words of a row", "outer": "rows",
    "first": "the tiles' first keys: their state is read as -infinity and zeros", "finish": "no keys: results go to O",
    "masked": "keys are seen where word `pattern` of M says so, else all", "pattern": "word of M",
    **{f"swap_{b}": f"after its last tile has entered, later ones take the next bank of {b.upper()}" for b in "qmo"},
    "swap_kv": "and that of K and V",
    "count": "loop: rounds, at least 1; attend: tiles, at least 1",
    "q": "first word of Q; a tile further on e more", "state": "first word of state; f + 2 more", "o": "first word of O; f more",
    "period": "slots of the schedule", "stages": "periods until a tile has left", "e": "elements of a query and of a key",
    "f": "elements of a value", "shift": "fraction bits of an int8 score", "out_shift": "of the product of a numerator and a reciprocal",
}  # fmt: skip


def numbers(hardware: Hardware) -> str:
    """What the arithmetic does to every bit."""
    return (_floating if hardware.is_float else _fixed)(hardware)


def _floating(hardware: Hardware) -> str:
    roundings = "one rounding" if hardware.rescale == "fused" else "two"
    return (
        "Q, K, V, weights and results are bf16; sums, maxima and state fp32. A score is a chain of fused multiply-adds from +0, one an "
        "element; scores are powers of two. A score's distance from the maximum is rounded to steps of 2^-8, n + f; 2^f is a polynomial "
        f"of degree {hardware.degree}, each step a fused multiply-add whose result is rounded to bf16; n is added to its exponent, and "
        "below 1 it is +0. Sums go down a column, top row first, from +0; a hidden key counts as +0 times +0. A lane multiplies its state "
        f"by such a power and adds what arrives, in {roundings}. The reciprocal of the denominator is rounded once, its product with a "
        f"numerator to fp32, then to bf16. Every NaN that is made is {FP32.nan:08X}, in bf16 {BF16.nan:04X}."
    )


def _fixed(hardware: Hardware) -> str:
    return (
        "Q, K, V and results are int8, scores, sums and state int32 that wrap. A score has `shift` fraction bits and is a power of two; "
        "its distance from the maximum is n + f with 16 bits of f, cut off; 2^-f is a polynomial of degree "
        f"{hardware.degree} in steps of 2^-16, each rounded half up; a weight is that times 2^-n with {hardware.weight_bits} fraction "
        "bits, rounded half up, and what rescales the state has 16. The reciprocal of the denominator is "
        f"floor(2^{hardware.weight_bits + 30} / RD), at most 2^31 - 1; its product with a numerator is shifted right by `out_shift`, "
        "rounded half to even and saturated."
    )


def layout_notes() -> str:
    at, fields = 0, []
    for name, bits in ENTRY:
        fields.append(f"`{name}` {at + bits - 1}:{at}")
        at += bits
    return (
        f"The fourth stream, the schedule, is one `configure` and behind it {ENTRY_BYTES} bytes for each slot of the period: "
        f"{', '.join(fields)}. op2 is one of {', '.join(OPS_2D)}, op1 one of {', '.join(OPS_1D)}, from 0; stage says how many periods "
        "ago the tile entered, index which element or step; divide starts the reciprocal of a tile that finishes."
    )


def beats_of(hardware: Hardware, unit: str, fields: dict[str, int]) -> tuple[str, int]:
    """The buffer that a move fills or empties, and the beats of one word."""
    buffer = "O" if unit == "store" else BUFFERS[fields["buffer"]]
    return buffer, hardware.beats(buffer)


def draw(buffer: str, words: int, hardware: Hardware, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Random bits; of bf16, numbers around 1."""
    size = words * hardware.beats(buffer) * hardware.port_bytes
    if buffer == "M" or not hardware.is_float:
        return rng.integers(0, 256, size, dtype=np.uint8)
    numbers = rng.standard_normal(size // 2).astype(np.float32)
    return (numbers.view(np.uint32) >> 16).astype("<u2").view(np.uint8)


def default_program(machine: Machine, engine: Engine, hardware: Hardware) -> tuple[Program, str]:
    """One head of a small causal attention, its keys and queries no whole tiles."""
    from archmodel.engines.attention import Attention, Bases, extents, lower
    from archmodel.records.mask import Mask

    e, f = (min(8, *(hardware.depth(name) for name in names)) for names in ("QK", "VO"))
    queries, keys = hardware.cols + hardware.cols // 2, 2 * hardware.rows + hardware.rows // 2
    work = Attention(e, f, queries, keys, 1, 1, Mask(causal=True, offset=keys - queries), 0 if hardware.is_float else 8,
                     0 if hardware.is_float else hardware.weight_bits + 30)  # fmt: skip
    sizes = extents(work, hardware)
    where = dict(zip(sizes, accumulate(sizes.values(), initial=0), strict=False))
    bases = Bases(**{name.lower(): beat for name, beat in where.items()})
    return lower(work, hardware, bases), f"attention of {queries} queries to {keys} keys, heads of {e} and {f}, causal, its masks drawn too"
