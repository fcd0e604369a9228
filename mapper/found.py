"""What a searcher hands back for one Einsum."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.mapping import Layout, Node, Relayout


@dataclass(frozen=True)
class Found:
    """A tree with what belongs to it; ``cycles`` of all instances, the best of ``space`` mappings, ``evaluated`` priced."""

    tree: Node
    layouts: tuple[Layout, ...] = ()
    relayouts: tuple[Relayout, ...] = ()
    cycles: int = 0
    space: int = 0
    evaluated: int = 0
