"""Number formats of an engine's operands, stated once for models and generators.

    int4, int8  two's complement
    bf16        1 sign, 8 exponent, 7 mantissa bits: the upper half of an IEEE 754 binary32
    e4m3        1, 4, 3: "E4M3" of the OCP 8-bit Floating Point Specification 1.0; no infinity, only S.1111.111 is NaN
    e5m2        1, 5, 2: "E5M2" of the same document; infinities and NaN as in IEEE 754
    fp32        IEEE 754 binary32: sums, biases and scales of floating-point engines

All have subnormals and signed zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

from .base import SpecError


@dataclass(frozen=True)
class Format:
    """``exponent_bits`` is 0 for integers; ``saturates``: a conversion to it ends at the largest finite number."""

    name: str
    bits: int
    exponent_bits: int = 0
    has_infinity: bool = True
    saturates: bool = False

    @property
    def is_float(self) -> bool:
        return self.exponent_bits > 0

    @property
    def mantissa_bits(self) -> int:
        """Stored bits of the significand."""
        return self.bits - 1 - self.exponent_bits

    @property
    def bias(self) -> int:
        return (1 << self.exponent_bits - 1) - 1

    @property
    def least_exponent(self) -> int:
        """Of the smallest normal number and of every subnormal one."""
        return 1 - self.bias

    @property
    def infinity(self) -> int:
        """Bits of plus infinity, where there is one."""
        return ((1 << self.exponent_bits) - 1) << self.mantissa_bits

    @property
    def largest(self) -> int:
        """Bits of the largest finite number."""
        return self.infinity - 1 if self.has_infinity else (1 << self.bits - 1) - 2

    @property
    def nan(self) -> int:
        """Bits of the one NaN that results have: positive and, where several are, quiet without a payload."""
        return self.infinity | 1 << self.mantissa_bits - 1 if self.has_infinity else (1 << self.bits - 1) - 1


INT4, INT8 = Format("int4", 4), Format("int8", 8)
BF16 = Format("bf16", 16, 8)
E4M3 = Format("e4m3", 8, 4, has_infinity=False, saturates=True)
E5M2 = Format("e5m2", 8, 5, saturates=True)
FP32 = Format("fp32", 32, 8)

FORMATS = {known.name: known for known in (INT4, INT8, BF16, E4M3, E5M2, FP32)}
FLOATS = ("bf16", "e4m3", "e5m2")
"""Floating-point formats of operands."""


def format_of(name: str) -> Format:
    if name not in FORMATS:
        raise SpecError(f"number format {name!r}, expected one of {', '.join(FORMATS)}")
    return FORMATS[name]
