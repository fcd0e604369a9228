"""The best tiling of a GEMM, or the front of energy and cycles, proved by bounds: of cuts first, then of their tile sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from archmodel.engines.systolic.closed_form import Batch, join

from .budget import Budget
from .pricing import Pair, Task, ranked
from .space import apart, by_innermost, grid, in_every_order, in_legal_order, in_orders_of

SEEDS = 12
"""Cuts of the lowest bound that are searched in every order first, for a best that prunes the rest."""
FIRST_CUTS = 8
"""Cuts taken apart in the first round."""
FIRST = 64
"""Tilings priced exactly in the first round, in order of their lower bound; each round doubles."""


@dataclass(frozen=True)
class Tiled:
    """A tiling, as a batch of one, and what it costs under a task."""

    task: Task
    tiling: Batch
    energy_pj: float
    cycles: int


@dataclass
class Search:
    """A search for the best by ``objective``, task after task.

    best          the best so far; ``bar`` is what it costs, in order of comparison
    lower_bound   of what the budget left out, in terms of the objective; infinite where nothing was
    nodes         tilings that were bounded or priced
    """

    objective: str
    budget: Budget = field(default_factory=Budget)
    best: Tiled | None = None
    bar: tuple[float, float] = (np.inf, np.inf)
    lower_bound: float = np.inf
    evaluated: int = 0
    nodes: int = 0

    def run(self, task: Task) -> None:
        """Look at all tilings of a task that could be better than the best."""
        work = grid(task.share.sizes, task.requantise, task.hardware, task.rules)
        if not len(work):
            return
        if self.objective == "latency":  # a bound that holds in every order is enough, and takes least time
            first = task.fewest(work)
        else:
            work = by_innermost(work)
            first, _ = ranked(self.objective, task.of_cuts(work))
        order = np.argsort(first, kind="stable")
        for part in (order[:SEEDS], order[SEEDS:]):
            part = part[first[part] <= self.bar[0]]
            if len(part):
                ordered = in_every_order(work[part]) if self.objective == "latency" else in_orders_of(work[part])
                self._cuts(in_legal_order(ordered, task.rules), task)

    def _cuts(self, work: Batch, task: Task) -> None:
        """Cuts in an order, taken apart in the order of their bounds until these exceed the best."""
        bounds = ranked(self.objective, task.of_cuts(work))
        order, at, count = np.lexsort(bounds[::-1]), 0, FIRST_CUTS
        while at < len(order) and self._may_win(bounds, int(order[at])):
            if self.best is not None and self.budget.used_up():
                self.lower_bound = min(self.lower_bound, float(bounds[0][order[at]]))
                return
            chosen = [cut for cut in order[at : at + count].tolist() if self._may_win(bounds, cut)]
            self._price(join([apart(work, cut, task.rules, task.hardware) for cut in chosen]), task)
            at, count = at + len(chosen), count * 2

    def _price(self, work: Batch, task: Task) -> None:
        """Tilings in order of their bounds, until these exceed the best."""
        self.nodes, self.budget.spent = self.nodes + len(work), self.budget.spent + len(work)
        bounds = ranked(self.objective, task.at_least(work))
        order, at, count = np.lexsort(bounds[::-1]), 0, FIRST
        while at < len(order) and self._may_win(bounds, int(order[at])):
            chosen = order[at : at + count]
            self._take(work[chosen], task)
            at, count = at + len(chosen), count * 2
        self.evaluated += at

    def _take(self, work: Batch, task: Task) -> None:
        costs = task.exactly(work)
        keys = ranked(self.objective, costs)
        at = int(np.lexsort(keys[::-1])[0])
        key = keys[0][at].item(), keys[1][at].item()
        if key < self.bar:
            self.bar = key
            self.best = Tiled(task, work[np.array([at])], float(costs[0][at]), int(costs[1][at]))

    def _may_win(self, bounds: Pair, at: int) -> bool:
        return (bounds[0][at], bounds[1][at]) < self.bar

