"""The order of a cascade's equations: which depend on each other in a circle, and along which rank such a circle steps.

``RD[m1+1,p] = SLD[m1,p] + SPD[m1,p]`` and ``SPD[m1,p] = RD[m1,p] * PRM[m1,p]`` make a circle that is none, because each step
of m1 reads what the step before it gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .equation import Equation, Term


@dataclass(frozen=True)
class Circle:
    """Why a circle is no recurrence: the equation and the input of it (-1: none) that are wrong, and the text."""

    equation: int
    part: int
    text: str


@dataclass(frozen=True)
class Block:
    """Equations that are computed together, in ``order``; step by step along ``rank``, or at once where that is empty."""

    order: tuple[int, ...]
    rank: str = ""


def blocks(equations: Sequence[Equation]) -> list[Block | Circle]:
    """All equations in an order in which each reads what is there already, as far as there is one."""
    given = {equation.output.tensor: number for number, equation in enumerate(equations)}
    reads = [{given[term.tensor] for term in equation.inputs if term.tensor in given} for equation in equations]
    below = [_reached(reads, number) for number in range(len(equations))]
    found: list[Block | Circle] = []
    done: set[int] = set()
    for number in sorted(range(len(equations)), key=lambda n: (len(below[n] | {n}), n)):
        if number in done:
            continue
        members = [other for other in sorted(below[number]) if number in below[other]]
        done |= {number, *members}
        found.append(_stepped(equations, members) if members else Block((number,)))
    return found


def _reached(reads: list[set[int]], start: int) -> set[int]:
    """All that ``start`` reads, directly or not; itself where that is a circle."""
    found: set[int] = set()
    open_ = list(reads[start])
    while open_:
        number = open_.pop()
        if number not in found:
            found.add(number)
            open_ += reads[number]
    return found


def _stepped(equations: Sequence[Equation], members: list[int]) -> Block | Circle:
    """The members of a circle with the rank along which it steps, or what is wrong with it."""
    outputs = [equations[number].output for number in members]
    common = [rank for rank in outputs[0].runs if all(rank in output.runs for output in outputs)]
    moving = [rank for rank in common if any(_offset(output, rank) for output in outputs)]
    found: Block | Circle | None = None
    for rank in moving:
        found = _along(equations, members, rank)
        if isinstance(found, Block):
            return found
    if found is not None:
        return found
    names = " -> ".join(output.tensor for output in (*outputs, outputs[0]))
    return Circle(members[0], -1, f"found a circle {names}, expected a step such as X[i+1] = ... X[i] ... along one rank of all of them")


def _along(equations: Sequence[Equation], members: list[int], rank: str) -> Block | Circle:
    """The members in the order of one step of ``rank``."""
    given = {equations[number].output.tensor: number for number in members}
    before: dict[int, set[int]] = {number: set() for number in members}
    for number in members:
        for part, term in enumerate(equations[number].inputs):
            if term.tensor not in given:
                continue
            lag = _lag(equations[given[term.tensor]].output, term, rank)
            if lag is None or lag < 0:
                when = f"in a later step of {rank}" if lag is not None else f"after the last step of {rank}"
                return Circle(number, part, f"{term} reads ahead: it is there only {when}, expected an earlier step")
            if lag == 0:
                before[number].add(given[term.tensor])
    order: list[int] = []
    while ready := [number for number in members if number not in order and before[number] <= set(order)]:
        order.append(ready[0])
    if len(order) < len(members):
        stuck = next(number for number in members if number not in order)
        part = next(p for p, t in enumerate(equations[stuck].inputs) if given.get(t.tensor) in before[stuck] - set(order))
        text = f"{equations[stuck].inputs[part]} of this step of {rank} depends on {equations[stuck].output}, expected an earlier step"
        return Circle(stuck, part, text)
    return Block(tuple(order), rank)


def _lag(output: Term, term: Term, rank: str) -> int | None:
    """Steps of ``rank`` between giving and reading an element; None where it is read at one place."""
    axis = output.axis(rank)
    if axis is None or not term.indices[axis].runs:
        return None
    return output.indices[axis].offset - term.indices[axis].offset


def _offset(term: Term, rank: str) -> int:
    axis = term.axis(rank)
    return 0 if axis is None else term.indices[axis].offset
