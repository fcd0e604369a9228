"""Who decides: the mapping of a graph onto a machine, with a proof of how good it is."""

from .devices import search

__all__ = ["search"]
