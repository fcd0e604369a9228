"""Search on the attention engine: for one-pass attention, how many tiles of queries a pass serves and what copies share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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

from .found import Found


@dataclass(frozen=True)
class Choice:
    """The best placement of an attention, and its ``cycles`` for all instances of one layer."""

    placed: Placement
    cycles: int
    space: int
    evaluated: int


class Searcher:
    """Searches each distinct attention once; ``at`` is the first byte that no operand lies in yet."""

    def __init__(self, machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> None:
        self.machine, self.engine, self.costs = machine, engine, costs
        self.hardware, self.port = hardware_of(machine, engine), port_of(machine, engine)
        self.known: dict[tuple[object, ...], Choice] = {}
        self.at = 0

    def __call__(self, graph: Graph, einsum: Einsum) -> Found:
        """The placement with the fewest cycles, then the least energy.  Raises SpecError when no tile of it fits the buffer."""
        found = whole(graph, einsum)
        key = (job(found, self.hardware, instances(found)), tuple(graph.tensor[name].kind for name in turned(graph, found)))
        if key not in self.known:
            self.known[key] = self._best(graph, einsum, found)
        best = self.known[key]
        placed, self.at = layouts(graph, found, self.engine, self.hardware, self.at)
        turns = self._turns(graph, found)
        cycles = best.cycles + sum(self._turn_cycles(graph, found, turn.tensor) for turn in turns)
        tree = to_tree(found, self.engine, self.hardware, best.placed)
        return Found(tree, placed, turns, cycles * einsum.repeat, best.space, best.evaluated)

    def _best(self, graph: Graph, einsum: Einsum, found: OnePass) -> Choice:
        """The best placement: each size of pass with the longest Programs that the engine holds, in order of the cycles that Programs
        of any length would take, until these exceed the best."""
        space, least, refusal = 0, [], None
        for choices in placements(found, self.engine, self.hardware):
            space += len(choices)
            try:
                least.append((least_cycles(found, choices[0], self.engine, self.hardware, self.port), choices))
            except SpecError as error:
                refusal = refusal or error
        best: tuple[int, float, Placement] | None = None
        evaluated = 0
        for cycles, choices in sorted(least, key=lambda pair: pair[0]):
            if best is not None and cycles > best[0]:
                break
            for placed in choices:
                evaluated += 1
                try:
                    priced = (*self._price(graph, einsum, found, placed), placed)
                except SpecError as error:
                    refusal = refusal or error
                    continue
                best = priced if best is None or priced[:2] < best[:2] else best
                break
        if best is None:
            raise refusal or SpecError(f"einsum {found.name}: no tile of queries fits the buffer of engine {self.engine.name}; enlarge it")
        return Choice(best[2], best[0], space, evaluated)

    def _price(self, graph: Graph, einsum: Einsum, found: OnePass, placed: Placement) -> tuple[int, float]:
        """Cycles and picojoules of one instance of a placement.  Raises SpecError for what the engine cannot execute."""
        tree = to_tree(found, self.engine, self.hardware, placed)
        row = evaluate(Work(graph, (einsum,), {einsum.name: tree}, self.machine, self.engine, "analytic", self.costs))[einsum.name]
        return row.cycles // einsum.repeat, row.energy.value if row.energy else 0.0

    def _turns(self, graph: Graph, found: OnePass) -> tuple[Relayout, ...]:
        """Changes of layout, each of the first Einsum of the tree that uses the tensor."""
        tensors, turner = turned(graph, found), relayouter(self.machine)
        if tensors and turner is None:
            raise SpecError(f"einsum {found.name}: {self.engine.name} needs {tensors[0]} in another layout, and no engine of "
                            f"{self.machine.name} changes layouts; add a vector engine")  # fmt: skip
        return tuple(Relayout(_user(found, tensor).name, tensor, turner.name) for tensor in tensors if turner is not None)

    def _turn_cycles(self, graph: Graph, found: OnePass, tensor: str) -> int:
        """Cycles of the engine's clock that a change of layout takes."""
        turner = relayouter(self.machine)
        assert turner is not None, "a change of layout has an engine"
        size = graph.elements(_user(found, tensor), tensor), graph.tensor[tensor].bits
        cycles = engine_module(turner).relayout_cycles(self.machine, turner, *size)
        return -(-cycles * self.machine.clock_hz(self.engine.clock) // self.machine.clock_hz(turner.clock))


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
