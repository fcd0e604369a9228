"""What makes equations a cascade, rule by rule; a reader knows where each of its terms was written."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .equation import Equation, Index, Initial, Term
from .recurrence import Circle, blocks

Axes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where: the line, counting equations and then initial values, its term, and that term's index.

    term  0 is the output and 1 the first input; -1 is the line as a whole, -2 what stands before the inputs: the reduction
    axis  -1 is the term as a whole
    """

    line: int
    term: int
    axis: int
    text: str


def axes_of(inputs: Axes, equations: Sequence[Equation]) -> dict[str, tuple[str, ...]]:
    """The ranks of every tensor: those of the inputs as declared, the others from the equation that gives them."""
    found = {equation.output.tensor: tuple(index.rank for index in equation.output.indices) for equation in reversed(equations)}
    return found | dict(inputs)


def faults(ranks: Mapping[str, int], inputs: Axes, equations: Sequence[Equation], initials: Sequence[Initial]) -> list[Fault]:
    """Everything wrong, the order of computing only where all else is right."""
    axes = axes_of(inputs, equations)
    found: list[Fault] = []
    given: set[str] = set()
    for line, equation in enumerate(equations):
        found += _output(line, equation.output, inputs, given)
        given.add(equation.output.tensor)
        for part, term in enumerate((equation.output, *equation.inputs)):
            found += _term(line, part, term, ranks, axes)
        found += _bound(line, equation, ranks)
    for number, initial in enumerate(initials):
        found += _initial(len(equations) + number, initial, initials[:number], ranks, axes, equations)
    if not found:
        found = [fault for line, equation in enumerate(equations) for fault in _given(line, equation, ranks, inputs, equations, initials)]
    if not found:
        found = [Fault(b.equation, b.part + 1, -1, b.text) for b in blocks(equations) if isinstance(b, Circle)]
    return found


def _output(line: int, output: Term, inputs: Axes, given: set[str]) -> Iterator[Fault]:
    if output.tensor in inputs:
        yield Fault(line, 0, -1, f"found {output.tensor} on the left, which is an input, expected a new name")
    if output.tensor in given:
        yield Fault(line, 0, -1, f"found {output.tensor} on the left again, expected one line that gives it")
    for axis, index in enumerate(output.indices):
        if not index.runs:
            yield Fault(line, 0, axis, f"found the place {index} on the left, expected a rank (a line with a number on the right "
                        "gives one place)")  # fmt: skip
        elif index.offset < 0:
            yield Fault(line, 0, axis, f"found {index} on the left, expected {index.rank} or a later step such as {index.rank}+1")
        elif index.rank in [other.rank for other in output.indices[:axis]]:
            yield Fault(line, 0, axis, f"found rank {index.rank} twice on the left, expected each rank once")
    if len(moving := [index for index in output.indices if index.offset]) > 1:
        yield Fault(line, 0, output.indices.index(moving[1]), f"found a second step {moving[1]}, expected steps along one rank")


def _term(line: int, part: int, term: Term, ranks: Mapping[str, int], axes: Axes) -> Iterator[Fault]:
    """Checks the tensor of a term, and each index against the rank of its axis."""
    own = axes.get(term.tensor)
    if own is None:
        yield Fault(line, part, -1, f"found the unknown tensor {term.tensor!r}, expected {_close(term.tensor, axes)}")
        return
    if len(own) != len(term.indices):
        yield Fault(line, part, -1, f"found {_number(len(term.indices), 'index', 'indices')} of {term.tensor}, expected "
                    f"{len(own)} ({', '.join(own) or 'a scalar'})")  # fmt: skip
        return
    for axis, index in enumerate(term.indices):
        if index.rank and index.rank not in ranks:
            yield Fault(line, part, axis, f"found the rank {index.rank!r}, which has no extent, expected {_close(index.rank, ranks)}")
        elif index.rank and index.rank != own[axis]:
            yield Fault(line, part, axis, f"found {index} as index {axis + 1} of {term.tensor}, expected its rank {own[axis]}")


def _bound(line: int, equation: Equation, ranks: Mapping[str, int]) -> Iterator[Fault]:
    """Checks that each rank comes from an input, and goes to the output or into the reduction."""
    read = {rank for term in equation.inputs for rank in term.runs}
    for axis, index in enumerate(equation.output.indices):
        if index.runs and index.rank in ranks and index.rank not in read:
            yield Fault(line, 0, axis, f"found rank {index.rank} on the left, which runs in no input, expected a rank of "
                        f"{', '.join(sorted(read)) or 'none'}")  # fmt: skip
    for axis, rank in enumerate(equation.over):
        if rank in equation.output.runs:
            yield Fault(line, -2, axis, f"found a reduction over {rank}, which the left side keeps, expected {rank} in one of both")
        elif rank not in read:
            known = f"which runs in no input, expected one of {', '.join(sorted(read)) or 'none'}"
            yield Fault(line, -2, axis, f"found a reduction over {rank}, {known}")
        elif rank in equation.over[:axis]:
            yield Fault(line, -2, axis, f"found a reduction over {rank} twice, expected it once")
    for part, term in enumerate(equation.inputs, 1):
        for axis, index in enumerate(term.indices):
            if index.runs and index.rank in ranks and index.rank not in equation.ranks:
                yield Fault(line, part, axis, f"found rank {index.rank}, which is neither on the left nor reduced, expected "
                            f"sum({index.rank}), max({index.rank}) or {index.rank} on the left")  # fmt: skip


def _initial(line: int, initial: Initial, earlier: Sequence[Initial], ranks: Mapping[str, int], axes: Axes,
             equations: Sequence[Equation]) -> Iterator[Fault]:  # fmt: skip
    term = initial.term
    output = next((equation.output for equation in equations if equation.output.tensor == term.tensor), None)
    if output is None:
        yield Fault(line, 0, -1, f"found a number for {term.tensor}, which no line gives, expected a tensor that steps along a rank")
        return
    wrong = list(_term(line, 0, term, ranks, axes))
    yield from wrong
    if wrong:
        return
    places = [(index, own) for index, own in zip(term.indices, output.indices, strict=True) if not index.rank]
    if len(places) != 1 or any(index.at_end or (index.rank and index.offset) for index in term.indices):
        yield Fault(line, 0, -1, f"found {term}, expected one index that is a number, and the ranks of the others")
    elif places[0][0].offset >= places[0][1].offset:
        yield Fault(line, 0, -1, f"found {term}, which the line of {output} gives itself, expected a place before its first step")
    elif term in [other.term for other in earlier]:
        yield Fault(line, 0, -1, f"found {term} again, expected one initial value")


def _given(line: int, equation: Equation, ranks: Mapping[str, int], inputs: Axes, equations: Sequence[Equation],
           initials: Sequence[Initial]) -> Iterator[Fault]:  # fmt: skip
    """Checks that each element that a term reads is there: of an input, of an equation, or an initial value."""
    outputs = {other.output.tensor: other.output for other in equations}
    for part, term in enumerate(equation.inputs, 1):
        first = {initial.term.indices: initial for initial in initials if initial.term.tensor == term.tensor}
        for axis, index in enumerate(term.indices):
            rank = inputs[term.tensor][axis] if term.tensor in inputs else outputs[term.tensor].indices[axis].rank
            start = 0 if term.tensor in inputs else outputs[term.tensor].indices[axis].offset
            there = set(range(start)) & {indices[axis].offset for indices in first if not indices[axis].rank}
            if (missing := _missing(index, ranks[rank], start, there)) is not None:
                what = _place(term, axis, missing)
                hint = f", expected an initial value {what} = ... or another index" if 0 <= missing < start else \
                       f", expected an index from {start} to {ranks[rank] - 1 + start}"  # fmt: skip
                yield Fault(line, part, axis, f"found {term}, which reads {what} that nothing gives{hint}")


def _missing(index: Index, extent: int, start: int, there: set[int]) -> int | None:
    """An element that an index reads and that is neither in start .. start + extent - 1 nor ``there``."""
    first = index.offset + (extent if index.at_end else 0)
    last = first + (extent - 1 if index.runs else 0)
    for place in range(first, min(last + 1, start)):
        if place not in there:
            return place
    return last if last >= start + extent else None


def _place(term: Term, axis: int, place: int) -> str:
    indices = [str(place) if at == axis else index.rank or str(index) for at, index in enumerate(term.indices)]
    return f"{term.tensor}[{','.join(indices)}]"


def _close(name: str, names: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"{close[0]}?" if close else f"one of {', '.join(sorted(names)[:20]) or 'none'}"


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
