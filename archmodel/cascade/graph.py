"""graph_of: a cascade as a Graph, which every verb takes.

Each equation is an Einsum of the name of its result.  A rank that only stands at one place (``RNV[f,M1,p]``) has extent 1 there.
What the graph cannot say is the step of an index: that a running sum reads what its step before gave shows only in that it is,
directly or through others, among its own inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

from archmodel.masks import count, looked_at
from archmodel.records.base import SpecError
from archmodel.records.cascade import Cascade
from archmodel.records.equation import Equation, Term
from archmodel.records.graph import Einsum, Graph, Stage, Tensor
from archmodel.records.mask import Mask

STAGE = "cascade"
MOST_QUERIES = 1 << 26
"""What counting the pairs of a mask looks at: a second, or with blocks a few."""


def graph_of(cascade: Cascade) -> Graph:
    """The work of a cascade: one stage, once.

    Pairs that the mask hides are no work of any Einsum over queries and keys.  What is read by a mask alone is computed masked,
    and so the mask itself is no Einsum.  Raises SpecError where a mask hides everything.
    """
    hidden = _computed_masked(cascade)
    einsums = tuple(sorted((_einsum(cascade, equation, hidden) for equation in cascade.equations if not _folded(equation, hidden)),
                           key=lambda einsum: einsum.name))  # fmt: skip
    used = {name for einsum in einsums for name in (einsum.output, *einsum.inputs)}
    kinds = {tensor.name: tensor.kind for tensor in cascade.inputs}
    tensors = tuple(Tensor(name, kinds.get(name, "activation"), cascade.axes[name], cascade.bits_of(name)) for name in sorted(used))
    stage = Stage(cascade.name, STAGE, 1, 0, 1, 1, ((1, 0, 1),))
    return Graph(cascade.name, stage, tensors, einsums, _resident(cascade))


def _computed_masked(cascade: Cascade) -> dict[str, str]:
    """The masked tensor, by the tensor that is read by its mask alone."""
    readers: dict[str, list[Equation]] = {}
    for equation in cascade.equations:
        for term in equation.inputs:
            readers.setdefault(term.tensor, []).append(equation)
    made = {equation.output.tensor for equation in cascade.equations}
    return {name: reading[0].output.tensor for name, reading in readers.items()
            if name in made and len(reading) == 1 and reading[0].map == "mask"}  # fmt: skip


def _folded(equation: Equation, hidden: dict[str, str]) -> bool:
    return equation.map == "mask" and equation.inputs[0].tensor in hidden


def _einsum(cascade: Cascade, equation: Equation, hidden: dict[str, str]) -> Einsum:
    name = hidden.get(equation.output.tensor, equation.output.tensor)
    extents = {rank: cascade.extent[rank] for rank in equation.ranks}
    extents |= {rank: 1 for term in equation.inputs for rank in _places(cascade, term) if rank not in extents}
    operator, reduce = equation.map, equation.reduce
    if (operator, reduce) == ("mul", "add") and not _is_product(equation):
        operator = "muladd"
    volume, points = math.prod(extents.values()), _points(cascade, equation, extents)
    masked = cascade.masked if points is not None else None
    over = tuple(".".join(cascade.parts(rank)) for rank in (masked.queries, masked.keys)) if masked else ()
    return Einsum(name, "attention" if operator == "mul" and reduce == "add" else "softmax", name,
                  tuple(term.tensor for term in equation.inputs), tuple(sorted(extents.items())), operator, reduce,
                  None if points == volume else points, 1, masked.mask if masked else None, over)  # fmt: skip


def _places(cascade: Cascade, term: Term) -> Iterable[str]:
    """Ranks of a term's tensor that do not run in it."""
    return (rank for rank, index in zip(cascade.axes[term.tensor], term.indices, strict=True) if not index.runs)


def _is_product(equation: Equation) -> bool:
    """Whether one of the inputs is used again along a rank that it lacks; else it is a product for each sum, and no matrix product."""
    first, second = (set(term.runs) for term in equation.inputs)
    return first != second


def _points(cascade: Cascade, equation: Equation, extents: dict[str, int]) -> int | None:
    """Points that the mask lets through, of an equation over all its ranks; None of another."""
    masked = cascade.masked
    if masked is None:
        return None
    queries, keys = (cascade.parts(rank) for rank in (masked.queries, masked.keys))
    if not {*queries, *keys} <= set(equation.ranks):
        return None
    sizes = [math.prod(extents[rank] for rank in parts) for parts in (queries, keys)]
    return _pairs(cascade.name, masked.mask, *sizes) * math.prod(extents.values()) // math.prod(sizes)


@lru_cache(maxsize=64)
def _pairs(name: str, mask: Mask, queries: int, keys: int) -> int:
    """Pairs that a mask lets through, at least one."""
    if (found := looked_at(mask, queries)) > MOST_QUERIES:
        what = "queries in all blocks of a mask" if mask.query_block else "queries under a mask"
        raise SpecError(f"cascade {name}: found {found:,} {what}, expected at most {MOST_QUERIES:,}")
    if not (pairs := count(mask, queries, keys)):
        raise SpecError(f"cascade {name}: its mask hides every pair of {queries} queries and {keys} keys, expected one to compute")
    return pairs


def _resident(cascade: Cascade) -> tuple[tuple[str, int], ...]:
    """Bytes of inputs and results by kind."""
    sizes = {"weight": 0, "kv": 0, "activation": 0}
    kinds = {tensor.name: tensor.kind for tensor in cascade.inputs}
    for name in (*kinds, *cascade.outputs):
        elements = math.prod(cascade.extent[rank] for rank in cascade.axes[name])
        sizes[kinds.get(name, "activation")] += -(-elements * cascade.bits_of(name) // 8)
    return tuple((kind, size) for kind, size in sizes.items() if size)
