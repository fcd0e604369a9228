"""How long a tree takes: the busy cycles of its units, what waits for what, and the drains that nothing hides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

from archmodel.engines import Unit
from archmodel.looptree.flow import Edge, parting
from archmodel.looptree.path import Path, iterations, share, side_by_side, steps_of_leaf, under
from archmodel.records.base import SpecError
from archmodel.records.graph import Einsum, Graph
from archmodel.records.mapping import Compute, Loop, Node, Parallel, Peel, below
from archmodel.records.mapping import Sequence as InTurn

ROWS, COLS = "rows", "cols"
"""The axes of a unit that a loop may be spatial over."""


@dataclass(frozen=True)
class Placed:
    """An Einsum of a tree: where its leaf is, what computes it, and the share of its points that does so there."""

    einsum: Einsum
    path: Path
    unit: Unit
    weight: Fraction = Fraction(1)

    @property
    def lag(self) -> int:
        end = self.path[-1]
        assert isinstance(end, Compute)
        return end.lag

    @property
    def steps(self) -> Fraction:
        """Points that a lane computes."""
        return self.weight * steps_of_leaf(self.path, self.einsum.ranks)

    @property
    def cycles(self) -> Fraction:
        """Of its unit, for all of the leaf's points."""
        return self.steps * (self.unit.point_cycles(self.einsum) or Fraction(0))


@dataclass(frozen=True)
class Time:
    """``cycles`` in all, ``drain`` of them waiting for sums on their way out of an array; ``busy`` by unit."""

    cycles: Fraction = Fraction(0)
    drain: Fraction = Fraction(0)
    busy: dict[str, Fraction] = field(default_factory=dict)


def place(einsum: Einsum, path: Path, units: dict[str, Unit], extents: dict[str, int]) -> Placed:
    """Raises SpecError for a unit that isn't there, or has fewer rows or columns than the tree puts side by side."""
    end = path[-1]
    assert isinstance(end, Compute)
    name = next(iter(units)) if not end.unit and len(units) == 1 else end.unit
    if name not in units:
        raise SpecError(f"mapping of {einsum.name}: no unit {name!r} in {end.engine} (it has: {', '.join(units)})")
    unit = units[name]
    if unit.point_cycles(einsum) is None:
        raise SpecError(f"mapping of {einsum.name}: unit {unit.name} does no {einsum.map} with {einsum.reduce} (it has: "
                        f"{', '.join(operator for operator, _ in unit.rates)})")  # fmt: skip
    for loop in path:
        if isinstance(loop, Loop) and loop.spatial not in ("", ROWS, COLS):
            raise SpecError(f"mapping of {einsum.name}: a loop over {loop.spatial!r}, expected {ROWS} or {COLS} of a unit")
    for axis in (ROWS, COLS):
        wide = side_by_side(path, einsum.ranks, axis)
        if wide > getattr(unit, axis):
            raise SpecError(f"mapping of {einsum.name}: {wide} side by side on the {axis} of unit {unit.name}, which has "
                            f"{getattr(unit, axis)}")  # fmt: skip
    return Placed(einsum, path, unit, share(path, extents))


def time_of(graph: Graph, tree: Node, found: Sequence[Path], einsums: dict[str, Einsum], units: dict[str, Unit], waits: tuple[Edge, ...],
            extents: dict[str, int]) -> Time:  # fmt: skip
    """Of a whole run.  One after another adds up; side by side takes as long as the longest, or the busiest unit, over the run.

    The shares of a Peel are side by side: neither waits for the other.
    """
    placed: dict[str, list[Placed]] = {}
    for path in found:
        if isinstance(path[-1], Compute):
            placed.setdefault(path[-1].einsum, []).append(place(einsums[path[-1].einsum], path, units, extents))
    return _time((tree,), _Run(graph, placed, waits, extents))


@dataclass(frozen=True)
class _Run:
    graph: Graph
    placed: dict[str, list[Placed]]
    waits: tuple[Edge, ...]
    extents: dict[str, int]


def _time(path: Path, run: _Run) -> Time:
    node = path[-1]
    if isinstance(node, Compute):
        mine = next(item for item in run.placed[node.einsum] if under(item.path, path))
        return Time(mine.cycles, Fraction(0), {mine.unit.name: mine.cycles})
    parts = [_time((*path, body), run) for body in below(node)]
    busy: dict[str, Fraction] = {}
    for part in parts:
        for unit, cycles in part.busy.items():
            busy[unit] = busy.get(unit, Fraction(0)) + cycles
    if isinstance(node, Parallel | Peel):
        longest = max(parts, key=lambda part: part.cycles)
        return Time(max(longest.cycles, *busy.values()), longest.drain, busy)
    drain = _drain(path, node, run) if isinstance(node, InTurn) else Fraction(0)
    return Time(sum((part.cycles for part in parts), drain), sum((part.drain for part in parts), drain), busy)


def _drain(path: Path, node: InTurn, run: _Run) -> Fraction:
    """Cycles between the bodies of a Sequence in which sums leave an array for a reader of the same tile."""
    exposed: dict[int, Fraction] = {}
    order = [id(body) for body in node.bodies]
    for edge in run.waits:
        for writer, reader in product(run.placed[edge.writer], run.placed[edge.reader]):
            where = parting(writer.path, reader.path)
            if writer.path[where] is not node or edge.carried or not _sums_rows(run.graph, writer):
                continue
            first, last = (order.index(id(item.path[where + 1])) for item in (writer, reader))
            if first < last and writer.lag == reader.lag:
                waiting = min(writer.weight, reader.weight) * writer.unit.rows
                exposed[last] = max(exposed.get(last, Fraction(0)), waiting)
    return sum(exposed.values(), Fraction(0)) * iterations(path, run.extents)


def _sums_rows(graph: Graph, item: Placed) -> bool:
    """Whether an Einsum reduces a rank over the rows of its unit."""
    kept, own = graph.tensor[item.einsum.output].ranks, dict(item.einsum.ranks)
    return any(isinstance(loop, Loop) and loop.spatial == ROWS and loop.rank in own and loop.rank not in kept for loop in item.path)
