"""Floating point of the engines, on arrays of bit patterns: what one processing element, one adder, one way out does.

Every function is elementwise and rounds once, to nearest even.  Subnormals are numbers like others, zeros have signs (the
sum of opposite numbers is +0), and a result that is NaN is the one of ``Format.nan``.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.records.formats import FP32, Format

Bits = npt.NDArray[np.int64]
"""Patterns of a format, in its low bits."""
Floats = npt.NDArray[np.float64]


def multiply_add(x: Bits, y: Bits, addend: Bits, x_format: Format, y_format: Format) -> Bits:
    """The exact product of ``x`` and ``y`` plus the fp32 ``addend``, rounded to fp32 once."""
    with np.errstate(all="ignore"):
        return _single(_odd_sum(_values(x, x_format) * _values(y, y_format), _values(addend, FP32)))


def add(a: Bits, b: Bits) -> Bits:
    """The fp32 sum."""
    with np.errstate(all="ignore"):
        return _patterns(_singles(a) + _singles(b))


def converted(values: Bits, result: Format) -> Bits:
    """fp32 ``values`` in ``result``."""
    with np.errstate(all="ignore"):
        return _narrow(_singles(values), result)


def reciprocal(values: Bits) -> Bits:
    """The fp32 nearest to 1 / value."""
    with np.errstate(all="ignore"):
        return _patterns(np.float32(1) / _singles(values))


def floats(bits: Bits, known: Format) -> Floats:
    """The values of patterns, exactly; of a NaN, NaN."""
    return _values(bits, known)


def requantise(values: Bits, bias: Bits, scale: Bits, result: Format) -> Bits:
    """(value + bias) * scale in ``result``: a sum and a product of fp32 and a conversion, each of which rounds."""
    with np.errstate(all="ignore"):
        return _narrow((_singles(values) + _singles(bias)) * _singles(scale), result)


def _odd_sum(a: Floats, b: Floats) -> Floats:
    """a + b in binary64, rounded to odd: an inexact sum ends in a 1, so that a second rounding sees which side it is of.

    Neither product nor sum can leave the range of binary64.  TwoSum: Knuth, The Art of Computer Programming 2, 4.2.2.
    """
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    bits = np.atleast_1d(total).view(np.int64)
    even = (np.nan_to_num(error, posinf=0.0, neginf=0.0) != 0) & (bits & 1 == 0)
    return (bits + np.where(even, np.where((error > 0) == (total > 0), 1, -1), 0)).view(np.float64).reshape(np.shape(total))


def _single(values: Floats) -> Bits:
    return _patterns(values.astype(np.float32))


def _patterns(values: npt.NDArray[np.float32]) -> Bits:
    return np.where(np.isnan(values), FP32.nan, np.ascontiguousarray(values).view(np.uint32).astype(np.int64))


def _singles(bits: Bits) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(bits.astype(np.uint32)).view(np.float32)


def _values(bits: Bits, known: Format) -> Floats:
    if known == FP32:
        return _singles(bits).astype(np.float64)
    return _table(known.name)[bits]


def _type(name: str) -> Any:
    import ml_dtypes

    return {"bf16": ml_dtypes.bfloat16, "e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}[name]


@functools.cache
def _table(name: str) -> Floats:
    """The value of every pattern."""
    kind = np.dtype(_type(name))
    return np.arange(1 << 8 * kind.itemsize).astype(f"<u{kind.itemsize}").view(kind).astype(np.float64)


def _narrow(values: npt.NDArray[np.float32], result: Format) -> Bits:
    kind = np.dtype(_type(result.name))
    most = np.float32(_table(result.name)[result.largest]) if result.saturates else np.float32(np.inf)
    narrow = np.ascontiguousarray(np.clip(values, -most, most).astype(kind))
    return np.where(np.isnan(values), result.nan, narrow.view(f"<u{kind.itemsize}").astype(np.int64))
