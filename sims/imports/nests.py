"""A nest as Timeloop and ZigZag write it, loops and kept tensors level by level, to a Mapping's tree.

There a tile is brought again only when a loop changes it.  In a Mapping it is brought again by each iteration above its storage node.
The two say the same where a node stands above those innermost of the loops outside it that don't change its tensor.  But storage nodes
stand from the outermost level inwards, so one that would stand above another of a level further out stands below that one, and its
tensor is brought more often than in the source: such are reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archmodel.records.base import SpecError
from archmodel.records.mapping import Compute, Loop, Node, Storage

MOST_NODES = 128
"""On one path of a tree."""


@dataclass(frozen=True)
class Turn:
    """A loop of ``count`` iterations over a rank, in time or on an axis."""

    rank: str
    count: int
    axis: str = ""


@dataclass(frozen=True)
class Stay:
    """``tensor`` stays in the level at place ``level``, 0 the outermost; in the source within the loops in time from ``outside`` on."""

    tensor: str
    level: int
    outside: int


@dataclass(frozen=True)
class Nest:
    """Loops in time, outermost first; loops in space with the place of the level that they are below; what stays where, but at home."""

    timed: tuple[Turn, ...]
    spread: tuple[tuple[int, Turn], ...]
    stays: tuple[Stay, ...]


@dataclass(frozen=True)
class Nested:
    """``lost`` names (tensor, level) brought more often than in the source, ``uneven`` the ranks that a loop's count doesn't divide."""

    tree: Node
    lost: tuple[tuple[str, str], ...]
    uneven: tuple[str, ...]


def nested(nest: Nest, levels: Sequence[str], extents: Mapping[str, int], ranks: Mapping[str, Sequence[str]], leaf: Compute) -> Nested:
    """The tree of a nest; ``levels`` by name, outermost first, ``ranks`` of each tensor."""
    placed: list[tuple[int, Stay]] = []
    lost = []
    lowest = 0
    for stay in sorted(nest.stays, key=lambda stay: (stay.level, begins(nest.timed[: stay.outside], ranks[stay.tensor]))):
        wanted = begins(nest.timed[: stay.outside], ranks[stay.tensor])
        above = max((at for at, other in placed if other.level < stay.level), default=0)
        if any(turn.count > 1 for turn in nest.timed[wanted:above]):
            lost.append((stay.tensor, levels[stay.level]))
        placed.append((max(wanted, above), stay))
        lowest = max(lowest, placed[-1][0])
    steps: list[Turn | Stay] = []
    waiting = sorted((pair for pair in nest.spread if pair[1].count > 1), key=lambda pair: pair[0])
    for at in range(len(nest.timed) + 1):
        for _, stay in sorted((pair for pair in placed if pair[0] == at), key=lambda pair: pair[1].level):
            steps += [turn for level, turn in waiting if level < stay.level]
            waiting = [pair for pair in waiting if pair[0] >= stay.level]
            steps.append(stay)
        if at == lowest:
            steps += [turn for _, turn in waiting]
        steps += [turn for turn in nest.timed[at : at + 1] if turn.count > 1]
    if len(steps) > MOST_NODES:
        raise SpecError(f"mapping: found {len(steps)} loops and storage nodes, expected at most {MOST_NODES}")
    return _tree(steps, levels, extents, leaf, tuple(dict.fromkeys(lost)))


def _tree(steps: Sequence[Turn | Stay], levels: Sequence[str], extents: Mapping[str, int], leaf: Compute,
          lost: tuple[tuple[str, str], ...]) -> Nested:  # fmt: skip
    sizes, uneven = dict(extents), []
    tiles = []
    for step in steps:
        if isinstance(step, Turn):
            uneven += [step.rank] * (sizes[step.rank] % step.count != 0)
            sizes[step.rank] = -(-sizes[step.rank] // step.count)
        tiles.append(sizes[step.rank] if isinstance(step, Turn) else 0)
    tree: Node = leaf
    for step, tile in zip(reversed(steps), reversed(tiles), strict=True):
        tree = Loop(step.rank, tile, tree, step.axis) if isinstance(step, Turn) else Storage(step.tensor, levels[step.level], tree)
    return Nested(tree, lost, tuple(dict.fromkeys(uneven)))


def begins(outside: Sequence[Turn], own: Sequence[str]) -> int:
    """The place among the loops outside above which a tensor's node may stand: behind the last one that changes it."""
    return max((place + 1 for place, turn in enumerate(outside) if turn.rank in own and turn.count > 1), default=0)
