"""Constraints and limits from a located tree of YAML; every finding has file, line and column.

The tree comes from ``archmodel.load``; whether its names are those of a graph and a machine is the mapper's to check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from archmodel.located import Findings, Node
from archmodel.records.base import SpecError, from_plain
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
)
from archmodel.records.goal import Limit
from archmodel.records.mapping import Mapping
from archmodel.schema import choice

KEYS = ("limits", "einsums", "fuse", "apart", "trees")
PARTS = ("tiles", "order", "spatial", "keep", "bypass", "engine")
RANGE = ("min", "max", "multiple")
ONLY, NOT = "only", "not"
_WHOLE = re.compile(r"[1-9][0-9]{0,17}")
_NUMBER = re.compile(r"[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?")


def limit_of(what: str, text: str, place: str = "") -> Limit:
    """A limit from the text of its number, in the unit of what it limits.  Raises SpecError."""
    if not _NUMBER.fullmatch(text):
        raise SpecError(f"found {text[:60]!r}, expected a number such as 4e6")
    return Limit(what, float(text), place)


def build(tree: Node, findings: Findings, plain_of: Callable[[Node], Any]) -> tuple[Constraints, tuple[Limit, ...]]:
    """The rules and the limits of a file; complete where there are no findings.  ``plain_of`` makes dicts, lists and scalars of a tree.

    A file with the keys of a Mapping is one, which leaves no other.  Raises SpecError where it is none.
    """
    if isinstance(tree.value, dict) and {"graph", "machine", "trees"} <= set(tree.value):
        try:
            return Constraints(whole=from_plain(Mapping, plain_of(tree))), ()
        except SpecError as error:
            raise SpecError(f"{tree.place}: {error}") from None
    reader = _Reader(findings, plain_of)
    reader.read(tree)
    return Constraints(tuple(reader.rules)), tuple(reader.limits)


class _Reader:
    """Rules and limits as they are read; ``findings`` grows with what is wrong."""

    def __init__(self, findings: Findings, plain_of: Callable[[Node], Any]) -> None:
        self.findings, self.plain_of = findings, plain_of
        self.rules: list[Rule] = []
        self.limits: list[Limit] = []

    def read(self, tree: Node) -> None:
        top = self.mapping(tree, "")
        self.known(top, KEYS, "")
        for what, node in self.mapping(top.get("limits"), "limits").items():
            self.attempt(self.limit, node, f"limits.{what}", what)
        for pattern, node in self.mapping(top.get("einsums"), "einsums").items():
            self.einsum(pattern, node, f"einsums.{pattern}")
        for key in ("fuse", "apart"):
            for node in self.items(top.get(key), key):
                self.attempt(self.group, node, key, key == "fuse")
        for node in self.items(top.get("trees"), "trees"):
            self.attempt(self.tree, node, "trees")

    def einsum(self, pattern: str, tree: Node, at: str) -> None:
        parts = self.mapping(tree, at)
        self.known(parts, PARTS, at)
        for level, node in self.mapping(parts.get("tiles"), f"{at}.tiles").items():
            self.tiles(pattern, level, "", node, f"{at}.tiles.{level}")
        for key, read in (("order", self.order), ("spatial", self.axis), ("keep", self.keep), ("bypass", self.bypass)):
            for name, node in self.mapping(parts.get(key), f"{at}.{key}").items():
                self.attempt(read, node, f"{at}.{key}.{name}", pattern, name)
        if "engine" in parts:
            self.attempt(self.engine, parts["engine"], f"{at}.engine", pattern)

    def attempt(self, read: Callable[..., None], node: Node, at: str, *names: Any) -> None:
        """Reads one entry; what is wrong with it becomes a finding at its place."""
        try:
            read(node, *names)
        except SpecError as error:
            text = str(error)
            self.findings.add(node.place, at, text if text.startswith("found") else f"found {text}")

    def limit(self, node: Node, what: str) -> None:
        if not isinstance(node.value, str):
            raise SpecError(f"found {node.shown()}, expected a number")
        self.limits.append(limit_of(what, node.value, _line(node)))

    def group(self, node: Node, together: bool) -> None:
        self.rules.append(GroupRule(_names(node), together, _line(node)))

    def tree(self, node: Node) -> None:
        try:
            found: TreeRule = from_plain(TreeRule, {"tree": self.plain_of(node)})
        except SpecError as error:
            raise SpecError(f"found no tree: {str(error).partition(': ')[2]}") from None
        self.rules.append(replace(found, place=_line(node)))

    def tiles(self, pattern: str, level: str, tensor: str, tree: Node, at: str) -> None:
        """``{m: 64, n: [32, 64], k: {min: 8, max: 64, multiple: 8}, A: {m: 32}}``: sizes by rank, of all tensors or of one."""
        for name, node in self.mapping(tree, at).items():
            if isinstance(node.value, dict) and not tensor and not set(node.value) & set(RANGE):
                self.tiles(pattern, level, name, node, f"{at}.{name}")
            else:
                self.attempt(self.tile, node, f"{at}.{name}", pattern, level, name, tensor)

    def tile(self, node: Node, pattern: str, level: str, rank: str, tensor: str) -> None:
        if not isinstance(node.value, dict):
            only = tuple(_whole(part) for part in (node.value if isinstance(node.value, list) else [node]))
            if not only:
                raise SpecError("found no size, expected at least one")
            self.rules.append(TileRule(pattern, level, rank, tensor, only, place=_line(node)))
            return
        self.known(node.value, RANGE, rank)
        least, most, multiple = (_whole(node.value[key]) if key in node.value else None for key in RANGE)
        self.rules.append(TileRule(pattern, level, rank, tensor, (), least or 1, most, multiple or 1, _line(node)))

    def order(self, node: Node, pattern: str, level: str) -> None:
        """``[C, A]``, ``[[C], [A, B]]``, ``{not: [A]}``, ``{only: [[C], [A]], not: [[A, B]]}``."""
        parts = node.value if isinstance(node.value, dict) else {ONLY: node}
        self.known(parts, (ONLY, NOT), level)
        allowed, forbidden = (_orders(parts[key]) if key in parts else () for key in (ONLY, NOT))
        self.rules.append(OrderRule(pattern, level, allowed, forbidden, _line(node)))

    def axis(self, node: Node, pattern: str, axis: str) -> None:
        """``[m, k]``, ``[]``, ``{m: 16}``, ``{only: [m, k], m: 4}``, ``{not: [k]}``; beside counted ranks, others need ``only``."""
        if not isinstance(node.value, dict):
            self.rules.append(AxisRule(pattern, axis, _names(node) if node.value else (), (), (), _line(node)))
            return
        counts = tuple((rank, _whole(part)) for rank, part in node.value.items() if rank not in (ONLY, NOT))
        only, forbidden = (_names(node.value[key]) if key in node.value else None for key in (ONLY, NOT))
        ranks = tuple(rank for rank, _ in counts) if counts and only is forbidden is None else only
        self.rules.append(AxisRule(pattern, axis, ranks, forbidden or (), counts, _line(node)))

    def keep(self, node: Node, pattern: str, tensor: str, held: bool = True) -> None:
        self.rules += [KeepRule(pattern, tensor, level, held, _line(node)) for level in _names(node)]

    def bypass(self, node: Node, pattern: str, tensor: str) -> None:
        self.keep(node, pattern, tensor, held=False)

    def engine(self, node: Node, pattern: str) -> None:
        self.rules.append(EngineRule(pattern, _names(node), _line(node)))

    def items(self, node: Node | None, at: str) -> list[Node]:
        if node is not None and (not isinstance(node.value, list) or not node.value):
            self.findings.add(node.place, at, f"found {node.shown() if node.value else 'nothing'}, expected a list")
        return node.value if node is not None and isinstance(node.value, list) else []

    def mapping(self, node: Node | None, at: str) -> dict[str, Node]:
        if node is not None and not isinstance(node.value, dict):
            self.findings.add(node.place, at, f"found {node.shown()}, expected a mapping")
        return node.value if node is not None and isinstance(node.value, dict) else {}

    def known(self, parts: dict[str, Node], keys: Sequence[str], at: str) -> None:
        for key, node in parts.items():
            if key not in keys:
                self.findings.add(node.key_place, f"{at}.{key}".lstrip("."), f"found no such key, expected {choice(key, keys)}")


def _whole(node: Node) -> int:
    if not isinstance(node.value, str) or not _WHOLE.fullmatch(node.value):
        raise SpecError(f"found {node.shown()}, expected a whole number of at least 1")
    return int(node.value)


def _names(node: Node) -> tuple[str, ...]:
    """One name, or a list of them."""
    parts = node.value if isinstance(node.value, list) else [node]
    if odd := [part for part in parts if not isinstance(part.value, str) or not part.value]:
        raise SpecError(f"found {odd[0].shown()}, expected a name")
    return tuple(str(part.value) for part in parts)


def _orders(node: Node) -> tuple[tuple[str, ...], ...]:
    """One order, or a list of them."""
    if isinstance(node.value, list) and node.value and isinstance(node.value[0].value, list):
        return tuple(_names(part) for part in node.value)
    return (_names(node),)


def _line(node: Node) -> str:
    """file:line of an entry."""
    return (node.key_place or node.place).rpartition(":")[0]
