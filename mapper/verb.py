"""The verb ``search``: what is asked is checked, the search is made, and where it finds nothing the answer says what would do."""

from __future__ import annotations

from dataclasses import replace

from archmodel.cost import Costs, default_costs
from archmodel.records.base import SpecError
from archmodel.records.constraints import EngineRule, GroupRule, Rule, TreeRule
from archmodel.records.goal import FASTEST, Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Mapping

from .constraints import check
from .devices import search as searched
from .granules import refuse_goals
from .refusals import nothing_left
from .room import check_room
from .worth import given_whole, refuse_beyond


def search(graph: Graph, machine: Machine, costs: Costs | None = None, goal: Goal = FASTEST) -> Mapping:
    """The best mapping of a graph on a machine by ``goal``, with its certificate; if none is given, the fastest of least energy.

    Raises SpecError for constraints that contradict each other, by line; where nothing fits, with the smallest memory that would do; and
    for limits that nothing keeps, with the least that there is.
    """
    check(goal.constraints, graph, machine)
    check_room(goal, graph, machine)
    refuse_goals(machine, goal)
    costs = costs or default_costs()
    if (whole := _whole(graph, machine, goal)) is not None:
        return given_whole(graph, machine, costs, goal, whole)

    def attempt(asked: Goal, on: Machine = machine) -> Mapping:
        return _kept(graph, on, costs, asked)

    try:
        return attempt(goal)
    except SpecError as error:
        raise nothing_left(graph, machine, costs, goal, attempt, error) from None


def _whole(graph: Graph, machine: Machine, goal: Goal) -> Mapping | None:
    """The mapping that constraints give whole, as a record or tree by tree."""
    if goal.constraints is None:
        return None
    trees = tuple(rule.tree for rule in goal.constraints.rules if isinstance(rule, TreeRule))
    return Mapping(graph.name, machine.name, trees) if trees else goal.constraints.whole


def _kept(graph: Graph, machine: Machine, costs: Costs, goal: Goal) -> Mapping:
    """The best mapping, checked against its limits, so that none is passed over in silence."""
    smaller, others = _within(machine, goal)
    found = searched(graph, smaller, costs, others)
    refuse_beyond(graph, machine, costs, goal, found)
    proof = found.certificate
    if proof is None or len(graph.einsums) == 1 or goal.constraints is None or not any(map(_keeps_alone, goal.constraints.rules)):
        return found
    return replace(found, certificate=replace(proof, scope=f"{proof.scope}; an Einsum that constraints speak of stays alone".lstrip("; ")))


def _keeps_alone(rule: Rule) -> bool:
    """Whether an Einsum that a rule speaks of is not fused."""
    return not isinstance(rule, GroupRule | EngineRule)


def _within(machine: Machine, goal: Goal) -> tuple[Machine, Goal]:
    """The machine whose plain engines have no more words than limits on their levels leave, and the goal without those limits."""
    names = {level.name for engine in machine.engines for level in getattr(engine.params, "levels", ())}
    most = {limit.what: int(limit.most) for limit in goal.limits if limit.what in names}
    if not most:
        return machine, goal
    engines = tuple(_smaller(engine, most) for engine in machine.engines)
    return replace(machine, engines=engines), replace(goal, limits=tuple(limit for limit in goal.limits if limit.what not in most))


def _smaller(engine: Engine, most: dict[str, int]) -> Engine:
    if not hasattr(engine.params, "levels"):
        return engine
    levels = tuple(replace(level, words=max(1, min(most[level.name], level.words or most[level.name]))) if level.name in most else level
                   for level in engine.params.levels)  # fmt: skip
    return replace(engine, params=replace(engine.params, levels=levels))
