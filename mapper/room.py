"""Constraints that can be seen to leave no room, before a search: tiles that a level cannot hold, sizes that divide nothing."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import prod

from archmodel.records.base import SpecError
from archmodel.records.constraints import TileRule
from archmodel.records.engines.plain import Level
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Machine

from .allowed import Allowed, allowed


def check_room(goal: Goal, graph: Graph, machine: Machine) -> None:
    """Raises SpecError, with the lines of the rules, where tiles on a plain engine leave no mapping of an Einsum."""
    levels = [level for engine in machine.engines for level in getattr(engine.params, "levels", ())[1:]]
    found = [text for einsum in graph.einsums for level in levels if not level.bypass
             for text in _faults(goal, graph, einsum, allowed(goal.constraints, einsum.name), level)]  # fmt: skip
    if found:
        raise SpecError("\n".join(dict.fromkeys(found)))


def _faults(goal: Goal, graph: Graph, einsum: Einsum, rules: Allowed, level: Level) -> Iterator[str]:
    extents, need, places = dict(einsum.ranks), Fraction(0), dict[str, None]()
    for name in dict.fromkeys((*einsum.inputs, einsum.output)):
        tensor = graph.tensor[name]
        if level.holds and not {name, tensor.kind} & set(level.holds):
            continue
        sizes = []
        for rank in tensor.ranks:
            mine = rules.tile_rules(level.name, name, rank)
            least = _least(mine, extents[rank], goal.tiles == "perfect")
            if least is None:
                yield f"{mine[0].place}: no tile of {rank}, which is {extents[rank]:,}, is as it says and divides it"
                return
            sizes.append(least)
            places |= dict.fromkeys(rule.place for rule in mine if least > 1)
        need += prod(sizes) * Fraction(tensor.bits, level.word_bits) * (2 if level.buffering == "double" else 1)
    limit = next((limit for limit in goal.limits if limit.what == level.name), None)
    words = level.words if limit is None else min(level.words or int(limit.most), int(limit.most))
    least = -(-need.numerator // need.denominator)
    where = [*places, *([limit.place or f"limit {limit.what}"] if limit and words != level.words else [])]
    if where and words is not None and least > words:
        what = "what is held" if places else "one element of every tensor"
        yield f"{' and '.join(where)}: {what} of {einsum.name} at {level.name} takes at least {least:,} words of {words:,}"


def _least(rules: list[TileRule], extent: int, perfect: bool) -> int | None:
    """The smallest size that rules on a tile leave; a perfect one divides the rank."""
    if not rules:
        return 1
    sizes = (size for size in range(1, extent + 1) if not perfect or extent % size == 0)
    return next((size for size in sizes if all(_takes(rule, size, extent) for rule in rules)), None)


def _takes(rule: TileRule, size: int, extent: int) -> bool:
    fits = rule.least <= size <= (rule.most or extent) and (not rule.only or size in rule.only)
    return fits and (size % rule.multiple == 0 or size == extent)
