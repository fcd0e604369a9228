"""Floating-point jobs: operands that reach every corner of a format, and the golden result in exact integers.

The golden holds every number as sign, integer and power of two.  Sums are exact in 64 bits but for one last bit that stands
for whatever lies below it, and each is rounded once; no arithmetic of the model or of a floating-point unit is in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archmodel.engines.systolic.tiling import Tiling
from archmodel.records.engines.systolic import Hardware
from archmodel.records.formats import FP32, Format

Matrix = npt.NDArray[np.int64]
"""Bit patterns of a format."""
Rng = np.random.Generator
WINDOW = 58
"""Bits of a sum, a carry not counted: the longest product has 48, and ten below it are more than rounding asks for."""


class Exact(NamedTuple):
    """(-1)^negative * size * 2^power, elementwise."""

    negative: Any
    size: Any
    power: Any
    nan: Any
    infinite: Any


def formats_of(tiling: Tiling, hardware: Hardware) -> tuple[Format, Format]:
    """Of the operands A and B."""
    return (hardware.y, hardware.x) if tiling.flow == "is" else (hardware.x, hardware.y)


# --- Operands ---------------------------------------------------------------------------------------------------------


KINDS = ("near one", "neighbours of one", "powers of two", "tiny", "any size", "near one or tiny", "specials")
"""What operands are drawn from.  Of neighbours sums cancel and end in ties; of powers of two a tie hangs on the last bit."""


def draw(shape: tuple[int, ...], known: Format, rng: Rng, kind: str = "") -> Matrix:
    """Patterns of one kind, drawn too if it is not given."""
    step, sign = 1 << known.mantissa_bits, rng.integers(0, 2, shape) << known.bits - 1
    one = known.bias << known.mantissa_bits
    near, tiny = one + rng.integers(-2 * step, 2 * step, shape), rng.integers(0, 3 * step, shape)
    edges = np.array([0, 0, 1, step - 1, step, known.largest, known.infinity, known.infinity, known.nan])
    beside = np.array([one - 1, one, one + 1, one + step // 2, known.largest, 1])
    powers = np.array([0, 0, 0, 1, 12, 23, 24, 35, 47])
    magnitude = {
        "near one": near, "tiny": tiny, "any size": rng.integers(0, known.largest + 1, shape),
        "neighbours of one": rng.choice(beside, shape, p=(0.2, 0.3, 0.2, 0.2, 0.05, 0.05)),
        "powers of two": np.maximum(one - step * rng.choice(powers, shape), 0),
        "near one or tiny": np.where(rng.random(shape) < 0.5, near, tiny),
        "specials": np.where(rng.random(shape) < 0.08, rng.choice(edges, shape), near),
    }[kind or str(rng.choice(KINDS))]  # fmt: skip
    return magnitude | sign


def operands(tiling: Tiling, hardware: Hardware, rng: Rng) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """A [m,k], B [k,n], initial sums [m,n], output parameters [n,3]."""
    formats = formats_of(tiling, hardware)
    kind = str(rng.choice(np.array(["", "specials", "powers of two"]), p=(0.6, 0.25, 0.15)))
    a, b = draw((tiling.m, tiling.k), formats[0], rng, kind), draw((tiling.k, tiling.n), formats[1], rng, kind)
    return a, b, initial(tiling, a, b, formats, rng), parameters(tiling.n, rng)


def initial(tiling: Tiling, a: Matrix, b: Matrix, formats: tuple[Format, Format], rng: Rng) -> Matrix:
    """Zeros, or sums: of any kind, or the first product of each element with the other sign, so that it cancels."""
    shape = (tiling.m, tiling.n)
    if not tiling.init:
        return np.zeros(shape, dtype=np.int64)
    drawn = draw(shape, FP32, rng)
    first = multiply_add(a[:, :1], b[:1], np.zeros(shape, dtype=np.int64), *formats) ^ 1 << FP32.bits - 1
    return np.where(rng.random(shape) < 0.3, first, drawn)


def parameters(channels: int, rng: Rng) -> Matrix:
    """(bias, scale, a word that nobody reads) of each channel; scales that keep ties, lead to saturation, below the normal."""
    bias = np.where(rng.random(channels) < 0.5, draw((channels,), FP32, rng), 0)
    power = rng.integers(-20, 20, channels) + FP32.bias << FP32.mantissa_bits
    scale = np.where(rng.random(channels) < 0.6, power, draw((channels,), FP32, rng))
    return np.stack((bias, scale, rng.integers(0, 1 << 32, channels)), axis=-1)


def draw_words(buffer: str, words: int, hardware: Hardware, rng: Rng) -> npt.NDArray[np.uint8]:
    """Bytes of so many words for a buffer (X, Y, Z or P)."""
    if buffer == "P":
        return parameters(words * hardware.cols, rng).astype("<u4").view(np.uint8).reshape(-1)
    known = {"X": hardware.x, "Y": hardware.y, "Z": FP32}[buffer]
    drawn = draw((words * (hardware.rows if buffer == "X" else hardware.cols),), known, rng)
    return drawn.astype(f"<u{known.bits // 8}").view(np.uint8)


# --- Golden -----------------------------------------------------------------------------------------------------------


def golden(tiling: Tiling, hardware: Hardware, a: Matrix, b: Matrix, start: Matrix, output: Matrix) -> Matrix:
    """C = A B in the engine's order: ws and is add the products of ``rows`` values of k from +0 on, top row first, a row
    beyond the end as +0 times +0; os those of a tile's k one after another; each such sum is then added to Z."""
    formats = formats_of(tiling, hardware)
    length = tiling.tile_k if tiling.flow == "os" else hardware.rows
    z, nothing = start, np.zeros((1, 1), dtype=np.int64)
    for begin in range(0, tiling.k, length):
        end = min(begin + length, tiling.k)
        total = np.zeros_like(start)
        for k in range(begin, end):
            total = multiply_add(a[:, k : k + 1], b[k : k + 1], total, *formats)
        for _ in range(end, begin + length if tiling.flow != "os" else end):
            total = multiply_add(nothing, nothing, total, *formats)
        z = add(total, z)
    return requantise(z, output[:, 0], output[:, 1], hardware.result) if tiling.requantise else z


def multiply_add(x: Matrix, y: Matrix, addend: Matrix, x_format: Format, y_format: Format) -> Matrix:
    """The fp32 patterns of x * y + addend."""
    return nearest(exact_sum(exact_product(exact(x, x_format), exact(y, y_format)), exact(addend, FP32)), FP32)


def add(a: Matrix, b: Matrix) -> Matrix:
    return nearest(exact_sum(exact(a, FP32), exact(b, FP32)), FP32)


def requantise(values: Matrix, bias: Matrix, scale: Matrix, result: Format) -> Matrix:
    """(value + bias) * scale in ``result``: three roundings."""
    scaled = nearest(exact_product(exact(add(values, bias), FP32), exact(scale, FP32)), FP32)
    return nearest(exact(scaled, FP32), result)


def exact(bits: Matrix, known: Format) -> Exact:
    mantissa, magnitude = bits & (1 << known.mantissa_bits) - 1, bits & (1 << known.bits - 1) - 1
    field = magnitude >> known.mantissa_bits
    size = mantissa | (field > 0).astype(np.int64) << known.mantissa_bits
    power = np.maximum(field, 1) - known.bias - known.mantissa_bits
    return Exact(bits >> known.bits - 1 & 1 == 1, size, power, magnitude > (known.infinity if known.has_infinity else known.largest),
                 (magnitude == known.infinity) & known.has_infinity)  # fmt: skip


def exact_product(a: Exact, b: Exact) -> Exact:
    nan = a.nan | b.nan | (a.infinite & (b.size == 0)) | (b.infinite & (a.size == 0))
    return Exact(a.negative ^ b.negative, a.size * b.size, a.power + b.power, nan, a.infinite | b.infinite)


def exact_sum(a: Exact, b: Exact) -> Exact:
    nan = a.nan | b.nan | (a.infinite & b.infinite & (a.negative != b.negative))
    top = np.maximum(*(np.where(n.size > 0, n.power + length(n.size), -10_000) for n in (a, b)))
    total = sum(np.where(n.negative, -1, 1) * _moved(n.size, n.power - (top - WINDOW)) for n in (a, b))
    total = np.asarray(total)
    # An exact zero is negative only where both terms are; the size of an infinity is not.
    negative = np.where(a.infinite, a.negative, np.where(b.infinite, b.negative, np.where(total == 0, a.negative & b.negative, total < 0)))
    return Exact(negative, np.abs(total), top - WINDOW, nan, a.infinite | b.infinite)


def length(size: Matrix) -> Matrix:
    """Bits of each integer below 2^62; 0 for 0."""
    guess = np.frexp(size.astype(np.float64))[1].astype(np.int64)
    return guess - (size < (np.int64(1) << np.maximum(guess - 1, 0))) * (guess > 0)


def _moved(size: Matrix, left: Matrix) -> Matrix:
    """size * 2^left, its last bit 1 where anything was lost."""
    down = np.minimum(np.maximum(-left, 0), 62)
    kept = size >> down << np.minimum(np.maximum(left, 0), 62)
    return kept | (size & (np.int64(1) << down) - 1 > 0)


def nearest(number: Exact, known: Format) -> Matrix:
    """The patterns of ``known`` nearest to exact numbers, half to even; beyond the largest infinity, or the largest itself."""
    last = np.maximum(number.power + length(number.size) - known.mantissa_bits - 1, known.least_exponent - known.mantissa_bits)
    down = last - number.power
    cut = np.minimum(np.maximum(down, 0), 62)
    kept, rest = number.size >> cut, number.size & (np.int64(1) << cut) - 1
    half = np.where(cut > 0, np.int64(1) << np.maximum(cut - 1, 0), 1)
    kept = (kept << np.minimum(np.maximum(-down, 0), 62)) + ((rest > half) | ((rest == half) & (kept & 1 == 1)))
    carried = kept >> known.mantissa_bits + 1 > 0
    kept, last = np.where(carried, kept >> 1, kept), last + carried
    field = np.where(kept >> known.mantissa_bits > 0, last + known.mantissa_bits + known.bias, 0)
    packed = (field << known.mantissa_bits) + (kept & (1 << known.mantissa_bits) - 1)
    packed = np.where(number.infinite | (packed > known.largest), known.largest if known.saturates else known.infinity, packed)
    return np.where(number.nan, known.nan, packed | number.negative.astype(np.int64) << known.bits - 1)
