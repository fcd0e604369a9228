"""What each constraint costs: against the free optimum by itself, and with all the others kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from archmodel.cost import Costs
from archmodel.records.base import SpecError
from archmodel.records.constraints import Constraints, Rule
from archmodel.records.goal import Goal, Limit
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine

from .more import optimum


@dataclass(frozen=True)
class Price:
    """Of the objective, what a rule or limit costs: ``alone`` above the free optimum, ``last`` above what all the others leave.

    None where nothing is left without the others, or with it alone, that a search could find.
    """

    rule: Rule | Limit
    alone: float | None
    last: float | None


def free(goal: Goal) -> Goal:
    """The goal without constraints and limits."""
    return replace(goal, constraints=None, limits=())


def prices(graph: Graph, machine: Machine, costs: Costs, goal: Goal, now: float) -> tuple[float, list[Price]]:
    """The free optimum, and what each constraint costs where all together give ``now``."""
    rules = (*(goal.constraints.rules if goal.constraints else ()), *goal.limits)
    least = optimum(graph, machine, costs, free(goal))
    found = []
    for rule in rules:
        alone, others = _only(goal, (rule,)), _only(goal, tuple(other for other in rules if other is not rule))
        found.append(Price(rule, _above(graph, machine, costs, alone, least), _below(graph, machine, costs, others, now)))
    return least, found


def _only(goal: Goal, rules: tuple[Rule | Limit, ...]) -> Goal:
    limits = tuple(rule for rule in rules if isinstance(rule, Limit))
    return replace(goal, limits=limits, constraints=Constraints(tuple(rule for rule in rules if not isinstance(rule, Limit))))


def _above(graph: Graph, machine: Machine, costs: Costs, goal: Goal, least: float) -> float | None:
    try:
        return optimum(graph, machine, costs, goal) - least
    except SpecError:
        return None


def _below(graph: Graph, machine: Machine, costs: Costs, goal: Goal, now: float) -> float | None:
    try:
        return now - optimum(graph, machine, costs, goal)
    except SpecError:
        return None
