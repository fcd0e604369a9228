"""Schedules: which trees of a mapping run side by side, for the least time.

A schedule is a way from nothing done to all done, a step at a time; a step is any trees that may run together (``archmodel.overlap``).
What is done is the whole state, so the best way to each state is kept and the rest dropped: exact, as long as no more than BEAM states
of equally many trees are open and no step would need more than LARGEST trees.  Trees that no other may run beside stay out of it, and
each set of layers is scheduled by itself, as no step spans two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import lcm

from archmodel.cost import Costs
from archmodel.evaluation import evaluate
from archmodel.executing import executed
from archmodel.overlap import Flow, Load, flow_of, load_of, together
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Certificate, Mapping
from archmodel.records.result import Result

BEAM, LARGEST, FEW = 512, 6, 20
"""States of equally many trees that are kept, and trees of a step, of a class of FEW; a larger one keeps an eighth, and pairs."""
SCOPE = "schedules of these trees in steps, engines behind one memory never taking more than its bandwidth"


def scheduled(graph: Graph, mapping: Mapping, machine: Machine, costs: Costs) -> Mapping:
    """The same trees with the schedule that takes least time; its certificate bounds every schedule of these trees."""
    alone = evaluate(graph, mapping, machine, costs=costs)
    flow = flow_of(executed(graph, mapping), mapping)
    rows = {op.name: op for op in alone.ops}
    loads = {name: load_of(rows[name], machine) for name in flow.engines}
    found: list[tuple[str, ...]] = []
    for names in _classes(flow):
        found += _Class(flow, loads, names).best()
    whole = replace(mapping, schedule=_ordered(found, flow, loads))
    return replace(whole, certificate=_certificate(whole, alone, evaluate(graph, whole, machine, costs=costs), machine))


def _classes(flow: Flow) -> list[list[str]]:
    """Trees of the same layers that another may run beside, in an order that their operands allow."""
    members: dict[str, list[str]] = {}
    for name, layer in flow.layers.items():
        members.setdefault(layer, []).append(name)
    found = []
    for _, names in sorted(members.items()):
        some = [name for name in names if any(flow.free(name, other) for other in names if other != name) and name not in flow.needs[name]]
        found.append(sorted(some, key=lambda name: (len(flow.needs[name]), name)))
    return [names for names in found if len(names) > 1]


class _Class:
    """The trees of one set of layers, in an order that their operands allow.  States and steps are sets of their places, as bits.

    Of each tree: ``needs`` before it, ``free`` to run beside it, ``mine`` on its engine, ``apart`` on its engine and kept apart from it
    by what is in no step; times are whole ``1 / unit`` seconds.
    """

    def __init__(self, flow: Flow, loads: dict[str, Load], names: Sequence[str]) -> None:
        self.names = names
        self.beam, self.most = (BEAM, LARGEST) if len(names) <= FEW else (BEAM // 8, 2)
        every = set(names)
        outside = {name: flow.needs[name] - every for name in names}
        self.needs = [self._bits(flow.needs[name]) for name in names]
        self.free = [self._bits(other for other in names if flow.free(name, other)) for name in names]
        self.mine = [self._bits(other for other in names if flow.engines[other] == flow.engines[name]) for name in names]
        self.apart = [self._bits(need for between in outside[name] for need in flow.needs[between]) for name in names]
        unit = lcm(*(loads[name].seconds.denominator for name in names), *(loads[name].moving.denominator for name in names))
        self.times = [int(loads[name].seconds * unit) for name in names]
        self.moving = [int(loads[name].moving * unit) for name in names]
        self.engines = [flow.engines[name] for name in names]
        self.ports = [loads[name].port for name in names]

    def _bits(self, some: Iterable[str]) -> int:
        found = set(some)
        return sum(1 << place for place, name in enumerate(self.names) if name in found)

    def best(self) -> list[tuple[str, ...]]:
        """The steps of several trees on the way that takes least time."""
        size = len(self.names)
        levels: list[dict[int, tuple[int, int, int]]] = [{} for _ in range(size + 1)]
        levels[0][0] = (0, 0, 0)
        for done in range(size):
            # Equally many trees are done, so the beam keeps those states that have saved most.
            for state, (over, _, _) in sorted(levels[done].items(), key=lambda item: (item[1][0], item[0]))[: self.beam]:
                for step, saved in self._steps(state):
                    level, after = levels[done + step.bit_count()], state | step
                    if after not in level or over - saved < level[after][0]:
                        level[after] = (over - saved, state, step)
        state, found = (1 << size) - 1, []
        while state:
            _, before, step = levels[state.bit_count()][state]
            found.append(tuple(self.names[place] for place in _places(step)))
            state = before
        return [step for step in reversed(found) if len(step) > 1]

    def _steps(self, state: int) -> Iterator[tuple[int, int]]:
        """Every step that may follow a state, with what it saves: a tree by itself, or trees on several engines that gain by it."""
        left = [place for place in range(len(self.names)) if not state >> place & 1]
        waiting = [(0, 0)]
        while waiting:
            step, first = waiting.pop()
            for at, place in enumerate(left[first:], first):
                beside = step & ~self.mine[place]
                if self.needs[place] & ~(state | step) or step & self.mine[place] & self.apart[place] or beside & ~self.free[place]:
                    continue
                larger = step | 1 << place
                saved = self._saved(larger)
                if not step or saved > 0:
                    yield larger, saved
                if larger.bit_count() < self.most:
                    waiting.append((larger, at + 1))

    def _saved(self, step: int) -> int:
        """Time that the trees of a step take less than one after another."""
        own: dict[str, list[int]] = {}
        port: dict[str, str | None] = {}
        for place in _places(step):
            sums = own.setdefault(self.engines[place], [0, 0])
            sums[0] += self.times[place]
            sums[1] += self.moving[place]
            port[self.engines[place]] = self.ports[place]
        ends = (time + sum(theirs[1] for other, theirs in own.items() if other != name and port[name] and port[other] == port[name])
                for name, (time, _) in own.items())  # fmt: skip
        return sum(time for time, _ in own.values()) - max(ends)


def _places(step: int) -> Iterator[int]:
    while step:
        low = step & -step
        yield low.bit_length() - 1
        step ^= low


def _ordered(steps: list[tuple[str, ...]], flow: Flow, loads: dict[str, Load]) -> tuple[tuple[str, ...], ...]:
    """Steps of all classes in one order that operands allow; where two wait for each other, the one that saves less is given up."""
    left, found = list(steps), []
    while left:
        able = [step for step in left if not any(_before(other, step, flow) for other in left if other is not step)]
        if able:
            found.append(min(able))
            left.remove(found[-1])
        else:
            left.remove(min(left, key=lambda step: (_saved([loads[name] for name in step]), step)))
    return tuple(found)


def _saved(loads: list[Load]) -> Fraction:
    return sum((load.seconds for load in loads), Fraction(0)) - together(loads)


def _before(one: tuple[str, ...], other: tuple[str, ...], flow: Flow) -> bool:
    return any(flow.needs[name] & set(one) for name in other)


def _certificate(mapping: Mapping, alone: Result, result: Result, machine: Machine) -> Certificate:
    """No schedule of these trees is shorter than the work of the busiest engine, or than what moves at the busiest memory."""
    proof = mapping.certificate
    assert proof is not None, "what is mapped has a certificate"
    work: dict[str, Fraction] = {}
    for op in alone.ops:
        work[op.engine] = work.get(op.engine, Fraction(0)) + Fraction(op.cycles, op.clock_hz)
        if any(engine.name == op.engine for engine in machine.engines) and (port := machine.engine(op.engine).port):
            work[f"port {port}"] = work.get(f"port {port}", Fraction(0)) + Fraction(op.port_cycles, op.clock_hz)
    floor = -int(-max(work.values()) * result.clock_hz // 1)
    return replace(proof, objective="latency", value=result.cycles, lower_bound=min(floor, result.cycles), scope=SCOPE)
