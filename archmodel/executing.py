"""The graph as a mapping leaves it: one device's share, its attention rewritten."""

from __future__ import annotations

from .records.graph import Graph
from .records.mapping import Mapping
from .rewriting import rewritten
from .sharding import sharded


def executed(graph: Graph, mapping: Mapping) -> Graph:
    """What the trees of a mapping compute.  Raises SpecError for a split or a rewrite that the graph doesn't allow."""
    return rewritten(sharded(graph, mapping.split), mapping.rewrites)
