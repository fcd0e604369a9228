"""Placement: on which of several able engines an Einsum goes, and whether one that is slower alone is faster beside another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archmodel.cost import Costs
from archmodel.evaluation import evaluate
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping
from archmodel.records.result import Result

from .budget import Budget
from .found import Found

Binding = dict[str, str]
"""Engines that Einsums must go to, by name."""


@dataclass(frozen=True)
class Setting:
    """What an operator is priced on and for, and how much may be looked at."""

    machine: Machine
    costs: Costs
    goal: Goal
    budget: Budget


def order(result: Result, goal: Goal) -> tuple[float, ...]:
    """What is less of a better result, first by the objective, then by what decides a tie."""
    energy = result.energy.value if result.energy else 0.0
    seconds = result.seconds
    return {"latency": (seconds, energy), "energy": (energy, seconds), "edp": (energy * seconds, energy)}[goal.objective]


def cheapest(graph: Graph, einsum: Einsum, searchers: Sequence[Any], at: int, setting: Setting) -> tuple[Found, int]:
    """The best of what each able engine's searcher finds, and the first byte behind its operands, the first one being ``at``.

    Operators run one after another, so each one's best time (or energy) is part of the best sum.  Raises SpecError where no engine
    has a tile that fits.
    """
    options, refusals = [], []
    for searcher in searchers:
        if hasattr(searcher, "at"):
            searcher.at = at
        try:
            options.append((searcher(graph, einsum), getattr(searcher, "at", at)))
        except SpecError as error:
            refusals.append(error)
    if not options:
        raise refusals[0]
    if len(options) == 1:
        return options[0]
    found, end = min(options, key=lambda option: _price(graph, einsum, option[0], setting))
    return replace(found, space=sum(item.space for item, _ in options), evaluated=sum(item.evaluated for item, _ in options),
                   nodes=sum(item.nodes for item, _ in options)), end  # fmt: skip


def _price(graph: Graph, einsum: Einsum, found: Found, setting: Setting) -> tuple[float, ...]:
    """An Einsum by itself: what it takes and draws, changes of layout included."""
    mapping = Mapping(graph.name, setting.machine.name, (found.tree,), found.layouts, found.relayouts)
    return order(evaluate(replace(graph, einsums=(einsum,)), mapping, setting.machine, costs=setting.costs), setting.goal)


def rebound(mapping: Mapping, able: dict[str, tuple[str, ...]], again: Callable[[Binding], Mapping]) -> Mapping:
    """A mapping whose Einsums are moved one by one to other engines, each move kept that makes the whole faster, until none does.

    able   the engines of each Einsum that has a choice
    again  the best mapping under a binding, whose certificate says the cycles of the whole
    """
    bound: Binding = {}
    best, moved = mapping, True
    while moved:
        moved = False
        for name, engines in sorted(able.items()):
            for engine in engines:
                if bound.get(name) != engine and _cycles(tried := again({**bound, name: engine})) < _cycles(best):
                    best, bound, moved = tried, {**bound, name: engine}, True
    return best


def _cycles(mapping: Mapping) -> float:
    assert mapping.certificate is not None, "what is mapped has a certificate"
    return mapping.certificate.value
