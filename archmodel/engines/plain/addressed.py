"""Einsums as a plain engine counts them: what copies elements to where they belong goes through those, not through all pairs."""

from __future__ import annotations

from dataclasses import replace

from archmodel.records.graph import Einsum, Graph


def counted(graph: Graph, einsum: Einsum) -> tuple[Einsum, dict[str, tuple[str, ...]]]:
    """An Einsum without the rank that another one addresses, and the ranks of its tensors as it has them.

    Appending to a cache, ``cache[p,e] = copy x[s,e]``, has a point for each pair of s and p, of which one p a s counts.  It is
    counted as ``cache[s,e] = copy x[s,e]``.  All other Einsums, masked ones too, are counted over their whole rectangle.
    """
    ranks = {name: graph.tensor[name].ranks for name in (*einsum.inputs, einsum.output)}
    if einsum.map != "copy" or einsum.reduce != "none" or len(einsum.inputs) != 1 or einsum.points is None or einsum.mask:
        return einsum, ranks
    taken, made = set(ranks[einsum.inputs[0]]), set(ranks[einsum.output])
    if len(taken - made) != 1 or len(made - taken) != 1:
        return einsum, ranks
    (source,), (place,) = taken - made, made - taken
    if einsum.points * dict(einsum.ranks)[place] != einsum.volume:
        return einsum, ranks
    ranks[einsum.output] = tuple(source if rank == place else rank for rank in ranks[einsum.output])
    return replace(einsum, ranks=tuple(pair for pair in einsum.ranks if pair[0] != place), points=None), ranks
