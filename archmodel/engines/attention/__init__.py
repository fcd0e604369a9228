"""The attention engine: one-pass softmax over tiles of keys."""

from .closed_form import Cost, price
from .cycle import run
from .lower import Bases, extents, lower, patterns, scheduled
from .tiling import Attention

__all__ = ["Attention", "Bases", "Cost", "extents", "lower", "patterns", "price", "run", "scheduled"]
