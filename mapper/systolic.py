"""Search on the systolic engine: for one GEMM, the mapping with the fewest cycles, then the least energy, proved so."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from archmodel.cost import Costs, default_costs
from archmodel.engines import engine_module, relayouter
from archmodel.engines.systolic import hardware_of, price
from archmodel.engines.systolic.closed_form import Batch
from archmodel.engines.systolic.energy import Tariff, energy_pj, tariff
from archmodel.engines.systolic.tiling import ROLES, Tiling, may_overflow, overflow_text, quantum
from archmodel.engines.systolic.tree import layouts, slice_size, to_tree, turned
from archmodel.memory.port import Port, port_of
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import SUM_BITS, Hardware
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Gemm, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Relayout

from .found import Found
from .space import floor, grid, in_every_order, least, lower_bound, order_count

SEEDS = 12
"""Tilings of the lowest floor that are priced in every order first, for a best that prunes the rest."""
FIRST = 64
"""Candidates priced exactly in the first round, in order of their lower bound; each round doubles."""


@dataclass(frozen=True)
class Choice:
    """The best mapping of one GEMM: ``cycles`` of all its rounds on the busiest copy, changes of layout included."""

    tiling: Tiling
    split: str
    cycles: int
    energy: float
    space: int
    evaluated: int
    relayouts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A systolic engine with all that pricing on it needs; ``turner`` changes layouts, if one can."""

    machine: Machine
    engine: Engine
    hardware: Hardware
    port: Port
    prices: Tariff
    turner: Engine | None


def target(machine: Machine, engine: Engine, costs: Costs | None = None) -> Target:
    hardware = hardware_of(machine, engine)
    prices = tariff(machine, engine, hardware, costs or default_costs())
    return Target(machine, engine, hardware, port_of(machine, engine), prices, relayouter(machine))


class Searcher:
    """Searches each distinct operator once; ``at`` is the first byte that no operand lies in yet."""

    def __init__(self, machine: Machine, engine: Engine, costs: Costs, goal: Goal) -> None:
        self.where = target(machine, engine, costs)
        self.known: dict[tuple[object, ...], Choice] = {}
        self.at = 0

    def __call__(self, graph: Graph, einsum: Einsum) -> Found:
        """The best mapping of ``einsum``.  Raises SpecError when no tile of it fits the buffers."""
        gemm, engine = graph.gemm(einsum), self.where.engine
        operands = tuple(graph.tensor[t] for t in (gemm.a, gemm.b, einsum.output))
        key = (gemm.batch, gemm.m, gemm.n, gemm.k, *((t.bits, t.kind) for t in operands))
        if key not in self.known:
            self.known[key] = choose(graph, einsum, gemm, self.where)
        choice = self.known[key]
        placed, self.at = layouts(graph, einsum, engine, choice.tiling.flow, self.at)
        names = {"a": gemm.a, "c": einsum.output}
        turner = self.where.turner.name if self.where.turner else ""
        turns = tuple(Relayout(einsum.name, names[operand], turner) for operand in choice.relayouts)
        tree = to_tree(graph, einsum, engine, choice.tiling, choice.split)
        return Found(tree, placed, turns, choice.cycles * einsum.repeat, choice.space, choice.evaluated)


def choose(graph: Graph, einsum: Einsum, gemm: Gemm, where: Target) -> Choice:
    """The best mapping of one GEMM over all splits and, within each, over the mapspace."""
    hardware, copies = where.hardware, where.engine.count
    if may_overflow(gemm.k, hardware) and where.engine.params.overflow == "refuse":
        raise SpecError(f"einsum {einsum.name}: {overflow_text(gemm.k, hardware)}")
    _refuse_endless(einsum, gemm, where)
    requantise = graph.tensor[einsum.output].bits < SUM_BITS
    kind = graph.tensor[gemm.a].kind
    able = tuple(flow for flow in hardware.dataflows if where.turner or not turned(flow, kind))
    if not able:
        raise SpecError(f"einsum {einsum.name}: dataflow {', '.join(hardware.dataflows)} needs its operands in another layout, and no "
                        f"engine of {where.machine.name} changes layouts; add a vector engine or dataflow ws")  # fmt: skip
    turns = {flow: _turn_cycles(graph, einsum, gemm, flow, where) for flow in able}
    if max(turns.values()) >= 1 << 62:
        raise _endless(einsum, gemm, where)
    hardware = replace(hardware, dataflows=able)
    best: Choice | None = None
    size = evaluated = 0
    for split in _splits(gemm, copies):
        sizes = {rank: getattr(gemm, rank) for rank in "mnk"}
        if split in sizes:
            grain = max(quantum(flow, split, hardware) for flow in hardware.dataflows)
            sizes[split] = slice_size(sizes[split], copies, grain)
        rounds = -(-gemm.batch // copies) if split == "batch" else gemm.batch
        if best and least(sizes, requantise, hardware, where.port) * rounds > best.cycles:
            continue
        work = grid(sizes, requantise, hardware)
        found = cheapest(work, where, rounds, turns, best.cycles if best else None)
        size, evaluated = size + int(order_count(work).sum()), evaluated + found.evaluated
        if found.mapping and (best is None or (found.cycles, found.energy) < (best.cycles, best.energy)):
            best = _choice(found, sizes, split, requantise)
    if best is None:
        raise SpecError(f"einsum {einsum.name}: no tile of it fits the buffers of engine {where.engine.name}; enlarge its buffer")
    return Choice(best.tiling, best.split, best.cycles, best.energy, size, evaluated, turned(best.tiling.flow, kind))


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


def _splits(gemm: Gemm, copies: int) -> tuple[str, ...]:
    if copies == 1:
        return ("",)
    return ("n", "m", "batch") if gemm.batch > 1 else ("n", "m")


def _turn_cycles(graph: Graph, einsum: Einsum, gemm: Gemm, flow: str, where: Target) -> int:
    """Cycles of the array's clock that the changes of layout of a dataflow take."""
    if where.turner is None:
        return 0
    tensors = {"a": gemm.a, "c": einsum.output}
    sizes = [(graph.elements(einsum, tensors[name]), graph.tensor[tensors[name]].bits)
             for name in turned(flow, graph.tensor[gemm.a].kind)]  # fmt: skip
    module, machine = engine_module(where.turner), where.machine
    cycles = sum(module.relayout_cycles(machine, where.turner, *size) for size in sizes)
    return -(-cycles * machine.clock_hz(where.engine.clock) // machine.clock_hz(where.turner.clock))


@dataclass(frozen=True)
class Cheapest:
    mapping: Batch | None
    """A batch of one."""
    cycles: int
    energy: float
    evaluated: int


def cheapest(work: Batch, where: Target, rounds: int, turns: dict[str, int], limit: int | None = None) -> Cheapest:
    """The mapping of the tilings ``work``, in any order, with the fewest cycles, then the least energy, then the first.

    Those whose lower bound exceeds the best found, or ``limit``, are not priced: they cannot be cheaper.
    """
    best = Cheapest(None, limit if limit is not None else np.iinfo(np.int64).max, np.inf, 0)
    floors = floor(work, where.hardware, where.port) * rounds + _extra(work, turns)
    ranked = np.argsort(floors, kind="stable")
    for part in (ranked[:SEEDS], ranked[SEEDS:]):
        part = part[floors[part] <= best.cycles]
        if len(part):
            best = _cheaper(in_every_order(work[part]), where, rounds, turns, best)
    return best


def _extra(work: Batch, turns: dict[str, int]) -> np.ndarray:
    """Cycles of changes of layout."""
    return np.where(work.output, turns.get("os", 0), np.where(work.n_is_i, turns.get("is", 0), turns.get("ws", 0)))


def _cheaper(work: Batch, where: Target, rounds: int, turns: dict[str, int], best: Cheapest) -> Cheapest:
    """The better of ``best`` and the best of ``work``, priced in order of lower bounds until these exceed it."""
    extra = _extra(work, turns)
    bound = lower_bound(work, where.hardware, where.port) * rounds + extra
    order = np.argsort(bound, kind="stable")
    order = order[bound[order] <= best.cycles]
    at, count = 0, FIRST
    while at < len(order) and bound[order[at]] <= best.cycles:
        chosen = order[at : at + count]
        cost = price(work[chosen], where.hardware, where.port)
        cycles = cost.cycles * rounds + extra[chosen]
        energy = energy_pj(cost, where.hardware, where.prices) * rounds
        first = np.lexsort((chosen, energy, cycles))[0]
        if (cycles[first], energy[first]) < (best.cycles, best.energy):
            best = replace(best, mapping=work[chosen[first : first + 1]], cycles=int(cycles[first]), energy=float(energy[first]))
        at, count = at + len(chosen), count * 2
    return replace(best, evaluated=best.evaluated + at)


def _choice(found: Cheapest, sizes: dict[str, int], split: str, requantise: bool) -> Choice:
    assert found.mapping is not None
    one = found.mapping
    flow = "os" if one.output[0] else "is" if one.n_is_i[0] else "ws"
    roles = ROLES[flow]
    tile = {rank: int(one.tile[role, 0]) for role, rank in enumerate(roles)}
    order = tuple(roles[role] for role in one.order[:, 0])
    tiling = Tiling(sizes["m"], sizes["n"], sizes["k"], tile["m"], tile["n"], tile["k"], flow, order, requantise)  # type: ignore[arg-type]
    return Choice(tiling, split, found.cycles, found.energy, 0, 0)
