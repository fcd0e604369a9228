"""Passes counted by making them: a machine that sweeps over a rank, and computes in each sweep what it then can.

It knows no analysis: elements, which other elements each is made of, and one position after the other, which of a split rank
is a tile.  What does not traverse the whole rank is computed whenever it can be; what does, only while the sweep stands there.
Standing at the last position it may go on there with what a reduction has just given, so a rank must have more positions than
passes, or the last ones are saved.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from archmodel.records.cascade import Cascade
from archmodel.records.equation import Equation, Term

Element = tuple[str, tuple[int, ...]]
Point = tuple[Equation, dict[str, int]]


@dataclass
class Sweeper:
    """``there`` are the elements so far; ``left`` are the points that an element still waits for."""

    cascade: Cascade
    there: set[Element] = field(default_factory=set)
    left: dict[Element, int] = field(default_factory=dict)
    done: set[tuple[str, tuple[int, ...]]] = field(default_factory=set)

    def points(self, ranks: tuple[str, ...]) -> list[dict[str, int]]:
        return [dict(zip(ranks, at, strict=True)) for at in itertools.product(*(range(self.cascade.extent[rank]) for rank in ranks))]

    def element(self, term: Term, at: dict[str, int]) -> Element:
        extent = self.cascade.extent
        return term.tensor, tuple(i.offset + (extent[i.rank] if i.at_end else at[i.rank] if i.rank else 0) for i in term.indices)

    def given(self) -> None:
        """Inputs and initial values."""
        for tensor in self.cascade.inputs:
            self.there |= {(tensor.name, tuple(at.values())) for at in self.points(tensor.ranks)}
        for initial in self.cascade.initials:
            ranks = tuple(index.rank for index in initial.term.indices if index.rank)
            self.there |= {self.element(initial.term, at) for at in self.points(ranks)}

    def computed(self, points: list[Point]) -> None:
        """All of these points that can be, until no more can."""
        before = -1
        while before < len(self.done):
            before = len(self.done)
            for equation, at in points:
                key = (equation.output.tensor, tuple(at.values()))
                if key in self.done or not all(self.element(term, at) in self.there for term in equation.inputs):
                    continue
                self.done.add(key)
                output = self.element(equation.output, at)
                self.left[output] -= 1
                if not self.left[output]:
                    self.there.add(output)


def sweeps(cascade: Cascade, rank: str) -> int:
    """Sweeps over all positions of ``rank`` until everything is computed; 0 where nothing traverses it."""
    machine, whole = Sweeper(cascade), cascade.parts(rank)
    machine.given()
    every = [(equation, at) for equation in cascade.equations for at in machine.points(equation.ranks)]
    for equation, at in every:
        output = machine.element(equation.output, at)
        machine.left[output] = machine.left.get(output, 0) + 1
    mine = [(equation, at) for equation, at in every if set(whole) <= set(equation.ranks)]
    rest = [(equation, at) for equation, at in every if not set(whole) <= set(equation.ranks)]
    machine.computed(rest)
    count = 0
    while len(machine.done) < len(every):
        count += 1
        assert count <= 100, "it never ends"
        for position in range(cascade.extent[whole[0]]):
            machine.computed([(equation, at) for equation, at in mine if at[whole[0]] == position] + rest)
    return count
