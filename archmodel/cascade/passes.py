"""Passes: how often a cascade must traverse a rank, whatever its mapping, and what that costs at least (FuseMax, section III).

A pass visits every element of a fiber of the rank once.  Where an Einsum needs an element and also something that was reduced
over the whole fiber of it, it cannot be part of the pass that reduced it: N such dependences in a row make N + 1 passes.
Einsums of one pass fuse freely over the rank, those of different passes do not.  So a tensor that one pass has and a later
one reads must live on chip for a whole fiber, or leave and come back.

The parts of a split rank are traversed together, the outermost first: a reduction over the inner part alone is there tile by
tile, and a running value of the outer part is there step by step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from archmodel.records.base import SpecError
from archmodel.records.cascade import Cascade
from archmodel.records.equation import Equation, Term


@dataclass(frozen=True)
class Crossing:
    """A tensor that a pass has and a later one reads.

    first, last    the pass that it is first in, and the last that reads it; n + 1/2 is between passes n and n + 1
    live_elements  of one fiber: what must stay on chip if the tensor never leaves
    live_bits      of these
    spill_bytes    what crosses the memory port if all of it leaves: written once if it is computed, and read again by each later pass
    """

    tensor: str
    first: Fraction
    last: Fraction
    live_elements: int
    live_bits: int
    spill_bytes: int


@dataclass(frozen=True)
class Passes:
    """``count`` passes over ``rank``; ``einsums`` holds the pass of each equation by name, None where it traverses no whole fiber.

    live_bits  the most bits that all crossings have to keep at once between two passes; nothing is computed again
    """

    rank: str
    count: int
    einsums: tuple[tuple[str, int | None], ...]
    crossings: tuple[Crossing, ...]
    live_bits: int

    @property
    def spill_bytes(self) -> int:
        """Bytes that cross the memory port if every crossing leaves."""
        return sum(crossing.spill_bytes for crossing in self.crossings)


@dataclass(frozen=True)
class _When:
    """During which pass a tensor is there element by element (0: not), and after which pass as a whole."""

    during: int = 0
    after: int = 0

    def __or__(self, other: _When) -> _When:
        return _When(max(self.during, other.during), max(self.after, other.after))

    @property
    def stage(self) -> Fraction:
        """The pass; n + 1/2 is after pass n."""
        return Fraction(self.during) if self.during > self.after else self.after + Fraction(1, 2)


def analysed_ranks(cascade: Cascade) -> tuple[str, ...]:
    """Ranks that are no part of another, split ones among them."""
    parts = {part for _, parts in cascade.splits for part in parts}
    return tuple(sorted({*(rank for rank, _ in cascade.ranks), *(name for name, _ in cascade.splits)} - parts))


def passes(cascade: Cascade, rank: str) -> Passes:
    """The passes over a rank, a split one or a part of one.  Raises SpecError for an unknown rank.

    A fiber family is what Einsums traverse together; with several families the count is of the one with the most passes.
    """
    known = sorted({*cascade.extent, *(name for name, _ in cascade.splits)})
    if rank not in known:
        raise SpecError(f"cascade {cascade.name}: found no rank {rank!r}, expected one of {', '.join(known)}")
    whole = cascade.parts(rank)
    found = [_Family(cascade, rank, whole, members) for members in _families(cascade, whole)]
    numbers: dict[str, int | None] = {equation.output.tensor: None for equation in cascade.equations}
    for family in found:
        numbers |= {cascade.equations[member].output.tensor: family.passes[member] for member in family.members}
    crossings = [tuple(family.crossings()) for family in found]
    return Passes(rank, max((family.count for family in found), default=0), tuple(numbers.items()),
                  tuple(crossing for mine in crossings for crossing in mine), max(map(_live, crossings), default=0))  # fmt: skip


def _live(crossings: tuple[Crossing, ...]) -> int:
    """The most bits alive between two passes of one family."""
    last = max((math.ceil(crossing.last) for crossing in crossings), default=1)
    return max((sum(c.live_bits for c in crossings if c.first <= number < c.last) for number in range(1, last)), default=0)


def _families(cascade: Cascade, whole: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Equations that traverse all parts of a rank, together where they share a tensor that has all of them."""
    groups: list[tuple[set[str], list[int]]] = []
    for number, equation in enumerate(cascade.equations):
        if not set(whole) <= set(equation.ranks):
            continue
        tensors = {term.tensor for term in (equation.output, *equation.inputs) if set(whole) <= set(term.runs)}
        joined = [group for group in groups if group[0] & tensors]
        groups = [group for group in groups if not group[0] & tensors]
        groups.append((tensors.union(*(group[0] for group in joined)), [n for group in joined for n in group[1]] + [number]))
    return sorted(tuple(sorted(numbers)) for _, numbers in groups)


class _Family:
    """One family: when each equation can be computed, as the least solution of what its inputs say."""

    def __init__(self, cascade: Cascade, rank: str, whole: tuple[str, ...], members: tuple[int, ...]) -> None:
        self.cascade, self.whole, self.members = cascade, whole, members
        self.given = {equation.output.tensor: number for number, equation in enumerate(cascade.equations)}
        self.first = {initial.term for initial in cascade.initials}
        self.when = [_When()] * len(cascade.equations)
        self.passes: dict[int, int] = {}
        while (later := [self._when(number) for number in range(len(self.when))]) != self.when:
            self.when = later
            if any(when.during > len(self.when) for when in later):
                raise SpecError(f"cascade {cascade.name}: its passes over {rank} grow with a recurrence over another rank, which is not "
                                "analysed; expected recurrences that pass over it once")  # fmt: skip
        self.count = max(self.passes.values())

    def _when(self, number: int) -> _When:
        """From the inputs as they are known so far."""
        equation, found = self.cascade.equations[number], _When()
        for term in equation.inputs:
            found |= self._read(term)
        if number in self.members:
            self.passes[number] = max(1, found.during, found.after + 1)
            found |= _When(during=self.passes[number])
        return found if self._streams(equation.output) else _When(0, max(found.during, found.after))

    def _read(self, term: Term) -> _When:
        """When what a term reads is there."""
        number = self.given.get(term.tensor)
        if number is None or (term in self.first):
            return _When()
        output, when = self.cascade.equations[number].output, self.when[number]
        at_place = self._streams(output) and not self._streams(term)
        return _When(0, max(when.during, when.after)) if at_place else when

    def _streams(self, term: Term) -> bool:
        """Whether a term has an element for each step of the outermost part."""
        return self.whole[0] in term.runs

    def crossings(self) -> Iterable[Crossing]:
        """Tensors with elements for each step that are read in a later pass than they are first there."""
        readers: dict[str, list[Fraction]] = {}
        for number, equation in enumerate(self.cascade.equations):
            for term in equation.inputs:
                if self._streams(term):
                    readers.setdefault(term.tensor, []).append(self._stage(number, equation))
        for tensor, stages in sorted(readers.items()):
            source = self.given.get(tensor)
            first = min(stages) if source is None else self._stage(source, self.cascade.equations[source])
            later = {math.floor(stage + Fraction(1, 2)) for stage in stages if stage > first}
            if later and first > 0:
                yield self._crossing(tensor, first, max(stages), len(later) + (source is not None))

    def _stage(self, number: int, equation: Equation) -> Fraction:
        if number in self.passes:
            return Fraction(self.passes[number])
        found = _When()
        for term in equation.inputs:
            found |= self._read(term)
        return found.stage

    def _crossing(self, tensor: str, first: Fraction, last: Fraction, moves: int) -> Crossing:
        axes, extent, bits = self.cascade.axes[tensor], self.cascade.extent, self.cascade.bits_of(tensor)
        fiber = math.prod(extent[rank] for rank in axes if rank in self.whole)
        elements = math.prod(extent[rank] for rank in axes)
        return Crossing(tensor, first, last, fiber, fiber * bits, -(-elements * bits // 8) * moves)
