"""What one micro-op computes, bit for bit and elementwise: the definition that model and hardware share.

Integers stand as their values, floating-point numbers as their patterns; a sum, a score, what moves down a column and a word of
state have 32 bits: int32 that wraps, or fp32.  Scores are in powers of two: a weight is 2^(score - maximum).

    score       sum over e of K*Q, in the order of e                                                  qk
    hidden      the mask's bit, or a score of -infinity: counts for nothing, whatever its V is        max
    RM'         the larger of RM and the column's, where that exceeds RM by more than the threshold   max, rmax
    power       score - RM' = n + f, 0 <= f < 1 (fixed point: RM' - score)                            sub; psub: RM - RM'
    p           the polynomial of 2^f (2^-f), highest power first                                     poly, ppoly
    w           p * 2^n, 0 where hidden; PRM likewise, 0 where RM is -infinity                        last poly, ppoly
    SLD, SLNV   sums over r of w and w*V, from 0 at the top                                           sum, av
    state       state*PRM + what arrives                                                              rd, rnv; spd, spnv
    out         RNV * (1/RD) in the format of V, 0 where every key was hidden                         divide, rnv
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archmodel import floating
from archmodel.records.engines.attention import Hardware
from archmodel.records.exponential import DOWN, F_BITS, FRACTION, P_FRACTION, UP
from archmodel.records.formats import BF16, FP32
from archmodel.requantiser import requantise

Words = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
INT_MIN = -(1 << 31)
MOST_N = 63
"""Fixed point: 2^-63 of anything is 0."""
RECIPROCAL_POWER = 30
"""Fixed point: the reciprocal of RD has weight_bits + 30 fraction bits and 31 bits."""
SIGN = 1 << 31


class Power(NamedTuple):
    """n + f * 2^-8 (fixed point: -n - f * 2^-16), or no number."""

    n: Words
    f: Words
    nan: Bools


@dataclass(frozen=True)
class FloatingPoint:
    """bf16 operands and weights, fp32 sums; every operation rounds once, to nearest even."""

    degree: int
    threshold: int

    lowest = FP32.infinity | SIGN
    """What a hidden score counts as in a maximum: -infinity."""

    def multiply_add(self, k: Words, q: Words, total: Words) -> Words:
        """k*q + total, of bf16 and fp32."""
        return floating.multiply_add(k, q, total, BF16, BF16)

    def hidden(self, seen: Bools, score: Words) -> Bools:
        return ~seen | (score == self.lowest)

    def larger(self, a: Words, b: Words) -> Words:
        """In the total order of patterns: -0 below +0, NaN above all."""
        return np.where(_order(a) > _order(b), a, b)

    def maximum(self, running: Words, local: Words) -> Words:
        """RM' of RM and of the maximum that arrives."""
        level = floating.add(running, np.full_like(running, _single(self.threshold))) if self.threshold else running
        return np.where(_order(local) > _order(level), local, running)

    def power(self, score: Words, maximum: Words) -> Power:
        """The fp32 difference, in steps of 2^-8: rounded half up, from -128 up to just below 128."""
        difference = floating.floats(floating.add(score, maximum ^ SIGN), FP32)
        nan = np.isnan(difference)
        limit = float(1 << 7 + F_BITS)
        steps = np.floor(np.clip(np.where(nan, 0, difference) * (1 << F_BITS) + 0.5, -limit, limit - 1)).astype(np.int64)
        return Power(steps >> F_BITS, steps & (1 << F_BITS) - 1, nan)

    def step(self, p: Words, power: Power, k: int) -> Words:
        """Step k of the polynomial, an fp32: a bf16 times f, which is one too, plus coefficient k + 1."""
        factor = np.full_like(power.f, UP[self.degree][0] >> 16) if k == 0 else floating.converted(p, BF16)
        addend = np.full_like(power.f, UP[self.degree][k + 1])
        return floating.multiply_add(factor, fraction(power.f), addend, BF16, BF16)

    def weight(self, p: Words, power: Power, hidden: Bools) -> Words:
        """A bf16: p rounded, n added to its exponent; below the smallest normal number +0, beyond the largest infinity."""
        rounded = floating.converted(p, BF16)
        exponent = (rounded >> BF16.mantissa_bits) + power.n
        scaled = rounded + (power.n << BF16.mantissa_bits)
        finite = np.where(exponent < 1, 0, np.where(exponent > 254, BF16.infinity, scaled))
        return np.where(hidden, 0, np.where(power.nan, BF16.nan, finite))

    def rescale(self, p: Words, power: Power, hidden: Bools) -> Words:
        """PRM, a bf16 too."""
        return self.weight(p, power, hidden)

    def add_weight(self, down: Words, w: Words) -> Words:
        return floating.add(down, w << 16)

    def add_value(self, down: Words, w: Words, v: Words, hidden: Bools) -> Words:
        """down + w*v; a hidden key's value, which may be anything, counts as +0."""
        return floating.multiply_add(w, np.where(hidden, 0, v), down, BF16, BF16)

    def scaled(self, state: Words, prm: Words, arriving: Words) -> Words:
        """state*PRM + arriving, rounded once: what a fused lane does."""
        return floating.multiply_add(state, prm << 16, arriving, FP32, FP32)

    def split(self, state: Words, prm: Words, arriving: Words) -> Words:
        """The same in two operations, state*PRM + 0 and the sum, each of which rounds."""
        return floating.add(self.scaled(state, prm, np.zeros_like(state)), arriving)

    def reciprocal(self, rd: Words) -> Words:
        """1 / RD, rounded once; 0 where RD is 0 or subnormal, which one with a visible key never is."""
        return np.where((rd & FP32.infinity) == 0, 0, floating.reciprocal(rd))

    def output(self, rnv: Words, reciprocal: Words) -> Words:
        """The fp32 product as a bf16: two roundings."""
        return floating.requantise(rnv, np.full_like(rnv, SIGN), reciprocal, BF16)


@dataclass(frozen=True)
class FixedPoint:
    """int8 operands, int32 sums, weights with ``weight_bits`` fraction bits.

    shift      fraction bits of a score, at most 24
    out_shift  of the product RNV * reciprocal; weight_bits + 30 gives results in the unit of V
    """

    degree: int
    threshold: int
    weight_bits: int
    shift: int
    out_shift: int

    lowest = INT_MIN

    def multiply_add(self, k: Words, q: Words, total: Words) -> Words:
        return wrap(total + k * q)

    def hidden(self, seen: Bools, score: Words) -> Bools:
        return ~seen | (score == self.lowest)

    def larger(self, a: Words, b: Words) -> Words:
        return np.maximum(a, b)

    def maximum(self, running: Words, local: Words) -> Words:
        return np.where(local > running + (self.threshold << self.shift), local, running)

    def power(self, score: Words, maximum: Words) -> Power:
        """RM' - score, an int32 that wraps, as n + f: f cut off behind 16 bits, n from -threshold to 63."""
        steps = (wrap(maximum - score) << P_FRACTION) >> self.shift
        n = np.clip(steps >> P_FRACTION, -self.threshold, MOST_N)
        return Power(n, steps & (1 << P_FRACTION) - 1, np.zeros(np.shape(n), dtype=np.bool_))

    def step(self, p: Words, power: Power, k: int) -> Words:
        """Step k, with 16 fraction bits: p*f + coefficient k + 1, rounded half up."""
        c, spare = DOWN[self.degree], FRACTION - P_FRACTION
        factor = np.full_like(power.f, c[0] >> spare) if k == 0 else p
        return (factor * power.f + (c[k + 1] << P_FRACTION - spare) + (1 << P_FRACTION - 1)) >> P_FRACTION

    def weight(self, p: Words, power: Power, hidden: Bools) -> Words:
        """p * 2^-n with ``weight_bits`` fraction bits, rounded half up: 0 to 2^(weight_bits + threshold)."""
        return _shifted(p, power.n, hidden, self.weight_bits)

    def rescale(self, p: Words, power: Power, hidden: Bools) -> Words:
        """PRM, with 16 fraction bits: 0 to 2^16."""
        return _shifted(p, power.n, hidden, P_FRACTION)

    def add_weight(self, down: Words, w: Words) -> Words:
        return wrap(down + w)

    def add_value(self, down: Words, w: Words, v: Words, hidden: Bools) -> Words:
        return wrap(down + w * v)

    def scaled(self, state: Words, prm: Words, arriving: Words) -> Words:
        """state*PRM rounded half up, then the sum, fused or split."""
        return wrap((state * prm + (1 << P_FRACTION - 1) >> P_FRACTION) + arriving)

    split = scaled

    def reciprocal(self, rd: Words) -> Words:
        """floor(2^(weight_bits + 30) / RD), at most 2^31 - 1; 0 where RD is not above 0."""
        return np.where(rd > 0, np.minimum((1 << self.weight_bits + RECIPROCAL_POWER) // np.maximum(rd, 1), (1 << 31) - 1), 0)

    def output(self, rnv: Words, reciprocal: Words) -> Words:
        """int8: shifted, rounded half to even, saturated."""
        return requantise(rnv, np.zeros_like(rnv), reciprocal, np.full_like(rnv, self.out_shift))


Arithmetic = FloatingPoint | FixedPoint


def arithmetic_of(hardware: Hardware, shift: int, out_shift: int) -> Arithmetic:
    """Of an engine, with what its Program's ``configure`` says."""
    if hardware.is_float:
        return FloatingPoint(hardware.degree, hardware.threshold)
    return FixedPoint(hardware.degree, hardware.threshold, hardware.weight_bits, shift, out_shift)


def exponential(arithmetic: Arithmetic, power: Power) -> Words:
    """All steps of the polynomial, one after another."""
    p = np.zeros_like(power.f)
    for k in range(arithmetic.degree):
        p = arithmetic.step(p, power, k)
    return p


def fraction(f: Words) -> Words:
    """The bf16 of f * 2^-8, exactly; f below 2^8."""
    length = np.frexp(f.astype(np.float64))[1].astype(np.int64)
    field = BF16.bias - 1 - F_BITS + length
    return np.where(f > 0, (field << BF16.mantissa_bits) + ((f << 8 - length) & 127), 0)


def wrap(values: Words) -> Words:
    """Two's complement of 32 bits."""
    return ((values + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def _shifted(p: Words, n: Words, hidden: Bools, bits: int) -> Words:
    """p, which has 16 fraction bits, times 2^-n with ``bits`` of them; a shift by 40 leaves nothing of it."""
    right = np.minimum(P_FRACTION - bits + n, 40)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    return np.where(hidden, 0, (p + half) >> np.maximum(right, 0) << np.maximum(-right, 0))


def _order(bits: Words) -> Words:
    """Integers in the order of the fp32 that patterns stand for."""
    return np.where(bits & SIGN, -1 - (bits & SIGN - 1), bits)


def _single(value: int) -> int:
    return int(np.float32(value).view(np.uint32))
