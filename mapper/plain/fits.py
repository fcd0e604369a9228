"""Fits: whether the smallest tiles that constraints leave have room at every level; a search without any mapping would never learn it."""

from __future__ import annotations

from math import lcm, prod

import numpy as np

from mapper.allowed import Allowed

from .problem import Operand, Problem, Rank
from .sizes import divisors


def fits(problem: Problem, perfect: bool) -> bool:
    """Whether every level has room for the smallest tile of each operand that it must hold.  If not, there is no mapping."""
    rules = Allowed(problem.rules)
    for at, (level, room) in enumerate(zip(problem.params.levels, problem.bits, strict=True)):
        needed = 0
        for operand in problem.operands:
            must = not level.bypass and (not level.holds or bool({operand.name, operand.kind} & set(level.holds)))
            if at <= operand.home or not (must or rules.keeps(operand.name, level.name)):
                continue
            tile = [_smallest(rules, level.name, operand, rank, perfect) for rank in problem.ranks if rank.name in operand.ranks]
            if None in tile:
                return False
            needed += prod(filter(None, tile)) * operand.bits * (2 if level.buffering == "double" else 1)
        if room is not None and needed > room:
            return False
    return True


def _smallest(rules: Allowed, level: str, operand: Operand, rank: Rank, perfect: bool) -> int | None:
    """The smallest size along a rank that a tile may have; None if there is none."""
    found = rules.tile_rules(level, operand.name, rank.name)
    if not found:
        return 1
    step, least = lcm(*(rule.multiple for rule in found)), max(rule.least for rule in found)
    sizes = {-(-least // step) * step, rank.left, *(size for rule in found for size in rule.only)}
    tried = np.array(sorted(divisors(rank.left) if perfect else {size for size in sizes if size <= rank.left}))
    able = tried[rules.tiles(level, operand.name, rank.name, tried, rank.extent)]
    return int(able[0]) if len(able) else None
