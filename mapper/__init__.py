"""Who decides: the mapping of a graph onto a machine, with a proof of how good it is."""

from .verb import search

__all__ = ["search"]
