"""The front of a GEMM: its mappings that no other beats in both energy and cycles, proved by bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from archmodel.engines.systolic.closed_form import Batch, join

from .budget import Budget
from .cheapest import Tiled
from .fronts import Array, Costs, pareto
from .pricing import Task
from .space import apart, by_innermost, grid, in_legal_order, in_orders_of

CUTS = 32
"""Cuts taken apart in one round."""


@dataclass
class Frontier:
    """``costs`` and ``points`` of the front so far.

    least  picojoules and cycles below which no mapping is, once the budget is used up; else infinite
    """

    budget: Budget
    costs: Costs = ()
    points: list[Tiled] = field(default_factory=list)
    least: tuple[float, float] = (np.inf, np.inf)
    evaluated: int = 0
    nodes: int = 0

    def run(self, task: Task) -> None:
        """Add what a task has."""
        cuts = grid(task.share.sizes, task.requantise, task.hardware, task.rules)
        if not len(cuts):
            return
        work = by_innermost(cuts)
        bounds = task.of_cuts(work)
        alive = self._alive(bounds, np.arange(len(work)))
        while len(alive):
            if self.points and self.budget.used_up():
                low = [float(cost[alive].min()) for cost in bounds[:2]]
                self.least = min(self.least[0], low[0]), min(self.least[1], low[1])
                return
            chosen = alive[pareto(tuple(cost[alive] for cost in bounds))][:CUTS]
            orders = in_legal_order(in_orders_of(work[chosen]), task.rules)
            if len(orders):
                self._tilings(join([apart(orders, at, task.rules, task.hardware) for at in range(len(orders))]), task)
            alive = self._alive(bounds, np.setdiff1d(alive, chosen))

    def _tilings(self, work: Batch, task: Task) -> None:
        """Price the tilings that nothing on the front beats, in order of their bounds."""
        self.nodes, self.budget.spent = self.nodes + len(work), self.budget.spent + len(work)
        bounds = task.at_least(work)
        alive, count = self._alive(bounds, np.lexsort(bounds[::-1])), 64
        while len(alive):
            self._take(work[alive[:count]], task)
            alive, count = self._alive(bounds, alive[count:]), 2 * count

    def _take(self, work: Batch, task: Task) -> None:
        self.evaluated += len(work)
        energy, cycles = task.exactly(work)
        new = [Tiled(task, work[np.array([at])], float(energy[at]), int(cycles[at])) for at in range(len(work))]
        costs = tuple(np.concatenate(pair) for pair in zip(self.costs, (energy, cycles), strict=True)) if self.costs else (energy, cycles)
        points, kept = [*self.points, *new], pareto(costs)
        self.costs, self.points = tuple(cost[kept] for cost in costs), [points[at] for at in kept.tolist()]

    def _alive(self, bounds: Costs, which: Array) -> Array:
        """Of these, what no point of the front beats."""
        if not self.costs or not len(which):
            return which
        at = np.searchsorted(self.costs[0], bounds[0][which], side="right") - 1
        return which[(at < 0) | (self.costs[1][np.maximum(at, 0)] > bounds[1][which])]  # along the front cycles fall as energy rises
