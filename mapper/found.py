"""What a searcher hands back for one Einsum, or for all those of an engine."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.mapping import Certificate, Layout, Node, Relayout


@dataclass(frozen=True)
class Found:
    """A tree with what belongs to it: the best of ``space`` mappings, ``evaluated`` of them priced, ``nodes`` partial ones examined.

    ``cycles`` and ``energy_pj``, static power included, are of all instances; no other mapping has less than ``lower_bound`` of the
    objective, which is None where it is the value itself.
    """

    tree: Node
    layouts: tuple[Layout, ...] = ()
    relayouts: tuple[Relayout, ...] = ()
    cycles: float = 0
    space: int = 0
    evaluated: int = 0
    energy_pj: float = 0.0
    lower_bound: float | None = None
    nodes: int = 0


@dataclass(frozen=True)
class Mapped:
    """The trees of several Einsums, fused ones in one, with what is proved of all of them together."""

    trees: tuple[Node, ...]
    certificate: Certificate
