"""Mask: which keys a query of attention sees, by their positions in the sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .base import SpecError, Within, check_fields

Position = Annotated[int, Within(0, 1 << 40)]
MOST_BLOCKS = 1 << 22
"""(query block, key block) pairs of one mask."""


@dataclass(frozen=True)
class Mask:
    """Query i stands at position ``offset`` + i and key k at ``first`` + k; what holds of both decides.  The default hides nothing.

    causal       a query sees no key behind its own position
    window       where not 0: none that lies ``window`` positions or more before it (its own position counts as one)
    sink         positions below this are seen in spite of the window (with a window, this is a Lambda-shaped mask)
    query_block, key_block    sizes of the blocks that ``blocks`` counts; 0 where there are none
    blocks       where query_block is not 0: the sorted (block of i, block of k) pairs that are seen at all, so a block-sparse mask;
                 with a query_block of 1 each query has key pages of its own
    """

    causal: bool = False
    offset: Position = 0
    first: Position = 0
    window: Position = 0
    sink: Position = 0
    query_block: Position = 0
    key_block: Position = 0
    blocks: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, "mask")
        if self.sink and not self.window:
            raise SpecError(f"mask: sink {self.sink} without a window, expected a window that it is an exception to")
        if bool(self.query_block) != bool(self.key_block):
            raise SpecError(f"mask: query_block {self.query_block} and key_block {self.key_block}, expected both or neither")
        if self.blocks and not self.query_block:
            raise SpecError("mask: blocks without their size, expected query_block and key_block")
        if len(self.blocks) > MOST_BLOCKS:
            raise SpecError(f"mask: {len(self.blocks)} blocks, expected at most {MOST_BLOCKS}")
        if any(first >= second for first, second in zip(self.blocks, self.blocks[1:], strict=False)):
            raise SpecError("mask: blocks must be sorted, each once")
        if any(min(pair) < 0 for pair in self.blocks):
            raise SpecError("mask: a block is negative, expected 0 or more")

    @property
    def hides_nothing(self) -> bool:
        return not (self.causal or self.window or self.query_block)
