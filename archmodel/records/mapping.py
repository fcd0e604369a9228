"""Mapping: trees of loops, storage nodes, branches and compute leaves, in LoopTree's notation (Gilbert et al., ISPASS 2023).

A loop cuts a rank into tiles and visits them, in time or, with ``spatial``, on an axis of an engine; what is left of
a rank that the tile doesn't divide is a smaller last tile.  A storage node says that from here inwards a tensor's tile
stays in a memory.  Several ranks that a loop treats as one are joined by dots ("b.s").  Einsums that share a prefix
of loops are fused: a branch says whether its bodies run one after another or side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Annotated, ClassVar

from .base import OneOf, SpecError, Within, check_fields

CASCADES = ("three-pass", "deferred-division", "two-pass", "one-pass")
"""What an attention block can be rewritten to."""


@dataclass(frozen=True)
class Compute:
    """This Einsum on that engine.

    unit  the part of the engine that computes it ("array", "lanes"); empty where the engine has but one
    lag   how many iterations of the loop around its branch it is behind: the age of the tile that it works on
    """

    tagged: ClassVar[bool] = True
    einsum: str
    engine: str
    unit: str = ""
    lag: int = 0

    def __post_init__(self) -> None:
        if self.lag < 0:
            raise SpecError(f"mapping of {self.einsum}: a lag of {self.lag}, expected at least 0")


@dataclass(frozen=True)
class Storage:
    """``tensor`` stays in memory ``level`` for all of ``body``."""

    tagged: ClassVar[bool] = True
    tensor: str
    level: str
    body: Node


@dataclass(frozen=True)
class Loop:
    """``spatial`` is empty for a loop in time, else the axis: copies of the engine, its rows, its cols."""

    tagged: ClassVar[bool] = True
    rank: str
    tile: int
    body: Node
    spatial: str = ""

    def __post_init__(self) -> None:
        if self.tile < 1:
            raise SpecError(f"mapping: a loop over {self.rank} has a tile of {self.tile}, expected at least 1")


@dataclass(frozen=True)
class Sequence:
    """``bodies`` one after another in each iteration of the loop around them."""

    tagged: ClassVar[bool] = True
    bodies: tuple[Node, ...]

    def __post_init__(self) -> None:
        _several("Sequence", self.bodies)


@dataclass(frozen=True)
class Parallel:
    """``bodies`` side by side, on different units or on tiles of different age."""

    tagged: ClassVar[bool] = True
    bodies: tuple[Node, ...]

    def __post_init__(self) -> None:
        _several("Parallel", self.bodies)


@dataclass(frozen=True)
class Peel:
    """The first ``size`` of ``rank`` under one tree, what is left of it under another; both compute the same Einsums."""

    tagged: ClassVar[bool] = True
    rank: str
    size: int
    first: Node
    rest: Node

    def __post_init__(self) -> None:
        if self.size < 1:
            raise SpecError(f"mapping: Peel takes {self.size} of rank {self.rank}, expected at least 1")
        if self.first == self.rest:
            raise SpecError(f"mapping: both trees of a Peel of rank {self.rank} are the same, expected two")
        if odd := {end.einsum for end in leaves(self.first)} ^ {end.einsum for end in leaves(self.rest)}:
            raise SpecError(f"mapping: Peel of rank {self.rank} has {min(odd)} in only one of its trees")


Node = Loop | Storage | Compute | Sequence | Parallel | Peel


def _several(what: str, bodies: tuple[Node, ...]) -> None:
    if len(bodies) < 2:
        raise SpecError(f"mapping: {what} has {len(bodies)} bodies, expected at least 2")


@dataclass(frozen=True)
class Layout:
    """How an operand of an Einsum lies in a memory: words of ``lanes`` elements of rank ``lane``, counted by ``index``."""

    einsum: str
    tensor: str
    level: str
    lane: str
    lanes: int
    index: str
    base_bytes: int


@dataclass(frozen=True)
class Relayout:
    """Before (or, of its result, after) an Einsum, a tensor's lanes and words change places on ``engine``."""

    einsum: str
    tensor: str
    engine: str


@dataclass(frozen=True)
class Rewrite:
    """The attention whose scores ``einsum`` computes follows another of the shipped cascades.

    tile  keys at a time, in a cascade that splits them
    wide  bits to which narrower keys and values are dequantised first, each row of them by a scale of its own; 0 leaves them
    """

    einsum: str
    cascade: Annotated[str, OneOf(CASCADES)]
    tile: Annotated[int, Within(0, 1 << 20)] = 0
    wide: Annotated[int, Within(0, 64)] = 0

    def __post_init__(self) -> None:
        check_fields(self, f"rewrite of {self.einsum}")


MAX_SPLIT = 1 << 12


@dataclass(frozen=True)
class Split:
    """How a stage is dealt to identical devices; neighbours differ in ``tensor``, then in ``expert``, then in ``data``.

    tensor  shares of the heads, of the width of each feed-forward and expert, and of the vocabulary's logits
    expert  shares of the experts; what is no expert deals with as many shares of the sequences
    data    copies of all that, each with its share of the sequences
    """

    tensor: Annotated[int, Within(1, MAX_SPLIT)] = 1
    expert: Annotated[int, Within(1, MAX_SPLIT)] = 1
    data: Annotated[int, Within(1, MAX_SPLIT)] = 1

    def __post_init__(self) -> None:
        check_fields(self, "split")

    @property
    def devices(self) -> int:
        return self.tensor * self.expert * self.data


DEVICES = "devices"
"""The block of a choice among splits."""


@dataclass(frozen=True)
class Choice:
    """A way to compute an attention block, or to split a stage, that was weighed: what it costs with its best mapping, or why it is none.

    block      the Einsum of the scores, or DEVICES
    way        unfused (each Einsum by itself), row-granular (whole rows of scores stay on chip) or one-pass
    engine     of a fused way
    cycles     of the machine's first clock for all instances, changes of layout included; None where the way was not priced
    bytes      at the memory ports
    energy_pj  what the machine draws anyway included
    """

    block: str
    way: str
    engine: str = ""
    chosen: bool = False
    cycles: int | None = None
    bytes: int | None = None
    energy_pj: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Certificate:
    """What is proved of a mapping: no other of ``space`` mappings has less than ``lower_bound`` of ``objective``.

    ``evaluated`` of them were priced exactly; the others' lower bounds exceed the best.  A sum over Einsums.  Ways to share
    a product among copies that one bound rules out as a whole are not counted.  ``choices`` say between which ways to compute
    attention it chose, and why.

    value, lower_bound  cycles, pJ, or their product, as ``objective`` says
    nodes               partial mappings that were examined: a budget of as many finds the same
    scope               which mappings the space has, in a sentence
    """

    objective: str
    value: int | float
    lower_bound: int | float
    space: int
    evaluated: int
    choices: tuple[Choice, ...] = ()
    nodes: int = 0
    scope: str = ""

    @property
    def gap(self) -> float:
        """Relative distance of the value from its lower bound; 0 is proved optimal, infinite above a bound of 0."""
        if self.value == self.lower_bound:
            return 0.0
        return self.value / self.lower_bound - 1.0 if self.lower_bound else inf

    @property
    def optimal(self) -> bool:
        return self.value == self.lower_bound


@dataclass(frozen=True)
class Mapping:
    """One tree for each Einsum of the graph as ``rewrites`` leave it, sorted by the Einsum's name; fused ones share one, which goes
    by its first Einsum.  Under a ``split`` the trees are of what one device executes.

    ``schedule`` has steps, one after another in each layer: trees (by their first Einsum) that run side by side, those on one engine
    one after another.  Trees in no step run by themselves, when their operands are there; none at all is all of them.
    """

    graph: str
    machine: str
    trees: tuple[Node, ...]
    layouts: tuple[Layout, ...] = ()
    relayouts: tuple[Relayout, ...] = ()
    certificate: Certificate | None = field(default=None, compare=False)
    rewrites: tuple[Rewrite, ...] = ()
    split: Split = Split()
    schedule: tuple[tuple[str, ...], ...] = ()


def below(node: Node) -> tuple[Node, ...]:
    """The nodes right below one."""
    if isinstance(node, Compute):
        return ()
    if isinstance(node, Sequence | Parallel):
        return node.bodies
    return (node.first, node.rest) if isinstance(node, Peel) else (node.body,)


def nodes(node: Node) -> tuple[Node, ...]:
    """All nodes of a tree, each before those below it."""
    found: list[Node] = []
    waiting = [node]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(reversed(below(found[-1])))
    return tuple(found)


def leaves(node: Node) -> tuple[Compute, ...]:
    """The compute leaves of a tree, in its order; under a Peel each Einsum has one in both trees."""
    return tuple(end for end in nodes(node) if isinstance(end, Compute))


def leaf(node: Node) -> Compute:
    """The first compute leaf of a tree."""
    return leaves(node)[0]
