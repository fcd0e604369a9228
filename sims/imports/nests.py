"""A nest as Timeloop and ZigZag write it, loops and kept tensors level by level, to a Mapping's tree.

There a tile is brought again only when a loop changes it.  In a Mapping it is brought again by each iteration above its storage node.
The two say the same where a node stands above those innermost loops of the level outside that don't change its tensor; only loops two
levels out that don't change it, when none between does, remain, and are reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archmodel.records.mapping import Compute, Loop, Node, Storage


@dataclass(frozen=True)
class Turn:
    """A loop of ``count`` iterations over a rank, in time or on an axis."""

    rank: str
    count: int
    axis: str = ""


@dataclass(frozen=True)
class Stage:
    """What stands below a level: its loops, outermost first, those in space before those in time; and what the level keeps."""

    level: str
    keeps: tuple[str, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Nested:
    """``lost`` names (tensor, level) brought more often than in the source, ``uneven`` the ranks that a loop's count doesn't divide."""

    tree: Node
    lost: tuple[tuple[str, str], ...]
    uneven: tuple[str, ...]


def nested(stages: Sequence[Stage], extents: Mapping[str, int], ranks: Mapping[str, Sequence[str]], leaf: Compute) -> Nested:
    """The tree of stages, outermost first; ``ranks`` are those of each tensor.  The first stage's level is home and needs no node."""
    steps: list[Turn | tuple[str, str]] = []
    lost = []
    for place, stage in enumerate(stages):
        spread = [turn for turn in stage.turns if turn.axis and turn.count > 1]
        steps += spread
        timed = [turn for turn in stage.turns if not turn.axis and turn.count > 1]
        inner = stages[place + 1] if place + 1 < len(stages) else Stage("", (), ())
        for at, turn in enumerate([*timed, None]):
            steps += [(tensor, inner.level) for tensor in inner.keeps if _begins(timed, ranks[tensor]) == at]
            if turn:
                steps.append(turn)
        lost += [(tensor, inner.level) for tensor in inner.keeps
                 if place and not _begins(timed, ranks[tensor]) and _still(stages[: place + 1], tensor, ranks[tensor])]  # fmt: skip
    sizes, uneven = dict(extents), []
    shaped: list[tuple[Turn | tuple[str, str], int]] = []
    for step in steps:
        if isinstance(step, Turn):
            size = sizes[step.rank]
            uneven += [step.rank] * (size % step.count != 0)
            sizes[step.rank] = -(-size // step.count)
            shaped.append((step, sizes[step.rank]))
        else:
            shaped.append((step, 0))
    tree: Node = leaf
    for step, tile in reversed(shaped):
        tree = Loop(step.rank, tile, tree, step.axis) if isinstance(step, Turn) else Storage(step[0], step[1], tree)
    return Nested(tree, tuple(lost), tuple(dict.fromkeys(uneven)))


def _begins(timed: Sequence[Turn], own: Sequence[str]) -> int:
    """The place among loops in time above which a tensor's node may stand: behind the last one that changes it."""
    return max((place + 1 for place, turn in enumerate(timed) if turn.rank in own), default=0)


def _still(outer: Sequence[Stage], tensor: str, own: Sequence[str]) -> bool:
    """Whether the innermost loop in time above the last of these stages, up to the level that keeps the tensor, doesn't change it."""
    for inner, stage in zip(outer[:0:-1], outer[-2::-1], strict=True):
        if tensor in inner.keeps:
            return False
        if timed := [turn for turn in stage.turns if not turn.axis and turn.count > 1]:
            return timed[-1].rank not in own
    return False
