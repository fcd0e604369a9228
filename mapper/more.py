"""What more of each resource of a machine would bring: the search again, on the machine with one more, and with twice as many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from archmodel.cost import Costs
from archmodel.evaluation import evaluate
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine, Machine

from .verb import search
from .worth import value

FEW_EINSUMS = 4
"""Of a graph for which the next size that changes anything is looked for, as that takes a dozen searches a resource."""
RATES = ("bandwidth", "read_bandwidth", "write_bandwidth")


@dataclass(frozen=True)
class Resource:
    """Something that a machine has ``have`` of; ``grown`` is the machine with another amount."""

    name: str
    unit: str
    have: int | Fraction
    grown: Callable[[int | Fraction], Machine]
    step: int = 1


@dataclass(frozen=True)
class Gain:
    """What more of a resource makes of the objective: None where that machine or a mapping on it is refused, ``why`` says for what.

    next, then  the smallest amount that makes the objective less, and how much it is then; None where twice as much doesn't, or where
                it was not looked for
    """

    resource: str
    unit: str
    have: int | Fraction
    step: int
    one_more: float | None
    twice: float | None
    next: int | None = None
    then: float | None = None
    why: str = ""


def optimum(graph: Graph, machine: Machine, costs: Costs, goal: Goal) -> float:
    """The objective of the best mapping.  Raises SpecError where there is none."""
    return value(evaluate(graph, search(graph, machine, costs, goal), machine, costs=costs), goal.objective)


def gains(graph: Graph, machine: Machine, costs: Costs, goal: Goal, now: float) -> list[Gain]:
    """What one more and twice as much of each resource make of the objective, which is ``now``."""
    return [_gain(resource, graph, costs, goal, now) for resource in resources(machine)]


def _gain(resource: Resource, graph: Graph, costs: Costs, goal: Goal, now: float) -> Gain:
    def at(amount: int | Fraction) -> float:
        return optimum(graph, resource.grown(amount), costs, goal)

    found: list[float | None] = []
    why = ""
    for amount in (resource.have + resource.step, 2 * resource.have):
        try:
            found.append(at(amount))
        except SpecError as error:
            found.append(None)
            why = why or str(error).partition("\n")[0]
    gain = Gain(resource.name, resource.unit, resource.have, resource.step, found[0], found[1], why=why)
    if found[0] is None or found[1] is None or not found[1] < now or not isinstance(resource.have, int):
        return gain
    if found[0] < now:
        return replace(gain, next=resource.have + resource.step, then=found[0])
    return gain if len(graph.einsums) > FEW_EINSUMS else replace(gain, **_next(at, resource.have, now))


def _next(at: Callable[[int], float], have: int, now: float) -> dict[str, Any]:
    """The smallest amount up to twice as much with which the objective is less; more never makes it worse."""
    low, high, then = have + 1, 2 * have, at(2 * have)
    while high - low > 1:
        middle = (low + high) // 2
        found = at(middle)
        low, high, then = (low, middle, found) if found < now else (middle, high, then)
    return {"next": high, "then": then}


def resources(machine: Machine) -> Iterator[Resource]:
    """What a machine could have more of: words, bandwidths and axes of plain engines; sizes, sides, copies and ports of the others."""
    ports = dict.fromkeys(engine.port for engine in machine.engines if engine.port)
    buffers = dict.fromkeys(engine.buffer for engine in machine.engines if engine.buffer)
    for engine in machine.engines:
        yield from _of_plain(machine, engine) if hasattr(engine.params, "levels") else _of_array(machine, engine)
    for name in buffers:
        memory = machine.memory(name or "")
        yield Resource(f"{name} of each copy", "bytes", memory.size_bytes, _in_memory(machine, memory.name, "size_bytes"))
    for name in ports:
        memory = machine.memory(name or "")
        if memory.bandwidth_bytes_per_second:
            yield Resource(f"{name} bandwidth", "B/s", memory.bandwidth_bytes_per_second,
                           _in_memory(machine, memory.name, "bandwidth_bytes_per_second"), 10**9)  # fmt: skip


def _of_plain(machine: Machine, engine: Engine) -> Iterator[Resource]:
    for place, level in enumerate(engine.params.levels):
        if level.words is not None:
            yield Resource(level.name, "words", level.words, _in_level(machine, engine, place, "words"))
        for name in RATES:
            if (rate := getattr(level, name)) is not None:
                yield Resource(f"{level.name} {name}", "words a cycle", rate, _in_level(machine, engine, place, name))
        for number, axis in enumerate(level.axes):
            yield Resource(axis.name, "instances", axis.size, _in_axis(machine, engine, place, number))


def _of_array(machine: Machine, engine: Engine) -> Iterator[Resource]:
    for name in ("rows", "cols"):
        if hasattr(engine.params, name):
            yield Resource(f"{engine.name} {name}", "PEs", getattr(engine.params, name), _in_params(machine, engine, name))
    yield Resource(f"{engine.name} count", "copies", engine.count, lambda amount: _with(machine, replace(engine, count=int(amount))))


def _with(machine: Machine, engine: Engine) -> Machine:
    return replace(machine, engines=tuple(engine if old.name == engine.name else old for old in machine.engines))


def _in_params(machine: Machine, engine: Engine, name: str) -> Callable[[int | Fraction], Machine]:
    return lambda amount: _with(machine, replace(engine, params=replace(engine.params, **{name: amount})))


def _in_level(machine: Machine, engine: Engine, place: int, name: str) -> Callable[[int | Fraction], Machine]:
    def grown(amount: int | Fraction) -> Machine:
        levels = list(engine.params.levels)
        levels[place] = replace(levels[place], **{name: amount})
        return _in_params(machine, engine, "levels")(tuple(levels))  # type: ignore[arg-type]

    return grown


def _in_axis(machine: Machine, engine: Engine, place: int, number: int) -> Callable[[int | Fraction], Machine]:
    def grown(amount: int | Fraction) -> Machine:
        axes = list(engine.params.levels[place].axes)
        axes[number] = replace(axes[number], size=int(amount))
        return _in_level(machine, engine, place, "axes")(tuple(axes))  # type: ignore[arg-type]

    return grown


def _in_memory(machine: Machine, memory: str, name: str) -> Callable[[int | Fraction], Machine]:
    def grown(amount: int | Fraction) -> Machine:
        change: dict[str, Any] = {name: int(amount)}
        return replace(machine, memories=tuple(replace(old, **change) if old.name == memory else old for old in machine.memories))

    return grown
