"""A mapping for people: one row for each distinct operator, and the loop tree of one as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from archmodel.engines.systolic.tree import COPIES, from_tree, rank_names
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import (
    Compute,
    Loop,
    Mapping,
    Node,
    Parallel,
    Peel,
    Relayout,
    Storage,
    below,
    leaf,
    leaves,
    nodes,
)
from archmodel.records.result import Result
from archmodel.sharding import sharded

from . import units
from .grid import grid

AXES = {COPIES: "copies of the engine", "rows": "rows of the array", "cols": "columns of the array"}


@dataclass(frozen=True)
class Mapped:
    """One matrix product with its tree; ``cycles`` of all instances, ``alike`` the others mapped in the same way."""

    einsum: Einsum
    tree: Node
    plain: dict[str, Any]
    alike: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        skipped = ("name", "repeat", "cycles", "relayouts")
        return tuple(str(value) for name, value in self.plain.items() if name not in skipped)


def products(graph: Graph, mapping: Mapping, machine: Machine, result: Result) -> list[Mapped]:
    """Every matrix product that a tree of loops by itself maps onto a systolic engine, the most cycles first."""
    graph = sharded(graph, mapping.split)
    einsums = {einsum.name: einsum for einsum in graph.einsums}
    rows = {op.name: op for op in result.ops}
    found = []
    for tree in mapping.trees:
        end = leaf(tree)
        engine = machine.engine(end.engine)
        if isinstance(tree, Compute) or len(leaves(tree)) > 1 or engine.type != "systolic":
            continue
        einsum = einsums[end.einsum]
        gemm, placed = graph.gemm(einsum), from_tree(graph, einsum, tree, engine)
        tiling, op = placed.tiling, rows[einsum.name]
        plain = {
            "name": einsum.name, "engine": engine.name, "repeat": einsum.repeat,
            "batch": gemm.batch, "m": gemm.m, "n": gemm.n, "k": gemm.k, "dataflow": tiling.flow, "order": list(tiling.order),
            "tile": {rank: int(tiling.tile(rank)) for rank in "mnk"}, "trips": {rank: int(tiling.trips(rank)) for rank in "mnk"},
            "split": placed.split or "none", "rounds": placed.rounds, "cycles": op.cycles, "ideal_cycles": op.ideal_cycles,
            "relayouts": [turn.tensor for turn in mapping.relayouts if turn.einsum == einsum.name],
        }  # fmt: skip
        found.append(Mapped(einsum, tree, plain))
    return sorted(found, key=lambda item: (-item.plain["cycles"], item.einsum.name))


def merged(items: Iterable[Mapped]) -> list[Mapped]:
    """Products of equal shape and mapping as one, named after the first."""
    groups: dict[tuple[object, ...], list[Mapped]] = {}
    for item in items:
        groups.setdefault(item.key, []).append(item)
    found = [Mapped(first.einsum, first.tree, first.plain | {"cycles": sum(item.plain["cycles"] for item in (first, *rest)),
                                                            "ideal_cycles": sum(item.plain["ideal_cycles"] for item in (first, *rest)),
                                                            "repeat": sum(item.plain["repeat"] for item in (first, *rest))},
                   tuple(item.einsum.name for item in rest)) for first, *rest in groups.values()]  # fmt: skip
    return sorted(found, key=lambda item: -item.plain["cycles"])


def mapping_table(title: str, items: list[Mapped]) -> str:
    """One row an item: shape, dataflow, order of the tile loops, tiles, split, cycles."""
    columns = ("product", ">times", ">batch x m x n x k", "flow", "order", ">tile m,n,k", "split", ">cycles", ">util")
    rows = []
    for item in items:
        plain = item.plain
        name = plain["name"] + (f" +{len(item.alike)}" if item.alike else "")
        shape = "x".join(str(plain[rank]) for rank in ("batch", "m", "n", "k"))
        tile = ",".join(str(plain["tile"][rank]) for rank in "mnk")
        rows.append([name, f"{plain['repeat']:,}", shape, plain["dataflow"], " ".join(plain["order"]), tile, plain["split"],
                     f"{plain['cycles']:,}", units.share(plain["ideal_cycles"], plain["cycles"])])  # fmt: skip
    return grid(title, columns, rows)


def explain(graph: Graph, item: Mapped, relayouts: tuple[Relayout, ...] = ()) -> str:
    """The loop tree of a product, outermost first, each line one node."""
    gemm, plain = graph.gemm(item.einsum), item.plain
    left = {name: getattr(gemm, rank) for rank, name in rank_names(gemm).items()} | {"batch": gemm.batch}
    times = f", {plain['repeat']:,} instances" if plain["repeat"] > 1 else ""
    text = [f"{plain['name']}: {plain['cycles']:,} cycles on {plain['engine']}{times}"]
    text += [f"  before it, {turn.tensor} changes its layout on {turn.engine}" for turn in relayouts if turn.einsum == plain["name"]]
    for depth, node in enumerate(nodes(item.tree), 1):
        text.append("  " * depth + _line(graph, node, left))
    return "\n".join(text) + "\n"


def fused(mapping: Mapping) -> dict[str, Node]:
    """The trees of several Einsums, by the one that each goes by."""
    return {leaf(tree).einsum: tree for tree in mapping.trees if len(leaves(tree)) > 1}


def outline(name: str, tree: Node, relayouts: tuple[Relayout, ...] = ()) -> str:
    """A fused tree as text, outermost first, each line one node; what a branch holds stands below it."""
    ends = leaves(tree)
    members = {end.einsum for end in ends}
    text = [f"{name}: {len(members)} Einsums fused on {ends[0].engine}"]
    text += [f"  {turn.tensor} changes its layout on {turn.engine}" for turn in relayouts if turn.einsum in members]
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        text.append("  " * depth + _node(node))
        waiting += [(child, depth + 1) for child in reversed(below(node))]
    return "\n".join(text) + "\n"


def _node(node: Node) -> str:
    if isinstance(node, Storage):
        return f"{node.tensor} stays in {node.level}"
    if isinstance(node, Loop):
        where = f", side by side on {AXES.get(node.spatial, node.spatial)}" if node.spatial else ""
        return f"for {node.rank} in tiles of {node.tile:,}{where}"
    if isinstance(node, Compute):
        unit, age = f".{node.unit}" if node.unit else "", f", {node.lag} tile{'s' * (node.lag > 1)} behind" if node.lag else ""
        return f"compute {node.einsum} on {node.engine}{unit}{age}"
    if isinstance(node, Peel):
        return f"the first {node.size:,} of {node.rank}, then the rest"
    return "side by side" if isinstance(node, Parallel) else "one after another"


def _line(graph: Graph, node: Node, left: dict[str, int]) -> str:
    if isinstance(node, Storage):
        return f"{node.tensor}[{','.join(graph.tensor[node.tensor].ranks)}] stays in {node.level}"
    if isinstance(node, Loop):
        return _loop(node, left)
    assert isinstance(node, Compute), "a product's tree has no branches"
    return f"compute {node.einsum} on {node.engine}"


def _loop(loop: Loop, left: dict[str, int]) -> str:
    """``left`` holds what is left of each rank at this depth, and is cut to the tile."""
    extent = left.get(loop.rank, loop.tile)
    tile = min(loop.tile, extent)
    trips, rest = -(-extent // tile), extent % tile
    if loop.spatial in ("rows", "cols"):
        return f"for {loop.rank} side by side on the {AXES[loop.spatial]}"
    left[loop.rank] = tile
    last = f", the last of {rest}" if rest else ""
    if loop.spatial:
        return f"for {loop.rank} in {trips:,} slices of {tile:,}{last}, side by side on {AXES.get(loop.spatial, loop.spatial)}"
    return f"for {loop.rank} in {trips:,} tile{'s' * (trips > 1)} of {tile:,}{last}"
