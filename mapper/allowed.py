"""What constraints leave of one Einsum's mapspace, as predicates that a search applies to its candidates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archmodel.records.constraints import (
    AxisRule,
    Constraints,
    EngineRule,
    GroupRule,
    KeepRule,
    OrderRule,
    Rule,
    TileRule,
    TreeRule,
    concerns,
)
from archmodel.records.mapping import Node, leaves

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Allowed:
    """The rules on one Einsum; without any, everything is allowed."""

    rules: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is forbidden."""
        return bool(self.rules)

    def tiles(self, level: str, tensor: str, rank: str, sizes: Array, extent: int) -> Array:
        """Which of ``sizes`` the tile of a tensor at a level may have along a rank of its own, of ``extent`` in all; bool, as many."""
        fine = np.ones(len(sizes), bool)
        for rule in self.tile_rules(level, tensor, rank):
            fine &= (sizes >= rule.least) & ((sizes % rule.multiple == 0) | (sizes == extent))
            if rule.most is not None:
                fine &= sizes <= rule.most
            if rule.only:
                fine &= np.isin(sizes, rule.only)
        return fine

    def tile_rules(self, level: str, tensor: str, rank: str) -> list[TileRule]:
        """The rules on one rank of one tile."""
        return [rule for rule in self.rules if isinstance(rule, TileRule) and (rule.level, rule.rank) == (level, rank)
                and rule.tensor in ("", tensor)]  # fmt: skip

    def order(self, level: str, names: Sequence[str], known: Collection[str]) -> bool:
        """Whether ``names`` may stand at a level in this order, outermost first: the tensors held there or, of loops, the ranks.

        ``known`` are all tensors (or ranks) that the Einsum has; an order that names another is none of its business.
        """
        return all(_in_order(rule, level, tuple(names), known) for rule in self.rules if isinstance(rule, OrderRule))

    def axis(self, axis: str, shares: Mapping[str, int]) -> bool:
        """Whether an axis may be shared so: by each rank of the Einsum, the instances it is given, 1 where no loop over it stands there."""
        return all(_on_axis(rule, shares) for rule in self.rules if isinstance(rule, AxisRule) and rule.axis == axis)

    def keeps(self, tensor: str, level: str) -> bool | None:
        """Whether a tensor must be held at a level, or must not; None leaves it free."""
        keeps = (rule for rule in self.rules if isinstance(rule, KeepRule) and (rule.tensor, rule.level) == (tensor, level))
        return next((rule.keep for rule in keeps), None)

    def engine(self, name: str) -> bool:
        """Whether the Einsum may run on an engine."""
        return all(name in rule.engines for rule in self.rules if isinstance(rule, EngineRule))

    def tree(self) -> Node | None:
        """The tree that is given whole."""
        return next((rule.tree for rule in self.rules if isinstance(rule, TreeRule)), None)


def allowed(constraints: Constraints | None, einsum: str) -> Allowed:
    """What constraints leave of an Einsum's mappings."""
    return Allowed(tuple(rule for rule in constraints.rules if concerns(rule, einsum)) if constraints else ())


def may_share(constraints: Constraints | None, einsums: Sequence[str]) -> bool:
    """Whether just these Einsums may share one tree: groups that stay together are whole, and those apart have one member at most."""
    names = set(einsums)
    return all(_grouped(rule, names) for rule in (constraints.rules if constraints else ()))


def _grouped(rule: Rule, names: set[str]) -> bool:
    if isinstance(rule, TreeRule):
        mine = {end.einsum for end in leaves(rule.tree)}
        return not mine & names or mine == names
    if not isinstance(rule, GroupRule):
        return True
    mine = set(rule.einsums)
    return not mine & names or mine <= names if rule.together else len(mine & names) < 2


def _in_order(rule: OrderRule, level: str, names: tuple[str, ...], known: Collection[str]) -> bool:
    if rule.level != level:
        return True
    meant = [first for first in rule.allowed if set(first) <= set(known)]
    begins = any(names[: len(first)] == first for first in meant) or not meant
    return begins and not any(names[: len(first)] == first for first in rule.forbidden)


def _on_axis(rule: AxisRule, shares: Mapping[str, int]) -> bool:
    used = {rank for rank, share in shares.items() if share > 1}
    if rule.ranks is not None and not used <= set(rule.ranks):
        return False
    return not used & set(rule.forbidden) and all(shares.get(rank, count) == count for rank, count in rule.counts)
