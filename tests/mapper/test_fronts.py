"""Fronts against trying every choice: what no other beats, and the best sum under each goal."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from archmodel.records.goal import OBJECTIVES, Goal, Limit
from mapper import fronts
from mapper.fronts import Costs, best, front, merged, pareto

from .helpers import generator

HZ = 10**9


def drawn(rng: np.random.Generator, count: int, criteria: int = 2, most: int = 30) -> Costs:
    return tuple(rng.integers(1, most, count) for _ in range(criteria))


def beats(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one != other and all(mine <= its for mine, its in zip(one, other, strict=True))


@pytest.mark.parametrize("criteria", [1, 2, 3, 4])
def test_what_no_other_beats(criteria: int) -> None:
    rng = generator(criteria)
    for _ in range(60):
        costs = drawn(rng, int(rng.integers(1, 700)), criteria, int(rng.choice([4, 30, 1000])))
        rows = list(zip(*(cost.tolist() for cost in costs), strict=True))
        distinct = set(rows)
        wanted = sorted(row for row in distinct if not any(beats(other, row) for other in distinct))
        found = pareto(costs).tolist()
        assert [rows[at] for at in found] == wanted
        assert all(rows.index(rows[at]) == at for at in found)  # of equal ones the first


def test_sums_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they are looked at in pieces."""
    rng = generator(9)
    for at_once in (1 << 20, 50):
        monkeypatch.setattr(fronts, "AT_ONCE", at_once)
        for criteria in (2, 3):
            one, other = front(drawn(rng, 40, criteria)), front(drawn(rng, 30, criteria))
            found = merged(one, other)
            rows = [tuple(cost[a] + more[b] for cost, more in zip(one.costs, other.costs, strict=True))
                    for a, b in product(range(len(one)), range(len(other)))]  # fmt: skip
            kept = pareto(tuple(np.array(column) for column in zip(*rows, strict=True)))
            assert list(zip(*(cost.tolist() for cost in found.costs), strict=True)) == [rows[at] for at in kept]


def tried(parts: list[Costs], goal: Goal) -> tuple[float, ...] | None:
    """Value and tie of the best of all combinations."""
    found = []
    for picks in product(*(range(len(costs[0])) for costs in parts)):
        energy, cycles = (int(sum(costs[which][at] for costs, at in zip(parts, picks, strict=True))) for which in (0, 1))
        measures = {"energy": energy, "latency": cycles, "edp": energy * cycles, "power": energy * 1e-12 * HZ / cycles}
        if all(measures[limit.what] <= limit.most * (1 + 1e-12) for limit in goal.limits):
            found.append((measures[goal.objective], cycles if goal.objective == "energy" else energy))
    return min(found, default=None)


def goals(rng: np.random.Generator, parts: list[Costs]) -> list[Goal]:
    """Every objective, free and under limits between what is possible and what is not."""
    low = [sum(int(costs[which].min()) for costs in parts) for which in (0, 1)]
    high = [sum(int(costs[which].max()) for costs in parts) for which in (0, 1)]
    energy, cycles = (int(rng.integers(low[which], high[which] + 1)) for which in (0, 1))
    limits = ((), (Limit("energy", energy),), (Limit("latency", cycles),), (Limit("power", energy / cycles * 1e-3),),
              (Limit("edp", energy * cycles), Limit("power", energy / cycles * 1e-3)), (Limit("energy", energy), Limit("latency", cycles)))
    return [Goal(objective, limit) for objective in OBJECTIVES for limit in limits]


def test_the_best_sum_is_the_best_of_all_combinations() -> None:
    rng, none, some = generator(11), 0, 0
    for _ in range(60):
        parts = [drawn(rng, int(rng.integers(1, 7)), 2, int(rng.choice([10, 100]))) for _ in range(int(rng.integers(1, 5)))]
        for goal in goals(rng, parts):
            found, wanted = best(parts, goal, HZ), tried(parts, goal)
            if wanted is None:
                assert found is None, goal
                none += 1
                continue
            assert found is not None, goal
            value = {"energy": found.energy_pj, "latency": found.cycles, "edp": found.energy_pj * found.cycles}[goal.objective]
            assert (value, found.cycles if goal.objective == "energy" else found.energy_pj) == wanted, goal
            assert found.energy_pj == sum(costs[0][at] for costs, at in zip(parts, found.picks, strict=True))
            assert found.cycles == sum(costs[1][at] for costs, at in zip(parts, found.picks, strict=True))
            some += 1
    assert none > 50 and some > 500


def test_a_bound_that_is_too_high_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: a bar below the best drops it."""
    rng, wrong = generator(12), 0
    honest = fronts._may_win
    monkeypatch.setattr(fronts, "_may_win", lambda costs, bar, **more: honest(costs, bar=0.9 * bar, **more))
    for _ in range(20):
        parts = [drawn(rng, 6, 2, 100) for _ in range(3)]
        wrong += best(parts, Goal("edp"), HZ) is None
    assert wrong > 10


def test_twenty_parts_of_a_hundred_choices_each() -> None:
    """The hull leaves few sums of the 10^40."""
    rng = generator(13)
    parts = []
    for _ in range(20):
        cycles = np.sort(rng.integers(1000, 1_000_000, 100))
        parts.append((1e9 / cycles * rng.uniform(1, 1.3, 100) + 100.0, cycles))
    found = best(parts, Goal("edp"), HZ)
    assert found is not None and found.sums < 5_000_000


def test_nothing_to_choose() -> None:
    found = best([], Goal("edp"), HZ)
    assert found is not None and (found.picks, found.energy_pj, found.cycles) == ((), 0.0, 0)
