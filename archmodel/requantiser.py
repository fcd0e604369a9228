"""The way from int32 to int8: as every engine's requantiser does it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.int64]


def requantise(values: Words, bias: Words, multiplier: Words, shift: Words) -> Words:
    """(value + bias) times multiplier, shifted right, rounded half to even, saturated to int8.

    bias int32, multiplier 0 to 2^31 - 1, shift 0 to 63; the product is exact in 64 bits.
    """
    product = (values + bias) * (multiplier & 0x7FFFFFFF)
    shift = shift & 63
    quotient = product >> shift
    rest = product & ((np.int64(1) << shift) - 1)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    up = (shift > 0) & ((rest > half) | ((rest == half) & (quotient & 1 == 1)))
    return np.clip(quotient + up, -128, 127)
