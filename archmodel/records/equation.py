"""The lines of a cascade: ``RM[m1+1,p] = max(RM[m1,p], LM[m1,p])`` is an Equation, ``RM[0,p] = -inf`` an Initial value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .base import SpecError

MAPS: dict[str, tuple[int, int]] = {
    "copy": (1, 1), "add": (2, 2), "sub": (2, 2), "mul": (2, 2), "div": (2, 2), "max": (2, 2), "exp": (1, 2), "mask": (1, 1),
    "square": (1, 1), "rsqrt": (1, 1), "silu": (1, 1), "gelu": (1, 1), "relu": (1, 1), "tanh": (1, 1), "dequantise": (2, 2),
    "muladd": (3, 3),
}  # fmt: skip
"""Operators of map, with how many inputs they take, least and most."""
REDUCES = ("none", "add", "max")
MOST_OFFSET = 64
_NUMBER = re.compile(r"-?inf|-?\d{1,15}(\.\d{1,15})?")


@dataclass(frozen=True)
class Index:
    """One index of a term: ``m1+1`` runs with its rank, ``M1`` stands at the rank's end (its extent), ``0`` at a number.

    rank    empty for a number
    offset  added to it, or the number itself
    at_end  whether it is the rank's extent, and so one place, where otherwise it runs
    """

    rank: str
    offset: int = 0
    at_end: bool = False

    def __post_init__(self) -> None:
        if not abs(self.offset) <= MOST_OFFSET:
            raise SpecError(f"index {self}: offset {self.offset}, expected at most {MOST_OFFSET}")
        if not self.rank and (self.at_end or self.offset < 0):
            raise SpecError(f"index {self}: expected a rank, or a number of at least 0")

    @property
    def runs(self) -> bool:
        """Whether it takes every value of its rank."""
        return bool(self.rank) and not self.at_end

    def __str__(self) -> str:
        if not self.rank:
            return str(self.offset)
        return (self.rank.upper() if self.at_end else self.rank) + (f"{self.offset:+d}" if self.offset else "")


@dataclass(frozen=True)
class Term:
    """``tensor[indices]``."""

    tensor: str
    indices: tuple[Index, ...] = ()

    @property
    def runs(self) -> tuple[str, ...]:
        """The ranks that run in it."""
        return tuple(index.rank for index in self.indices if index.runs)

    def axis(self, rank: str) -> int | None:
        """Which of its axes runs with ``rank``."""
        return next((axis for axis, index in enumerate(self.indices) if index.runs and index.rank == rank), None)

    def __str__(self) -> str:
        return f"{self.tensor}[{','.join(map(str, self.indices))}]"


@dataclass(frozen=True)
class Equation:
    """``output = reduce over the ranks ``over`` of map(inputs)``, for all values of the ranks that run in it."""

    output: Term
    map: str
    inputs: tuple[Term, ...]
    reduce: str = "none"
    over: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.map not in MAPS or self.reduce not in REDUCES:
            raise SpecError(f"equation of {self.output}: {self.map} {self.reduce}, expected operators of the vocabulary")
        least, most = MAPS[self.map]
        if not least <= len(self.inputs) <= most:
            wanted = str(least) if least == most else f"{least} or {most}"
            raise SpecError(f"equation of {self.output}: {self.map} of {len(self.inputs)} inputs, expected {wanted}")
        if (self.reduce == "none") != (not self.over):
            raise SpecError(f"equation of {self.output}: reduce {self.reduce} over {len(self.over)} ranks, expected both or neither")

    @property
    def ranks(self) -> tuple[str, ...]:
        """The ranks that it runs over: those of its output, then the reduced ones."""
        return (*self.output.runs, *self.over)

    def __str__(self) -> str:
        reduced = f"{'sum' if self.reduce == 'add' else self.reduce}({','.join(self.over)}) " if self.over else ""
        return f"{self.output} = {reduced}{_applied(self.map, [str(term) for term in self.inputs])}"


def _applied(name: str, inputs: list[str]) -> str:
    infix = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    if name in infix:
        return f" {infix[name]} ".join(inputs)
    if name == "copy":
        return inputs[0]
    return f"{name}({' - '.join(inputs)})" if name == "exp" else f"{name}({', '.join(inputs)})"


@dataclass(frozen=True)
class Initial:
    """``term = value``, where one index of the term is a number and the others run; ``value`` is a decimal number, inf or -inf."""

    term: Term
    value: str

    def __post_init__(self) -> None:
        if not _NUMBER.fullmatch(self.value):
            raise SpecError(f"initial value of {self.term}: {self.value[:40]!r}, expected a decimal number, inf or -inf")

    def __str__(self) -> str:
        return f"{self.term} = {self.value}"
