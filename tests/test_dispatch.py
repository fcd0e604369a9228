"""Jobs dealt to copies: whole rounds, a tail, and the longest first."""

from __future__ import annotations

from itertools import product

import pytest

from archmodel.dispatch import makespan


@pytest.mark.parametrize(("jobs", "copies", "cycles"), [
    ([(10, 4)], 4, 10),
    ([(10, 5)], 4, 20),
    ([(10, 1)], 4, 10),
    ([(7, 2), (5, 2), (3, 2)], 2, 15),
    ([(3, 2), (5, 2), (7, 2)], 2, 15),
    ([(8, 1), (1, 8)], 2, 8),
    ([(5, 3), (4, 4)], 3, 13),
    ([], 3, 0),
])  # fmt: skip
def test_makespan(jobs: list[tuple[int, int]], copies: int, cycles: int) -> None:
    assert makespan(jobs, copies) == cycles


@pytest.mark.parametrize(("first", "second"), list(product((1, 5, 148, 1000), (3, 150))))
def test_many_alike_are_dealt_as_one_by_one(first: int, second: int) -> None:
    one_by_one = [(90, 1)] * first + [(41, 1)] * second
    assert makespan([(90, first), (41, second)], 148) == makespan(one_by_one, 148)
    free = [0] * 148
    for cycles, _ in one_by_one:
        free.sort()
        free[0] += cycles
    assert makespan(one_by_one, 148) == max(free)
