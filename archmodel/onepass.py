"""One-pass attention in a graph: the Einsums of online softmax, found by how they connect, whoever wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from .masks import count
from .records.graph import Einsum, Graph
from .records.mask import Mask
from .rewriting import Step, steps_of


@dataclass(frozen=True)
class OnePass:
    """``steps`` by what FuseMax calls their results, in the order of the cascade.

    batch        ranks of independent instances, and ``queries`` those of queries, both as the scores order them
    outer, inner ranks of tiles of keys and of the keys of one tile
    e, f         ranks of the elements of a key and of a value
    """

    steps: dict[str, Einsum]
    query: str
    key: str
    value: str
    batch: tuple[str, ...]
    queries: tuple[str, ...]
    outer: str
    inner: str
    e: str
    f: str

    @property
    def name(self) -> str:
        return self.steps["BQK"].name

    def size(self, *ranks: str) -> int:
        """The product of extents of ranks of the scores, or of that of value elements."""
        extents = dict(self.steps["SLNV"].ranks) | dict(self.steps["BQK"].ranks)
        return prod(extents[rank] for rank in ranks)

    @property
    def value_width(self) -> int:
        return dict(self.steps["SLNV"].ranks)[self.f]

    @property
    def mask(self) -> Mask:
        return self.steps["BQK"].mask or Mask()

    @property
    def positions(self) -> int:
        """Positions among the queries of one instance; the others share them (heads of a group)."""
        scores = self.steps["BQK"]
        return self.size(scores.mask_ranks[0] if scores.mask else self.queries[-1])

    @property
    def keys(self) -> int:
        """Keys that exist: the last tile may hold fewer than the rank, which only the points tell."""
        most, tile = self.size(self.outer, self.inner), self.size(self.inner)
        pairs = self.steps["SLN"].work * self.positions // self.size(*self.batch, *self.queries)
        if not self.steps["BQK"].mask:
            return pairs // self.positions
        low, high = most - tile, most  # the fewest keys of which as many pairs are seen
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if count(self.mask, self.positions, middle) >= pairs else (middle, high)
        return high


def one_passes(graph: Graph) -> tuple[OnePass, ...]:
    """All one-pass attentions of a graph, in its order."""
    if not any((einsum.map, einsum.reduce) == ("max", "none") for einsum in graph.einsums):
        return ()  # nothing has a running maximum
    writers: dict[str, list[Einsum]] = {}
    for einsum in graph.einsums:
        writers.setdefault(einsum.output, []).append(einsum)
    ends = [einsum for einsum in graph.einsums if (einsum.map, einsum.reduce) == ("div", "none")]
    found = (_roles(graph, steps) for end in ends if (steps := _unify(end, writers)))
    return tuple(sorted((item for item in found if item), key=lambda item: item.name))


def one_pass_of(graph: Graph, einsum: Einsum) -> OnePass | None:
    """The one-pass attention that an Einsum is a step of, or None."""
    return next((found for found in one_passes(graph) if einsum in found.steps.values()), None)


def _unify(end: Einsum, writers: dict[str, list[Einsum]]) -> dict[str, Einsum] | None:
    """The Einsum of every step of the cascade that ``end`` ends, or None where one is missing or different."""
    steps = steps_of("one-pass")
    found = _matched(steps[::-1], {steps[-1].output: end.output}, writers | {end.output: [end]})  # results are often written in parts
    return {step.output: found[step.output] for step in steps} if found else None


def _matched(steps: tuple[Step, ...], bound: dict[str, str], writers: dict[str, list[Einsum]]) -> dict[str, Einsum] | None:
    """Einsums for ``steps``, last one first; ``bound`` are the tensors of names met so far.  Operands of a sum may stand either way."""
    if not steps:
        return {}
    step, made = steps[0], writers.get(bound.get(steps[0].output, ""), [])
    if len(made) != 1 or (made[0].map, made[0].reduce) != (step.map, step.reduce):
        return None
    inputs = tuple(dict.fromkeys(made[0].inputs))
    if len(inputs) != len(step.inputs):
        return None
    for order in (inputs, inputs[::-1]) if step.map in ("add", "max", "mul") and step.reduce == "none" else (inputs,):
        more = dict(zip(step.inputs, order, strict=True))
        if all(bound.get(name, tensor) == tensor for name, tensor in more.items()):
            rest = _matched(steps[1:], bound | more, writers)
            if rest is not None:
                return rest | {step.output: made[0]}
    return None


def _roles(graph: Graph, steps: dict[str, Einsum]) -> OnePass | None:
    """Which rank is what, by which tensors have it; None where more than one could be."""
    query, key = steps["BQK"].inputs
    value = steps["SLNV"].inputs[1]
    q, k, v, scores, top = (graph.tensor[name].ranks for name in (query, key, value, steps["BQK"].output, steps["LM"].output))
    batch = tuple(rank for rank in scores if rank in q and rank in k)
    queries = tuple(rank for rank in scores if rank in q and rank not in k)
    outer = tuple(rank for rank in scores if rank not in q and rank in top)
    inner = tuple(rank for rank in scores if rank not in q and rank not in top)
    e, f = (tuple(rank for rank in ranks if rank not in (*batch, *outer, *inner)) for ranks in (k, v))
    if not queries or any(len(ranks) != 1 for ranks in (outer, inner, e, f)):
        return None
    return OnePass(steps, query, key, value, batch, queries, outer[0], inner[0], e[0], f[0])
