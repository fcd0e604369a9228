"""Floating point by definition, one number at a time: Python's fractions, and nothing else."""

from __future__ import annotations

from fractions import Fraction

from archmodel.records.formats import FP32, Format
from sims.cosim.floats import formats_of
from sims.cosim.jobs import Job, golden

Value = Fraction | str
"""A number, or nan, inf, -inf; a zero's sign is kept beside it."""


def value(bits: int, known: Format) -> tuple[Value, int]:
    """(value, sign bit) of a pattern."""
    sign, magnitude = bits >> known.bits - 1, bits & (1 << known.bits - 1) - 1
    field, mantissa = magnitude >> known.mantissa_bits, magnitude & (1 << known.mantissa_bits) - 1
    if magnitude > known.largest:
        return ("inf" if known.has_infinity and not mantissa else "nan"), sign
    lead = 1 << known.mantissa_bits if field else 0
    return (-1) ** sign * (lead + mantissa) * Fraction(2) ** (max(field, 1) - known.bias - known.mantissa_bits), sign


def pattern(number: Fraction, sign: int, known: Format) -> int:
    """The pattern nearest to a number: of the two patterns around it the nearer one, else the even one."""
    size, low, high = abs(number), 0, known.largest + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if value(middle, known)[0] <= size else (low, middle)
    last = value(low, known)[0]
    step = last - value(low - 1, known)[0] if high > known.largest else value(high, known)[0] - last
    above = 2 * (size - last) > step or (2 * (size - last) == step and low % 2 == 1)
    best = known.largest if known.saturates and low + above > known.largest else low + above
    return best | sign << known.bits - 1


def multiply_add(x: int, y: int, addend: int, x_format: Format, y_format: Format) -> int:
    (a, s), (b, t), (c, u) = value(x, x_format), value(y, y_format), value(addend, FP32)
    if "nan" in (a, b, c) or ("inf" in (a, b) and 0 in (a, b)):
        return FP32.nan
    if "inf" in (a, b):
        return FP32.nan if c == "inf" and u != s ^ t else FP32.infinity | (s ^ t) << 31
    if c == "inf":
        return addend
    total = a * b + c  # type: ignore[operator]
    zero = (s ^ t) & u if a * b == 0 and c == 0 else 0  # type: ignore[operator]
    return pattern(total, int(total < 0) if total else zero, FP32)


def add(a: int, b: int) -> int:
    return multiply_add(a, FP32.bias << FP32.mantissa_bits, b, FP32, FP32)


def requantise(number: int, bias: int, scale: int, result: Format) -> int:
    summed = add(number, bias)
    sign = (summed ^ scale) >> 31
    scaled, sign = value(multiply_add(summed, scale, sign << 31, FP32, FP32), FP32)
    if scaled == "nan":
        return result.nan
    if scaled == "inf":
        return (result.largest if result.saturates else result.infinity) | sign << result.bits - 1
    return pattern(scaled, sign, result)  # type: ignore[arg-type]


def check(job: Job) -> None:
    """The golden of a job, element by element."""
    a, b, start, output = (part.tolist() for part in (job.operands.a, job.operands.b, job.operands.initial, job.operands.parameters))
    tiling, formats, wanted = job.tiling, formats_of(job.tiling, job.hardware), golden(job.tiling, job.operands, job.hardware)
    length = tiling.tile_k if tiling.flow == "os" else job.hardware.rows
    for i in range(tiling.m):
        for j in range(tiling.n):
            z = start[i][j]
            for begin in range(0, tiling.k, length):
                total = 0
                for k in range(begin, begin + length):
                    if k < tiling.k:
                        total = multiply_add(a[i][k], b[k][j], total, *formats)
                    elif tiling.flow != "os":
                        total = add(0, total)
                z = add(total, z)
            assert wanted[i, j] == (requantise(z, *output[j][:2], job.hardware.result) if tiling.requantise else z)
