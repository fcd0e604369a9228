"""Jobs dealt to copies of an engine that work side by side, as a GPU's scheduler deals thread blocks to its multiprocessors."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


def makespan(jobs: Iterable[tuple[int, int]], copies: int) -> int:
    """Cycles until all jobs are done: (cycles, how many alike), longest first, each to the copy that is free first.

    Copies that have nothing left wait for the last one: the tail.
    """
    free = [0] * copies
    for cycles, count in sorted(jobs, reverse=True):
        rounds, rest = divmod(count, copies)
        if len(set(free)) == 1:
            free = [free[0] + rounds * cycles] * copies
        else:
            rest = count
        for _ in range(rest):
            heapq.heapreplace(free, free[0] + cycles)
    return max(free)
