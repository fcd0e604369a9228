"""ZigZag's loops: which of an ordering's loops in time each memory gets, operand by operand, as its LOMA gives them out.

From the innermost memory outwards, each takes of every operand's loops that are left as many as bring the fewest elements from outside,
within its size; of ways that bring equally many, the last, counting the loops of its last operand fastest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from .fields import Field
from .nests import Turn
from .zigzag_machine import Operand, Store

MOST_LOOPS = 32


@dataclass(frozen=True)
class Problem:
    """Loops in time, innermost first; those in space by dimension; ranks of each operand, and those that are reduced."""

    timed: tuple[Turn, ...]
    spread: Mapping[str, tuple[Turn, ...]]
    ranks: Mapping[str, tuple[str, ...]]
    reduced: frozenset[str]


def allocated(problem: Problem, stores: Sequence[Store], operands: Sequence[Operand], where: Field) -> dict[tuple[str, str], int]:
    """How many of the innermost loops in time stand within each memory, by (operand, memory).  Raises SpecError where it doesn't fit."""
    taken = {operand.name: 0 for operand in operands}
    found: dict[tuple[str, str], int] = {}
    for store in stores:
        mine = [operand for operand in operands if operand.name in store.operands]
        last = {operand.name for operand in mine if not any(operand.name in other.operands for other in stores[stores.index(store) + 1 :])}
        sizes = [_sizes(problem, store, operand, taken[operand.name]) for operand in mine]
        sizes = [[size for size in each if size <= store.size] for each in sizes]
        if not all(sizes) or any(len(each) <= len(problem.timed) - taken[o.name] for each, o in zip(sizes, mine, strict=True)
                                 if o.name in last):  # fmt: skip
            raise where.wrong(f"found loops that {store.name} of {store.size:,} bits can't hold, expected smaller ones")
        choices = [[len(each) - 1] if operand.name in last else range(len(each)) for each, operand in zip(sizes, mine, strict=True)]
        best, least = None, 0
        for counts in product(*choices):
            if sum(each[count] for each, count in zip(sizes, counts, strict=True)) > store.size:
                continue
            moved = sum(0 if operand.name in last else each[count] * _iterations(problem.timed[taken[operand.name] + count :])
                        for each, operand, count in zip(sizes, mine, counts, strict=True))  # fmt: skip
            if best is None or moved <= least:
                best, least = counts, moved
        if best is None:
            raise where.wrong(f"found tiles that {store.name} of {store.size:,} bits can't hold together, expected smaller ones")
        for operand, count in zip(mine, best, strict=True):
            taken[operand.name] += count
            found[operand.name, store.name] = taken[operand.name]
    return found


def _sizes(problem: Problem, store: Store, operand: Operand, taken: int) -> list[int]:
    """Bits of an operand's tile in a memory with 0, 1, 2, ... more loops in time than are taken."""
    within = [turn for name, turns in problem.spread.items() if name in store.served for turn in turns]
    outside = {turn.rank for name, turns in problem.spread.items() if name not in store.served for turn in turns}
    own = problem.ranks[operand.tensor]
    left = {turn.rank for turn in problem.timed[taken:]} | outside
    bits = operand.partial if operand.name == "O" and left & problem.reduced else operand.bits
    whole = _elements(own, [*within, *problem.timed]) * bits
    found = []
    for count in range(len(problem.timed) - taken + 1):
        size = _elements(own, [*within, *problem.timed[: taken + count]]) * bits
        more = store.double and taken + count < len(problem.timed) and size < whole
        found.append(size * 2 if more else size)
    return found


def _iterations(turns: Sequence[Turn]) -> int:
    return prod(turn.count for turn in turns)


def _elements(own: Sequence[str], turns: Sequence[Turn]) -> int:
    return prod(turn.count for turn in turns if turn.rank in own)
