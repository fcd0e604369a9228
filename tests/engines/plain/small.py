"""Small plain machines, graphs of Einsums and trees, written short."""

from __future__ import annotations

from collections.abc import Mapping as Extents
from dataclasses import replace
from fractions import Fraction
from typing import Any

from archmodel import load_machine
from archmodel.engines.plain.cost import Cost, cost_of
from archmodel.records.engines.plain import Level, Params
from archmodel.records.graph import Einsum, Graph, Stage, Tensor
from archmodel.records.mapping import Compute, Loop, Node, Sequence, Storage

STAGE = Stage("small", "prefill", 1, 1, 1, 1, ())
A3: Params = load_machine("plain-a3").engine("array").params


def graph_of(extents: Extents[str, int], *einsums: str, bits: int = 8, **more: Any) -> Graph:
    """A graph of lines such as ``c[m,n] = mul+add a[m,k] b[k,n]``; each Einsum is named by its result."""
    found, tensors = [], {}
    for line in einsums:
        output, said = line.split(" = ")
        operator, *inputs = said.split()
        name, *terms = (term.removesuffix("]").partition("[") for term in (output, *inputs))
        for part in (name, *terms):
            tensors[part[0]] = Tensor(part[0], "activation", tuple(filter(None, part[2].split(","))), bits)
        ranks = sorted({rank for part in (name, *terms) for rank in tensors[part[0]].ranks})
        map_, _, reduce = operator.partition("+")
        found.append(Einsum(name[0], "g", name[0], tuple(term[0] for term in terms), tuple((rank, extents[rank]) for rank in ranks),
                            map_, reduce or "none", **more))  # fmt: skip
    return Graph("small", STAGE, tuple(tensors[name] for name in sorted(tensors)), tuple(sorted(found, key=lambda e: e.name)), ())


def tree_of(*lines: str, bodies: tuple[Node, ...] = ()) -> Node:
    """A tree from its top: ``a in buffer``, ``for k 4``, ``for k 4 on rows``; ``a`` alone is a leaf; ``bodies`` are those of a Sequence."""
    if not lines:
        return Sequence(bodies)
    words, rest = lines[0].split(), lines[1:]
    if len(words) == 1:
        return Compute(words[0], "array")
    if words[1] == "in":
        return Storage(words[0], words[2], tree_of(*rest, bodies=bodies))
    return Loop(words[1], int(words[2]), tree_of(*rest, bodies=bodies), words[4] if len(words) > 3 else "")


def levels_of(params: Params, **changes: dict[str, Any]) -> Params:
    """An engine with some fields of some levels changed."""
    return replace(params, levels=tuple(replace(level, **changes.get(level.name, {})) for level in params.levels))


def cost(graph: Graph, tree: Node, params: Params = A3) -> Cost:
    return cost_of(graph, tree, params)


def words(found: Cost) -> dict[tuple[str, str], tuple[int, int]]:
    """(reads, writes) by level and tensor."""
    assert all(amount.denominator == 1 for row in found.traffic for amount in (row.reads, row.writes))
    return {(row.level, row.tensor): (int(row.reads), int(row.writes)) for row in found.traffic}


def level(name: str, **more: Any) -> Level:
    """A level at one pJ a word."""
    return Level(name, Fraction(1), Fraction(1), **more)
