"""The attention engine: one-pass softmax over tiles of keys."""

from .cycle import run
from .lower import Bases, extents, lower, patterns, scheduled
from .tiling import Attention

__all__ = ["Attention", "Bases", "extents", "lower", "patterns", "run", "scheduled"]
