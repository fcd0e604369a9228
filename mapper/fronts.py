"""Fronts: of many choices those that no other beats in every criterion, and the best sum of one choice from each of several fronts.

Products and limits are no sums over operators: an operator that is a little slower may be what lets the whole meet a limit.  So each
operator gives its front, and one choice of each is made for all together, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.records.goal import Goal

Array = npt.NDArray[Any]
Costs = tuple[Array, ...]
"""An array for each criterion, an entry for each choice: energy in pJ, cycles, then what else adds up; all better the less."""
Keep = Callable[[Costs], npt.NDArray[np.bool_]]
"""Which partial sums may still become the best."""

AT_ONCE = 1 << 20
"""Sums looked at in one pass."""
ROUNDING = 1e-12
"""Relative room that bounds are given for the rounding of sums of floats."""


@dataclass(frozen=True, eq=False)
class Front:
    """Choices none of which beats another: ``costs``, and ``picks`` [parts, n], which choice of each part one is."""

    costs: Costs
    picks: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.costs[0])

    def __getitem__(self, which: Array | slice) -> Front:
        return Front(tuple(cost[which] for cost in self.costs), self.picks[:, which])


def pareto(costs: Costs) -> npt.NDArray[np.intp]:
    """Indices of the choices that no other beats, by the first criterion, then the next; of equal ones the first."""
    order = np.lexsort(costs[::-1])
    if len(costs) == 1 or not len(order):
        return order[:1]
    if len(costs) == 2:
        least = np.minimum.accumulate(costs[1][order])
        return order[np.concatenate(([True], costs[1][order][1:] < least[:-1]))]
    return order[_unbeaten([cost[order] for cost in costs])]


def _unbeaten(costs: list[Array], block: int = 256) -> npt.NDArray[np.intp]:
    """The same for any number of criteria, of choices in order: none is beaten by a later one."""
    kept = np.zeros(0, dtype=np.intp)
    for at in range(0, len(costs[0]), block):
        mine = np.arange(at, min(at + block, len(costs[0])))
        mine = mine[~_beaten(costs, kept, mine).any(axis=0)]
        mine = mine[~np.triu(_beaten(costs, mine, mine), 1).any(axis=0)]
        kept = np.concatenate((kept, mine))
    return kept


def _beaten(costs: list[Array], by: Array, which: Array) -> npt.NDArray[np.bool_]:
    """[by, which]: no criterion is worse."""
    found = np.ones((len(by), len(which)), dtype=bool)
    for cost in costs:
        found &= cost[by][:, None] <= cost[which][None, :]
    return found


def front(costs: Costs) -> Front:
    """The front of the choices of one part."""
    kept = pareto(costs)
    return Front(tuple(cost[kept] for cost in costs), kept[None, :])


def merged(first: Front, second: Front, keep: Keep | None = None) -> Front:
    """The front of all sums of a choice of each, those alone that ``keep`` lets pass."""
    rows = max(1, AT_ONCE // max(1, len(second)))
    found: Front | None = None
    for at in range(0, len(first), rows):
        part = _sums(first[at : at + rows], second, keep)
        found = part if found is None else _thinned(_joined(found, part))
    assert found is not None, "a front has a choice"
    return found


def _sums(first: Front, second: Front, keep: Keep | None) -> Front:
    costs = tuple((a[:, None] + b[None, :]).ravel() for a, b in zip(first.costs, second.costs, strict=True))
    able = np.flatnonzero(keep(costs)) if keep else np.arange(len(costs[0]))
    able = able[pareto(tuple(cost[able] for cost in costs))]
    one, other = np.divmod(able, len(second))
    return Front(tuple(cost[able] for cost in costs), np.concatenate((first.picks[:, one], second.picks[:, other])))


def _joined(first: Front, second: Front) -> Front:
    costs = tuple(np.concatenate(pair) for pair in zip(first.costs, second.costs, strict=True))
    return Front(costs, np.concatenate((first.picks, second.picks), axis=1))


def _thinned(whole: Front) -> Front:
    return whole[pareto(whole.costs)]


@dataclass(frozen=True)
class Best:
    """``picks``: which choice of each part; what they cost together; how many sums were looked at."""

    picks: tuple[int, ...]
    energy_pj: float
    cycles: int
    sums: int


def best(fronts: Sequence[Costs], goal: Goal, hz: int = 1) -> Best | None:
    """The choices, one of each part, whose sum is the best by ``goal`` and within its limits on energy, latency, edp and power; None if
    there is none.  Criteria are (pJ, cycles of ``hz``).  Other limits are on single parts or on the machine: none of them is looked at.

    Exact: a partial sum is dropped only where another beats it, or where the hull of what is left shows that it can't be the best.
    """
    limits = {limit.what: limit.most for limit in goal.limits}
    parts = [front(_with_power(costs, limits, hz)) for costs in fronts]
    hulls = [_hull(part) for part in parts]
    rests = [hulls[-1]] if parts else []
    for hull in reversed(hulls[:-1]):
        rests.append(_hull(merged(hull, rests[-1])))
    rests.reverse()  # rests[i]: the hull of what parts i to the end can add
    if not parts:
        return Best((), 0.0, 0, 0)
    seen = rests[0].costs
    bar = min(_value(seen, goal.objective)[_within(seen, limits)].tolist(), default=np.inf)
    found, sums = parts[0], len(parts[0])
    for part, rest in zip(parts[1:], [*rests[2:], None], strict=False):
        sums += len(found) * len(part)
        found = merged(found, part, partial(_may_win, rest=rest, objective=goal.objective, limits=limits, bar=bar))
        if not len(found):
            return None
    found = found[np.flatnonzero(_within(found.costs, limits))]
    if not len(found):
        return None
    energy, cycles = found.costs[:2]
    tie = cycles if goal.objective == "energy" else energy
    at = np.lexsort((tie, _value(found.costs, goal.objective)))[0]
    return Best(tuple(int(pick) for pick in found.picks[:, at]), energy[at].item(), int(cycles[at]), sums)


def _with_power(costs: Costs, limits: dict[str, float], hz: int) -> Costs:
    """Power is no sum, but what energy exceeds that of the limit over the same time is: at most 0 in the end."""
    if "power" not in limits:
        return costs
    return (*costs, costs[0] - limits["power"] * 1e12 / hz * costs[1])


def _value(costs: Costs, objective: str) -> Array:
    energy, cycles = costs[:2]
    if objective == "edp":
        return energy.astype(np.float64) * cycles
    return energy if objective == "energy" else cycles


def _within(costs: Costs, limits: dict[str, float], room: float = 0.0) -> npt.NDArray[np.bool_]:
    """Which sums keep the limits."""
    able = np.ones(len(costs[0]), dtype=bool)
    for what in ("energy", "latency", "edp"):
        if what in limits:
            able &= _value(costs, what) <= limits[what] * (1 + room)
    if "power" in limits:
        able &= costs[2] <= ROUNDING * np.abs(costs[0])  # a difference of products, rounded
    return able


def _may_win(costs: Costs, rest: Front | None, objective: str, limits: dict[str, float], bar: float) -> npt.NDArray[np.bool_]:
    """Which partial sums can, by the hull of what is left, still keep the limits and be no worse than ``bar``."""
    least = costs
    if rest is not None:
        least = tuple(cost + mine.min() for cost, mine in zip(costs, rest.costs, strict=True))
    able = _within(least, limits, ROUNDING)
    value = _value(least, objective)
    if objective == "edp" and rest is not None:
        # Along an edge of the hull a product of what falls and what rises is least at an end.
        value = np.full(len(costs[0]), np.inf)
        for energy, cycles in zip(rest.costs[0].tolist(), rest.costs[1].tolist(), strict=True):
            value = np.minimum(value, (costs[0] + energy) * (costs[1] + np.float64(cycles)))
    return able & (value <= bar * (1 + ROUNDING))


def _hull(whole: Front) -> Front:
    """The choices at the corners of the lower left hull of energy and cycles; with more criteria, the least of each of these too."""
    order = np.lexsort(whole.costs[1::-1])
    energy, cycles = (cost.tolist() for cost in whole.costs[:2])
    corners: list[int] = []
    for at in order.tolist():
        if corners and cycles[at] >= cycles[corners[-1]]:
            continue
        while len(corners) > 1 and _above(corners[-2], corners[-1], at, energy, cycles):
            corners.pop()
        corners.append(at)
    corners += [int(np.argmin(cost)) for cost in whole.costs[2:]]
    return whole[np.array(list(dict.fromkeys(corners)))]


def _above(a: int, b: int, c: int, x: list[float], y: list[float]) -> bool:
    """Whether point b lies on or above the line from a to c."""
    return (x[b] - x[a]) * (y[c] - y[a]) <= (x[c] - x[a]) * (y[b] - y[a])
