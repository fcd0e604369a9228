"""Rounding that keeps sums: columns, rows and differences add up, and no entry leaves the integers next to it."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sims.compare.rounding import rounded

AMOUNTS = st.one_of(st.just(Fraction(0)), st.integers(-9, 9).map(Fraction), st.floats(-1e6, 1e6).map(Fraction),
                    st.fractions(-9, 9, max_denominator=8))  # fmt: skip


def next_to(whole: int, value: Fraction) -> bool:
    return whole in (math.floor(value), math.ceil(value))


@given(st.lists(st.one_of(st.tuples(AMOUNTS, AMOUNTS), AMOUNTS.map(lambda a: (a, a))), max_size=12))
def test_everything_adds_up(pairs: list[tuple[Fraction, Fraction]]) -> None:
    rows, total = rounded(pairs)
    assert [sum(row[column] for row in rows) for column in range(3)] == list(total)
    sums = [sum((pair[side] for pair in pairs), Fraction(0)) for side in (0, 1)]
    for (a, b), row in zip([*pairs, (sums[0], sums[1])], [*rows, total], strict=True):
        assert row[1] - row[0] == row[2]
        assert next_to(row[0], a)
        assert next_to(row[1], b)
        assert next_to(row[2], b - a)


def test_as_the_largest_remainder_would() -> None:
    rows, total = rounded([(Fraction(0), Fraction(number, 10)) for number in (14, 14, 12)])
    assert [row[1] for row in rows] in ([2, 1, 1], [1, 2, 1])
    assert total == (0, 4, 4)
