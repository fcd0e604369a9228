"""Fused: the best tree for a group of Einsums that hand intermediates to each other within the first level below home.

The shared path cuts ranks and begins residences; then each Einsum has a body.  Between two residences the order of loops means nothing, so
a shared path is a sequence of tensors, with the tile that each finds, and the tile that the bodies are entered with.  Just above a tensor
only its own ranks are cut, and only where a run of tensors that have the rank begins: elsewhere a cut may move inwards and costs less, or
outwards and costs no more.  Intermediates come last, where their tiles are the smallest.  (docs/mapper.md has the whole mapspace.)

Which tensors are on the shared path is decided one after another, those first that gain most, under a bound for each entry tile; then all
tiles of each of their sequences are bounded at once, as if every body had the room it likes; and then the bodies of the most promising
ones are searched, until no bound is below the best.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, product
from time import process_time
from typing import Any

import numpy as np

from archmodel.records.mapping import Loop, Node, Sequence, Storage

from .body import Body, order_of
from .inner import FUSED, NEVER
from .plan import Plan
from .shared import Array, Bypassed, Frame, Outside, Shared, User, along

MOST_ABOVE = 3
"""Tensors of a single body that may stay above shared loops."""
DIVES, ORDERS, FEW = 4, 2, 32
"""Entry tiles that are tried before everything is bounded; orders of each set of tensors; entry tiles of each of them."""


@dataclass(frozen=True)
class Point:
    """A shared path: of each node of its frame and, last, of the bodies, where the tile of each cut rank stands among its sizes."""

    frame: Frame
    places: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Bounds:
    """Shared paths of a frame that may be the best: ``costs`` at least, of the ``at``-th entries of ``shape``."""

    frame: Frame
    axes: list[list[Array]]
    shape: tuple[int, ...]
    at: Array
    costs: Array

    def point(self, which: int) -> Point:
        where = np.unravel_index(int(self.at[which]), self.shape)
        return Point(self.frame, tuple(tuple(int(np.broadcast_to(axis, self.shape)[where]) for axis in row) for row in self.axes))


@dataclass
class Budget:
    """Steps that searches of groups may take together: sets of tensors and sequences of them that are looked into."""

    nodes: int | None = None
    seconds: float | None = None
    spent: int = 0
    began: float = field(default_factory=process_time)

    @property
    def bounded(self) -> bool:
        return self.nodes is not None or self.seconds is not None

    def step(self) -> bool:
        """Takes one; False where none is left."""
        if self.nodes is not None and self.spent >= self.nodes:
            return False
        if self.seconds is not None and process_time() - self.began >= self.seconds:
            self.nodes = self.spent
            return False
        self.spent += 1
        return True


@dataclass
class Fusion:
    """The search for one group; ``examined`` shared paths bounded, ``priced`` with all their bodies.

    most  steps that it may take, beside those that the budget leaves
    open  whether it stopped before everything was bounded
    """

    shared: Shared
    budget: Budget = field(default_factory=Budget)
    most: int | None = None
    open: bool = False
    bar: complex = complex(NEVER)
    best_point: Point | None = None
    examined: int = 0
    priced: int = 0
    waiting: list[Bounds] = field(default_factory=list)
    _counts: dict[Any, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Shared paths of the group: tiles of the cut ranks, each tensor that may stay above some of them on the path or not."""
        return math.prod(self.shared.grid) << len(self.shared.able)

    def least(self) -> complex:
        """No tree of the group costs less."""
        costs, _ = self._bound(frozenset(), frozenset())
        return complex(costs.min())

    def best(self) -> tuple[complex, Point] | None:
        """The least cost and its shared path; None where nothing fits."""
        self._dive()
        for chosen in self._sets():
            for frame in self._frames(chosen):
                if not self._step():
                    break
                self._look(frame)
        bounds = np.concatenate([each.costs for each in self.waiting]) if self.waiting else np.zeros(0, dtype=complex)
        which = np.repeat(np.arange(len(self.waiting)), [len(each.costs) for each in self.waiting])
        inside = np.concatenate([np.arange(len(each.costs)) for each in self.waiting]) if self.waiting else which
        able = np.flatnonzero(bounds < self.bar)
        for place in able[np.argsort(bounds[able], kind="stable")].tolist():
            if order_of(bounds[place]) >= order_of(self.bar) or not self._step():
                break
            self._price(self.waiting[which[place]].point(int(inside[place])))
        return None if self.best_point is None else (self.bar, self.best_point)

    def _step(self) -> bool:
        """Whether the search may go on."""
        if not self.open:
            self.open = self.most == 0 or not self.budget.step()
            self.most = self.most - 1 if self.most else self.most
        return not self.open

    def _dive(self) -> None:
        """Prices a few shared paths that are likely to be good: of the most promising entry tiles the tensors that gain most and fit."""
        shared, (costs, _) = self.shared, self._bound(frozenset(), frozenset())
        tried: set[frozenset[Outside]] = set()
        for at in np.argsort(costs, axis=None, kind="stable")[:DIVES].tolist():
            where = np.unravel_index(at, shared.grid)
            gains = [(self._gain(node, where), node) for node in shared.able]
            room, on = min(float(_at(spare, where)) for spare in shared.spare), set[Outside]()
            for gain, node in sorted(gains, key=lambda each: (-each[0], each[1].name)):
                need = float(_at(shared.tiles(node.users[0]), where))
                if gain > 0 and need < room and len(on) < MOST_ABOVE:
                    room -= need
                    on.add(node)
                    if frozenset(on) not in tried:
                        tried.add(frozenset(on))
                        for frame in islice(self._frames(frozenset(on)), ORDERS):
                            self._look(frame, FEW)
            if not tried:
                tried.add(frozenset())
                self._look(Frame(), FEW)

    def _price(self, point: Point) -> None:
        self.priced += 1
        if order_of(cost := self.cost(point)) < order_of(self.bar):
            self.bar, self.best_point = cost, point

    def _sets(self) -> Iterator[frozenset[Outside]]:
        """Which tensors stand on the shared path: every choice whose bound is below the best."""
        able = sorted(self.shared.able, key=lambda node: (-float(np.max(self._gains(node).real)), node.name))
        yield from self._chosen(able, frozenset(), frozenset())

    def _gains(self, node: Outside) -> Any:
        """[grid]: what a tensor costs less on the shared path, at most."""
        return sum((self.shared.filled(user) for user in node.users), 0j) - self._once(node)

    def _gain(self, node: Outside, where: tuple[Any, ...]) -> float:
        return float(np.real(_at(self._gains(node), where)))

    def _chosen(self, able: list[Outside], on: frozenset[Outside], off: frozenset[Outside]) -> Iterator[frozenset[Outside]]:
        if sum(len(node.users) == 1 for node in on) >= MOST_ABOVE:
            off = off.union(node for node in able if len(node.users) == 1)
            able = [node for node in able if len(node.users) > 1]
        if not self._step():
            return
        costs, _ = self._bound(on, off)
        if (costs < self.bar).any() and len(single := [node for node in able if len(node.users) == 1]) > MOST_ABOVE:
            gains = np.sort(np.stack([np.broadcast_to(self._gains(node).real, self.shared.grid) for node in single]), axis=0)
            left = MOST_ABOVE - sum(len(node.users) == 1 for node in on)
            least, _ = self._bound(on, off.union(single))
            costs = np.where(least.real < NEVER, least - np.maximum(gains[-left:], 0.0).sum(axis=0), costs)
        if not (costs < self.bar).any():
            return
        firsts = [node for node in (*sorted(on, key=_name), *able) if len(self.shared.cut) > len(node.ranks)]
        if len(on) > 1 and firsts and not any((costs + self._later(on, first) < self.bar).any() for first in firsts):
            return
        if not able:
            yield on
            return
        yield from self._chosen(able[1:], on | {able[0]}, off)
        yield from self._chosen(able[1:], on, off | {able[0]})

    def _later(self, on: frozenset[Outside], first: Outside) -> Any:
        """[grid]: what tensors that come after the first one cost at least beside being filled once."""
        later = [node for node in sorted(on, key=_name) if node is not first and len(node.users) == 1]
        return sum(((self._refilled(first, node) - 1.0) * self._weight(node) for node in later), 0j)

    def _refilled(self, first: Outside, node: Outside) -> Any:
        """[grid]: how often a tensor is filled at least that comes after another: what that one keeps whole of the ranks that this one
        lacks has to fit."""
        shared = self.shared
        key = ("refilled", first.name, node.name)
        if key not in self._counts:
            row = [axis if name in node.ranks else np.array(size - 1)
                   for name, axis, size in zip(shared.cut, shared.axes, shared.grid, strict=True)]  # fmt: skip
            spare = np.maximum(np.minimum.reduce(np.broadcast_arrays(*shared.spare)), 1.0)
            self._counts[key] = np.maximum(shared.tile(first.users[0], row) / spare, 1.0)
        return self._counts[key]

    def _weight(self, node: Outside) -> complex:
        """What each further filling of a tensor costs."""
        shared = self.shared
        return complex(shared.each(node.users[0]))

    def _once(self, node: Outside) -> complex:
        """What a tensor costs that is filled but once."""
        return complex(self.shared.passing(node, [np.array(size - 1) for size in self.shared.grid]))

    def _bound(self, on: frozenset[Outside], off: frozenset[Outside]) -> tuple[Array, Array]:
        """[grid]: the least cost by entry tile, of tensors ``on`` the shared path filled but once, and of those neither ``on`` nor
        ``off`` the less of that, where they fit beside the intermediates, and of being local; NEVER where it doesn't fit."""
        shared = self.shared
        used = sum((shared.tiles(node.users[0]) for node in on if len(node.users) == 1), np.zeros(()))
        cost: Any = np.full((1,) * len(shared.grid), shared.constant)
        able: Any = np.ones((1,) * len(shared.grid), dtype=bool)
        terms: dict[User, Any] = {}
        for node in shared.able:
            if node in off:
                continue
            once = self._once(node) / len(node.users)
            for user in node.users:
                fits = shared.tiles(user) + used <= shared.spare[user[0]]
                terms[user] = once if node in on else np.where(fits, np.minimum(once, shared.filled(user)), shared.filled(user))
        held = frozenset(user for node in on for user in node.users)
        for body, local in enumerate(shared.locals(held)):
            free = frozenset(place for place in local if (body, place) in terms)
            cost = cost + sum((terms[user] for user in held if user[0] == body), 0j)
            cost = cost + (self._open(body, local, free, terms) if free else shared.below(body, local))
            able = able & (shared.spare[body] - used >= shared.least_room(body, local - free))
        return np.broadcast_to(np.where(able, cost, NEVER), shared.grid), np.broadcast_to(able, shared.grid)

    def _open(self, body: int, local: frozenset[int], free: frozenset[int], terms: dict[User, Any]) -> Any:
        """[grid]: the least cost of a body of whose operands some may be on the shared path."""
        shared, found = self.shared, []
        for past in shared.members[body].bodies:
            if past <= local:
                cost: Any = shared.inside(body, past)
                for place in sorted(local - past):
                    cost = cost + (terms[body, place] if place in free else shared.filled((body, place)))
                found.append(cost)
        return found[0] if len(found) == 1 else np.minimum.reduce(np.broadcast_arrays(*found))

    def _frames(self, chosen: frozenset[Outside]) -> Iterator[Frame]:
        """Every sequence of these tensors that is not surely worse than another, or than the best."""
        every = set(self.shared.cut)
        nodes = sorted(chosen, key=_name)
        costs, _ = self._bound(chosen, frozenset(self.shared.able) - chosen)
        ways = [(("node",) if node.ranks < every else ()) + (("last",) if len(node.users) > 1 else ()) for node in nodes]
        for way in product(*ways):
            last = tuple(node for node, where in zip(nodes, way, strict=True) if where == "last")
            inner = [node for node, where in zip(nodes, way, strict=True) if where == "node"]
            for sequence in self._sequences(inner, (), costs, {node: 1.0 for node in inner}):
                yield Frame(sequence, last)

    def _sequences(self, able: list[Outside], before: tuple[Outside, ...], costs: Array,
                   times: dict[Outside, Any]) -> Iterator[tuple[Outside, ...]]:  # fmt: skip
        """Every order; a tensor does not follow one that has all of its ranks: before it, it would be filled no more often.

        costs  [grid] at least; of which each tensor is filled so many ``times``
        """
        if not able:
            yield before
        first = [node for node in able if all(node is other or _first(node, other) for other in able)]  # it can follow none of the others
        for node in first or able:
            if before and _first(node, before[-1]):
                continue
            rest, least, more = [other for other in able if other is not node], costs, dict(times)
            for other in rest:
                more[other] = np.maximum(times[other], self._refilled(node, other))
                least = least + (more[other] - times[other]) * self._weight(other)
            if (least < self.bar).any():
                yield from self._sequences(rest, (*before, node), least, more)

    def _look(self, frame: Frame, most: int | None = None) -> None:
        """Bounds all tiles of a frame, or those of the ``most`` promising entry tiles, prices the best bound, and remembers the others."""
        on = frozenset((*frame.nodes, *frame.last))
        entry, _ = self._bound(on, frozenset(self.shared.able) - on)
        entries = np.argwhere(entry < self.bar)
        if not len(entries):
            return
        if most is not None:
            entries = entries[np.argsort(entry[tuple(entries.T)], kind="stable")[:most]]
        costs, axes = self._costs(frame, entries)
        flat = costs.ravel()
        at = np.flatnonzero(flat < self.bar)
        if len(at):
            bounds = Bounds(frame, axes, costs.shape, at, flat[at])
            self._price(bounds.point(int(np.argmin(bounds.costs))))
            if most is None:
                self.waiting.append(bounds)

    def _costs(self, frame: Frame, entries: Array) -> tuple[Array, list[list[Array]]]:
        """[entries, earlier sizes]: no tree with these tiles costs less; NEVER where they don't fit.  And the axes."""
        shared = self.shared
        axes, able = self._axes(frame, entries)
        entry, where = axes[-1], tuple(entries.T)
        lay = (-1,) + (1,) * (able.ndim - 1)
        cost: Any = np.full((1,) * able.ndim, shared.constant)
        used: Any = 0.0
        for node, row in zip(frame.nodes, axes, strict=False):
            cost = cost + shared.passing(node, row)
            used = used + shared.tile(node.users[0], row)
        for node in frame.last:
            cost = cost + shared.passing(node, entry)
        for body, local in enumerate(shared.locals(frame.held)):
            cost = cost + np.broadcast_to(shared.below(body, local), shared.grid)[where].reshape(lay)
            tiles = [np.broadcast_to(shared.tiles(user), shared.grid)[where] for user in shared.live(frame, body)]
            live = sum(tiles, np.zeros(len(entries)))
            able = able & (shared.room - used - live.reshape(lay) >= shared.least_room(body, local))
        able = able & np.ones(np.broadcast_shapes(able.shape, np.shape(cost)), dtype=bool)
        self.examined += able.size
        return np.where(able, cost, NEVER), axes

    def _axes(self, frame: Frame, entries: Array) -> tuple[list[list[Array]], Any]:
        """[node or bodies][cut rank]: places of sizes, for each of ``entries`` along the first axis and for each earlier run of nodes that
        have the rank along one more; which of them nest."""
        shared, runs, last = self.shared, [], []  # runs: (rank, the position at which it begins), but for the last one of each rank
        for rank, name in enumerate(shared.cut):
            has = [name in node.ranks for node in frame.nodes] + [True]
            starts = [at for at in range(len(has)) if has[at] and (at == 0 or not has[at - 1])]
            runs += [(rank, at) for at in starts[:-1]]
            last.append(starts[-1])
        dims = 1 + len(runs)
        free = {run: along(shared.grid[run[0]], 1 + place, dims) for place, run in enumerate(runs)}
        final = [entries[:, rank].reshape([-1] + [1] * len(runs)) for rank in range(len(shared.cut))]
        found: list[list[Array]] = []
        for at in range(len(frame.nodes) + 1):
            row = []
            for rank, size in enumerate(shared.grid):
                mine = [run for run in runs if run[0] == rank and run[1] <= at]
                whole = free[mine[-1]] if mine else np.array(size - 1).reshape([1] * dims)
                row.append(final[rank] if at >= last[rank] else whole)
            found.append(row)
        able: Any = np.ones((len(entries), *[1] * len(runs)), dtype=bool)
        for run in runs:
            after = next((other for other in runs if other[0] == run[0] and other[1] > run[1]), None)
            able = able & shared.sizes[run[0]].inside[free[run], free[after] if after else final[run[0]]]
        return found, able

    def cost(self, point: Point) -> complex:
        """The least cost of the trees with this shared path."""
        shared, frame = self.shared, point.frame
        rows = [[np.array(at) for at in row] for row in point.places]
        found = shared.constant
        for node, row in zip((*frame.nodes, *frame.last), [*rows[:-1], *(rows[-1:] * len(frame.last))], strict=True):
            found += complex(shared.passing(node, row))
        for body in range(len(shared.members)):
            found += self._body_cost(body, point)[0]
            if found.real >= self.bar.real + 1:
                break
        return found

    def free(self, point: Point, body: int) -> float:
        """Bits of the fusion level that a shared path leaves to a body."""
        shared, rows = self.shared, [[np.array(at) for at in row] for row in point.places]
        used = sum(float(shared.tile(node.users[0], row)) for node, row in zip(point.frame.nodes, rows, strict=False))
        return shared.room - used - sum(float(shared.tile(user, rows[-1])) for user in shared.live(point.frame, body))

    def _body_cost(self, body: int, point: Point) -> tuple[complex, Bypassed]:
        member, local = self.shared.members[body], self.shared.locals(point.frame.held)[body]
        repeats, found = float(self.shared.repeats([rank.name for rank in member.problem.ranks], point.places[-1])), []
        for past, mine in member.bodies.items():
            if past <= local:
                found.append((mine.least(self._entry(mine, point), tuple(sorted(local - past)), self.free(point, body)) * repeats, past))
        return min(found, key=lambda each: order_of(each[0]))

    def tree(self, point: Point) -> Node:
        """The tree of the least cost with this shared path."""
        shared, frame = self.shared, point.frame
        level = shared.members[0].problem.params.levels[FUSED].name
        tiles = [[int(sizes.values[at]) for sizes, at in zip(shared.sizes, row, strict=True)] for row in point.places]
        left = [int(sizes.values[-1]) for sizes in shared.sizes]
        steps: list[tuple[str, int] | str] = []
        for at, row in enumerate(tiles):
            steps += [(name, tile) for name, tile, before in zip(shared.cut, row, left, strict=True) if tile < before]
            steps += [frame.nodes[at].name] if at < len(frame.nodes) else [*(node.name for node in frame.last), *shared.group.kept]
            left = row
        bodies = tuple(self._body_tree(body, point) for body in range(len(shared.members)))
        found: Node = Sequence(bodies) if len(bodies) > 1 else bodies[0]
        for step in reversed(steps):
            found = Storage(step, level, found) if isinstance(step, str) else Loop(step[0], step[1], found)
        return found

    def _body_tree(self, body: int, point: Point) -> Node:
        shared, member = self.shared, self.shared.members[body]
        _, past = self._body_cost(body, point)
        mine, local = member.bodies[past], shared.locals(point.frame.held)[body]
        layers = mine.plan(self._entry(mine, point), tuple(sorted(local - past)), self.free(point, body))
        above = {name: tuple(int(sizes.values[row[at]]) for row in point.places)
                 for at, (name, sizes) in enumerate(zip(shared.cut, shared.sizes, strict=True))}  # fmt: skip
        ranks = tuple(replace(rank, above=above.get(rank.name, ())) for rank in member.problem.ranks)
        return Plan(replace(member.problem, ranks=ranks), layers).tree()

    def _entry(self, body: Body, point: Point) -> tuple[int, ...]:
        last = dict(zip(self.shared.cut, point.places[-1], strict=True))
        return tuple(last.get(name, size - 1) for name, size in zip(body.names, body.table.costs.shape, strict=True))


def _at(values: Any, where: tuple[Any, ...]) -> Any:
    """The entry of an array [grid]."""
    shape = np.shape(values)
    return np.asarray(values)[tuple(at if size > 1 else 0 for at, size in zip(where, shape, strict=True))] if shape else values


def _name(node: Outside) -> str:
    return node.name


def _first(node: Outside, other: Outside) -> bool:
    """Whether a tensor comes before another that it stands next to."""
    return node.ranks < other.ranks or (node.ranks == other.ranks and node.name < other.name)
