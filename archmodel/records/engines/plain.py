"""Plain engine: levels of storage with energies a word, axes that fan out between them, and what computes at their end.

It describes a machine as mappers do, and executes every tree of loops.  No hardware is generated for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Annotated

from ..base import OneOf, SpecError, Within, check_fields, one_of

TYPE = "plain"
MOST_LEVELS = 16
MOST_INSTANCES = 1 << 24
"""Of the innermost level."""
BUFFERINGS = ("shared", "double", "single")
Picojoules = Annotated[Fraction, Within(0, 10**12)]
Rate = Annotated[Fraction, Within(0, 10**12)]


@dataclass(frozen=True)
class Counting:
    """What mappers count differently of one and the same tree.

    drains   a result that leaves a tile is read in it
    firsts   a sum that is visited more than once is brought, and read, on its first visit too
    sustains a compute unit reads an operand again only when a loop in time changes it
    """

    drains: bool = True
    firsts: bool = False
    sustains: bool = False


COUNTINGS = {"accelforge": Counting(), "timeloop": Counting(drains=False), "zigzag": Counting(firsts=True, sustains=True)}
"""By the tool whose convention it is: AccelForge 1.0, Timeloop 4, ZigZag 3.9."""


@dataclass(frozen=True)
class Axis:
    """A fan-out below each instance of a level: ``size`` instances of the next.

    size     instances of the next level along it
    ranks    what may be spread on it; every rank where none is named
    unicast  tensors, or kinds of them, that are read once for each instance on it; others once for all that share an element
    reduces  whether sums over it add up on the way; if not, no rank that is reduced may be spread on it
    """

    name: str
    size: Annotated[int, Within(1, 1 << 20)]
    ranks: tuple[str, ...] = ()
    unicast: tuple[str, ...] = ()
    reduces: bool = True

    def __post_init__(self) -> None:
        check_fields(self, f"axis {self.name}")


@dataclass(frozen=True)
class Level:
    """Storage of equal instances.

    read_pj          energy of a word read
    write_pj         energy of a word written
    words            what each instance holds; without a bound where it is left out
    word_bits        width of a word; narrower and wider elements take their exact share of words
    bandwidth        words a cycle of each instance, read and written; without a bound where it is left out
    read_bandwidth   words read a cycle of each instance, where reads and writes pass side by side
    write_bandwidth  words written a cycle of each instance
    holds            tensors, or kinds of them (weight, activation, kv), that may live here; all where none is named
    bypass           whether a tensor may skip this level; if not, each operand that the level holds passes through it
    buffering        shared: transfers cost no room and no time beside compute; double: a tile takes its words twice;
                     single: transfers overlap with nothing, so that their cycles add
    axes             fan-out below each instance, by the axis' name
    """

    name: str
    read_pj: Picojoules
    write_pj: Picojoules
    words: Annotated[int, Within(1, 1 << 56)] | None = None
    word_bits: Annotated[int, Within(1, 1 << 16)] = 8
    bandwidth: Rate | None = None
    read_bandwidth: Rate | None = None
    write_bandwidth: Rate | None = None
    holds: tuple[str, ...] = ()
    bypass: bool = False
    buffering: Annotated[str, OneOf(BUFFERINGS)] = BUFFERINGS[0]
    axes: tuple[Axis, ...] = ()

    def __post_init__(self) -> None:
        _exact(self, "read_pj", "write_pj", "bandwidth", "read_bandwidth", "write_bandwidth")
        check_fields(self, f"level {self.name}")
        for what in ("bandwidth", "read_bandwidth", "write_bandwidth"):
            if getattr(self, what) == 0:
                raise SpecError(f"level {self.name}: {what} is 0, expected more")
        if self.bandwidth is not None and (self.read_bandwidth, self.write_bandwidth) != (None, None):
            raise SpecError(f"level {self.name}: found bandwidth beside one of reads or writes alone, expected one or the other")

    @property
    def fanout(self) -> int:
        """Instances of the next level below each of this one."""
        return prod(axis.size for axis in self.axes)


@dataclass(frozen=True)
class Operation:
    """What one point of an operator takes of a compute unit: exp, mul+add, copy+max.

    pj      energy of one point
    cycles  of one compute unit for one point
    """

    operator: str
    pj: Picojoules
    cycles: Annotated[Fraction, Within(0, 1 << 20)] = Fraction(1)

    def __post_init__(self) -> None:
        _exact(self, "pj", "cycles")
        check_fields(self, f"operation {self.operator}")


@dataclass(frozen=True)
class Params:
    """What a machine's description says of a plain engine.

    levels          storage by name, outermost first; the outermost holds everything
    mac_pj          energy of one point of an Einsum
    macs_per_cycle  points that the compute unit of each innermost instance takes a cycle
    operations      operators whose points cost otherwise, by operator
    counting        the convention by which words are counted (docs/plain.md)
    """

    levels: tuple[Level, ...]
    mac_pj: Picojoules
    macs_per_cycle: Annotated[Fraction, Within(0, 1 << 20)] = Fraction(1)
    operations: tuple[Operation, ...] = ()
    counting: Annotated[str, OneOf(tuple(COUNTINGS))] = "accelforge"

    def __post_init__(self) -> None:
        _exact(self, "mac_pj", "macs_per_cycle")
        check_fields(self, "plain engine")
        if not 1 <= len(self.levels) <= MOST_LEVELS:
            raise SpecError(f"plain engine: {len(self.levels)} levels, expected 1 to {MOST_LEVELS}")
        if self.macs_per_cycle == 0:
            raise SpecError("plain engine: macs_per_cycle is 0, expected more")
        axes = [axis.name for level in self.levels for axis in level.axes]
        for what, names in (("level", [level.name for level in self.levels]), ("axis", axes),
                            ("operation", [operation.operator for operation in self.operations])):  # fmt: skip
            if twice := {name for name in names if names.count(name) > 1}:
                raise SpecError(f"plain engine: the {what} {min(twice)} appears twice, expected it once")
        if self.levels[0].holds:
            raise SpecError(f"plain engine: level {self.levels[0].name} holds {one_of(self.levels[0].holds)} alone, expected everything: "
                            "it is the outermost")  # fmt: skip
        if self.instances > MOST_INSTANCES:
            raise SpecError(f"plain engine: {self.instances:,} instances of compute, expected at most {MOST_INSTANCES:,}")

    @property
    def convention(self) -> Counting:
        """How its words are counted."""
        return COUNTINGS[self.counting]

    @cached_property
    def instances(self) -> int:
        """Compute units: one at the end of every axis."""
        return prod(level.fanout for level in self.levels)

    @cached_property
    def depth(self) -> dict[str, int]:
        """The place of each level by its name, 0 the outermost."""
        return {level.name: place for place, level in enumerate(self.levels)}

    @cached_property
    def axis(self) -> dict[str, tuple[int, Axis]]:
        """Each axis by its name, with the place of the level that it is below."""
        return {axis.name: (place, axis) for place, level in enumerate(self.levels) for axis in level.axes}


def _exact(record: object, *names: str) -> None:
    """Whole numbers among fractions become fractions, so that equal records print alike."""
    for name in names:
        if type(value := getattr(record, name)) is int:
            object.__setattr__(record, name, Fraction(value))
