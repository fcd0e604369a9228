"""Search on the systolic engine: for one GEMM, the best mapping by a goal, proved so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from archmodel.cost import Costs
from archmodel.engines import Work, engine_module
from archmodel.engines.systolic.tiling import ROLES, Tiling, may_overflow, overflow_text, quantum
from archmodel.engines.systolic.tree import COPIES, layouts, rank_names, slice_size, to_tree, turned
from archmodel.records.base import SpecError
from archmodel.records.constraints import AxisRule, OrderRule, TileRule
from archmodel.records.engines.systolic import SUM_BITS
from archmodel.records.goal import FASTEST, Goal
from archmodel.records.graph import Einsum, Gemm, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Relayout

from .allowed import Allowed, allowed
from .budget import Budget, budget_of
from .cheapest import Search, Tiled
from .found import Found
from .frontier import Frontier
from .pricing import Share, Target, Task, Turn, target
from .space import Array, Mask, Rules, count, flow_of, legal_order
from .together import Options

RULES = (TileRule, OrderRule, AxisRule)
"""Kinds of constraint that leave some of the space."""
SCOPE = "each product by itself: every dataflow, tile, order of loops and sharing among copies that its array can execute"


@dataclass(frozen=True)
class Choice:
    """The best mapping of one GEMM: ``cycles`` of all its rounds on the busiest copy, changes of layout included; ``energy`` of all copies.

    lower_bound  no mapping has less of the objective
    nodes        tilings that were looked at
    """

    tiling: Tiling
    split: str
    cycles: int
    energy: float
    space: int
    evaluated: int
    relayouts: tuple[str, ...] = ()
    lower_bound: float = 0.0
    nodes: int = 0


class Searcher:
    """Searches each distinct operator once; ``at`` is the first byte that no operand lies in yet, ``budget`` what may be looked at."""

    def __init__(self, machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> None:
        self.where, self.goal, self.engine = target(machine, engine, costs), goal, engine
        self.known: dict[tuple[object, ...], Choice] = {}
        self.fronts: dict[tuple[object, ...], tuple[tuple[Choice, ...], tuple[float, float]]] = {}
        self.at, self.budget = 0, Budget()

    def __call__(self, graph: Graph, einsum: Einsum, pick: int | None = None) -> Found:
        """The best mapping of ``einsum``, or one of its front.  Raises SpecError when no tile of it fits the buffers."""
        gemm, engine = graph.gemm(einsum), self.where.engine
        key = self._key(graph, einsum, gemm)
        if pick is None and key not in self.known:
            self.known[key] = choose(graph, einsum, gemm, self.where, self.goal, self.budget)
        choice = self.known[key] if pick is None else self.fronts[key][0][pick]
        placed, self.at = layouts(graph, einsum, engine, choice.tiling.flow, self.at)
        names = {"a": gemm.a, "c": einsum.output}
        turner = self.where.turner.name if self.where.turner else ""
        turns = tuple(Relayout(einsum.name, names[operand], turner) for operand in choice.relayouts)
        tree = to_tree(graph, einsum, engine, choice.tiling, choice.split)
        return Found(tree, placed, turns, choice.cycles * einsum.repeat, choice.space, choice.evaluated, choice.energy * einsum.repeat,
                     choice.lower_bound * einsum.repeat, choice.nodes)  # fmt: skip

    def front(self, graph: Graph, einsum: Einsum) -> Options:
        """The mappings of ``einsum`` that no other beats in energy and cycles."""
        gemm = graph.gemm(einsum)
        key = self._key(graph, einsum, gemm)
        if key not in self.fronts:
            self.fronts[key] = front_of(graph, einsum, gemm, self.where, self.goal, self.budget)
        choices, least = self.fronts[key]
        columns = np.array([choice.energy for choice in choices]), np.array([choice.cycles for choice in choices])
        return Options((columns[0] * einsum.repeat, columns[1] * einsum.repeat), (least[0] * einsum.repeat, least[1] * einsum.repeat))

    def _key(self, graph: Graph, einsum: Einsum, gemm: Gemm) -> tuple[object, ...]:
        operands = tuple(graph.tensor[t] for t in (gemm.a, gemm.b, einsum.output))
        key = (gemm.batch, gemm.m, gemm.n, gemm.k, *((t.bits, t.kind) for t in operands))
        rules = allowed(self.goal.constraints, einsum.name).rules
        return (*key, rules, *rank_names(gemm).values()) if rules else key


def choose(graph: Graph, einsum: Einsum, gemm: Gemm, where: Target, goal: Goal = FASTEST, budget: Budget | None = None) -> Choice:
    """The best mapping of one GEMM over all splits and, within each, over the mapspace.  Raises SpecError where there is none."""
    search, size = Search(goal.objective, budget or budget_of(goal)), 0
    for task in tasks(graph, einsum, gemm, where, goal):
        size += count(task.share.sizes, task.requantise, task.hardware, task.rules)
        search.run(task)
    if search.best is None:
        raise _nothing(einsum, where, goal)
    choice = _choice(graph, gemm, search.best, size, search.evaluated, search.nodes)
    return replace(choice, lower_bound=min(float(search.bar[0]), search.lower_bound))


def front_of(graph: Graph, einsum: Einsum, gemm: Gemm, where: Target, goal: Goal,
             budget: Budget) -> tuple[tuple[Choice, ...], tuple[float, float]]:  # fmt: skip
    """The mappings of one GEMM that no other beats in energy and cycles, and what none goes below that was not looked at."""
    frontier, size = Frontier(budget), 0
    for task in tasks(graph, einsum, gemm, where, goal):
        size += count(task.share.sizes, task.requantise, task.hardware, task.rules)
        frontier.run(task)
    if not frontier.points:
        raise _nothing(einsum, where, goal)
    return tuple(_choice(graph, gemm, point, size, frontier.evaluated, frontier.nodes) for point in frontier.points), frontier.least


def _nothing(einsum: Einsum, where: Target, goal: Goal) -> SpecError:
    if allowed(goal.constraints, einsum.name) or goal.tiles == "perfect" or goal.limits:
        return SpecError(f"einsum {einsum.name}: no mapping of it on {where.engine.name} keeps the constraints and limits; loosen them")
    return SpecError(f"einsum {einsum.name}: no tile of it fits the buffers of engine {where.engine.name}; enlarge its buffer")


def _choice(graph: Graph, gemm: Gemm, found: Tiled, space: int, evaluated: int, nodes: int) -> Choice:
    turns = turned(flow_of(found.tiling, 0), graph.tensor[gemm.a].kind)
    return Choice(tiling_of(found), found.task.share.split, found.cycles, found.energy_pj, space, evaluated, turns, nodes=nodes)


def tasks(graph: Graph, einsum: Einsum, gemm: Gemm, where: Target, goal: Goal) -> Iterator[Task]:
    """Each way to deal a GEMM to the copies, with what the goal leaves of its mapspace.  Raises SpecError for what no mapping can do."""
    hardware = where.hardware
    if may_overflow(gemm.k, hardware) and where.engine.params.overflow == "refuse":
        raise SpecError(f"einsum {einsum.name}: {overflow_text(gemm.k, hardware)}")
    _refuse_endless(einsum, gemm, where)
    kind = graph.tensor[gemm.a].kind
    able = tuple(flow for flow in hardware.dataflows if where.turner or not turned(flow, kind))
    if not able:
        raise SpecError(f"einsum {einsum.name}: dataflow {', '.join(hardware.dataflows)} needs its operands in another layout, and no "
                        f"engine of {where.machine.name} changes layouts; add a vector engine or dataflow ws")  # fmt: skip
    turns = {flow: _turn(graph, einsum, gemm, flow, where) for flow in able}
    if max(turn.cycles for turn in turns.values()) >= 1 << 62:
        raise _endless(einsum, gemm, where)
    mine = allowed(goal.constraints, einsum.name)
    names = rank_names(gemm)
    hardware = replace(hardware, dataflows=tuple(flow for flow in able if _may_flow(mine, names, flow, gemm)))
    for share in shares(gemm, where.engine.count, hardware):
        if mine.axis(COPIES, _counts(names, share, gemm)):
            rules = _rules(graph, einsum, gemm, where, goal, share, mine)
            yield Task(where, share, turns, graph.tensor[einsum.output].bits < SUM_BITS, hardware, rules)


def shares(gemm: Gemm, copies: int, hardware: Any) -> Iterator[Share]:
    """Ways to deal a GEMM to copies: slices of n or m that are as even as whole words allow, or whole products."""
    sizes = {rank: getattr(gemm, rank) for rank in "mnk"}
    if copies == 1:
        yield Share("", sizes, gemm.batch, gemm.batch)
        return
    for split in ("n", "m"):
        grain = max((quantum(flow, split, hardware) for flow in hardware.dataflows), default=1)
        piece = slice_size(sizes[split], copies, grain)
        full, rest = divmod(sizes[split], piece)
        yield Share(split, sizes | {split: piece}, gemm.batch, gemm.batch * full, rest)
    if gemm.batch > 1:
        yield Share("batch", sizes, -(-gemm.batch // copies), gemm.batch)


def _may_flow(mine: Allowed, names: dict[str, str], flow: str, gemm: Gemm) -> bool:
    """Whether the ranks that a dataflow spreads over rows and columns may stand there."""
    l_rank, _, y_rank = ROLES[flow]
    return all(mine.axis(axis, {name: getattr(gemm, rank) if rank == over else 1 for rank, name in names.items()})
               for axis, over in (("rows", l_rank), ("cols", y_rank)))  # fmt: skip


def _counts(names: dict[str, str], share: Share, gemm: Gemm) -> dict[str, int]:
    """Pieces of each rank side by side on the copies."""
    found = {name: 1 for name in names.values()} | {"batch": 1}
    if share.split == "batch":
        found["batch"] = -(-gemm.batch // share.rounds)
    elif share.split:
        found[names[share.split]] = -(-getattr(gemm, share.split) // share.sizes[share.split])
    return found


def _rules(graph: Graph, einsum: Einsum, gemm: Gemm, where: Target, goal: Goal, share: Share, mine: Allowed) -> Rules:
    """What a goal leaves of the tiles and orders of a share."""
    level, names = where.engine.buffer or "", rank_names(gemm)
    tensors = {"a": (gemm.a, "mk"), "b": (gemm.b, "kn"), "c": (einsum.output, "mn")}
    most = min((limit.most for limit in goal.limits if limit.what == level), default=inf)

    def sizes(flow: str, rank: str, tiles: Array) -> Mask:
        extent, fine = share.sizes[rank], tiles > 0
        if goal.tiles == "perfect":
            fine &= extent % tiles == 0
        for tensor, ranks in tensors.values():
            fine &= mine.tiles(level, tensor, names[rank], tiles, extent) if rank in ranks else True
        return fine

    def orders(flow: str, order: tuple[str, ...]) -> bool:
        return mine.order(level, tuple(names[rank] for rank in order), tuple(names.values()))

    return Rules(sizes if mine or goal.tiles == "perfect" else None, orders if mine else None, most)
def _refuse_endless(einsum: Einsum, gemm: Gemm, where: Target) -> None:
    """Raises SpecError where cycles might not fit 63 bits: the smallest tiles, each word of them a request that waits."""
    hardware, port = where.hardware, where.port
    steps = -(-gemm.n // hardware.cols) * max(gemm.m * -(-gemm.k // hardware.rows), -(-gemm.m // hardware.rows) * gemm.k)
    words = 2 * (hardware.rows + hardware.cols) + 2
    step = words * (port.latency + hardware.beats("P") * port.interval) + 4 * (hardware.rows + hardware.cols)
    if gemm.batch * einsum.repeat * steps * step >= 1 << 62:
        raise _endless(einsum, gemm, where)


def _endless(einsum: Einsum, gemm: Gemm, where: Target) -> SpecError:
    return SpecError(f"einsum {einsum.name}: {gemm.batch} x {gemm.m} x {gemm.n} x {gemm.k} on {where.engine.name} could take more "
                     "than 2^62 cycles; expected a smaller product or a faster memory")  # fmt: skip


def _turn(graph: Graph, einsum: Einsum, gemm: Gemm, flow: str, where: Target) -> Turn:
    """Cycles of the array's clock, and energy, of the changes of layout that a dataflow needs."""
    if where.turner is None:
        return Turn()
    tensors, machine = {"a": gemm.a, "c": einsum.output}, where.machine
    names = [tensors[operand] for operand in turned(flow, graph.tensor[gemm.a].kind)]
    module = engine_module(where.turner)
    sizes = [(graph.elements(einsum, name), graph.tensor[name].bits) for name in names]
    cycles = sum(module.relayout_cycles(machine, where.turner, *size) for size in sizes)
    work = Work(graph, (), {}, machine, where.turner, "analytic", where.costs)
    energies = [module.relayout(work, einsum, name).energy for name in names] if cycles < 1 << 62 else []
    energy = sum(figure.value for figure in energies if figure) / einsum.repeat
    return Turn(-(-cycles * machine.clock_hz(where.engine.clock) // machine.clock_hz(where.turner.clock)), energy)


def tiling_of(found: Tiled) -> Tiling:
    """The tiling that was found, its loops in an order that is legal."""
    one, share = found.tiling, found.task.share
    flow = flow_of(one, 0)
    roles = ROLES[flow]
    tile = {rank: int(one.tile[role, 0]) for role, rank in enumerate(roles)}
    sizes = share.sizes
    single = {rank for rank in roles if tile[rank] == sizes[rank]}
    order = legal_order(tuple(roles[role] for role in one.order[:, 0]), single, flow, found.task.rules)
    return Tiling(sizes["m"], sizes["n"], sizes["k"], tile["m"], tile["n"], tile["k"], flow, order, found.task.requantise)  # type: ignore[arg-type]
