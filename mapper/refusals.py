"""Why a search finds nothing: the smallest memory that would do, the least of what a limit is on, the rules that contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from archmodel.cost import Costs
from archmodel.engines import engine_module
from archmodel.evaluation import evaluate
from archmodel.records.base import SpecError
from archmodel.records.constraints import Constraints, Rule
from archmodel.records.goal import OBJECTIVES, Goal, Limit
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping

from .worth import measured

Attempt = Callable[..., Mapping]
"""A search for a goal, on the machine or on another one; raises SpecError where it finds nothing."""
OPEN = "the least that was found"
"""Said of what no bound proves to be the least."""
LARGEST = 1 << 30
"""Bytes of a buffer that is tried first: where it does not help, size is not what is wrong."""


def nothing_left(graph: Graph, machine: Machine, costs: Costs, goal: Goal, attempt: Attempt, error: SpecError) -> SpecError:
    """The error of a search that found nothing, with what would do: of constraints and limits if it is they, else of memories."""
    rules: list[Rule | Limit] = [*(goal.constraints.rules if goal.constraints else ()), *goal.limits]
    plain = replace(goal, constraints=None, limits=())
    if not rules or not _finds(attempt, plain):
        return SpecError("\n".join([str(error), *_smallest(graph, machine, plain, attempt)]))
    needed = _fewest(goal, rules, attempt)
    if len(needed) == 1 and isinstance(needed[0], Limit):
        return SpecError(_beyond(graph, machine, costs, plain, needed[0], attempt))
    places = list(dict.fromkeys(rule.place or _named(rule) for rule in needed))
    where, what = " and ".join(places), "leaves" if len(places) == 1 else "together leave"
    least = [_beyond(graph, machine, costs, _only(goal, [other for other in needed if other is not rule]), rule, attempt)
             for rule in needed if isinstance(rule, Limit)]  # fmt: skip
    sure = "that was found" if any(OPEN in line for line in least) else ""
    return SpecError("\n".join([" ".join(filter(None, (where, what, "no mapping", sure, f"of {graph.name} on {machine.name}"))), *least]))


def _named(rule: Rule | Limit) -> str:
    return f"the limit on {rule.what}" if isinstance(rule, Limit) else "a rule"


def _finds(attempt: Attempt, goal: Goal, *machine: Machine) -> bool:
    try:
        attempt(goal, *machine)
    except SpecError:
        return False
    return True


def _only(goal: Goal, rules: list[Rule | Limit]) -> Goal:
    """The goal with some of its rules and limits."""
    limits = tuple(rule for rule in rules if isinstance(rule, Limit))
    return replace(goal, limits=limits, constraints=Constraints(tuple(rule for rule in rules if not isinstance(rule, Limit))))


def _fewest(goal: Goal, rules: list[Rule | Limit], attempt: Attempt) -> list[Rule | Limit]:
    """Rules that together leave nothing, and any fewer of them something."""
    needed = list(rules)
    for rule in rules:
        fewer = [other for other in needed if other is not rule]
        if not _finds(attempt, _only(goal, fewer)):
            needed = fewer
    return needed


def _beyond(graph: Graph, machine: Machine, costs: Costs, others: Goal, limit: Limit, attempt: Attempt) -> str:
    """That nothing keeps a limit beside the others, and the least there is of what it is on, or what the best mapping without it has."""
    where, what = limit.place or _named(limit), f"{limit.what} of at most {limit.most:,.10g}"
    beside = " beside the others" if others.limits or (others.constraints and others.constraints.rules) else ""
    minimised = limit.what in OBJECTIVES
    found = attempt(replace(others, objective=limit.what) if minimised else others)
    least = measured(graph, machine, found, evaluate(graph, found, machine, costs=costs), limit)
    if minimised and found.certificate is not None and found.certificate.optimal:
        return f"{where}: no mapping of {graph.name} on {machine.name} has {what}; the least{beside} is {least:,.10g}"
    if minimised:
        return f"{where}: no mapping of {graph.name} on {machine.name} was found with {what}; {OPEN}{beside} is {least:,.10g}"
    has = "" if least is None else f"; the best mapping without it has {least:,.10g}"
    return f"{where}: no mapping of {graph.name} on {machine.name} was found with {what}{beside}{has}"


def _smallest(graph: Graph, machine: Machine, goal: Goal, attempt: Attempt) -> list[str]:
    """What each memory that is too small would have to be."""
    found = []
    for engine in machine.engines:
        for level in getattr(engine.params, "levels", ())[1:]:
            need, einsum = _one_each(graph, machine, engine.name, level.name)
            if level.words is not None and need > level.words:
                found.append(f"{level.name} has {level.words:,} words, and one element of every tensor of {einsum} takes {need:,}; "
                             f"{need:,} would do")  # fmt: skip
    for name in dict.fromkeys(engine.buffer for engine in machine.engines if engine.buffer):
        size = machine.memory(name).size_bytes
        if enough := _enough(machine, name, size, goal, attempt):
            found.append(f"{name} has {size:,} bytes; {enough:,} would do")
    return found


def _one_each(graph: Graph, machine: Machine, engine: str, name: str) -> tuple[int, str]:
    """Words of a level that hold one element of each tensor that may not go past it, and the Einsum that needs most."""
    params = machine.engine(engine).params
    level = params.levels[params.depth[name]]
    most = (0, "")
    for einsum in graph.einsums:
        if level.bypass or engine_module(machine.engine(engine)).supports(graph, einsum, machine.engine(engine)) is not None:
            continue
        tensors = [graph.tensor[tensor] for tensor in dict.fromkeys((*einsum.inputs, einsum.output))]
        held = [tensor for tensor in tensors if not level.holds or {tensor.name, tensor.kind} & set(level.holds)]
        words = sum((Fraction(tensor.bits, level.word_bits) for tensor in held), Fraction(0)) * (2 if level.buffering == "double" else 1)
        most = max(most, (-(-words.numerator // words.denominator), einsum.name))
    return most


def _enough(machine: Machine, name: str, size: int, goal: Goal, attempt: Attempt) -> int | None:
    """The smallest size of a memory with which there is a mapping, to a byte; None where LARGEST doesn't either."""

    def does(bytes_: int) -> bool:
        memories = tuple(replace(memory, size_bytes=bytes_) if memory.name == name else memory for memory in machine.memories)
        return _finds(attempt, goal, replace(machine, memories=memories))

    if size >= LARGEST or not does(LARGEST):
        return None
    low = high = size
    while not does(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if does(middle) else (middle, high)
    return high
