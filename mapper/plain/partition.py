"""Partition: the groups that together make up a graph, each Einsum in one, at the least sum.

A group is priced only when it matters: the search goes on with lower bounds until the best partition has none but priced groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .groups import Flow, places_of, union
from .inner import NEVER

Cost = complex


@dataclass
class Partition:
    """Of the Einsums ``which`` of a flow.

    bound  no group of these Einsums costs less; None where they are no group
    price  what it costs; asked for once a group
    """

    flow: Flow
    which: int
    bound: Callable[[int], Cost | None]
    price: Callable[[int], Cost]
    known: dict[int, Cost] = field(default_factory=dict)
    priced: set[int] = field(default_factory=set)
    _made: list[tuple[int, list[int], dict[int, int]]] = field(default_factory=list)
    _lowest: dict[int, list[int]] = field(default_factory=dict)

    def best(self) -> list[int] | None:
        """The groups, in an order in which they can run; None where there is no partition."""
        found: list[int] = []
        for part in self._parts():
            groups = self._of(part)
            if groups is None or any(self.known[group].real >= NEVER for group in groups):
                return None
            found += groups
        return found

    def _parts(self) -> Iterator[int]:
        """Einsums that no intermediate links to others, apart."""
        left = self.which
        while left:
            part, wider = 0, left & -left
            while wider != part:
                part, wider = wider, (wider | union(self.flow.near[at] for at in places_of(wider))) & self.which
            left &= ~part
            yield part

    def _of(self, part: int) -> list[int] | None:
        groups = list(self._groups(part))
        for group in groups:
            bound = self.bound(group)
            if bound is not None:
                self.known[group] = bound
        able = sorted(group for group in groups if group in self.known)
        needs = {group: union(self.flow.reach[at] for at in places_of(group)) & part & ~group for group in able}
        self._made.append((part, able, needs))
        while True:
            chosen = self._cheapest(part, able, needs, self.known)
            if chosen is None:
                return None
            open_ones = [group for group in chosen if group not in self.priced]
            if not open_ones:
                return chosen
            for group in open_ones:
                self.priced.add(group)
                self.known[group] = self.price(group)

    def _groups(self, part: int) -> Iterator[int]:
        """All sets of linked Einsums that nothing outside stands between."""
        flow, seen, waiting = self.flow, set(), [1 << at for at in places_of(part)]
        while waiting:
            group = waiting.pop()
            if group in seen:
                continue
            seen.add(group)
            if self._linked(group):
                yield group
            near = union(flow.near[mine] for mine in places_of(group)) & part & ~group
            waiting += [self._hull(group | 1 << at) for at in places_of(near)]

    def _linked(self, group: int) -> bool:
        part, wider = 0, group & -group
        while wider != part:
            part, wider = wider, (wider | union(self.flow.near[at] for at in places_of(wider))) & group
        return part == group and not group & ~self.which

    def _hull(self, group: int) -> int:
        """With all that waits for some of it and that others of it wait for."""
        before, after = (union(sets[at] for at in places_of(group)) for sets in (self.flow.reach, self.flow.later))
        return group | (before & after)

    def least(self, low: dict[int, Cost]) -> Cost:
        """What no partition costs less of, where these groups may cost as little; to be asked after the best one."""
        costs, found = self.known | low, 0j
        for part, able, needs in self._made:
            found += sum((costs[group] for group in self._cheapest(part, able, needs, costs) or []), 0j)
        return found

    def _cheapest(self, part: int, able: list[int], needs: dict[int, int], costs: dict[int, Cost]) -> list[int] | None:
        """The cheapest way from nothing to everything, a group at a time."""
        least: dict[int, tuple[Cost, int, int]] = {0: (0j, 0, 0)}
        for size in range(part.bit_count()):
            for done in [done for done in least if done.bit_count() == size]:
                for group in self._next(part, done, able, needs):
                    total, known = least[done][0] + costs[group], least.get(done | group)
                    if known is None or (total.real, total.imag) < (known[0].real, known[0].imag):
                        least[done | group] = total, done, group
        chosen, at = [], part
        while at in least and at:
            _, at, group = least[at]
            chosen.append(group)
        return None if at else chosen[::-1]

    def _next(self, part: int, done: int, able: list[int], needs: dict[int, int]) -> Iterator[int]:
        """Groups that wait for nothing more."""
        ready = [at for at in places_of(part & ~done) if not self.flow.reach[at] & part & ~done]
        for low in ready:
            if low not in self._lowest:
                self._lowest[low] = [group for group in able if group & -group == 1 << low]
            for group in self._lowest[low]:
                if not (done & group or needs[group] & ~done):
                    yield group
