"""Search on the attention engine: for one-pass attention, how many tiles of queries a pass serves and what copies share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from archmodel.cost import Costs
from archmodel.engines import Work, engine_module, relayouter
from archmodel.engines.attention import hardware_of
from archmodel.engines.attention.rows import evaluate, job, least_cycles, whole
from archmodel.engines.attention.tree import Placement, grain, instances, layouts, most_tiles, queries, to_tree, turned
from archmodel.memory.port import port_of
from archmodel.onepass import OnePass
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import Hardware
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Relayout

from .budget import Budget
from .found import Found
from .fronts import pareto
from .pricing import ranked, static_pj
from .together import Options, is_whole

SCOPE = "each attention by itself: every number of passes, way to share it among copies and halving of its Programs"


@dataclass(frozen=True)
class Choice:
    """A placement of an attention, and its ``cycles`` and picojoules for all instances of one layer, static power included."""

    placed: Placement
    cycles: int
    energy: float
    space: int
    evaluated: int


class Searcher:
    """Searches each distinct attention once; ``at`` is the first byte that no operand lies in yet."""

    def __init__(self, machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> None:
        self.machine, self.engine, self.costs = machine, engine, costs
        self.hardware, self.port = hardware_of(machine, engine), port_of(machine, engine)
        self.static_pj, self.goal = static_pj(machine, engine, costs), goal
        self.known: dict[tuple[object, ...], tuple[Choice, ...]] = {}
        self.at, self.budget = 0, Budget()

    def __call__(self, graph: Graph, einsum: Einsum, pick: int | None = None) -> Found:
        """The best placement by the objective, or one of the front.  Raises SpecError when no tile of it fits the buffer."""
        found = whole(graph, einsum)
        choices = self._choices(graph, einsum, found)
        costs = np.array([choice.energy for choice in choices]), np.array([choice.cycles for choice in choices])
        choice = choices[int(pareto(ranked(self.goal.objective, costs))[0]) if pick is None else pick]
        placed, self.at = layouts(graph, found, self.engine, self.hardware, self.at)
        turns = self._turns(graph, found)
        cycles, energy = self._with_turns(graph, einsum, found, turns, choice)
        tree = to_tree(found, self.engine, self.hardware, choice.placed)
        return Found(tree, placed, turns, cycles * einsum.repeat, choice.space, choice.evaluated, energy * einsum.repeat,
                     nodes=choice.evaluated)  # fmt: skip

    def front(self, graph: Graph, einsum: Einsum) -> Options:
        """The placements that no other beats in energy and cycles."""
        found = whole(graph, einsum)
        turns = self._turns(graph, found)
        pairs = [self._with_turns(graph, einsum, found, turns, choice) for choice in self._choices(graph, einsum, found)]
        energies, cycles = np.array([energy for _, energy in pairs]), np.array([cycles for cycles, _ in pairs])
        return Options((energies * einsum.repeat, cycles * einsum.repeat))

    def _choices(self, graph: Graph, einsum: Einsum, found: OnePass) -> tuple[Choice, ...]:
        """The best by the goal, alone; the front where the goal is decided for all operators together."""
        key = (job(found, self.hardware, instances(found)), tuple(graph.tensor[name].kind for name in turned(graph, found)))
        if key not in self.known:
            priced, space, evaluated = self._priced(graph, einsum, found)
            costs = np.array([energy for _, energy, _ in priced]), np.array([cycles for cycles, *_ in priced])
            kept = pareto(costs if is_whole(self.goal) else ranked(self.goal.objective, costs))
            kept = kept if is_whole(self.goal) else kept[:1]
            self.known[key] = tuple(Choice(priced[at][2], priced[at][0], priced[at][1], space, evaluated) for at in kept.tolist())
            self.budget.spent += evaluated
        return self.known[key]

    def _priced(self, graph: Graph, einsum: Einsum, found: OnePass) -> tuple[list[tuple[int, float, Placement]], int, int]:
        """Placements with their cycles and picojoules, how many there are, and how many were priced: each size of pass with the longest
        Programs that the engine holds, as shorter ones compute and move no less and take no fewer cycles.

        Where cycles come first, in order of those that Programs of any length would take, until these exceed the best.
        """
        fast = self.goal.objective == "latency" and not is_whole(self.goal)
        space, least, refusal = 0, [], None
        for choices in placements(found, self.engine, self.hardware):
            space += len(choices)
            try:
                least.append((least_cycles(found, choices[0], self.engine, self.hardware, self.port), choices))
            except SpecError as error:
                refusal = refusal or error
        priced: list[tuple[int, float, Placement]] = []
        evaluated, fewest = 0, inf
        for cycles, choices in sorted(least, key=lambda pair: pair[0]):
            if fast and cycles > fewest:
                break
            for placed in choices:
                evaluated += 1
                try:
                    priced.append((*self._price(graph, einsum, found, placed), placed))
                except SpecError as error:
                    refusal = refusal or error
                    continue
                fewest = min(fewest, priced[-1][0])
                break
        if not priced:
            raise refusal or SpecError(f"einsum {found.name}: no tile of queries fits the buffer of engine {self.engine.name}; enlarge it")
        return priced, space, evaluated

    def _price(self, graph: Graph, einsum: Einsum, found: OnePass, placed: Placement) -> tuple[int, float]:
        """Cycles and picojoules of one instance of a placement.  Raises SpecError for what the engine cannot execute."""
        tree = to_tree(found, self.engine, self.hardware, placed)
        row = evaluate(Work(graph, (einsum,), {einsum.name: tree}, self.machine, self.engine, "analytic", self.costs))[einsum.name]
        cycles = row.cycles // einsum.repeat
        return cycles, (row.energy.value / einsum.repeat if row.energy else 0.0) + self.static_pj * cycles

    def _turns(self, graph: Graph, found: OnePass) -> tuple[Relayout, ...]:
        """Changes of layout, each of the first Einsum of the tree that uses the tensor."""
        tensors, turner = turned(graph, found), relayouter(self.machine)
        if tensors and turner is None:
            raise SpecError(f"einsum {found.name}: {self.engine.name} needs {tensors[0]} in another layout, and no engine of "
                            f"{self.machine.name} changes layouts; add a vector engine")  # fmt: skip
        return tuple(Relayout(_user(found, tensor).name, tensor, turner.name) for tensor in tensors if turner is not None)

    def _with_turns(self, graph: Graph, einsum: Einsum, found: OnePass, turns: tuple[Relayout, ...], choice: Choice) -> tuple[int, float]:
        """Cycles of the engine's clock and picojoules of a placement with its changes of layout."""
        cycles, energy = choice.cycles, choice.energy
        for turn in turns:
            turner, user = self.machine.engine(turn.engine), _user(found, turn.tensor)
            row = engine_module(turner).relayout(Work(graph, (), {}, self.machine, turner, "analytic", self.costs), user, turn.tensor)
            more = -(-row.cycles * self.machine.clock_hz(self.engine.clock) // (self.machine.clock_hz(turner.clock) * einsum.repeat))
            cycles, energy = cycles + more, energy + (row.energy.value / einsum.repeat if row.energy else 0.0) + self.static_pj * more
        return cycles, energy


def _user(found: OnePass, tensor: str) -> Einsum:
    """The first Einsum, in the order of the cascade, that reads or writes a tensor."""
    return next(step for step in found.steps.values() if tensor in (*step.inputs, step.output))


def placements(found: OnePass, engine: Engine, hardware: Hardware) -> Iterator[list[Placement]]:
    """For each way to share an attention among copies, and each size of pass (the smallest for its number of passes): placements with
    all queries of a copy in one Program, half of them, and so on."""
    most, total = most_tiles(found, hardware), queries(found)
    whole = found.mask.query_block > 0
    for split in _splits(found, engine):
        tiles = -(-total // hardware.cols)
        for size in sorted({-(-tiles // passes) for passes in range(1, tiles + 1)}):
            step, piece = grain(found, size, hardware), total
            if size > most or (whole and split == "queries"):
                continue
            if split == "queries":
                piece = min(total, -(-total // (engine.count * step)) * step)
            stretches = [piece]
            while stretches[-1] > step and not whole:
                stretches.append(-(-stretches[-1] // (2 * step)) * step)
            yield [Placement(size, split, piece, stretch) for stretch in stretches]


def _splits(found: OnePass, engine: Engine) -> tuple[str, ...]:
    if engine.count == 1:
        return ("",)
    return ("batch", "queries") if instances(found) > 1 else ("queries",)
