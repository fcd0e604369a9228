"""The schedule that is found is the best of all, by enumeration on small random flows."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest

from archmodel import load_machine, load_model, search
from archmodel.overlap import Flow, Load, together
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal
from archmodel.workload.gemm import gemm_graph
from mapper import schedule
from mapper.schedule import _Class


def random_flow(draw: Random, size: int, engines: int) -> tuple[Flow, dict[str, Load], list[str]]:
    names = [chr(97 + place) for place in range(size)]
    needs: dict[str, frozenset[str]] = {}
    for place, name in enumerate(names):
        direct = {other for other in names[:place] if draw.random() < 0.3}
        needs[name] = frozenset(direct.union(*(needs[other] for other in direct)))
    placed = {name: f"e{draw.randrange(engines)}" for name in names}
    loads = {}
    for name in names:
        seconds = draw.randint(1, 20)
        loads[name] = Load(placed[name], draw.choice(("p", "p", "q")), Fraction(seconds), Fraction(draw.randint(0, seconds)))
    port = {engine: draw.choice(("p", "q")) for engine in sorted(set(placed.values()))}
    loads = {name: Load(load.engine, port[load.engine], load.seconds, load.moving) for name, load in loads.items()}
    return Flow(needs, dict.fromkeys(names, "a"), placed), loads, names


def every_schedule(flow: Flow, left: frozenset[str]) -> Iterator[tuple[frozenset[str], ...]]:
    """All ways to do all of it in steps, written without regard to what is likely to be good."""
    if not left:
        yield ()
        return
    for size in range(1, len(left) + 1):
        for step in map(frozenset, combinations(sorted(left), size)):
            if all(not flow.needs[name] & (left - step) for name in step) and all(
                flow.engines[one] == flow.engines[other] or flow.free(one, other) for one, other in combinations(sorted(step), 2)
            ):
                yield from ((step, *rest) for rest in every_schedule(flow, left - step))


def test_the_best_schedule_is_that_of_enumeration() -> None:
    draw, shorter = Random(11), 0
    for number in range(60):
        flow, loads, names = random_flow(draw, 3 + number % 3, 2 + number % 2)
        best = min(sum(together(loads[name] for name in step) for step in steps) for steps in every_schedule(flow, frozenset(names)))
        found = _Class(flow, loads, names).best()
        aside = {name for step in found for name in step}
        alone = sum(loads[name].seconds for name in names if name not in aside)
        took = alone + sum(together(loads[name] for name in step) for step in found)
        assert took == best
        shorter += best < sum(load.seconds for load in loads.values())
    assert shorter > 30


def test_a_fault_in_what_a_step_takes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that forgets that memories are shared promises what the count does not keep."""
    flow, loads, names = random_flow(Random(5), 5, 2)
    loads = {name: Load(load.engine, "p", load.seconds, load.seconds) for name, load in loads.items()}
    assert not _Class(flow, loads, names).best()
    monkeypatch.setattr(schedule._Class, "_saved", lambda _, step: step.bit_count() - 1)
    assert _Class(flow, loads, names).best()


def test_a_schedule_is_for_time() -> None:
    with pytest.raises(SpecError, match="--overlap: a schedule is searched for the least time, and --objective is energy; leave one"):
        Goal("energy", overlap=True)


def test_where_nothing_can_be_hidden_the_mapping_is_the_one_without_a_schedule() -> None:
    graph, machine = gemm_graph(64, 64, 64), load_machine("edge-npu")
    alone, beside = search(graph, machine), search(graph, machine, goal=Goal(overlap=True))
    assert (beside, beside.certificate) == (alone, alone.certificate)


def test_published_counts_have_no_schedule() -> None:
    machine = load_machine("cloud", ["convention=published"])
    with pytest.raises(SpecError, match="--overlap is of machines that count as hardware"):
        search(load_model("gpt2").decode(batch=1, context=16), machine, goal=Goal(overlap=True))
