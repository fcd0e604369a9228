"""Constraints: a Mapping with holes, as rules that each take mappings away from the mapspace.

A rule names Einsums by a pattern (``attn.qk``, ``attn.*``, ``*``) and says what their mappings may be; all rules hold together,
and what no rule speaks of is free.  ``place`` is where a rule was written, ``file:line``, for errors and for what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .base import SpecError
from .mapping import Mapping, Node, leaves


@dataclass(frozen=True)
class TileRule:
    """Where ``tensor`` (any tensor that has the rank, where it is empty) is held at ``level``, its tile has, along ``rank``, one of the
    sizes ``only``, from ``least`` to ``most``, a multiple of ``multiple`` or the whole extent of the rank."""

    einsum: str
    level: str
    rank: str
    tensor: str = ""
    only: tuple[int, ...] = ()
    least: int = 1
    most: int | None = None
    multiple: int = 1
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        numbers = (*self.only, self.least, self.multiple, *(() if self.most is None else (self.most,)))
        if odd := [number for number in numbers if number < 1]:
            raise SpecError(f"tile of {self.rank} at {self.level}: {odd[0]}, expected at least 1")
        if self.most is not None and self.most < self.least:
            raise SpecError(f"tile of {self.rank} at {self.level}: from {self.least} to {self.most}, expected the smaller one first")


@dataclass(frozen=True)
class OrderRule:
    """What stands outermost at ``level`` begins with one of ``allowed`` (any, where it is empty) and with none of ``forbidden``.

    Each is a list, outermost first: of tensors, in the order in which their residence at the level begins, or, on an engine with
    loops of its own (systolic), of ranks.
    """

    einsum: str
    level: str
    allowed: tuple[tuple[str, ...], ...] = ()
    forbidden: tuple[tuple[str, ...], ...] = ()
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class AxisRule:
    """On ``axis`` stand only loops over ``ranks`` (any, where it is None), none over ``forbidden``; a rank of ``counts`` is given just as
    many of its instances.  With ragged tiles there may be fewer pieces than that, and the others idle."""

    einsum: str
    axis: str
    ranks: tuple[str, ...] | None = None
    forbidden: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class KeepRule:
    """``tensor`` is held at ``level`` or, without ``keep``, goes past it."""

    einsum: str
    tensor: str
    level: str
    keep: bool
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class EngineRule:
    """The Einsum runs on one of ``engines``."""

    einsum: str
    engines: tuple[str, ...]
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class GroupRule:
    """All of ``einsums`` stand in one tree or, without ``together``, no two of them in the same."""

    einsums: tuple[str, ...]
    together: bool
    place: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if len(set(self.einsums)) < 2:
            raise SpecError(f"group of {', '.join(self.einsums) or 'nothing'}: expected at least 2 Einsums")


@dataclass(frozen=True)
class TreeRule:
    """The Einsums of ``tree`` are mapped as it says: nothing of them is searched."""

    tree: Node
    place: str = field(default="", compare=False)


Rule = TileRule | OrderRule | AxisRule | KeepRule | EngineRule | GroupRule | TreeRule


@dataclass(frozen=True)
class Constraints:
    """Rules that all hold together; ``whole`` is a mapping of everything, with its layouts, which leaves no other."""

    rules: tuple[Rule, ...] = ()
    whole: Mapping | None = None


def concerns(rule: Rule, einsum: str) -> bool:
    """Whether a rule speaks of an Einsum."""
    if isinstance(rule, GroupRule):
        return einsum in rule.einsums
    if isinstance(rule, TreeRule):
        return any(end.einsum == einsum for end in leaves(rule.tree))
    return fnmatchcase(einsum, rule.einsum)
