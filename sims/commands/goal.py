"""What a search is for: the options of the verbs that map, and the Goal that they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

from .parser import Parser, integer, one_of

if TYPE_CHECKING:
    from archmodel.records.constraints import Constraints
    from archmodel.records.goal import Goal, Limit
    from archmodel.records.machine import Machine

MEASURED = "energy (pJ), latency (cycles), edp (their product), power (W), area (um2), or the words or bytes used of a level"


def add_objective(parser: Parser | argparse._ArgumentGroup) -> None:
    """--objective."""
    parser.add_argument("--objective", type=one_of("latency", "energy", "edp"), default="latency", metavar="O",
                        help="latency (default), energy or edp; what ties is decided by energy, by latency, by energy")  # fmt: skip


def add_goal(parser: Parser) -> None:
    """--objective, limits, tiles, constraints and budgets."""
    goal = parser.add_argument_group("what is searched for")
    add_objective(goal)
    goal.add_argument("--limit", action="append", default=[], dest="limits", metavar="WHAT=N",
                      help=f"at most N of {MEASURED}; may be repeated")  # fmt: skip
    goal.add_argument("--tiles", type=one_of("ragged", "perfect"), metavar="T",
                      help="ragged: any size, the last tile is what is left; perfect: only sizes that divide; default perfect where a "
                           "plain machine may fuse Einsums, else ragged")  # fmt: skip
    goal.add_argument("--constrain", type=Path, metavar="FILE",
                      help="YAML of what mappings may be: tiles, orders, axes, residence, fusion, trees (docs/mapper.md)")  # fmt: skip
    goal.add_argument("--budget-nodes", type=integer(1), metavar="N",
                      help="stop after N partial mappings, always with the same answer, and say how far from proved it is")  # fmt: skip
    goal.add_argument("--budget", type=_seconds, metavar="SECONDS",
                      help="stop after so much CPU time; the certificate has the N with which --budget-nodes finds the same")  # fmt: skip


def goal_of(given: argparse.Namespace, machine: Machine) -> Goal:
    """The goal that the options describe.  Raises SpecError, which names the option or the line of the file."""
    from archmodel.records.goal import TILES, Goal

    constraints: Constraints | None = None
    limits: tuple[Limit, ...] = ()
    if given.constrain is not None:
        from archmodel.load import load_constraints

        constraints, limits = load_constraints(given.constrain)
    every = (*limits, *(_limit(text) for text in given.limits))
    for limit in every:
        _known(limit, machine)
    if given.budget_nodes and given.budget:
        raise SpecError("--budget and --budget-nodes both say when to stop; leave one of them out")
    return Goal(given.objective, every, given.tiles or TILES[0], given.budget_nodes, given.budget, constraints)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected seconds above 0")
    return value


def _limit(text: str) -> Limit:
    from archmodel.constraining import limit_of

    what, equals, number = text.partition("=")
    if not equals:
        raise SpecError(f"--limit {text}: found no number, expected WHAT=N such as energy=4e6")
    try:
        return limit_of(what, number, f"--limit {text}")
    except SpecError as error:
        raise SpecError(f"--limit {text}: {error}") from None


def _known(limit: Limit, machine: Machine) -> None:
    """Raises SpecError for a limit on what no mapping has."""
    from archmodel.records.goal import MEASURES

    from .parser import close_to

    names = (*MEASURES, *levels_of(machine))
    if limit.what not in names:
        raise SpecError(f"{limit.place}: no measure or level {limit.what!r} of {machine.name}; {close_to(limit.what, names)}")


def levels_of(machine: Machine) -> tuple[str, ...]:
    """The memories of a machine that a mapping may hold tensors in: those of its engines, outermost first."""
    found: dict[str, None] = {}
    for engine in machine.engines:
        named = [level.name for level in getattr(engine.params, "levels", ())] or [engine.port, engine.buffer]
        found |= dict.fromkeys(name for name in named if name)
    return tuple(found)
