"""Orders: in which sequence the residences at a level begin, and which tile sizes are then to be chosen.

Just above a node only ranks of its tensor are cut: a cut of another rank can move below it, the node is filled less often then, and
nothing else changes.  And a rank is cut only where a run of successive nodes begins whose tensors all have it: cut later in the run,
it would leave larger tiles and spare nothing.  So a rank has one size to choose for each such run at a level, and one before the
first, where the first node's tensor lacks the rank: what spreading and the levels above leave of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from archmodel.records.constraints import TileRule
from mapper.allowed import Allowed

from .problem import Problem


@dataclass(frozen=True)
class Choice:
    """A size to be chosen: of which rank, and from which node to which (excluded) it holds.

    held     nodes whose tiles it measures
    passed   nodes that are filled again for each of its pieces
    uncut    whether it is what comes from above, not cut by a loop in time
    last     whether it is the rank's innermost at the level
    told     whether constraints speak of it
    """

    rank: int
    start: int
    stop: int
    held: tuple[int, ...]
    passed: tuple[int, ...]
    uncut: bool
    last: bool
    told: bool = False

    @property
    def least(self) -> bool:
        """Whether nothing is the better for a larger one than what is needed further in."""
        return self.last and not self.passed and not self.told


@dataclass(frozen=True)
class Order:
    """``nodes``, operands by their place, outermost first; ``at`` [node][rank] is the place of the choice that holds there."""

    nodes: tuple[int, ...]
    choices: tuple[Choice, ...]
    at: tuple[tuple[int, ...], ...]
    first: tuple[int, ...]
    last: tuple[int, ...]


def orders(problem: Problem, level: int, kept: Sequence[int]) -> Iterator[Order]:
    """Every order of the operands ``kept`` at a level that the constraints allow; where compute is, there is nothing to order."""
    if level == len(problem.params.levels):
        yield _order(problem, "", ())
        return
    name, known = problem.params.levels[level].name, [operand.name for operand in problem.operands]
    rules = Allowed(problem.rules)
    for nodes in permutations(kept):
        if rules.order(name, [problem.operands[node].name for node in nodes], known):
            yield _order(problem, name, nodes)


def _order(problem: Problem, level: str, nodes: tuple[int, ...]) -> Order:
    choices: list[Choice] = []
    at: list[list[int]] = [[] for _ in nodes]
    first, last = [], []
    for place, rank in enumerate(problem.ranks):
        has = [rank.name in problem.operands[node].ranks for node in nodes]
        told = [_rules(problem, level, node, rank.name) for node in nodes]
        starts = [0, *(i for i in range(1, len(nodes)) if has[i] and (not has[i - 1] or told[i] != told[i - 1]))]
        first.append(len(choices))
        for start, stop in zip(starts, [*starts[1:], len(nodes)], strict=True):
            held = tuple(i for i in range(start, stop) if has[i])
            passed = tuple(i for i in range(start, stop) if not has[i])
            for i in range(start, stop):
                at[i].append(len(choices))
            choices.append(Choice(place, start, stop, held, passed, start == 0 and not (nodes and has[0]), stop == len(nodes),
                                  any(told[i] for i in held)))  # fmt: skip
        last.append(len(choices) - 1)
    return Order(nodes, tuple(choices), tuple(tuple(row) for row in at), tuple(first), tuple(last))


def _rules(problem: Problem, level: str, node: int, rank: str) -> tuple[TileRule, ...]:
    """What constraints say of a tile along a rank."""
    name = problem.operands[node].name
    return tuple(rule for rule in problem.rules
                 if isinstance(rule, TileRule) and rule.level == level and rule.rank == rank and rule.tensor in ("", name))  # fmt: skip


def allowed(problem: Problem, level: int, order: Order, choice: Choice) -> tuple[TileRule, ...]:
    """The constraints on a size."""
    if not choice.held:
        return ()
    name = problem.params.levels[level].name
    return tuple(rule for node in choice.held for rule in _rules(problem, name, order.nodes[node], problem.ranks[choice.rank].name))
