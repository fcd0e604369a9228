"""Attention blocks: scores, softmax and weighted values that belong together in a graph, found by how their tensors connect."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import prod

from .records.graph import Einsum, Graph
from .records.mask import Mask


@dataclass(frozen=True)
class Block:
    """Six Einsums: ``scores`` = query x key, their maximum ``top``, ``exp``, its sum ``total``, ``div``, and ``values`` = that x value.

    batch      ranks of independent instances: sequences, kv heads
    queries    ranks that scores and output share, slowest first: query heads of a kv head and their positions (GQA packs them)
    key_rank   the rank of keys; ``width`` and ``value_width`` are those that scores contract and the output keeps
    """

    scores: Einsum
    top: Einsum
    exp: Einsum
    total: Einsum
    div: Einsum
    values: Einsum
    query: str
    key: str
    value: str
    batch: tuple[str, ...]
    queries: tuple[str, ...]
    key_rank: str
    width: str
    value_width: str

    @property
    def name(self) -> str:
        """A block is called after its scores."""
        return self.scores.name

    @property
    def einsums(self) -> tuple[Einsum, ...]:
        return (self.scores, self.top, self.exp, self.total, self.div, self.values)

    @property
    def mask(self) -> Mask:
        """Over positions and keys; the default one where all are seen."""
        return self.scores.mask or Mask()

    @property
    def position_rank(self) -> str:
        """The rank of queries along which positions differ: the one that the mask names, else the last."""
        return self.scores.mask_ranks[0] if self.scores.mask else self.queries[-1]

    def size(self, *ranks: str) -> int:
        """The product of extents of the scores' ranks."""
        extents = dict(self.scores.ranks)
        return prod(extents[rank] for rank in ranks)

    @property
    def keys(self) -> int:
        return self.size(self.key_rank)

    @property
    def e(self) -> int:
        """Elements of a query and of a key."""
        return self.size(self.width)

    @property
    def f(self) -> int:
        """Elements of a value."""
        return dict(self.values.ranks)[self.value_width]


@dataclass(frozen=True)
class Odd:
    """A softmax that is no block of six: ``name`` of the Einsum where its kind shows, and ``why``."""

    name: str
    why: str


def blocks(graph: Graph) -> tuple[Block, ...]:
    """The blocks of a graph, in its order."""
    return tuple(found for found in _found(graph) if isinstance(found, Block))


def odd_ones(graph: Graph) -> tuple[Odd, ...]:
    """What has a softmax over keys and yet is no block that another cascade could replace, and why."""
    return tuple(found for found in _found(graph) if isinstance(found, Odd))


def _found(graph: Graph) -> list[Block | Odd]:
    writers: dict[str, list[Einsum]] = defaultdict(list)
    readers: dict[str, list[Einsum]] = defaultdict(list)
    for einsum in graph.einsums:
        writers[einsum.output].append(einsum)
        for tensor in dict.fromkeys(einsum.inputs):
            readers[tensor].append(einsum)
    found = []
    for div in graph.einsums:
        if (softmax := _softmax(div, writers)) and (whole := _block(graph, div, softmax, writers, readers)):
            found.append(whole)
    return sorted(found, key=lambda item: item.name)


Softmax = tuple[Einsum, Einsum, Einsum]
Users = dict[str, list[Einsum]]
"""Einsums that write, or read, each tensor."""


def _softmax(div: Einsum, writers: Users) -> Softmax | None:
    """(max, exp, sum) if ``div`` ends a softmax."""
    if (div.map, div.reduce) != ("div", "none") or len(div.inputs) != 2:
        return None
    exp, total = (_only(writers[tensor]) for tensor in div.inputs)
    if not exp or not total or exp.map != "exp" or len(exp.inputs) != 2 or (total.map, total.reduce) != ("copy", "add"):
        return None
    top = _only(writers[exp.inputs[1]])
    if total.inputs != (exp.output,) or not top or (top.map, top.reduce) != ("copy", "max") or top.inputs != exp.inputs[:1]:
        return None
    return top, exp, total


def _block(graph: Graph, div: Einsum, softmax: Softmax, writers: Users, readers: Users) -> Block | Odd | None:
    """The block around a softmax; None where its input comes from no product (a router's softmax)."""
    top, exp, total = softmax
    made = writers[top.inputs[0]]
    values = _only(readers[div.output])
    if values is None or not values.is_gemm or values.inputs[0] != div.output:
        return None
    scores = next((einsum for einsum in made if einsum.is_gemm), None)
    if len(made) > 1:
        other = next(einsum for einsum in made if einsum is not scores)
        return Odd(made[0].name if scores is None else scores.name, f"{other.name} adds a logit to the scores")
    if scores is None:
        return Odd(made[0].name, f"{made[0].name} stands between scores and softmax ({made[0].map})") if made else None
    spare = [tensor for tensor, users in ((scores.output, (top, exp)), (exp.output, (total, div))) if set(readers[tensor]) != set(users)]
    if spare:
        return Odd(scores.name, f"{spare[0]} is read outside its softmax")
    return _with_roles(graph, scores, softmax, div, values)


def _with_roles(graph: Graph, scores: Einsum, softmax: Softmax, div: Einsum, values: Einsum) -> Block | Odd:
    first, second = graph.gemm(scores), graph.gemm(values)
    keys, widths = second.rank_k, first.rank_k
    key = next((name for name in scores.inputs if set(keys) <= set(graph.tensor[name].ranks)), scores.inputs[1])
    query = scores.inputs[1 - scores.inputs.index(key)]
    batch = tuple(rank for rank in graph.tensor[scores.output].ranks if all(rank in graph.tensor[t].ranks for t in scores.inputs))
    queries = tuple(rank for rank in graph.tensor[scores.output].ranks if rank not in (*batch, *keys))
    for what, ranks in (("keys", keys), ("query and key elements", widths), ("value elements", second.rank_n)):
        if len(ranks) != 1:
            return Odd(scores.name, f"{len(ranks)} ranks of {what}, expected one")
    if not queries or set(queries) != set(second.rank_m):
        return Odd(scores.name, f"scores and {values.name} do not agree on the ranks of queries")
    return Block(scores, *softmax, div, values, query, key, values.inputs[1], batch, queries, keys[0], widths[0], second.rank_n[0])


def _only(items: list[Einsum]) -> Einsum | None:
    return items[0] if len(items) == 1 else None
