"""A tree's row of a result: time, bytes, energy and busy units from the branches that its Peels choose between."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from archmodel.engines import Unit, Work, engine_module
from archmodel.looptree.flow import check_order, edges
from archmodel.looptree.path import MOST_PEELS, Branch, branches, paths
from archmodel.looptree.timing import Placed, place, time_of
from archmodel.looptree.traffic import REGISTERS, Scene, moves
from archmodel.records.base import SpecError, shown
from archmodel.records.figure import Figure, by_cause
from archmodel.records.graph import Einsum
from archmodel.records.machine import Memory
from archmodel.records.mapping import Compute, Loop, Node, Peel, Storage, leaves, nodes
from archmodel.records.result import OpResult


@dataclass
class Counts:
    """What a run does, weighed over its branches."""

    cycles: Fraction = Fraction(0)
    drain: Fraction = Fraction(0)
    busy: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    """Cycles by unit and Einsum."""
    actions: dict[tuple[str, int], Fraction] = field(default_factory=dict)
    """By action and width in bits."""
    bits: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    """Read and written, by memory."""


def evaluate(work: Work) -> dict[str, OpResult]:
    """A row for each tree, by its first Einsum.  Raises SpecError for a tree that is not legal on the engine."""
    if work.fidelity != "analytic":
        raise SpecError(f"fidelity {work.fidelity}: {work.machine.name} counts as published, which is analytic alone; take analytic, or "
                        "convention hardware")  # fmt: skip
    has = getattr(engine_module(work.engine), "units", None)
    if has is None or work.engine.port is None:
        lacks, engine = "units" if has is None else "port", work.engine
        raise SpecError(f"machine {work.machine.name}: convention published, and engine {engine.name} ({engine.type}) has no {lacks}")
    units = {unit.name: unit for unit in has(work.machine, work.engine)}
    return {einsum.name: _row(work, einsum, work.trees[einsum.name], units) for einsum in work.einsums}


def _row(work: Work, first: Einsum, tree: Node, units: dict[str, Unit]) -> OpResult:
    mine = {end.einsum for end in leaves(tree)}
    einsums = {einsum.name: einsum for einsum in work.graph.einsums if einsum.name in mine}
    extents = _extents(einsums)
    if (peels := sum(isinstance(node, Peel) for node in nodes(tree))) > MOST_PEELS:
        raise SpecError(f"mapping of {first.name}: {peels} Peels in one tree, expected at most {MOST_PEELS}")
    if odd := [einsum for einsum in einsums.values() if einsum.repeat != first.repeat]:
        raise SpecError(f"mapping of {odd[0].name}: repeat is {odd[0].repeat}, and {first.repeat} in {first.name} fused with it")
    _check_nodes(work, tree, einsums, extents)
    counts = Counts()
    for branch in branches(tree, extents):
        _count(work, branch, einsums, units, extents, counts)
    time = time_of(work.graph, tree, list(paths(tree)), einsums, units, edges(work.graph, einsums), extents)
    counts.cycles, counts.drain = time.cycles, time.drain
    return _result(work, first, einsums, counts)


def _extents(einsums: dict[str, Einsum]) -> dict[str, int]:
    """Of all ranks of a tree.  Raises SpecError where fused Einsums don't agree on one, unless one of them takes but one step of it."""
    found: dict[str, int] = {}
    for einsum in einsums.values():
        for rank, extent in einsum.ranks:
            if extent != 1 != (known := found.get(rank, extent)) and known != extent:
                raise SpecError(f"mapping of {einsum.name}: rank {rank} is {extent}, and {known} in an Einsum fused with it")
            found[rank] = max(extent, found.get(rank, 1))
    return found


def _count(work: Work, branch: Branch, einsums: dict[str, Einsum], units: dict[str, Unit], extents: dict[str, int], counts: Counts) -> None:
    """Adds one branch, by its weight."""
    found = list(paths(branch.tree))
    at = {path[-1].einsum: path for path in found if isinstance(path[-1], Compute)}
    if len(at) < sum(isinstance(path[-1], Compute) for path in found):
        raise SpecError(f"mapping of {next(iter(at))}: an Einsum has two leaves, expected one, or a Peel between them")
    check_order(work.graph, einsums, at, extents)
    placed = {name: place(einsums[name], path, units, extents) for name, path in at.items()}
    waits = edges(work.graph, einsums)
    keeps = tuple(path for path in found if isinstance(path[-1], Storage))
    for item in placed.values():
        _sum(counts.busy, (item.unit.name, item.einsum.name), branch.weight * item.cycles)
        for action, times in item.unit.point_actions(item.einsum):
            bits = work.graph.tensor[item.einsum.output].bits
            _sum(counts.actions, (action, bits), branch.weight * times * item.einsum.volume)
        _count_registers(work, item, branch.weight, counts)
    for move in moves(Scene(work.graph, work.engine.port or "", placed, keeps, waits, extents)):
        bits = work.graph.tensor[move.tensor].bits
        _sum(counts.bits, (move.memory, "read"), branch.weight * move.read * bits)
        _sum(counts.bits, (move.memory, "write"), branch.weight * move.written * bits)


def _count_registers(work: Work, item: Placed, weight: Fraction, counts: Counts) -> None:
    """Those of one lane, whatever their number: operands are written and read, a sum is read and written for each point."""
    operands, einsum = len(item.einsum.inputs), item.einsum
    bits = work.graph.tensor[einsum.output].bits
    for action, times in (("register_read", operands + (einsum.reduce != "none")), ("register_write", operands + 1)):
        if work.costs.has("register_read", "pj"):
            _sum(counts.actions, (action, bits), weight * times * item.steps)


def _check_nodes(work: Work, tree: Node, einsums: dict[str, Einsum], extents: dict[str, int]) -> None:
    """Raises SpecError for a loop over a rank, or a storage node of a tensor or in a memory, that isn't there."""
    known = (REGISTERS, *(memory.name for memory in work.machine.memories))
    tensors = {tensor for einsum in einsums.values() for tensor in (*einsum.inputs, einsum.output)}
    for node in nodes(tree):
        if isinstance(node, Loop) and node.rank not in extents:
            raise SpecError(f"mapping: a loop over {shown(node.rank)}, expected a rank of its Einsums: {', '.join(sorted(extents))}")
        if isinstance(node, Storage) and node.tensor not in tensors:
            raise SpecError(f"mapping: {shown(node.tensor)} stays in {node.level}, expected a tensor of its Einsums")
        if isinstance(node, Storage) and node.level not in known:
            raise SpecError(f"mapping: {node.tensor} stays in {shown(node.level)}, expected one of {', '.join(known)}")


def _sum(into: dict, key: object, amount: Fraction) -> None:  # type: ignore[type-arg]
    into[key] = into.get(key, Fraction(0)) + amount


def _result(work: Work, first: Einsum, einsums: dict[str, Einsum], counts: Counts) -> OpResult:
    hz, repeat = work.machine.clock_hz(work.engine.clock), first.repeat
    copies = Fraction(repeat, work.engine.count)
    moving = {memory: _moving(work.machine.memory(memory), counts, hz) * repeat for memory in _memories(counts)}
    compute = math.ceil(counts.cycles * copies)
    cycles = max([compute, *map(math.ceil, moving.values())])
    drain = int(counts.drain * copies)
    by_unit: dict[str, Fraction] = {}
    for (unit, _), amount in counts.busy.items():
        _sum(by_unit, unit, amount)
    slowest = max(moving, key=lambda name: moving[name], default="")
    busiest = max(by_unit, key=lambda name: by_unit[name])
    return OpResult(
        first.name, first.group, work.engine.name, hz, cycles, sum(e.work * e.repeat for e in einsums.values() if e.is_gemm),
        tuple((memory, -(-int(_bits(counts, memory) * repeat) // 8)) for memory in _memories(counts)),
        float(by_unit[busiest] * copies), slowest if cycles > compute else busiest if drain * 2 < cycles else "drain", "closed form",
        (("compute", compute - drain), ("drain", drain), ("memory", cycles - compute)), _energy(work, counts, repeat), repeat,
        min(cycles, math.ceil(moving.get(work.engine.port or "", 0))),
        tuple((unit, einsum, round(amount * copies)) for (unit, einsum), amount in counts.busy.items()),
    )  # fmt: skip


def _memories(counts: Counts) -> list[str]:
    return [name for name in dict.fromkeys(memory for memory, _ in counts.bits) if name != REGISTERS]


def _bits(counts: Counts, memory: str) -> Fraction:
    return counts.bits[memory, "read"] + counts.bits[memory, "write"]


def _moving(memory: Memory, counts: Counts, hz: int) -> Fraction:
    """Cycles in which a memory moves its bytes; none where it has no bandwidth."""
    rate = memory.bandwidth_bytes_per_second
    return _bits(counts, memory.name) * hz / (8 * rate) if rate else Fraction(0)


def _energy(work: Work, counts: Counts, repeat: int) -> tuple[tuple[str, Figure], ...]:
    """Picojoules by action and by memory; none where the cost table has no row for an operation, as a part is no whole."""
    if not all(work.costs.prices(action) for action, _ in counts.actions):
        return ()
    node, costs = work.machine.node_nm, work.costs
    rows = [(action, costs.energy_pj(action, bits, node), float(times * repeat)) for (action, bits), times in counts.actions.items()]
    for name in _memories(counts):
        memory = work.machine.memory(name)
        for way in ("read", "write"):
            kind = "sram" if memory.technology == "sram" else "dram"
            size = memory.size_bytes if kind == "sram" else None
            technology = None if kind == "sram" else memory.technology
            figure = costs.energy_pj(f"{kind}_{way}", 1, node, size_bytes=size, technology=technology)
            rows.append((f"{name} {way}", figure, float(counts.bits[name, way] * repeat)))
    return by_cause(rows)
