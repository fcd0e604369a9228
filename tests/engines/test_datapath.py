"""The model's arithmetic, against Python's own integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from archmodel.engines.systolic.datapath import _wrap, requantise

INT32 = st.integers(-(2**31), 2**31 - 1)


def by_definition(value: int, bias: int, multiplier: int, shift: int) -> int:
    """Half to even is what Python's round does with a Fraction."""
    return min(127, max(-128, round(Fraction((value + bias) * multiplier, 2**shift))))


def requantised(value: int, bias: int, multiplier: int, shift: int) -> int:
    return int(requantise(*(np.array([number], dtype=np.int64) for number in (value, bias, multiplier, shift)))[0])


@given(INT32, INT32, st.integers(0, 2**31 - 1), st.integers(0, 63))
@example(-(2**31), -(2**31), 2**31 - 1, 0)
@example(-(2**31), -(2**31), 2**31 - 1, 63)
@example(2**31 - 1, 2**31 - 1, 2**31 - 1, 0)
@example(2**31 - 1, 2**31 - 1, 2**31 - 1, 63)
@example(-1, 0, 1, 63)
@example(1, 0, 1, 1)
@example(3, 0, 1, 1)
@example(-1, 0, 1, 1)
@example(-3, 0, 1, 1)
@example(255, 0, 1, 1)
@example(-257, 0, 1, 1)
@example(0, 0, 0, 0)
def test_requantisation_is_exact(value: int, bias: int, multiplier: int, shift: int) -> None:
    assert requantised(value, bias, multiplier, shift) == by_definition(value, bias, multiplier, shift)


@given(st.integers(-300, 300), st.integers(1, 40))
def test_exact_halves_go_to_the_even_neighbour(odd: int, shift: int) -> None:
    """(2 odd + 1) / 2 for every neighbour pair, reached with any shift."""
    power = min(shift - 1, 30)
    value = (2 * odd + 1) << (shift - 1 - power)
    got = requantised(value, 0, 1 << power, shift)
    assert got == by_definition(value, 0, 1 << power, shift)
    assert got % 2 == 0 or abs(got) == 127


@given(st.integers(-(2**62), 2**62))
def test_sums_wrap_to_32_bits(value: int) -> None:
    wrapped = int(_wrap(np.array([value], dtype=np.int64))[0])
    assert -(2**31) <= wrapped < 2**31
    assert (wrapped - value) % 2**32 == 0


def test_arrays_broadcast_over_lanes() -> None:
    values = np.arange(-6, 6, dtype=np.int64).reshape(3, 4)
    bias, multiplier, shift = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]), np.array([0, 1, 2, 3])
    wanted = [[by_definition(int(values[i, j]), j, j + 1, j) for j in range(4)] for i in range(3)]
    assert requantise(values, bias, multiplier, shift).tolist() == wanted
