"""What the counts of a tree cost: words and energy of each level and tensor, cycles, and what bounds them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

from archmodel.engines.plain.counts import Count, Leaf, counts, points
from archmodel.engines.plain.legality import check, room, words
from archmodel.engines.plain.tree import Nest, nest_of
from archmodel.records.engines.plain import Level, Operation, Params
from archmodel.records.graph import Einsum, Graph
from archmodel.records.mapping import Node


@dataclass(frozen=True)
class Traffic:
    """Words of a tensor that all instances of a level give and take, and the busiest one of them, in one run of a tree."""

    level: str
    tensor: str
    reads: Fraction
    writes: Fraction
    busiest_reads: Fraction
    busiest_writes: Fraction


@dataclass(frozen=True)
class Cost:
    """One run of a tree on one copy of an engine.

    points   (Einsum, points computed), those computed again counted again
    steps    (Einsum, cycles of the busiest compute unit)
    moving   (level, cycles that its busiest instance moves words); of levels with a bandwidth
    room     (level, words that an instance holds at most at a time)
    cycles   not rounded up
    """

    traffic: tuple[Traffic, ...]
    points: tuple[tuple[str, int], ...]
    steps: tuple[tuple[str, Fraction], ...]
    moving: tuple[tuple[str, Fraction], ...]
    room: tuple[tuple[str, Fraction], ...]
    energy_by: tuple[tuple[str, Fraction], ...]
    cycles: Fraction

    @property
    def energy_pj(self) -> Fraction:
        return sum((pj for _, pj in self.energy_by), Fraction(0))

    @property
    def compute(self) -> Fraction:
        """Cycles in which the busiest compute unit computes."""
        return sum((cycles for _, cycles in self.steps), Fraction(0))


def operation_of(einsum: Einsum, params: Params) -> Operation:
    """What one point of an Einsum costs: as its operators say, else as a multiply-add."""
    operator = einsum.map if einsum.reduce == "none" else f"{einsum.map}+{einsum.reduce}"
    return next((known for known in params.operations if known.operator == operator), Operation(operator, params.mac_pj))


def cost_of(graph: Graph, tree: Node, params: Params) -> Cost:
    """What a tree costs.  Raises SpecError where it is not legal, naming what is too small or out of place."""
    nest = nest_of(graph, tree, params)
    check(graph, nest, params)
    traffic = _traffic(graph, nest, params)
    done = tuple((leaf.einsum.name, points(nest.scene, leaf).all()) for leaf in nest.leaves)
    steps = tuple((leaf.einsum.name, _steps(nest, leaf, params)) for leaf in nest.leaves)
    moving = tuple((level.name, _moving(level, traffic)) for level in params.levels if _bound(level))
    held = tuple((level.name, need) for level, need in zip(params.levels, room(graph, nest, params), strict=True))
    compute = sum((operation_of(leaf.einsum, params).pj * count for leaf, (_, count) in zip(nest.leaves, done, strict=True)), Fraction(0))
    energy = [(level.name, _level_pj(level, traffic)) for level in params.levels]
    return Cost(traffic, done, steps, moving, held, (*energy, ("mac", compute)), _cycles(params, steps, dict(moving)))


def _traffic(graph: Graph, nest: Nest, params: Params) -> tuple[Traffic, ...]:
    """Sums by level and tensor, outermost level first, tensors by name."""
    found: dict[tuple[int, str], list[Count]] = defaultdict(list)
    for count in counts(nest.scene, nest.stays, nest.leaves):
        found[count.level, count.tensor].append(count)
    levels = params.levels
    return tuple(_sum(levels[place], found[place, name], words(graph, name, levels[place])) for place, name in sorted(found))


def _sum(level: Level, parts: list[Count], each: Fraction) -> Traffic:
    return Traffic(
        level.name, parts[0].tensor, each * sum(part.reads for part in parts), each * sum(part.writes for part in parts),
        each * sum(part.busiest_reads for part in parts), each * sum(part.busiest_writes for part in parts),
    )  # fmt: skip


def _level_pj(level: Level, traffic: tuple[Traffic, ...]) -> Fraction:
    mine = [row for row in traffic if row.level == level.name]
    return sum((row.reads * level.read_pj + row.writes * level.write_pj for row in mine), Fraction(0))


def _steps(nest: Nest, leaf: Leaf, params: Params) -> Fraction:
    return points(nest.scene, leaf).busiest() * operation_of(leaf.einsum, params).cycles / params.macs_per_cycle


def _bound(level: Level) -> bool:
    return (level.bandwidth, level.read_bandwidth, level.write_bandwidth) != (None, None, None)


def _moving(level: Level, traffic: tuple[Traffic, ...]) -> Fraction:
    """Cycles in which the busiest instance of a level moves its words."""
    mine = [row for row in traffic if row.level == level.name]
    reads, writes = (sum((getattr(row, part) for row in mine), Fraction(0)) for part in ("busiest_reads", "busiest_writes"))
    rates = ((reads + writes, level.bandwidth), (reads, level.read_bandwidth), (writes, level.write_bandwidth))
    return max((amount / rate for amount, rate in rates if rate is not None), default=Fraction(0))


def _cycles(params: Params, steps: tuple[tuple[str, Fraction], ...], moving: dict[str, Fraction]) -> Fraction:
    """Levels move beside compute and beside each other, but for those of a single buffer, whose transfers add their time."""
    single = {level.name for level in params.levels if level.buffering == "single"}
    beside = [cycles for name, cycles in moving.items() if name not in single]
    after = (cycles for name, cycles in moving.items() if name in single)
    return max(sum((cycles for _, cycles in steps), Fraction(0)), *beside, Fraction(0)) + sum(after, Fraction(0))
