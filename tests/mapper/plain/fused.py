"""Every mapping of a small graph on a plain engine, fused ones too: the groups, their shared paths, and the bodies under each.

A group of several Einsums has one shared path: loops in time over any ranks that all of it may be cut along, one of each above each
node and above the sequence of its bodies, and nodes at the first level below home: one for each intermediate, one at most for any
other tensor.  A body is a mapping of its Einsum, whose tensors come from those nodes or from home.  Costs that are beaten in every column
are dropped only once they are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations, permutations
from math import ceil, lcm, prod

import numpy as np

from archmodel.records.engines.plain import Params
from archmodel.records.graph import Einsum, Graph

from .chains import Chains, Ints, chains
from .enumerate import Job, job, may_hold, operation, prices, row_cycles, rows

Cost = tuple[Fraction, int]
"""Energy and cycles, those of each tree rounded up."""


def costs(graph: Graph, params: Params, perfect: bool = False, alone: bool = False) -> set[Cost]:
    """Energy and cycles of mappings of the whole graph, all but those that another one beats; ``alone``: of one Einsum a tree."""
    found: set[Cost] = set()
    for groups in partitions(graph):
        if alone and len(groups) < len(graph.einsums):
            continue
        sums: set[Cost] = {(Fraction(0), 0)}
        for group in groups:
            mine = Group(graph, group, params, perfect).costs()
            sums = undominated({(energy + more, cycles + longer) for energy, cycles in sums for more, longer in mine})
        found = undominated(found | sums)
    return found


def undominated(found: set[Cost]) -> set[Cost]:
    kept: set[Cost] = set()
    fewest = None
    for energy, cycles in sorted(found):
        if fewest is None or cycles < fewest:
            kept.add((energy, cycles))
            fewest = cycles
    return kept


# --- Groups ---------------------------------------------------------------------------------------------------------


def partitions(graph: Graph) -> Iterator[tuple[tuple[Einsum, ...], ...]]:
    """Every way to part the Einsums into groups that one tree each can compute, one after another."""
    for groups in _partitions(graph.einsums):
        if all(_connected(group) for group in groups) and _orderable(groups):
            yield groups


def _partitions(einsums: tuple[Einsum, ...]) -> Iterator[tuple[tuple[Einsum, ...], ...]]:
    if not einsums:
        yield ()
        return
    first, rest = einsums[0], einsums[1:]
    for size in range(len(rest) + 1):
        for chosen in combinations(rest, size):
            for groups in _partitions(tuple(einsum for einsum in rest if einsum not in chosen)):
                yield ((first, *chosen), *groups)


def _connected(group: tuple[Einsum, ...]) -> bool:
    reached, waiting = {group[0].name}, [group[0]]
    while waiting:
        one = waiting.pop()
        for other in group:
            if other.name not in reached and (one.output in other.inputs or other.output in one.inputs):
                reached.add(other.name)
                waiting.append(other)
    return len(reached) == len(group)


def _orderable(groups: tuple[tuple[Einsum, ...], ...]) -> bool:
    """Whether no group waits, through others, for itself."""
    left = list(groups)
    while left:
        outputs = {einsum.output for group in left for einsum in group}
        ready = [group for group in left if not {name for e in group for name in e.inputs} & (outputs - {e.output for e in group})]
        if not ready:
            return False
        left.remove(ready[0])
    return True


class Group:
    """Einsums that share a tree, in the order of their bodies; or one by itself."""

    def __init__(self, graph: Graph, group: tuple[Einsum, ...], params: Params, perfect: bool) -> None:
        self.graph, self.group, self.params, self.perfect = graph, group, params, perfect
        self.scale = prices(graph, params)
        self.sizes = {rank: extent for einsum in group for rank, extent in einsum.ranks}
        self.tensors = tuple(dict.fromkeys(name for einsum in group for name in (*einsum.inputs, einsum.output)))
        read = {name for einsum in group for name in einsum.inputs}
        self.passed = tuple(einsum.output for einsum in group if einsum.output in read)
        elsewhere = {name for einsum in graph.einsums if einsum not in group for name in einsum.inputs}
        ends = {einsum.output for einsum in group if einsum.output not in read}
        caches = {name for name in self.passed if graph.tensor[name].kind == "kv"}
        self.leaving = ends | caches | (set(self.passed) & elsewhere)
        self.tables: dict[object, Ints] = {}
        self.finals: dict[str, list[tuple[int, ...]]] = {rank: [] for rank in self.sizes}

    def costs(self) -> set[Cost]:
        """All but what is beaten."""
        if len(self.group) == 1:
            found = _computed(rows(job(self.graph, self.group[0], self.params, self.perfect), self.scale), self.each[self.group[0].name])
        else:
            found = self._fused()
        return undominated({self._cost(row) for row in found})

    def _cost(self, row: Ints) -> Cost:
        return Fraction(int(row[0]), self.scale.energy), ceil(row_cycles(row, self.scale, Fraction(int(row[1]), self.ticks)))

    @cached_property
    def ticks(self) -> int:
        """By what cycles of compute are multiplied to be whole."""
        return lcm(*((operation(einsum, self.params)[0] / self.params.macs_per_cycle).denominator for einsum in self.group))

    @cached_property
    def each(self) -> dict[str, int]:
        """Cycles of a step of each Einsum, so multiplied."""
        return {einsum.name: int(operation(einsum, self.params)[0] / self.params.macs_per_cycle * self.ticks) for einsum in self.group}

    # --- The shared path ---

    def cuttable(self, rank: str) -> bool:
        """Whether the shared path may cut a rank: no sum that is passed on stays open, what leaves is made once."""
        for einsum in self.group:
            own = rank in self.graph.tensor[einsum.output].ranks
            has = rank in dict(einsum.ranks)
            if (einsum.output in self.passed and has and not own) or (einsum.output in self.leaving and not has):
                return False
        return True

    def _fused(self) -> Ints:
        level = self.params.levels[1]
        found = np.zeros((0, self.scale.columns), dtype=np.int64)
        if not all(may_hold(self.graph, level, name) for name in self.passed):
            return found
        others = [name for name in self.tensors if name not in self.passed and may_hold(self.graph, level, name)]
        for count in range(len(others) + 1):
            for chosen in combinations(others, count):
                homes = frozenset((*self.passed, *chosen))
                found = front(np.concatenate((found, self._joined(homes))))
        return found

    def _joined(self, homes: frozenset[str]) -> Ints:
        """With these tensors on the shared path: every order, every tile, and under each the bodies."""
        ranks = len(self.sizes)
        shared = np.unique(np.concatenate([self._paths(order) for order in permutations(sorted(homes))]), axis=0)
        alike, group = np.unique(shared[:, :ranks], axis=0, return_inverse=True)
        found = [np.zeros((0, self.scale.columns), dtype=np.int64)]
        for place, ids in enumerate(alike):
            left = {rank: self.finals[rank][at] for rank, at in zip(self.sizes, ids, strict=True)}
            found += [self._bodies(homes, left, row) for row in front(shared[group.ravel() == place][:, ranks:])]
        return front(np.concatenate(found))

    def _paths(self, order: tuple[str, ...]) -> Ints:
        """Each shared path: what it leaves of each rank (by its place in ``finals``), words while each body runs, energy, words moved."""
        kinds = ("",) * (len(order) + 1)
        cuttable = {rank: self.cuttable(rank) for rank in self.sizes}
        cut = {rank: chains((extent,), kinds if cuttable[rank] else (), self.perfect) for rank, extent in self.sizes.items()}
        views = [_views(self.finals[rank], mine, len(order), cuttable[rank]) for rank, mine in cut.items()]
        grid = np.indices([len(view) for view in views]).reshape(len(views), -1)
        picked = {rank: view[at] for rank, view, at in zip(self.sizes, views, grid, strict=True)}
        visits = {rank: view[:, 1 : len(order) + 2] for rank, view in picked.items()}
        largest = {rank: view[:, len(order) + 2 :] for rank, view in picked.items()}
        ids = np.stack([view[:, 0] for view in picked.values()], axis=1)
        return np.concatenate((ids, self._nodes(order, visits, largest)), axis=1)

    def _nodes(self, order: tuple[str, ...], visits: dict[str, Ints], largest: dict[str, Ints]) -> Ints:
        paths = len(next(iter(visits.values())))
        live = np.zeros((paths, len(self.group)), dtype=np.int64)
        row = np.zeros((paths, self.scale.columns), dtype=np.int64)
        for place, name in enumerate(order):
            looped = np.any([counts[:, place] != counts[:, -1] for counts in visits.values()], axis=0)
            using = [index for index, einsum in enumerate(self.group) if name in (*einsum.inputs, einsum.output)]
            words = self._words(name, 1) * prod(largest[rank][:, place] for rank in self.graph.tensor[name].ranks)
            words = words * (2 if self.params.levels[1].buffering == "double" else 1)
            for index in range(len(self.group)):
                live[:, index] += words * (looped | (using[0] <= index <= using[-1]))
            others = [rank for rank in self.sizes if rank not in self.graph.tensor[name].ranks]
            self._fill(name, prod((visits[rank][:, place] for rank in others), start=np.ones(paths, dtype=np.int64)), row)
        return np.concatenate((live, row[:, :1], row[:, 3:]), axis=1)

    def _words(self, name: str, place: int) -> int:
        return int(Fraction(self.graph.tensor[name].bits, self.params.levels[place].word_bits) * self.scale.words)

    def _fill(self, name: str, times: Ints, row: Ints) -> None:
        """A node's traffic with home, ``times`` over."""
        writer = next((einsum for einsum in self.group if einsum.output == name), None)
        if writer is None:
            self._charge(name, times, 0, row)
        elif name in self.leaving:
            self._charge(name, times, 1, row)
            if writer.reduce != "none":
                self._charge(name, times - 1, 0, row)

    def _charge(self, name: str, times: Ints, source: int, row: Ints) -> None:
        """``times`` moves from level ``source`` (0 or 1) to the other one."""
        elements = prod(self.sizes[rank] for rank in self.graph.tensor[name].ranks)
        for place, side in ((source, "read"), (1 - source, "write")):
            level = self.params.levels[place]
            words = self._words(name, place) * elements
            row[:, 0] += int(words * (level.read_pj if side == "read" else level.write_pj) * self.scale.energy / self.scale.words) * times
            if (column := self.scale.column(level, side)) is not None:
                row[:, column] += words * times

    # --- Bodies ---

    def _bodies(self, homes: frozenset[str], left: dict[str, tuple[int, ...]], shared: Ints) -> Ints:
        room = self.params.levels[1].words
        total = np.concatenate(([shared[len(self.group)]], [0, 0], shared[len(self.group) + 1 :]))[None, :]
        for index, einsum in enumerate(self.group):
            table = self._table(einsum, homes, left)
            if room is not None:
                table = table[table[:, 2] <= room * self.scale.words - shared[index]]
            table = table.copy()
            table[:, 2] = 0
            table = front(table * prod(len(left[rank]) for rank in left if rank not in dict(einsum.ranks)))
            total = front((total[:, None, :] + table[None, :, :]).reshape(-1, total.shape[1]))
        return total

    def _table(self, einsum: Einsum, homes: frozenset[str], left: dict[str, tuple[int, ...]]) -> Ints:
        mine = {rank: left[rank] for rank, _ in einsum.ranks}
        used = homes & {*einsum.inputs, einsum.output}
        key = (einsum.name, used, tuple(mine.values()))
        if key not in self.tables:
            body = Job(self.graph, einsum, self._inner(), mine, used, perfect=self.perfect)
            self.tables[key] = front(_computed(rows(body, self.scale), self.each[einsum.name]))
        return self.tables[key]

    def _inner(self) -> Params:
        """Without what is spread above the first level: nodes of the shared path stand above every body's loops."""
        home, *levels = self.params.levels
        return replace(self.params, levels=(replace(home, axes=()), *levels))


def _computed(found: Ints, each: int) -> Ints:
    """Steps as cycles."""
    found = found.copy()
    found[:, 1] *= each
    return found


def _views(finals: list[tuple[int, ...]], mine: Chains, nodes: int, cut: bool) -> Ints:
    """Of each chain of the shared path, those that look alike once: what is left (its place in ``finals``), then pieces above each node and
    at the end, then the largest of them."""
    ends = range(1, nodes + 2) if cut else [0] * (nodes + 1)
    for left in mine.finals():
        if left not in finals:
            finals.append(left)
    ids = np.array([finals.index(left) for left in mine.finals()])
    return np.unique(np.stack([ids, *(mine.visits(at, 0) for at in ends), *(mine.largest(at) for at in ends)], axis=1), axis=0)


def front(found: Ints) -> Ints:
    """Rows that no other is at most as large as in every column."""
    found = np.unique(found, axis=0)
    found = found[np.argsort(found.sum(axis=1), kind="stable")]
    kept = 0
    for row in found.copy():
        if not (found[:kept] <= row).all(axis=1).any():
            found[kept] = row
            kept += 1
    return found[:kept]
