"""Traffic under random trees against a plain loop nest: every tile is visited, and what a memory gives and takes is counted."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import product

import pytest

from archmodel import evaluate
from archmodel.records.engines.units import Params
from archmodel.records.graph import Einsum, Graph, Tensor
from archmodel.records.machine import Clock, Engine, Machine, Memory
from archmodel.records.mapping import Compute, Loop, Mapping, Node, Sequence, Storage, below, leaves
from tests.looptree.small import STAGE

LEVELS = ("buffer", "local")
PARAMS = Params(("array",), (16,), (16,), ("array mul+add 1", "array exp 1"))
MEMORIES = (Memory("dram", "hbm2e", 1 << 30), *(Memory(name, "sram", 1 << 20) for name in LEVELS))
ENGINE = Engine("chip", "units", "core", PARAMS, buffer="buffer", port="dram")
MACHINE = Machine("nest", 45, (Clock("core", 10**9),), MEMORIES, (ENGINE,), convention="published")
Box = dict[str, tuple[int, int]]
"""What the loops leave of each rank: from, to."""
Tile = tuple[tuple[int, int], ...]


def elements(tile: Tile) -> int:
    return len(list(product(*(range(*span) for span in tile))))


@dataclass
class Nest:
    """Runs a tree.  Every storage node, and every leaf for each of its operands, holds one tile and no more."""

    graph: Graph
    moved: Counter[str] = field(default_factory=Counter)
    points: int = 0
    _held: dict[tuple[int, str], Tile] = field(default_factory=dict)
    _made: Counter[tuple[str, tuple[int, ...]]] = field(default_factory=Counter)

    def visit(self, node: Node, box: Box, spatial: frozenset[str], keeps: tuple[Storage, ...]) -> None:
        if isinstance(node, Loop) and node.spatial:
            self.visit(node.body, box, spatial | {node.rank}, keeps)
        elif isinstance(node, Loop):
            first, end = box[node.rank]
            for start in range(first, end, node.tile):
                self.visit(node.body, {**box, node.rank: (start, min(start + node.tile, end))}, spatial, keeps)
        elif isinstance(node, Storage):
            self._keep(node, box, keeps)
            self.visit(node.body, box, spatial, (*keeps, node))
        elif isinstance(node, Compute):
            self._compute(node, box, spatial, keeps)
        else:
            for body in below(node):
                self.visit(body, box, spatial, keeps)

    def _tile(self, tensor: str, box: Box) -> Tile:
        return tuple(box[rank] for rank in self.graph.tensor[tensor].ranks)

    def _new(self, where: Node, tensor: str, tile: Tile) -> bool:
        old, self._held[id(where), tensor] = self._held.get((id(where), tensor)), tile
        return old != tile

    def _keep(self, node: Storage, box: Box, keeps: tuple[Storage, ...]) -> None:
        """A tile that comes from outside; of a result, one that leaves, and came if begun; nothing of what is used up within."""
        tile = self._tile(node.tensor, box)
        under = {end.einsum for end in leaves(node)}
        inside = [einsum for einsum in self.graph.einsums if einsum.name in under]
        made, read = (any(node.tensor in used for used in uses) for uses in (
            [(einsum.output,) for einsum in inside], [einsum.inputs for einsum in inside]))  # fmt: skip
        if self._new(node, node.tensor, tile) and made != read:
            begun = sum(self._made[node.tensor, place] > 0 for place in product(*(range(*span) for span in tile)))
            self.moved[memory(keeps, node.tensor)] += elements(tile) + begun
            self.moved[node.level] += elements(tile) + begun

    def _compute(self, node: Compute, box: Box, spatial: frozenset[str], keeps: tuple[Storage, ...]) -> None:
        einsum = next(einsum for einsum in self.graph.einsums if einsum.name == node.einsum)
        for tensor in (*einsum.inputs, einsum.output):
            tile, ranks = self._tile(tensor, box), self.graph.tensor[tensor].ranks
            walked = any(box[rank][1] - box[rank][0] > 1 and rank not in spatial for rank in ranks)
            if self._new(node, tensor, tile) or walked:
                self.moved[memory(keeps, tensor)] += elements(tile)
                if tensor == einsum.output:
                    self._add(memory(keeps, tensor), tensor, tile)
        self.points += elements(tuple(box[rank] for rank, _ in einsum.ranks if rank not in spatial))

    def _add(self, where: str, tensor: str, tile: Tile) -> None:
        """A sum that is there already is read before more is added."""
        for place in product(*(range(*span) for span in tile)):
            self.moved[where] += self._made[tensor, place] > 0
            self._made[tensor, place] += 1


def memory(keeps: tuple[Storage, ...], tensor: str) -> str:
    return next((keep.level for keep in reversed(keeps) if keep.tensor == tensor), "dram")


def graph_of(sizes: dict[str, int]) -> Graph:
    """A product, and the exponential of each of its sums."""
    tensors = tuple(Tensor(name, "activation", ranks, 8) for name, ranks in (
        ("A", ("k", "m")), ("B", ("k", "n")), ("Y", ("m", "n")), ("Z", ("m", "n"))))  # fmt: skip
    ranks = tuple(sorted(sizes.items()))
    return Graph("nest", STAGE, tensors, (
        Einsum("exp", "nest", "Y", ("Z",), tuple(item for item in ranks if item[0] != "k"), "exp"),
        Einsum("gemm", "nest", "Z", ("A", "B"), ranks, "mul", "add")), ())  # fmt: skip


def around(rng: random.Random, left: dict[str, int], tensors: str, count: int) -> list[tuple[str, str, int | str]]:
    """Loops whose tiles divide what is left, and storage nodes, from the outside in."""
    found: list[tuple[str, str, int | str]] = []
    for _ in range(count):
        if rng.random() < 0.3:
            found.append(("keep", rng.choice(tensors), rng.choice(LEVELS)))
        else:
            rank = rng.choice(sorted(left))
            left[rank] = rng.choice([tile for tile in range(1, left[rank] + 1) if left[rank] % tile == 0])
            found.append(("time", rank, left[rank]))
    return found


def under(nodes: list[tuple[str, str, int | str]], body: Node) -> Node:
    for kind, name, size in reversed(nodes):
        if isinstance(size, str):
            body = Storage(name, size, body)
        else:
            body = Loop(name, size, body, "" if kind == "time" else kind)
    return body


def one(rng: random.Random, einsum: str, left: dict[str, int], tensors: str) -> Node:
    """An Einsum's own loops, some of the last ones spatial."""
    found = around(rng, left, tensors, rng.randint(0, 4))
    for rank, axis in zip(sorted(left), rng.sample(("rows", "cols", "time"), len(left)), strict=True):
        if rng.random() < 0.6:
            found.append((axis, rank, 1))
            left[rank] = 1
    return under(found, Compute(einsum, "chip"))


def fused(rng: random.Random) -> tuple[Graph, Node]:
    """Both Einsums under loops over the ranks that both have."""
    sizes = {"m": rng.choice([1, 2, 6, 8]), "n": rng.choice([1, 4, 6]), "k": rng.choice([1, 2, 3, 8])}
    left = {rank: sizes[rank] for rank in "mn"}
    prefix = around(rng, left, "ABYZ", rng.randint(0, 4))
    product_ = one(rng, "gemm", left | {"k": sizes["k"]}, "ABZ")
    return graph_of(sizes), under(prefix, Sequence((product_, one(rng, "exp", dict(left), "Y"))))


@pytest.mark.parametrize("seed", range(300))
def test_traffic_is_that_of_a_loop_nest(seed: int) -> None:
    graph, tree = fused(random.Random(seed))
    nest = Nest(graph)
    nest.visit(tree, {rank: (0, size) for einsum in graph.einsums for rank, size in einsum.ranks}, frozenset(), ())
    row = evaluate(graph, Mapping(graph.name, MACHINE.name, (tree,)), MACHINE).ops[0]
    assert dict(row.bytes) == dict(+nest.moved)
    assert row.cycles - dict(row.causes)["drain"] == nest.points
