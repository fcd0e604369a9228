"""Mapping: trees of loops, storage nodes and compute leaves, in LoopTree's notation (Gilbert et al., ISPASS 2023).

A loop cuts a rank into tiles and visits them, in time or, with ``spatial``, on an axis of an engine; what is left of
a rank that the tile doesn't divide is a smaller last tile.  A storage node says that from here inwards a tensor's tile
stays in a memory.  Several ranks that a loop treats as one are joined by dots ("b.s").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class Compute:
    """This Einsum on that engine."""

    tagged: ClassVar[bool] = True
    einsum: str
    engine: str


@dataclass(frozen=True)
class Storage:
    """``tensor`` stays in memory ``level`` for all of ``body``."""

    tagged: ClassVar[bool] = True
    tensor: str
    level: str
    body: Loop | Storage | Compute


@dataclass(frozen=True)
class Loop:
    """``spatial`` is empty for a loop in time, else the axis: copies of the engine, its rows, its cols."""

    tagged: ClassVar[bool] = True
    rank: str
    tile: int
    body: Loop | Storage | Compute
    spatial: str = ""


Node = Loop | Storage | Compute


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
class Certificate:
    """What is proved of a mapping: no other of ``space`` mappings has fewer than ``lower_bound`` of ``objective``.

    ``evaluated`` of them were priced exactly; the others' lower bounds exceed the best.  A sum over Einsums.  Ways to share
    a product among copies that one bound rules out as a whole are not counted.
    """

    objective: str
    value: int
    lower_bound: int
    space: int
    evaluated: int

    @property
    def gap(self) -> float:
        """Relative distance of the value from its lower bound; 0 is proved optimal."""
        return 0.0 if self.value == self.lower_bound else self.value / self.lower_bound - 1.0


@dataclass(frozen=True)
class Mapping:
    """One tree for each Einsum (fused ones would share one), sorted by the Einsum's name."""

    graph: str
    machine: str
    trees: tuple[Loop | Storage | Compute, ...]
    layouts: tuple[Layout, ...] = ()
    relayouts: tuple[Relayout, ...] = ()
    certificate: Certificate | None = field(default=None, compare=False)


def leaf(node: Node) -> Compute:
    """The compute leaf of a tree."""
    while not isinstance(node, Compute):
        node = node.body
    return node


def nodes(node: Node) -> tuple[Node, ...]:
    """All nodes of a tree from the root to its leaf."""
    found: list[Node] = [node]
    while not isinstance(found[-1], Compute):
        found.append(found[-1].body)
    return tuple(found)
