"""Plan: a whole mapping of an Einsum in numbers, or many that share an order; what it costs exactly, and its tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from archmodel.engines.plain.counts import Cut, Leaf, Scene, Stay, counts, points
from archmodel.records.mapping import Compute, Loop, Node, Storage

from .orders import Order
from .problem import Problem

Amount = Any
"""A whole number, or an array of them."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A level, or compute, with what is above it since the level outside.

    sizes  of each choice of the order
    above  of each rank, the tile of the loop in time over what is spread
    tiles  [axis][rank], what each spatial loop leaves
    """

    order: Order
    sizes: tuple[Amount, ...]
    above: tuple[Amount, ...]
    tiles: tuple[tuple[Amount, ...], ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """``layers`` of the levels from the first below home to compute."""

    problem: Problem
    layers: tuple[Layer, ...]

    def __getitem__(self, which: Any) -> Plan:
        """Some of many, or one."""
        def at(size: Amount) -> Amount:
            return int(size[which]) if isinstance(which, int) else size[which]

        return Plan(self.problem, tuple(
            Layer(layer.order, tuple(map(at, layer.sizes)), tuple(map(at, layer.above)),
                  tuple(tuple(map(at, tiles)) for tiles in layer.tiles)) for layer in self.layers))  # fmt: skip

    def steps(self) -> Iterator[Cut | tuple[int, int]]:
        """Loops and storage nodes (operand, level), outermost first."""
        names, levels = [rank.name for rank in self.problem.ranks], self.problem.params.levels
        for level, layer in enumerate(self.layers, 1):
            if levels[level - 1].axes:
                yield from (Cut(name, tile) for name, tile in zip(names, layer.above, strict=True))
                for axis, tiles in zip(levels[level - 1].axes, layer.tiles, strict=True):
                    yield from (Cut(name, tile, axis.name) for name, tile in zip(names, tiles, strict=True))
            for place, node in enumerate(layer.order.nodes):
                for choice, size in zip(layer.order.choices, layer.sizes, strict=True):
                    if choice.start == place and not (choice.uncut and place == 0):
                        yield Cut(names[choice.rank], size)
                yield node, level

    def cost(self) -> tuple[Amount, Amount]:
        """Energy in pJ and cycles, rounded up: exact for one mapping, in floats for arrays."""
        problem, levels = self.problem, self.problem.params.levels
        scene, stays, leaf = self._counted()
        bits = {operand.name: operand.bits for operand in problem.operands}
        whole = isinstance(self.layers[-1].above[0], int)

        def rate(value: Fraction) -> Amount:
            return value if whole else float(value)

        energy: Amount = rate(problem.points * problem.point_pj)
        moved: list[list[Amount]] = [[0, 0] for _ in levels]
        for count in counts(scene, stays, [leaf]):
            level = levels[count.level]
            words = Fraction(bits[count.tensor], level.word_bits)
            energy = energy + problem.repeat * (count.reads * rate(words * level.read_pj) + count.writes * rate(words * level.write_pj))
            reads, writes = moved[count.level]
            moved[count.level] = [reads + problem.repeat * count.busiest_reads * rate(words),
                                  writes + problem.repeat * count.busiest_writes * rate(words)]  # fmt: skip
        busiest = points(scene, leaf).busiest()
        return energy, self._cycles(problem.repeat * busiest * rate(problem.point_cycles), moved)

    def _cycles(self, cycles: Amount, moved: list[list[Amount]]) -> Amount:
        after: Amount = 0
        for level, (reads, writes) in zip(self.problem.params.levels, moved, strict=True):
            rates = ((reads + writes, level.bandwidth), (reads, level.read_bandwidth), (writes, level.write_bandwidth))
            times = [amount * _times(1 / rate, amount) for amount, rate in rates if rate is not None]
            if level.buffering == "single" and times:
                after = after + _most(times)
            else:
                cycles = _most([cycles, *times])
        total = cycles + after
        return np.ceil(total * (1 - 1e-13)) if isinstance(total, np.ndarray) else ceil(total)

    def _counted(self) -> tuple[Scene, list[Stay], Leaf]:
        problem = self.problem
        alone = frozenset((name, operand.name) for name, (_, axis) in problem.params.axis.items() for operand in problem.operands
                          if {operand.name, operand.kind} & set(axis.unicast))  # fmt: skip
        ranks = {operand.name: operand.ranks for operand in problem.operands}
        scene = Scene(problem.extents, ranks, frozenset({problem.result.name}), alone)
        cuts = tuple(Cut(rank.name, tile) for rank in problem.ranks for tile in rank.above)
        at = {operand.name: Stay(operand.name, operand.home, cuts) for operand in problem.operands if operand.home}
        shared, stays = tuple(at.values()), []
        for step in self.steps():
            if isinstance(step, Cut):
                cuts = (*cuts, step)
            else:
                name = problem.operands[step[0]].name
                stays.append(Stay(name, step[1], cuts, at.get(name)))
                at[name] = stays[-1]
        return scene, stays, Leaf(problem.einsum, cuts, (*shared, *stays))

    def tree(self) -> Node:
        """As a mapping's tree: below the shared part, if there is one.  Loops of one iteration are left out.

        What an Einsum reads of its own result, as a running sum does, stays where the first of both begins to.
        """
        problem = self.problem
        left = {rank.name: rank.left for rank in problem.ranks}
        kept: list[Cut | tuple[int, int]] = []
        stays: set[tuple[str, int]] = set()
        for step in self.steps():
            if not isinstance(step, Cut):
                name = problem.operands[step[0]].name
                kept += [] if (name, step[1]) in stays else [step]
                stays.add((name, step[1]))
            elif step.tile < left[step.rank]:
                left[step.rank] = int(step.tile)
                kept.append(step)
        node: Node = Compute(problem.einsum.name, problem.engine)
        for step in reversed(kept):
            if isinstance(step, Cut):
                node = Loop(step.rank, int(step.tile), node, step.axis)
            else:
                node = Storage(problem.operands[step[0]].name, problem.params.levels[step[1]].name, node)
        return node


def _times(rate: Fraction, amount: Amount) -> Amount:
    """A factor for a count: exact for a number, a float for an array."""
    return float(rate) if isinstance(amount, np.ndarray | np.generic) else rate


def _most(times: list[Amount]) -> Amount:
    found = times[0]
    for time in times[1:]:
        found = np.maximum(found, time) if isinstance(found, np.ndarray) or isinstance(time, np.ndarray) else max(found, time)
    return found
