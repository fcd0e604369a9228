"""Sharding: what one of several identical devices executes of a stage, and the collectives between them.

The letters of the ranks are those of ``workload/builder.py``.  ``tensor`` divides query and kv heads (k; where there are more
devices than kv heads, each kv head is kept by several, and g is divided), the width of a feed-forward (f) and the vocabulary of the
logits (w, the last share being smaller).  ``data`` and ``expert`` divide the sequences; ``expert`` also deals out the experts.

The graph is that of the busiest device.  Of experts: where the i-th heaviest expert of a layer differs among the devices, its i-th
heaviest is the heaviest of them, so no device takes longer.  With ``data`` each copy draws the routing of its own tokens.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from math import prod

from .records.base import SpecError
from .records.graph import Einsum, Graph
from .records.mapping import Split
from .workload.routing import Loads, expert_loads

STAGES = ("prefill", "decode", "mixed")
_EXPERT = re.compile(r"(experts\..*)\.t(\d+)")
"""An Einsum of the experts that received so many tokens."""


@dataclass(frozen=True)
class Collective:
    """One kind of exchange along an axis of the split, in all layers that have it.

    tensor  what is exchanged, after the Einsum ``after``
    kind    all-reduce, all-gather or all-to-all
    sizes   (bytes, how often): of the whole array, or in all-to-all of what each device sends each other
    """

    tensor: str
    after: str
    kind: str
    axis: str
    sizes: tuple[tuple[int, int], ...]


def sharded(graph: Graph, split: Split) -> Graph:
    """What the busiest device executes.  Raises SpecError for a stage that cannot be split so."""
    if split.devices == 1:
        return graph
    _check(graph, split)
    shards = split.expert * split.data
    loads = _loads(graph, split)
    einsums = [_shard(graph, einsum, split) for einsum in graph.einsums if not is_expert(einsum)]
    einsums += _experts(graph, loads, split)
    stage, used = graph.stage, {name for einsum in einsums for name in (einsum.output, *einsum.inputs)}
    device = replace(
        graph, einsums=tuple(sorted(einsums, key=lambda einsum: einsum.name)),
        tensors=tuple(tensor for tensor in graph.tensors if tensor.name in used),
        stage=replace(stage, batch=stage.batch // shards, tokens=stage.tokens // shards, emitted=stage.emitted // shards, loads=loads,
                      sequences=tuple((new, cached, count // shards) for new, cached, count in stage.sequences)),
    )  # fmt: skip
    return replace(device, resident=_resident(graph, device, split))


def collectives(graph: Graph, split: Split) -> tuple[Collective, ...]:
    """What the devices exchange under a split, in the order of the graph; ``graph`` is the whole stage."""
    if split.devices == 1:
        return ()
    device = sharded(graph, split)
    found = [_sum(device, einsum) for einsum in device.einsums if split.tensor > 1 and _partial(graph, einsum)]
    if split.tensor > 1 and device.stage.loads:
        found.append(_sum(device, _last(device)))
    found += [Collective(einsum.output, einsum.name, "all-gather", "tensor", ((_bytes(graph, device, einsum, split), einsum.repeat),))
              for einsum in device.einsums if split.tensor > 1 and einsum.name == "lm_head"]  # fmt: skip
    if split.expert > 1:
        found += _exchanges(graph, device, split)
    return tuple(found)


def _check(graph: Graph, split: Split) -> None:
    stage, shards = graph.stage, split.expert * split.data
    if stage.kind not in STAGES:
        raise SpecError(f"split: {stage.model} is a {stage.kind}, expected a stage of a model, whose heads, experts and sequences divide")
    if stage.routing == "expected":
        raise SpecError("split: routing 'expected' has no integer tokens per expert, expected uniform, balanced or worst")
    for new, cached, count in stage.sequences:
        if count % shards:
            raise SpecError(f"split data={split.data},expert={split.expert}: {count} sequences of {new} new and {cached} cached tokens "
                            f"cannot be dealt evenly to {shards} devices, expected a multiple of {shards}")  # fmt: skip
    if split.expert > 1 and not stage.loads:
        raise SpecError(f"split expert={split.expert}: {stage.model} has no experts, expected expert=1")
    if split.expert > 1 and len(stage.loads[0]) % split.expert:
        raise SpecError(f"split expert={split.expert}: {len(stage.loads[0])} experts cannot be dealt evenly, expected a divisor of "
                        f"{len(stage.loads[0])}")  # fmt: skip


def _shard(graph: Graph, einsum: Einsum, split: Split) -> Einsum:
    """What one device executes of an Einsum that is no expert's."""
    dealt = _dealt(graph, einsum, split.expert * split.data)
    ranks, points = _divided(dict(dealt.ranks), dealt, split.tensor), dealt.points
    if points is not None and points != dealt.volume:
        ratio = prod(ranks[rank] for rank in "kgf" if rank in ranks), prod(extent for rank, extent in dealt.ranks if rank in "kgf")
        points = points * ratio[0] // ratio[1]
    return replace(dealt, ranks=tuple(ranks.items()), points=points)


def _dealt(graph: Graph, einsum: Einsum, shards: int) -> Einsum:
    """The share of the sequences; unlike ones are laid end to end, in s, and in p where new rows of the cache are copied."""
    ranks = dict(einsum.ranks)
    if shards == 1 or "b" not in ranks:
        return einsum
    ends = [rank for rank in ("s", "p") if rank in ranks] if ranks["b"] == 1 and len(graph.stage.sequences) > 1 else ["b"]
    for rank in ends:
        ranks[rank] //= shards
    return replace(einsum, ranks=tuple(ranks.items()), points=None if einsum.points is None else einsum.points // shards)


def _divided(ranks: dict[str, int], einsum: Einsum, tensor: int) -> dict[str, int]:
    """The extents of a share of ``tensor`` shares.  Raises SpecError where they don't divide."""
    if tensor == 1:
        return ranks
    found = dict(ranks)
    if "k" in ranks:
        kept = _keys(ranks["k"], ranks.get("g"), tensor, einsum)
        found["k"] = max(1, ranks["k"] // tensor)
        if "g" in ranks:
            found["g"] = ranks["g"] // kept
    if "f" in ranks:
        if ranks["f"] % tensor:
            raise SpecError(f"split tensor={tensor}: {einsum.name} is {ranks['f']} wide, which {tensor} devices cannot share evenly")
        found["f"] = ranks["f"] // tensor
    if "w" in ranks:
        found["w"] = -(-ranks["w"] // tensor)
    return found


def _keys(heads: int, group: int | None, tensor: int, einsum: Einsum) -> int:
    """How many devices keep the same kv head.  Raises SpecError unless each device gets as many query heads."""
    if heads % tensor == 0:
        return 1
    kept = tensor // heads
    if tensor % heads or (group is not None and group % kept):
        whole = f" with {group} query heads each" if group is not None else ""
        raise SpecError(f"split tensor={tensor}: {einsum.name} has {heads} kv heads{whole}, which {tensor} devices can neither share "
                        "evenly nor keep in several copies")  # fmt: skip
    return kept


def is_expert(einsum: Einsum) -> re.Match[str] | None:
    """The name of an expert's Einsum, taken apart: without its tokens, and their number; None of any other."""
    return _EXPERT.fullmatch(einsum.name)


def _loads(graph: Graph, split: Split) -> Loads:
    """Tokens of each expert of one device in each layer; where experts are dealt out, the heaviest first."""
    stage, loads = graph.stage, graph.stage.loads
    if not loads or split.expert * split.data == 1:
        return loads
    if split.data > 1:
        tokens = stage.tokens // split.data
        topk = sum(loads[0]) // stage.tokens
        loads = expert_loads(stage.routing, len(loads), len(loads[0]), topk, tokens, stage.seed)
    if split.expert == 1:
        return loads
    share = len(loads[0]) // split.expert
    return tuple(tuple(max(ranked) for ranked in zip(*_heaviest(layer, share), strict=True)) for layer in loads)


def _heaviest(layer: tuple[int, ...], share: int) -> list[list[int]]:
    """The loads of each device's experts, the heaviest first."""
    return [sorted(layer[first : first + share], reverse=True) for first in range(0, len(layer), share)]


def _experts(graph: Graph, loads: Loads, split: Split) -> list[Einsum]:
    """The Einsums of the experts of one device."""
    templates = _templates(graph)
    found = []
    for tokens, count in sorted(Counter(load for layer in loads for load in layer if load).items()):
        for base, step in templates:
            ranks = _divided(dict(step.ranks) | {"s": tokens}, step, split.tensor)
            found.append(replace(step, name=f"{base}.t{tokens}", ranks=tuple(ranks.items()), repeat=count))
    return found


def _templates(graph: Graph) -> list[tuple[str, Einsum]]:
    """The Einsums of one expert by their names without the number of tokens."""
    found = {match[1]: einsum for einsum in graph.einsums if (match := is_expert(einsum))}
    return sorted(found.items())


def _partial(graph: Graph, einsum: Einsum) -> bool:
    """Whether a device has only a part of the sums of an Einsum; those of experts are summed once for the layer."""
    reduced = {rank for rank, _ in einsum.ranks} - set(graph.tensor[einsum.output].ranks)
    in_layer = einsum.group in ("experts", "shared") and bool(graph.stage.loads)
    return einsum.reduce == "add" and not in_layer and (bool(reduced & {"k", "g"}) or ("f" in reduced))


def _last(device: Graph) -> Einsum:
    """What adds up the answers of a layer's experts."""
    named = {einsum.name: einsum for einsum in device.einsums}
    return next(named[name] for name in ("moe.add_shared", "moe.combine") if name in named)


def _sum(device: Graph, einsum: Einsum) -> Collective:
    bits = device.elements(einsum, einsum.output) * device.tensor[einsum.output].bits
    return Collective(einsum.output, einsum.name, "all-reduce", "tensor", ((-(-bits // 8), einsum.repeat),))


def _bytes(graph: Graph, device: Graph, einsum: Einsum, split: Split) -> int:
    """The logits of all shares of the vocabulary."""
    return -(-device.elements(einsum, einsum.output) * split.tensor * graph.tensor[einsum.output].bits // 8)


def _exchanges(graph: Graph, device: Graph, split: Split) -> list[Collective]:
    """Tokens on their way to the device of each of their experts, and the answers on their way back.

    Every device has as many tokens for another one's experts as the next; of a layer the busiest device's experts count.
    """
    routed = next(einsum for einsum in device.einsums if einsum.name == "moe.dispatch")
    row = dict(routed.ranks)["d"] * device.tensor[routed.output].bits
    messages = Counter(-(-(-(-sum(layer) // split.expert) * row) // 8) for layer in device.stage.loads)
    sizes = tuple(sorted(messages.items()))
    return [Collective(routed.output, routed.name, "all-to-all", "expert", sizes),
            Collective("moe.answers", "moe.combine", "all-to-all", "expert", sizes)]  # fmt: skip


def _resident(graph: Graph, device: Graph, split: Split) -> tuple[tuple[str, int], ...]:
    """Bytes that one device keeps: its share of what is divided, all of what is not, tables of embeddings among it."""
    kept = dict(graph.resident)
    experts = len(graph.stage.loads) * len(graph.stage.loads[0]) if graph.stage.loads else 0
    whole = _weight_bits(graph) + experts * _expert_bits(graph)
    rest = max(0, 8 * kept["weight"] - whole)
    share = _weight_bits(device) + experts // split.expert * _expert_bits(device)
    return (("weight", -(-(share + rest) // 8)), ("kv", _cache(graph, device, kept["kv"], split)))


def _weight_bits(graph: Graph) -> int:
    """Bits of all weights of a graph that are no expert's and no table's, each in all layers."""
    sizes: dict[str, int] = {}
    for einsum in graph.einsums:
        if not is_expert(einsum):
            for name in einsum.inputs:
                if graph.tensor[name].kind == "weight" and not name.endswith(".table"):
                    bits = graph.elements(einsum, name) * graph.tensor[name].bits * einsum.repeat
                    sizes[name] = max(sizes.get(name, 0), bits)
    return sum(sizes.values())


def _expert_bits(graph: Graph) -> int:
    """Bits of the weights of one expert."""
    read = [(einsum, name) for _, einsum in _templates(graph) for name in einsum.inputs if graph.tensor[name].kind == "weight"]
    return sum(graph.elements(einsum, name) * graph.tensor[name].bits for einsum, name in read)


def _cache(graph: Graph, device: Graph, size: int, split: Split) -> int:
    """Bytes of the KV cache of one device: of its sequences, and of its kv heads where there are any (latents have none)."""
    for einsum in graph.einsums:
        if graph.tensor[einsum.output].kind == "kv" and "k" in graph.tensor[einsum.output].ranks:
            mine = next(other for other in device.einsums if other.name == einsum.name)
            heads, kept = dict(einsum.ranks)["k"], dict(mine.ranks)["k"]
            return -(-size * kept // (heads * split.expert * split.data))
    return -(-size // (split.expert * split.data))
