"""Rewriting: a graph whose attention blocks follow another cascade, with the same inputs, results and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import TypeVar

from .blocks import Block, blocks, odd_ones
from .records.base import SpecError
from .records.graph import Einsum, Graph, Tensor
from .records.mapping import Rewrite

T = TypeVar("T")
SCALE_BITS = 16
"""Width of the scale of one row of keys or values."""
TILES = ".tiles"
"""Behind the name of a tensor of the graph where a cascade sees it in tiles."""
STATE_BITS = 32
"""Width of all that stays within a block: scores, weights, running sums."""


@dataclass(frozen=True)
class Step:
    """One line of a cascade, over batch, queries and ``over``; ``ranks`` are those of its result, ``ends`` those with one place."""

    output: str
    map: str
    reduce: str
    inputs: tuple[str, ...]
    over: tuple[str, ...]
    ranks: tuple[str, ...]
    ends: tuple[str, ...]


@cache
def steps_of(name: str) -> tuple[Step, ...]:
    """The lines of a shipped cascade of attention: of queries Q[e,p], keys K[e,m] and values V[f,m], where m may be m1 and m0."""
    from .load import load_cascade

    cascade = load_cascade(name)
    found = []
    for line in cascade.equations:
        ends = tuple(rank for term in line.inputs for rank, index in zip(cascade.axes[term.tensor], term.indices, strict=True)
                     if not index.runs and rank not in line.ranks)  # fmt: skip
        inputs = tuple(dict.fromkeys(term.tensor for term in line.inputs))
        product = line.map != "mul" or {*line.inputs[0].runs} != {*line.inputs[1].runs}
        found.append(Step(line.output.tensor, line.map if product or line.reduce == "none" else "muladd", line.reduce, inputs,
                          tuple(rank for rank in (*line.ranks, *dict.fromkeys(ends)) if rank != "p"),
                          tuple(rank for rank in cascade.axes[line.output.tensor] if rank != "p"), tuple(dict.fromkeys(ends))))  # fmt: skip
    return tuple(found)


def rewritten(graph: Graph, rewrites: tuple[Rewrite, ...]) -> Graph:
    """The graph after ``rewrites``.  Raises SpecError for one that names no attention block, or a block twice."""
    if not rewrites:
        return graph
    found = {block.name: block for block in blocks(graph)}
    tensors, einsums = dict(graph.tensor), {einsum.name: einsum for einsum in graph.einsums}
    for rewrite in rewrites:
        if rewrite.einsum not in found:
            raise SpecError(_no_block(graph, rewrite, tuple(found)))
        block = found.pop(rewrite.einsum)
        for old in block.einsums:
            del einsums[old.name]
        for old in block.einsums[:-1]:
            del tensors[old.output]
        before, block = dequantised(graph, block, rewrite)
        tensors |= {tensor.name: tensor for _, made in before for tensor in made}
        for einsum, made in (*before, *cascade(tensors, block, rewrite)):
            einsums[einsum.name] = einsum
            tensors |= {tensor.name: tensor for tensor in made}
    return replace(graph, tensors=_sorted(tensors), einsums=_sorted(einsums))


def _sorted(named: dict[str, T]) -> tuple[T, ...]:
    return tuple(named[name] for name in sorted(named))


def _no_block(graph: Graph, rewrite: Rewrite, have: tuple[str, ...]) -> str:
    odd = next((odd.why for odd in odd_ones(graph) if odd.name == rewrite.einsum), "")
    why = odd or f"no attention block of graph {graph.name}, or one that is rewritten twice"
    expected = f"one of {', '.join(have)}" if have else "no rewrite"
    return f"rewrite of {rewrite.einsum}: {why}; expected {expected}"


Made = tuple[Einsum, tuple[Tensor, ...]]
"""An Einsum, with the tensors that it brings."""


def dequantised(graph: Graph, block: Block, rewrite: Rewrite) -> tuple[list[Made], Block]:
    """Einsums that widen the keys and values of a block, and the block that reads what they give."""
    made: dict[str, Made] = {}
    for name, width in ((block.key, block.e), (block.value, block.f)):
        tensor = graph.tensor[name]
        if not tensor.bits < rewrite.wide or name in made:
            continue
        element = block.width if name == block.key else block.value_width
        wide = Tensor(f"{block.name}.{name}.wide", tensor.kind, tensor.ranks, rewrite.wide)
        scale = Tensor(f"{name}.scale", tensor.kind, tuple(rank for rank in tensor.ranks if rank != element), SCALE_BITS)
        ranks = tuple(sorted((rank, width if rank == element else block.size(rank)) for rank in tensor.ranks))
        einsum = Einsum(f"{block.name}.dequantise.{len(made)}", block.scores.group, wide.name, (name, scale.name), ranks, "dequantise",
                        repeat=block.scores.repeat)  # fmt: skip
        made[name] = (einsum, (scale, wide))
    names = {name: einsum.output for name, (einsum, _) in made.items()}
    return [*made.values()], replace(block, key=names.get(block.key, block.key), value=names.get(block.value, block.value))


def cascade(tensors: Mapping[str, Tensor], block: Block, rewrite: Rewrite) -> list[Made]:
    """Each Einsum of a block's new cascade, in its order, with the tensors that it brings; the first keeps the name of the scores.

    Where the cascade splits the keys, K and V appear as views whose keys are split too; a last tile that is not full is padded in
    ``ranks`` and left out of ``points``.
    """
    steps = steps_of(rewrite.cascade)
    split = any("m0" in step.over for step in steps)
    if split and not rewrite.tile:
        raise SpecError(f"rewrite of {rewrite.einsum}: {rewrite.cascade} takes tiles of keys, expected how many keys a tile has")
    ranks = split_ranks(block, rewrite.tile)
    names = {step.output: f"{block.name}.{step.output}" for step in steps}
    names |= {"Q": block.query, "K": block.key, "V": block.value, "AV": block.values.output}
    views: dict[str, Tensor] = {}
    for part in ("K", "V") if split else ():
        tensor, names[part] = tensors[names[part]], f"{names[part]}{TILES}"
        views[part] = _view(tensor, names[part], block.key_rank, (ranks["m1"][0], ranks["m0"][0]))
    around, found = (*block.batch, *block.queries), []
    for step in steps:
        made = [views[part] for part in step.inputs if part in views]
        if step.output != "AV":
            own = (ranks[rank][0] for rank in step.ranks)
            made.append(Tensor(names[step.output], "activation", (*around, *own), STATE_BITS))
        found.append((_einsum(block, step, names, ranks, first=step is steps[0]), tuple(made)))
    return found


def split_ranks(block: Block, tile: int) -> dict[str, tuple[str, int]]:
    """(name, extent) in the graph of what a cascade calls m, or m1 and m0, e and f."""
    key = block.key_rank
    tiles = {"m1": (f"{key}1", -(-block.keys // tile)), "m0": (f"{key}0", tile)} if tile else {}
    return {"m": (key, block.keys), "e": (block.width, block.e), "f": (block.value_width, block.f)} | tiles


def _einsum(block: Block, step: Step, names: dict[str, str], ranks: dict[str, tuple[str, int]], first: bool) -> Einsum:
    around = [(rank, block.size(rank)) for rank in (*block.batch, *block.queries)]
    extents = tuple(sorted(around + [(ranks[rank][0], 1 if rank in step.ends else ranks[rank][1]) for rank in step.over]))
    keys = tuple(rank for rank in ("m", "m1", "m0") if rank in step.over)
    points, masked = None, None
    if keys in (("m",), ("m1", "m0")):
        points, masked = block.div.work * prod(ranks[rank][1] for rank in step.over if rank not in keys), block.scores.mask
    if points == prod(extent for _, extent in extents):
        points = None
    group = block.scores.group if (step.map, step.reduce) == ("mul", "add") else block.exp.group
    name = block.name if first else f"{block.name}.{step.output.lower()}"
    return Einsum(
        name, group, names[step.output], tuple(names[name] for name in step.inputs),
        extents, step.map, step.reduce, points, block.scores.repeat, masked,
        (block.position_rank, ".".join(ranks[rank][0] for rank in keys)) if masked else (),
    )  # fmt: skip


def _view(tensor: Tensor, name: str, key: str, split: tuple[str, str]) -> Tensor:
    """A tensor with its rank of keys split in two."""
    at = tensor.ranks.index(key)
    return Tensor(name, tensor.kind, (*tensor.ranks[:at], *split, *tensor.ranks[at + 1 :]), tensor.bits)
