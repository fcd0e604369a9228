"""Random plain machines, chains of Einsums and trees for them, legal but for what they hold at a time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from archmodel.records.engines.plain import Axis, Level, Operation, Params
from archmodel.records.graph import Einsum, Graph, Stage, Tensor
from archmodel.records.mapping import Compute, Loop, Node, Sequence, Storage

STAGE = Stage("drawn", "prefill", 1, 1, 1, 1, ())
KINDS = ("activation", "kv", "weight")


def chance(rng: np.random.Generator, probability: float) -> bool:
    return bool(rng.random() < probability)


def some(rng: np.random.Generator, names: list[str], least: int = 1) -> list[str]:
    """A random part of a list, in its order."""
    count = int(rng.integers(min(least, len(names)), len(names) + 1))
    kept = set(rng.permutation(len(names))[:count].tolist())
    return [name for place, name in enumerate(names) if place in kept]


# --- Work -----------------------------------------------------------------------------------------------------------


def chain(rng: np.random.Generator, count: int, extents: tuple[int, ...], most: int = 4, widths: tuple[int, ...] = (8,)) -> Graph:
    """``count`` Einsums, each of which reads what the one before it wrote; ``most`` ranks each, of these extents."""
    sizes: dict[str, int] = {}
    tensors: dict[str, Tensor] = {}
    einsums: list[Einsum] = []

    def fresh() -> str:
        name = f"r{len(sizes)}"
        sizes[name] = int(rng.choice(extents))
        return name

    def tensor(name: str, ranks: list[str]) -> str:
        tensors[name] = Tensor(name, str(rng.choice(KINDS)), tuple(ranks), int(rng.choice(widths)))
        return name

    before = tensor("t0", [fresh() for _ in range(int(rng.integers(1, min(3, most) + 1)))])
    for place in range(count):
        ranks, inputs = list(tensors[before].ranks), [before]
        if chance(rng, 0.7):
            new = [fresh() for _ in range(min(int(rng.integers(0, 3)), most - len(ranks)))]
            inputs.append(tensor(f"w{place}", some(rng, ranks) + new))
            ranks += new
        if place == 2 and chance(rng, 0.3) and set(tensors["t1"].ranks) <= set(ranks) and before != "t1":
            inputs.append("t1")
        if chance(rng, 0.1):
            inputs.append(before)
        before = tensor(f"t{place + 1}", some(rng, ranks))
        reduced = set(ranks) - set(tensors[before].ranks)
        einsums.append(Einsum(f"e{place}", "drawn", before, tuple(inputs), tuple(sorted((rank, sizes[rank]) for rank in ranks)),
                              "mul" if len(inputs) > 1 else "copy", "add" if reduced else "none"))  # fmt: skip
    return Graph("drawn", STAGE, tuple(tensors[name] for name in sorted(tensors)), tuple(einsums), ())


def outside(graph: Graph, name: str) -> Graph:
    """The graph with one more Einsum, of another tree, that reads a tensor."""
    tensor = graph.tensor[name]
    sizes = {rank: extent for einsum in graph.einsums for rank, extent in einsum.ranks}
    copy = Tensor(f"{name}.copy", tensor.kind, tensor.ranks, tensor.bits)
    reader = Einsum("other", "drawn", copy.name, (name,), tuple(sorted((rank, sizes[rank]) for rank in tensor.ranks)), "copy")
    return Graph(graph.name, graph.stage, tuple(sorted((*graph.tensors, copy), key=lambda t: t.name)), (*graph.einsums, reader), ())


# --- Machines -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taste:
    """What a drawn machine has: levels, and how likely each of the rest is."""

    levels: tuple[int, ...] = (2, 3)
    words: tuple[int, ...] = (4, 40)
    axes: float = 0.6
    sizes: tuple[int, ...] = (2, 3, 4)
    bypass: float = 0.3
    holds: float = 0.0
    rates: float = 0.0
    unicast: float = 0.0
    choosy: float = 0.0
    operations: float = 0.0
    buffering: tuple[str, ...] = ("shared",)
    word_bits: tuple[int, ...] = (8,)


def machine(rng: np.random.Generator, taste: Taste = Taste()) -> Params:
    count = int(rng.choice(taste.levels))
    prices = sorted((int(price) for price in rng.integers(1, 60, count)), reverse=True)
    levels = [_level(rng, taste, place, count, price) for place, price in enumerate(prices)]
    operations = tuple(Operation(name, int(rng.integers(1, 9)), Fraction(int(rng.integers(1, 5)), 2))
                       for name in ("copy", "mul+add") if chance(rng, taste.operations))  # fmt: skip
    return Params(tuple(levels), int(rng.integers(0, 3)), Fraction(int(rng.integers(1, 4)), int(rng.integers(1, 3))), operations)


def _level(rng: np.random.Generator, taste: Taste, place: int, count: int, price: int) -> Level:
    inner = place > 0
    low, high = taste.words
    rate = lambda: Fraction(int(rng.integers(1, 9)), int(rng.integers(1, 4))) if chance(rng, taste.rates) else None  # noqa: E731
    both = rate()
    return Level(
        f"l{place}", price, price + int(rng.integers(0, 5)),
        words=int(rng.integers(low, high * (count - place) + 1)) if inner else None,
        word_bits=int(rng.choice(taste.word_bits)), bandwidth=both,
        read_bandwidth=rate() if both is None else None, write_bandwidth=rate() if both is None else None,
        holds=tuple(some(rng, list(KINDS), 2)) if inner and chance(rng, taste.holds) else (),
        bypass=inner and chance(rng, taste.bypass), buffering=str(rng.choice(taste.buffering)) if inner else "shared",
        axes=tuple(_axis(rng, taste, f"{name}{place}") for name in ("x", "y") if chance(rng, taste.axes / 2)),
    )  # fmt: skip


def _axis(rng: np.random.Generator, taste: Taste, name: str) -> Axis:
    unicast = tuple(some(rng, list(KINDS))) if chance(rng, taste.unicast) else ()
    ranks = tuple(some(rng, ["r0", "r1", "r2", "r3"])) if chance(rng, taste.choosy) else ()
    return Axis(name, int(rng.choice(taste.sizes)), ranks, unicast, not chance(rng, taste.choosy))


# --- Trees ----------------------------------------------------------------------------------------------------------


class Trees:
    """Draws trees: nodes of each level in any order, loops of any tile wherever the order of execution allows them."""

    def __init__(self, rng: np.random.Generator, graph: Graph, params: Params, group: tuple[Einsum, ...]) -> None:
        self.rng, self.graph, self.params, self.group = rng, graph, params, group
        self.sizes = {rank: extent for einsum in group for rank, extent in einsum.ranks}
        read = {tensor for einsum in group for tensor in einsum.inputs}
        self.passed = [einsum for einsum in group if einsum.output in read]

    def tree(self) -> Node:
        if len(self.group) == 1:
            return self.wrap(self.body(self.group[0], dict(self.sizes), 0, {}), self.leaf(self.group[0]))
        shared, sizes, depth, used = self.shared()
        bodies = tuple(self.wrap(self.body(einsum, dict(sizes), depth, used), self.leaf(einsum)) for einsum in self.group)
        return self.wrap(shared, Sequence(bodies))

    def leaf(self, einsum: Einsum) -> Compute:
        return Compute(einsum.name, "array")

    def wrap(self, items: list[tuple[str, ...]], inside: Node) -> Node:
        for kind, name, *rest in reversed(items):
            inside = Storage(name, rest[0], inside) if kind == "keep" else Loop(name, int(rest[0]), inside, rest[1])
        return inside

    def loops(self, ranks: list[str], sizes: dict[str, int], axis: str = "", room: int = 1 << 30) -> list[tuple[str, ...]]:
        """Some loops over ``ranks``; on an axis, as many pieces at most as it has room for."""
        items = []
        for rank in self.rng.permutation(ranks).tolist() if ranks else []:
            if chance(self.rng, 0.5):
                tile = int(self.rng.integers(1, sizes[rank] + 1))
                if -(-sizes[rank] // tile) <= room:
                    room //= -(-sizes[rank] // tile)
                    items.append(("loop", rank, str(tile), axis))
                    sizes[rank] = tile
        return items

    def spread(self, depth: int, ranks: list[str], sizes: dict[str, int]) -> list[tuple[str, ...]]:
        return [item for axis in self.params.levels[depth].axes for item in self.loops(ranks, sizes, axis.name, axis.size)]

    def body(self, einsum: Einsum, sizes: dict[str, int], depth: int, used: dict[str, int]) -> list[tuple[str, ...]]:
        """From level ``depth`` inwards; ``used`` says how deep each tensor is kept already."""
        ranks, items = [rank for rank, _ in einsum.ranks], []
        for place in range(depth, len(self.params.levels)):
            names = [name for name in dict.fromkeys((*einsum.inputs, einsum.output)) if place and used.get(name, 0) < place]
            for name in self.rng.permutation(names).tolist() if names else []:
                if chance(self.rng, 0.7):
                    items += [*self.loops(ranks, sizes), ("keep", name, self.params.levels[place].name)]
            items += [*self.loops(ranks, sizes), *self.spread(place, ranks, sizes), *self.loops(ranks, sizes)]
        return items

    def shared(self) -> tuple[list[tuple[str, ...]], dict[str, int], int, dict[str, int]]:
        """The path above the sequence; what it leaves of the ranks; the level it ends at; how deep it keeps each tensor."""
        sizes, items, used = dict(self.sizes), [], {}
        last = int(self.rng.integers(1, len(self.params.levels)))
        roots = {einsum.output: int(self.rng.integers(1, last + 1)) for einsum in self.passed}
        for place in range(last + 1):
            names = [name for name in self.names() if roots.get(name, place) == place and place and chance(self.rng, 0.4 + (name in roots))]
            for name in self.rng.permutation(names).tolist() if names else []:
                items += [*self.loops(self.free(used), sizes), ("keep", name, self.params.levels[place].name)]
                used[name] = place
            items += self.loops(self.free(used), sizes)
            if place < last:
                items += [*self.spread(place, self.free(used), sizes), *self.loops(self.free(used), sizes)]
        return items, sizes, last, used

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for einsum in self.group for name in (*einsum.inputs, einsum.output)))

    def free(self, used: dict[str, int]) -> list[str]:
        """Ranks that a loop may cut here for all: no result that is passed on is incomplete, none is made twice in one residence,
        and what goes home is made once."""
        outside = {name for other in self.graph.einsums if other not in self.group for name in other.inputs}
        kept = {einsum.output for einsum in self.passed if self.graph.tensor[einsum.output].kind != "kv"} - outside

        def may(rank: str, einsum: Einsum) -> bool:
            if rank in self.graph.tensor[einsum.output].ranks:
                return True
            has = rank in dict(einsum.ranks)
            return einsum not in self.passed if has else einsum.output in kept and einsum.output not in used

        return [rank for rank in self.sizes if all(may(rank, einsum) for einsum in self.group)]
