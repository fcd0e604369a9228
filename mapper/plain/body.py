"""Body: one Einsum of a fused group below the shared loops: the least that it costs for what they leave it.

What the levels further in cost depends on the tile alone that the fusion level leaves them, so it is a table over tiles, made once.
Below the shared loops stand the nodes of those tensors that have none on the shared path; their tiles are chosen for each entry tile.

A cost is a complex number, the objective and then what breaks its ties: NumPy orders them so, and sums and multiples of them keep
that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .inner import FUSED, NEVER, Table
from .orders import Order, orders
from .plan import Layer
from .problem import Operand, Problem

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Price:
    """What each element costs at home and at the fusion level: passing in or out, and coming back to be added to."""

    passing: complex
    back: complex = 0j


def prices(problem: Problem, operand: Operand, energy: complex) -> Price:
    """Of a tensor that passes between home and the fusion level; ``energy`` is what a picojoule counts."""
    home, level = problem.params.levels[0], problem.params.levels[FUSED]
    read, write = (float(home.read_pj / home.word_bits + level.write_pj / level.word_bits) * operand.bits,
                   float(home.write_pj / home.word_bits + level.read_pj / level.word_bits) * operand.bits)  # fmt: skip
    if not operand.written:
        return Price(read * energy)
    return Price(write * energy, read * energy if problem.reduces else 0j)


class Body:
    """``table`` says which operands go past the fusion level; ``known`` is what bodies alike have found."""

    def __init__(self, problem: Problem, table: Table, energy: complex, known: dict[tuple[Any, ...], complex]) -> None:
        self.problem, self.table, self._known = problem, table, known
        self.names = [rank.name for rank in problem.ranks]
        self.prices = [prices(problem, operand, energy) for operand in problem.operands]
        self.elements = [float(problem.elements(operand)) for operand in problem.operands]
        self.has = [[rank in operand.ranks for rank in self.names] for operand in problem.operands]
        left = problem.bits[FUSED]
        double = problem.params.levels[FUSED].buffering == "double"
        self.room = float("inf") if left is None else left / (2 if double else 1)

    def least(self, entry: tuple[int, ...], local: tuple[int, ...], room: float) -> complex:
        """The least cost of one run of the body below shared tiles.

        entry  of each rank, where the entry tile stands among its sizes
        local  operands, by place, whose nodes stand here
        room   bits of the fusion level that are left for them
        """
        key = (entry, local, room)
        if key not in self._known:
            self._known[key] = self._search(entry, local, room)
        return self._known[key]

    def _search(self, entry: tuple[int, ...], local: tuple[int, ...], room: float) -> complex:
        if not local:
            return complex(self.table.costs[entry])
        return min((complex(self._ordered(order, entry, room)[0].min()) for order in _orders(self.problem, local)), key=order_of)

    def plan(self, entry: tuple[int, ...], local: tuple[int, ...], room: float) -> tuple[Layer, ...]:
        """What attains the least cost: the residences that begin here, the levels further in, and compute."""
        orders = _orders(self.problem, local)
        found = [self._ordered(order, entry, room) for order in orders]
        which = min(range(len(orders)), key=lambda at: order_of(complex(found[at][0].min())))
        order, (costs, axes) = orders[which], found[which]
        at = np.unravel_index(int(np.argmin(costs)), costs.shape)
        places = [int(np.broadcast_to(axis, costs.shape)[at]) for axis in axes]
        values = [self.table.sizes[choice.rank].values[place] for choice, place in zip(order.choices, places, strict=True)]
        left = tuple(int(sizes.values[place]) for sizes, place in zip(self.table.sizes, entry, strict=True))
        first = Layer(order, tuple(int(value) for value in values), left, ())
        return (first, *self.table.layers(tuple(places[last] for last in order.last)))

    def _ordered(self, order: Order, entry: tuple[int, ...], room: float) -> tuple[Array, list[Array]]:
        """The costs of one order of local nodes: every size of every choice, at once; and where the sizes stand."""
        sizes = self.table.sizes
        axes: list[Array] = []  # of each choice, the places of its sizes
        free = [place for place, choice in enumerate(order.choices) if not choice.uncut]
        for place, choice in enumerate(order.choices):
            at = entry[choice.rank]
            if choice.uncut:
                axes.append(np.array(at))
                continue
            fits = np.flatnonzero(sizes[choice.rank].inside[at])
            axes.append(fits.reshape([-1 if other == place else 1 for other in free]))
        values = [sizes[choice.rank].values[axis] for choice, axis in zip(order.choices, axes, strict=True)]
        counts = [sizes[choice.rank].counts[axis] for choice, axis in zip(order.choices, axes, strict=True)]
        able, need = self._nested(order, axes), np.zeros(())
        cost: Any = self.table.costs[tuple(axes[order.last[rank]] for rank in range(len(self.names)))]
        for node, operand in enumerate(order.nodes):
            here = [order.at[node][rank] for rank in range(len(self.names))]
            tile, again = np.ones(()), np.ones(())
            for rank, place in enumerate(here):
                if self.has[operand][rank]:
                    tile = tile * values[place]
                else:
                    again = again * counts[place]
            need = need + tile * self.problem.operands[operand].bits
            price, elements = self.prices[operand], self.elements[operand]
            cost = cost + (again * elements * (price.passing + price.back) - elements * price.back)
        return np.asarray(np.where((need <= room) & able, cost, NEVER)), axes

    def _nested(self, order: Order, axes: Sequence[Array]) -> Any:
        """Whether the tiles of ranks that are cut twice fit in each other."""
        able: Any = True
        for rank in range(len(self.names)):
            for outer in range(order.first[rank], order.last[rank]):
                able = able & self.table.sizes[rank].inside[axes[outer], axes[outer + 1]]
        return able


def order_of(cost: complex) -> tuple[float, float]:
    """What costs are compared by."""
    return cost.real, cost.imag


@cache
def _orders(problem: Problem, local: tuple[int, ...]) -> tuple[Order, ...]:
    return tuple(orders(problem, FUSED, local))
