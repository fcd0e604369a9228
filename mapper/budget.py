"""How much a search may look at.  What counts is nodes, not seconds, so that the same budget finds the same mapping anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import process_time

from archmodel.records.goal import Goal


@dataclass
class Budget:
    """``nodes`` partial mappings, or as many as can be looked at until ``deadline`` of CPU time; ``spent`` of them so far.

    Once it is used up it stays so; ``nodes`` then says with what budget the search stops at the same place again.
    """

    nodes: float = inf
    deadline: float = inf
    spent: int = 0

    def used_up(self) -> bool:
        if process_time() > self.deadline:
            self.nodes, self.deadline = min(self.nodes, self.spent), inf
        return self.spent >= self.nodes


def budget_of(goal: Goal) -> Budget:
    return Budget(goal.nodes or inf, inf if goal.seconds is None else process_time() + goal.seconds)
