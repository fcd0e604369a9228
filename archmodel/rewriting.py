"""Rewriting: a graph whose attention blocks follow another cascade, with the same inputs, results and masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from .blocks import Block, blocks, odd_ones
from .records.base import SpecError
from .records.graph import Einsum, Graph, Tensor
from .records.mapping import Rewrite

T = TypeVar("T")
STATE_BITS = 32
"""Width of all that stays within a block: scores, weights, running sums."""


@dataclass(frozen=True)
class Step:
    """One Einsum of a cascade, over batch, queries and ``over``; ``last`` reads only the last tile's values."""

    output: str
    operators: str
    inputs: tuple[str, ...]
    over: str
    last: bool = False


# FuseMax (arXiv 2406.10491), Cascade 5: m1 counts tiles of m0 keys, e and f are elements of a key and of a value.  A tensor that
# is read before it is written is the running one of the tile before.
ONE_PASS = (
    Step("BQK", "mul add", ("Q", "K"), "m1 m0 e"),
    Step("LM", "copy max", ("BQK",), "m1 m0"),
    Step("RM", "max", ("RM", "LM"), "m1"),
    Step("SLN", "exp", ("BQK", "RM"), "m1 m0"),
    Step("SLD", "copy add", ("SLN",), "m1 m0"),
    Step("SLNV", "mul add", ("SLN", "V"), "m1 m0 f"),
    Step("PRM", "exp", ("RM",), "m1"),
    Step("SPD", "mul", ("RD", "PRM"), "m1"),
    Step("RD", "add", ("SPD", "SLD"), "m1"),
    Step("SPNV", "mul", ("RNV", "PRM"), "m1 f"),
    Step("RNV", "add", ("SPNV", "SLNV"), "m1 f"),
    Step("AV", "div", ("RNV", "RD"), "m1 f", last=True),
)
STEPS = {"one-pass": ONE_PASS}


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
        for einsum, made in cascade(graph, block, rewrite):
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


def member(block: str, tensor: str) -> str:
    """The name of the Einsum of a rewritten block that computes ``tensor``; the scores keep the block's own."""
    return block if tensor == "BQK" else f"{block}.{tensor.lower()}"


def cascade(graph: Graph, block: Block, rewrite: Rewrite) -> list[tuple[Einsum, tuple[Tensor, ...]]]:
    """Each Einsum of a block's new cascade, in its order, with the tensors that it brings.

    K and V appear as views whose keys are split; a last tile that is not full is padded in ``ranks`` and left out of ``points``.
    """
    steps = STEPS[rewrite.cascade]
    ranks = split_ranks(block, rewrite.tile)
    names = {"Q": block.query, "K": f"{block.key}.tiles", "V": f"{block.value}.tiles", "AV": block.values.output}
    names = {step.output: f"{block.name}.{step.output}" for step in steps} | names
    around = (*block.batch, *block.queries)
    over = {step.output: tuple(ranks[rank][0] for rank in step.over.split() if not _reduced(step, rank)) for step in steps}
    views = {names[part]: _view(graph.tensor[tensor], names[part], block.key_rank, (ranks["m1"][0], ranks["m0"][0]))
             for part, tensor in (("K", block.key), ("V", block.value))}  # fmt: skip
    found = []
    for step in steps:
        made = [views[names[part]] for part in step.inputs if names[part] in views]
        if step.output != "AV":
            made.append(Tensor(names[step.output], "activation", (*around, *over[step.output]), STATE_BITS))
        found.append((_einsum(block, step, names, ranks), tuple(made)))
    return found


def split_ranks(block: Block, tile: int) -> dict[str, tuple[str, int]]:
    """(name, extent) in the graph of what a cascade calls m1, m0, e and f."""
    key = block.key_rank
    return {"m1": (f"{key}1", -(-block.keys // tile)), "m0": (f"{key}0", tile),
            "e": (block.width, block.e), "f": (block.value_width, block.f)}  # fmt: skip


def _reduced(step: Step, rank: str) -> bool:
    """Whether a step's result lacks a rank that it runs over."""
    return rank == "e" or (rank == "m0" and " " in step.operators and step.output != "BQK")


def _einsum(block: Block, step: Step, names: dict[str, str], ranks: dict[str, tuple[str, int]]) -> Einsum:
    over = step.over.split()
    around = [(rank, block.size(rank)) for rank in (*block.batch, *block.queries)]
    extents = tuple(sorted(around + [ranks[rank] for rank in over]))
    points = None
    if "m0" in over:
        points = block.div.work * (ranks[over[-1]][1] if over[-1] != "m0" else 1)
    elif step.last:
        points = block.size(*(rank for rank, _ in around)) * block.f
    volume = 1
    for _, extent in extents:
        volume *= extent
    masked = block.scores.mask if "m0" in over else None
    operator, _, reduce = step.operators.partition(" ")
    return Einsum(
        member(block.name, step.output), block.scores.group, names[step.output], tuple(names[name] for name in step.inputs), extents,
        operator, reduce or "none", None if points == volume else points, block.scores.repeat, masked,
        (block.position_rank, f"{ranks['m1'][0]}.{ranks['m0'][0]}") if masked else (),
    )  # fmt: skip


def _view(tensor: Tensor, name: str, key: str, split: tuple[str, str]) -> Tensor:
    """A tensor with its rank of keys split in two."""
    at = tensor.ranks.index(key)
    return Tensor(name, tensor.kind, (*tensor.ranks[:at], *split, *tensor.ranks[at + 1 :]), tensor.bits)
