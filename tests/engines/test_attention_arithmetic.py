"""The attention engine's arithmetic, each operation beside float64 or beside exact fractions: a second."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from archmodel import floating
from archmodel.engines.attention.arithmetic import (
    INT_MIN,
    FixedPoint,
    FloatingPoint,
    Power,
    exponential,
    fraction,
)
from archmodel.records.exponential import DOWN, FRACTION, UP
from archmodel.records.formats import BF16, FP32

DEGREES = tuple(UP)
NEGATIVE = 1 << 31
Words = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def fp32(*values: float) -> Words:
    return np.array(values, dtype=np.float32).view(np.uint32).astype(np.int64)


def powers(n: object, f: object) -> Power:
    whole, part = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(f, dtype=np.int64))
    return Power(whole, part, np.zeros(whole.shape, dtype=np.bool_))


def none(power: Power) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.zeros(power.n.shape, dtype=np.bool_)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("sign", [1, -1])
def test_no_polynomial_of_these_ends_is_better(degree: int, sign: int) -> None:
    """Where an error alternates once more often than there are free coefficients, none has a smaller largest error than the
    least of those alternations (de la Vallee Poussin); the rest is what fp32 or 30 fraction bits can't hold."""
    bits = UP[degree] if sign > 0 else DOWN[degree]
    stored = floating.floats(np.array(bits), FP32) if sign > 0 else np.array(bits) / 2**FRACTION
    f = np.arange(1, 1 << 12) / (1 << 12)
    error = np.polyval(stored, f) / 2 ** (sign * f) - 1
    turns = np.split(error, np.flatnonzero(np.diff(np.sign(error)) != 0) + 1)
    heights = sorted((np.abs(part).max() for part in turns), reverse=True)
    bound = heights[degree - 1] if len(heights) >= degree else 0.0
    assert np.abs(error).max() <= 1.06 * bound + 2.0**-23
    assert stored[-1] == 1
    assert sign > 0 or bits[0] % (1 << 14) == 0
    assert sign < 0 or bits[0] & 0xFFFF == 0


@pytest.mark.parametrize(("degree", "most"), [(1, 0.0385), (2, 0.0029), (3, 0.0012), (4, 0.0014), (5, 0.0011), (6, 0.0011), (7, 0.0011)])
def test_the_exponential_of_bf16(degree: int, most: float) -> None:
    """Every fraction: the polynomial to within the roundings of its steps to bf16, the weight within one more."""
    unit, power = FloatingPoint(degree, 0), powers(-3, np.arange(256))
    p = exponential(unit, power)
    wanted = 2 ** (np.arange(256) / 256)
    assert np.abs(floating.floats(p, FP32) / wanted - 1).max() < most
    w = floating.floats(unit.weight(p, power, none(power)), BF16)
    assert np.abs(w * 8 / wanted - 1).max() < most + 2.0**-8
    assert w[0] == 2.0**-3


@pytest.mark.parametrize(("degree", "most"), [(1, 2200), (2, 130), (3, 6), (4, 2), (5, 3), (6, 3), (7, 3), (8, 3)])
def test_the_exponential_of_int8(degree: int, most: int) -> None:
    """Every fraction: so many units of 2^-16 beside the true one, never above 1."""
    unit, power = FixedPoint(degree, 0, 10, 8, 40), powers(0, np.arange(1 << 16))
    p = exponential(unit, power)
    assert np.abs(p - 2 ** (16 - np.arange(1 << 16) / (1 << 16))).max() <= most
    assert (p.max(), p[0]) == (1 << 16, 1 << 16)
    assert p.min() > 1 << 14


def test_the_difference_of_scores_is_split_to_the_nearest_step() -> None:
    """Against fractions; beyond the range it saturates, and infinities of one sign give no number."""
    rng = np.random.default_rng(1)
    scores, maxima = (fp32(*(rng.standard_normal(500) * 40)) for _ in range(2))
    scores, maxima = np.append(scores, fp32(0, 1e30, -1e30, -np.inf)), np.append(maxima, fp32(1e-40, 0, 0, 3))
    found = FloatingPoint(6, 0).power(scores, maxima)
    for score, top, n, f in zip(*(floating.floats(bits, FP32) for bits in (scores, maxima)), found.n, found.f, strict=True):
        exact = np.float32(score) - np.float32(top)
        steps = 128 * 256 - 1 if exact > 127 else -128 * 256 if exact < -128 else (Fraction(float(exact)) * 256 + Fraction(1, 2)) // 1
        assert n * 256 + f == steps
    assert not found.nan.any()
    assert FloatingPoint(6, 0).power(fp32(np.inf, np.nan, -np.inf, 1), fp32(np.inf, 0, -np.inf, np.nan)).nan.all()


def test_fractions_are_exact() -> None:
    assert np.array_equal(floating.floats(fraction(np.arange(256)), BF16), np.arange(256) / 256)


def test_weights_of_bf16_end_at_zero_and_infinity() -> None:
    unit, power = FloatingPoint(6, 0), powers([-128, -127, -126, 0, 127], [255, 0, 0, 0, 255])
    p = exponential(unit, power)
    assert unit.weight(p, power, none(power)).tolist() == [0, 0, 1 << 7, 127 << 7, BF16.infinity]
    nan = Power(power.n, power.f, ~none(power))
    assert unit.weight(p, nan, none(power)).tolist() == [BF16.nan] * 5
    assert unit.weight(p, nan, ~none(power)).tolist() == [0] * 5


def test_weights_of_int8_are_rounded_half_up() -> None:
    unit = FixedPoint(6, 3, 10, 8, 40)
    power = powers([0, 1, 10, 11, 12, 63, -3], 0)
    p = np.full(7, 1 << 16)
    assert unit.weight(p, power, none(power)).tolist() == [1024, 512, 1, 1, 0, 0, 8192]
    assert unit.rescale(p, power, none(power)).tolist() == [1 << 16, 1 << 15, 64, 32, 16, 0, 8 << 16]
    assert unit.weight(p, power, ~none(power)).tolist() == [0] * 7
    wide = FixedPoint(6, 16, 14, 8, 40)
    assert wide.weight(p[:2], powers([-16, 63], 0), np.zeros(2, dtype=np.bool_)).tolist() == [1 << 30, 0]


@pytest.mark.parametrize(("shift", "score", "n", "f"), [
    (0, -5, 5, 0), (4, -5, 0, 5 << 12), (20, -5, 0, 0), (24, -(3 << 23), 1, 1 << 15), (8, 700, -2, (-700 % 256) << 8),
    (0, -(1 << 30), 63, 0), (8, -(1 << 30), 63, 0),
])  # fmt: skip
def test_differences_of_int8_scores(shift: int, score: int, n: int, f: int) -> None:
    """A score above the maximum, which only a threshold allows, counts down to minus the threshold."""
    found = FixedPoint(6, 2, 10, shift, 40).power(np.array([score]), np.array([0]))
    assert (int(found.n[0]), int(found.f[0])) == (n, f)


def test_maxima_are_a_total_order() -> None:
    unit = FloatingPoint(6, 0)
    order = fp32(-np.inf, -3, -1e-45, -0.0, 0.0, 1e-45, 3, np.inf, np.nan)
    a, b = np.meshgrid(np.arange(len(order)), np.arange(len(order)))
    assert np.array_equal(unit.larger(order[a], order[b]), order[np.maximum(a, b)])
    assert np.array_equal(unit.maximum(order[a], order[b]), order[np.maximum(a, b)])
    assert unit.hidden(np.array([True, True, False]), fp32(-np.inf, -3e38, 1)).tolist() == [True, False, True]


def test_the_maximum_follows_what_exceeds_the_threshold() -> None:
    unit = FloatingPoint(6, 8)
    running, local = fp32(1, 1, -np.inf, np.inf, -np.inf), fp32(9, 9.5, -1000, np.inf, -np.inf)
    assert unit.maximum(running, local).tolist() == fp32(1, 9.5, -1000, np.inf, -np.inf).tolist()
    fixed = FixedPoint(6, 8, 10, 4, 40)
    assert fixed.maximum(np.array([1, 1, INT_MIN]), np.array([129, 130, -1 << 26])).tolist() == [1, 130, -1 << 26]


def test_reciprocals() -> None:
    """Of fp32 the nearest, 0 where nothing was seen; of int32 cut off, with 31 bits."""
    values = fp32(1, 3, 16384.7, 2.0**127, 0, 1e-40, np.inf)
    found = floating.floats(FloatingPoint(6, 0).reciprocal(values), FP32)
    assert found.tolist() == [1, float(np.float32(1) / np.float32(3)), float(np.float32(1) / np.float32(16384.7)), 2.0**-127, 0, 0, 0]
    assert FloatingPoint(6, 0).reciprocal(fp32(np.nan)).tolist() == [FP32.nan]
    fixed = FixedPoint(6, 0, 10, 8, 40)
    inverse = fixed.reciprocal(np.array([1024, 3000, 1 << 24, 512, 1, 0, -5]))
    assert inverse.tolist() == [1 << 30, 2**40 // 3000, 1 << 16, 2**31 - 1, 2**31 - 1, 0, 0]


def test_lanes_round_once_when_fused_and_twice_when_split() -> None:
    """1 + 2^-23 times itself minus what that rounds to: the fused lane sees the square's last bit."""
    unit = FloatingPoint(6, 0)
    state, prm, arriving = fp32(1 + 2.0**-23), fp32(1 + 2.0**-7) >> 16, fp32(-(1 + 2.0**-7))
    exact = (1 + 2.0**-23) * (1 + 2.0**-7) - (1 + 2.0**-7)
    assert floating.floats(unit.scaled(state, prm, arriving), FP32).tolist() == [exact]
    assert floating.floats(unit.split(state, prm, arriving), FP32).tolist() != [exact]
    fixed = FixedPoint(6, 0, 10, 8, 40)
    assert fixed.scaled(np.array([3, -3, 5]), np.array([1 << 15, 1 << 15, 1 << 16]), np.array([10, 10, -6])).tolist() == [12, 9, -1]


def test_a_hidden_value_counts_as_zero_whatever_it_is() -> None:
    unit = FloatingPoint(6, 0)
    down = fp32(2.5, 2.5, -0.0)
    values = np.array([BF16.nan, BF16.infinity, BF16.infinity | 0x8000])
    assert unit.add_value(down, np.zeros(3, dtype=np.int64), values, np.ones(3, dtype=np.bool_)).tolist() == fp32(2.5, 2.5, 0).tolist()
    assert unit.add_value(down, np.zeros(3, dtype=np.int64), values, np.zeros(3, dtype=np.bool_)).tolist() == [FP32.nan] * 3


def test_results_of_int8_round_half_to_even_and_saturate() -> None:
    fixed = FixedPoint(6, 0, 10, 8, 31)
    assert fixed.output(np.array([1, 3, 5, -1, 1000, -1000]), np.full(6, 1 << 30)).tolist() == [0, 2, 2, 0, 127, -128]


def test_results_of_bf16_round_twice() -> None:
    """To fp32 and from there: 1 + 2^-8 + 2^-26 ends on the tie, and the tie at 1."""
    unit = FloatingPoint(6, 0)
    assert unit.output(fp32(1 + 2.0**-8), fp32(1)).tolist() == [0x3F80]
    assert unit.output(fp32(1 + 2.0**-8 + 2.0**-23), fp32(1)).tolist() == [0x3F81]
    assert unit.output(fp32(0, -0.0), fp32(0, 0)).tolist() == [0, 0x8000]
