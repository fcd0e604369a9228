"""A mask of the user's own on every attention of a graph: a window, sinks, blocks of queries and keys, or pages for each query."""

from __future__ import annotations

from dataclasses import replace

from ..blocks import Block, blocks
from ..masks import count
from ..records.base import SpecError
from ..records.graph import Einsum, Graph
from ..records.mask import Mask


def with_mask(graph: Graph, mask: Mask) -> Graph:
    """The graph in which a query sees a key only where ``mask`` agrees too; what is computed shrinks, what is stored does not.

    Positions are the graph's own (a step's last query stands at its last key), so ``mask`` has no offset and no first.  Blocks are
    counted from the first query and the first key that the step reads.  Raises SpecError for a mask that hides all of a block's
    pairs, and for a graph without attention that could be masked.
    """
    if mask.offset or mask.first:
        raise SpecError(f"mask: offset {mask.offset} and first {mask.first}, expected 0: a graph knows where its queries and keys stand")
    found = {einsum.name: block for block in blocks(graph) for einsum in block.einsums}
    if not found:
        raise SpecError(f"mask: graph {graph.name} has no attention block, expected a model whose softmax follows its scores directly")
    einsums = tuple(_masked(einsum, found[einsum.name], mask) if einsum.name in found else einsum for einsum in graph.einsums)
    return replace(graph, einsums=einsums)


def _masked(einsum: Einsum, block: Block, mask: Mask) -> Einsum:
    positions, keys = block.size(block.position_rank), block.keys
    both = _both(block, mask, positions, keys)
    before, after = count(block.mask, positions, keys), count(both, positions, keys)
    if not after:
        raise SpecError(f"mask: it hides every pair of {positions} queries and {keys} keys of {block.name}, expected one to be seen")
    points = einsum.work * after // before
    whole = after == positions * keys
    return replace(einsum, points=None if points == einsum.volume else points, mask=None if whole else both,
                   mask_ranks=() if whole else (block.position_rank, block.key_rank))  # fmt: skip


def _both(block: Block, mask: Mask, positions: int, keys: int) -> Mask:
    """What the block's own mask and ``mask`` let through."""
    own = block.scores.mask or Mask(offset=max(0, keys - positions))
    if own.window and (mask.window or mask.sink):
        raise SpecError(f"mask: {block.name} has a window of {own.window} already, expected a mask without one")
    return Mask(own.causal or mask.causal, own.offset, own.first, mask.window or own.window, mask.sink, mask.query_block, mask.key_block,
                mask.blocks)  # fmt: skip
