"""One choice of each operator for all of them together, where a goal can't be decided operator by operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from archmodel.records.base import SpecError
from archmodel.records.goal import Goal
from archmodel.records.mapping import Certificate

from . import fronts
from .found import Found
from .fronts import Costs

SUMS = ("energy", "latency", "edp", "power")
"""Limits on what adds up over operators, or follows from such sums."""
SAYS = {"latency": "cycles, then energy", "energy": "energy, then cycles", "edp": "energy x cycles, then energy"}
UNITS = {"energy": "pJ", "latency": "cycles", "edp": "pJ x cycles", "power": "W"}


@dataclass(frozen=True)
class Options:
    """What the mappings of one operator that no other beats cost, all instances; ``least`` bounds those that were not looked at."""

    costs: Costs
    least: tuple[float, float] = (inf, inf)


def is_whole(goal: Goal) -> bool:
    """Whether an operator that is worse by itself may be better for the whole."""
    return goal.objective == "edp" or any(limit.what in SUMS for limit in goal.limits)


def picks(parts: Sequence[Options], goal: Goal, hz: int) -> tuple[int, ...]:
    """Which option of each operator.  Raises SpecError where none keep the limits, which says what the least is."""
    found = fronts.best([part.costs for part in parts], goal, hz)
    if found is None:
        raise SpecError("; ".join(_beyond(parts, goal, hz)))
    return found.picks


def _beyond(parts: Sequence[Options], goal: Goal, hz: int) -> list[str]:
    """A line for each limit that can't be kept by itself, or one for all of them."""
    costs, found = [part.costs for part in parts], []
    for limit in goal.limits:
        if limit.what in SUMS and fronts.best(costs, replace(goal, limits=(limit,)), hz) is None:
            where = f"{limit.place}: " if limit.place else ""
            found.append(f"{where}limit {limit.what}={limit.most:,.10g}: the least that a mapping takes is {_least(costs, limit.what, hz)}")
    names = ", ".join(f"{limit.what}={limit.most:,.10g}" for limit in goal.limits)
    return found or [f"limits {names}: each can be kept, and not all together"]


def _least(costs: list[Costs], what: str, hz: int) -> str:
    objective = {"power": "energy"}.get(what, what)
    best = fronts.best(costs, Goal(objective), hz)
    assert best is not None, "without limits something is the best"
    value = {"energy": best.energy_pj, "latency": best.cycles, "edp": best.energy_pj * best.cycles,
             "power": best.energy_pj * 1e-12 * hz / max(1, best.cycles)}[what]  # fmt: skip
    return f"{value:,.10g} {UNITS[what]}" + (" (of the mapping of least energy)" if what == "power" else "")


def certificate(found: Sequence[Found], parts: Sequence[Options], goal: Goal, scope: str) -> Certificate:
    """What is proved of the mappings that were found.  ``parts``: where they were chosen together, else empty."""
    energy, cycles = sum(item.energy_pj for item in found), _whole(sum(item.cycles for item in found))
    value: int | float = {"latency": cycles, "energy": energy, "edp": energy * cycles}[goal.objective]
    bound = value
    if any(part.least[0] < inf for part in parts):
        least = [sum(min(part.costs[which].min().item(), part.least[which]) for part in parts) for which in (0, 1)]
        bound = {"latency": _whole(least[1]), "energy": least[0], "edp": least[0] * least[1]}[goal.objective]
    elif not parts and any(item.lower_bound is not None for item in found):
        own = {"latency": "cycles", "energy": "energy_pj"}[goal.objective]
        low = sum(getattr(item, own) if item.lower_bound is None else item.lower_bound for item in found)
        bound = _whole(low) if goal.objective == "latency" else low
    return Certificate(SAYS[goal.objective], value, min(value, bound), sum(item.space for item in found),
                       sum(item.evaluated for item in found), nodes=sum(item.nodes for item in found), scope=scope)  # fmt: skip


def _whole(cycles: float) -> int:
    return int(np.ceil(cycles)) if isinstance(cycles, float) else cycles
