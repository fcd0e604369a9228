"""Shared: what the shared path of a fused group may hold, and the least that everything below one costs by the tile it leaves.

Arrays [grid] have an axis for each cut rank, over its sizes: the entry tile, with which bodies are entered.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Several
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from .body import Body, Price
from .groups import Group
from .inner import FUSED
from .problem import Operand, Problem
from .sizes import Sizes
from .space import may_hold

Array = npt.NDArray[Any]
User = tuple[int, int]
"""A body and one of its operands, by place."""
Bypassed = frozenset[int]
"""Operands of a body, by place, that go past the fusion level."""


@dataclass(frozen=True)
class Outside:
    """A tensor of a group that is no intermediate; ``ranks`` are those of the cut ones that it has."""

    name: str
    users: tuple[User, ...]
    ranks: frozenset[str]


@dataclass(frozen=True)
class Frame:
    """What stands on the shared path: ``nodes`` with loops below them, outermost first, then ``last`` beside the intermediates."""

    nodes: tuple[Outside, ...] = ()
    last: tuple[Outside, ...] = ()

    @cached_property
    def held(self) -> frozenset[User]:
        """Operands of bodies that are on the shared path."""
        return frozenset(user for node in (*self.nodes, *self.last) for user in node.users)


@dataclass(frozen=True, eq=False)
class Member:
    """An Einsum of a group: the search for its body, for each set of operands that go past the fusion level.

    kept  operands, by place, that are intermediates of the group
    key   equal for Einsums that are alike
    """

    problem: Problem
    bodies: dict[Bypassed, Body]
    kept: frozenset[int]
    key: Any

    def price(self, place: int) -> tuple[Price, float]:
        """What an element of an operand costs between home and the level, and how many there are."""
        body = next(iter(self.bodies.values()))
        return body.prices[place], body.elements[place]


class Shared:
    """``sizes`` of the cut ranks; ``energy`` is what a picojoule counts in a cost; ``memo`` keeps arrays for groups alike."""

    def __init__(self, group: Group, members: Several[Member], sizes: Several[Sizes], energy: complex, memo: dict[Any, Any]) -> None:
        self.group, self.members, self.sizes, self.energy, self.memo = group, tuple(members), tuple(sizes), energy, memo
        self.cut = group.cut
        self.grid = tuple(len(mine) for mine in sizes)
        self.axes = [along(size, at, len(self.grid)) for at, size in enumerate(self.grid)]
        self.room = next(iter(self.members[0].bodies.values())).room
        extents = tuple(int(mine.values[-1]) for mine in self.sizes)
        self._keys = [(member.key, member.kept, extents, tuple(self.cut.index(rank.name) if rank.name in self.cut else -1
                                                               for rank in member.problem.ranks)) for member in self.members]  # fmt: skip

    @cached_property
    def outside(self) -> tuple[Outside, ...]:
        users: dict[str, list[User]] = {}
        for body, member in enumerate(self.members):
            for place, operand in enumerate(member.problem.operands):
                if place not in member.kept:
                    users.setdefault(operand.name, []).append((body, place))
        return tuple(Outside(name, tuple(mine), frozenset(self.cut) & set(self.operand(mine[0]).ranks)) for name, mine in users.items())

    @cached_property
    def able(self) -> tuple[Outside, ...]:
        """Tensors that gain something on the shared path: above loops over ranks that they lack, or for several bodies."""
        if len(self.members) == 1:
            return ()
        return tuple(node for node in self.outside if self._may_stay(node) and (len(node.users) > 1 or node.ranks < set(self.cut)))

    def _may_stay(self, node: Outside) -> bool:
        """Whether the level holds it, and all its users see the same of it."""
        ranks = {self.operand(user).ranks for user in node.users}
        params = self.members[0].problem.params
        return len(ranks) == 1 and all(may_hold(params, self.operand(user), FUSED) for user in node.users)

    def operand(self, user: User) -> Operand:
        return self.members[user[0]].problem.operands[user[1]]

    @cached_property
    def constant(self) -> complex:
        """What intermediates that others read too cost on their way home."""
        found = 0j
        for member in self.members:
            result = member.problem.result
            if result.name in self.group.leaving:
                price, elements = member.price(len(member.problem.operands) - 1)
                found += elements * price.passing
        return found

    def passing(self, node: Outside, row: Several[Array]) -> Any:
        """What the tiles of a shared node cost on their ways from and to home; ``row`` is where its sizes stand."""
        member = self.members[node.users[0][0]]
        price, elements = member.price(node.users[0][1])
        again: Any = 1.0
        for rank, name in enumerate(self.cut):
            if name not in node.ranks:
                again = again * self.sizes[rank].counts[row[rank]]
        return again * (elements * (price.passing + price.back)) - elements * price.back

    def tile(self, user: User, row: Several[Array]) -> Any:
        """Bits of a tile."""
        operand, extents = self.operand(user), self.members[user[0]].problem.extents
        found: Any = float(operand.bits * prod(extents[rank] for rank in operand.ranks if rank not in self.cut))
        for rank, name in enumerate(self.cut):
            if name in operand.ranks:
                found = found * self.sizes[rank].values[row[rank]]
        return found

    def tiles(self, user: User) -> Array:
        """[grid]"""
        key = ("tile", user[1], self._keys[user[0]])
        if key not in self.memo:
            self.memo[key] = np.asarray(self.tile(user, self.axes))
        found: Array = self.memo[key]
        return found

    def live(self, frame: Frame, body: int) -> Iterator[User]:
        """Tiles beside a body that are there from the first body that touches them to the last: intermediates and ``last``."""
        for users in [*self._touched, *(node.users for node in frame.last)]:
            if users[0][0] <= body <= users[-1][0]:
                yield users[0]

    @cached_property
    def _touched(self) -> list[list[User]]:
        """Those of each intermediate."""
        found: dict[str, list[User]] = {}
        for body, member in enumerate(self.members):
            for place in sorted(member.kept):
                found.setdefault(member.problem.operands[place].name, []).append((body, place))
        return list(found.values())

    @cached_property
    def spare(self) -> list[Any]:
        """[grid] of each body: bits that intermediates leave."""
        frame = Frame()
        return [self.room - sum((self.tiles(user) for user in self.live(frame, body)), np.zeros(())) for body in range(len(self.members))]

    def locals(self, held: frozenset[User]) -> list[frozenset[int]]:
        """Of each body the operands that are not on the shared path."""
        return [frozenset(place for place in range(len(member.problem.operands)) if place not in member.kept and (body, place) not in held)
                for body, member in enumerate(self.members)]  # fmt: skip

    def least_room(self, body: int, local: frozenset[int]) -> float:
        """Bits of the smallest tiles of a body."""
        member = self.members[body]
        return min(float(sum(member.problem.operands[place].bits for place in local - past)) for past in member.bodies if past <= local)

    def below(self, body: int, local: frozenset[int]) -> Array:
        """[grid]: the least cost of a body with these local nodes, or some of them past the level, that has all room."""
        key = ("below", local, self._keys[body])
        if key not in self.memo:
            past = [past for past in self.members[body].bodies if past <= local]
            found = [self.inside(body, each) + sum((self.filled((body, place)) for place in sorted(local - each)), 0j) for each in past]
            self.memo[key] = found[0] if len(found) == 1 else np.minimum.reduce(np.broadcast_arrays(*found))
        result: Array = self.memo[key]
        return result

    def inside(self, body: int, past: Bypassed) -> Array:
        """[grid]: what a body costs at least that is left a tile, without what passes between home and the level."""
        key = ("inside", past, self._keys[body])
        if key not in self.memo:
            mine = self.members[body].bodies[past]
            where = {name: self.axes[at] for at, name in enumerate(self.cut)}
            index = tuple(where.get(name, np.array(-1)) for name in mine.names)
            self.memo[key] = mine.table.costs[index] * self.repeats(mine.names, self.axes)
        found: Array = self.memo[key]
        return found

    def filled(self, user: User) -> Array:
        """[grid]: what the tiles of a node in a body cost at least between home and the level."""
        key = ("filled", user[1], self._keys[user[0]])
        if key not in self.memo:
            member, operand = self.members[user[0]], self.operand(user)
            price, elements = member.price(user[1])
            again: Any = np.ones((1,) * len(self.grid))
            for at, name in enumerate(self.cut):
                if name not in operand.ranks:
                    again = again * self.sizes[at].counts[self.axes[at]]
            repeats = self.repeats([rank.name for rank in member.problem.ranks], self.axes)
            self.memo[key] = again * elements * (price.passing + price.back) - repeats * elements * price.back
        found: Array = self.memo[key]
        return found

    def each(self, user: User) -> complex:
        """What it costs each time that all of a tensor passes between home and the level."""
        price, elements = self.members[user[0]].price(user[1])
        return elements * (price.passing + price.back)

    def repeats(self, names: Several[str], row: Several[Any]) -> Any:
        """How often shared loops over ranks that an Einsum lacks repeat it."""
        again: Any = 1.0
        for at, name in enumerate(self.cut):
            if name not in names:
                again = again * self.sizes[at].counts[row[at]]
        return again


def along(size: int, place: int, dims: int) -> Array:
    """0, 1, ... along one axis of several."""
    return np.arange(size).reshape([-1 if at == place else 1 for at in range(dims)])
