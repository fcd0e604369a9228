"""The mapping of plain engines for people: a row for each tree, words and energy by level and tensor, trees of loops."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from archmodel.engines.plain.cost import Cost, cost_of
from archmodel.records.engines.plain import Level, Params
from archmodel.records.graph import Graph
from archmodel.records.machine import Engine
from archmodel.records.mapping import Compute, Loop, Node, Storage, below, leaf, leaves

from . import units
from .grid import grid
from .mapped import Answer, traffic


def plain_table(answer: Answer, trees: Sequence[tuple[Node, Engine]]) -> str:
    """One row a tree: what it computes, how often, its cycles and energy."""
    rows = {op.name: op for op in answer.result.ops}
    total = sum(op.energy.value for op in rows.values() if op.energy)
    lines = []
    for tree, engine in trees:
        op = rows[leaf(tree).einsum]
        energy = op.energy.value if op.energy else 0.0
        lines.append([_members(tree), f"{op.repeat:,}", engine.name, f"{op.cycles:,}", units.share(op.ideal_cycles, op.cycles), op.bound_by,
                      f"{energy:,.0f}", units.share(energy, total)])  # fmt: skip
    title = f"{answer.graph.name} on {answer.machine.name}: {len(trees)} tree{'s' * (len(trees) != 1)}"
    return grid(title, ("tree", ">times", "on", ">cycles", ">util", "bound by", ">energy pJ", ">of all"), lines)


def _members(tree: Node) -> str:
    names = list(dict.fromkeys(end.einsum for end in leaves(tree)))
    return names[0] if len(names) == 1 else f"{names[0]} +{len(names) - 1} fused"


def traffic_table(answer: Answer) -> str:
    """Words read and written at each level, tensor by tensor, and their energy; a total of each level."""
    prices = {level.name: level for engine in answer.machine.engines if engine.type == "plain" for level in engine.params.levels}
    moved = [row for row in traffic(answer) if row.level in prices]
    lines = []
    for level in dict.fromkeys(row.level for row in moved):
        mine = [row for row in moved if row.level == level]
        for row in mine:
            lines.append([level, row.tensor, *_words(row.reads, row.writes, prices[level])])
        if len(mine) > 1:
            lines.append([level, "all", *_words(sum(row.reads for row in mine), sum(row.writes for row in mine), prices[level])])
    return grid("words by level and tensor", ("level", "tensor", ">reads", ">writes", ">energy pJ"), lines)


def _words(reads: int | Fraction, writes: int | Fraction, level: Level) -> list[str]:
    return [f"{float(reads):,.0f}", f"{float(writes):,.0f}", f"{float(reads * level.read_pj + writes * level.write_pj):,.0f}"]


def outline(graph: Graph, tree: Node, engine: Engine) -> str:
    """A tree of loops as text, outermost first, each line one node with its size; what a branch holds stands below it."""
    members = {end.einsum for end in leaves(tree)}
    extents = {rank: extent for einsum in graph.einsums if einsum.name in members for rank, extent in einsum.ranks}
    text = []
    waiting: list[tuple[Node, int, dict[str, int]]] = [(tree, 1, extents)]
    while waiting:
        node, depth, left = waiting.pop()
        text.append("  " * depth + _line(graph, node, left, engine))
        inside = {**left, node.rank: min(node.tile, left[node.rank])} if isinstance(node, Loop) else left
        waiting += [(child, depth + 1, inside) for child in reversed(below(node))]
    return "\n".join(text) + "\n"


def _line(graph: Graph, node: Node, left: dict[str, int], engine: Engine) -> str:
    if isinstance(node, Loop):
        extent, tile = left[node.rank], min(node.tile, left[node.rank])
        rest = f", the last of {extent % tile:,}" if extent % tile else ""
        trips = -(-extent // tile)
        if node.spatial:
            return f"for {node.rank} in {trips:,} x {tile:,}{rest}, side by side on {node.spatial}"
        return f"for {node.rank} in {trips:,} x {tile:,}{rest}"
    if isinstance(node, Storage):
        ranks = graph.tensor[node.tensor].ranks
        size, params = Fraction(1), engine.params
        for rank in ranks:
            size *= left[rank]
        level = params.levels[params.depth[node.level]]
        words = size * graph.tensor[node.tensor].bits / level.word_bits
        shape = " x ".join(f"{rank} {left[rank]:,}" for rank in ranks)
        return f"{node.tensor} stays in {node.level}: {shape}, {float(words):,.0f} words"
    return f"compute {node.einsum}" if isinstance(node, Compute) else "one after another"


def binds(answer: Answer, tree: Node, engine: Engine) -> list[tuple[str, str]]:
    """What a tree uses of each resource, and what bounds its time: (resource, in words)."""
    params: Params = engine.params
    cost = cost_of(answer.after, tree, params)
    room = dict(cost.room)
    found = [(level.name, _used(room[level.name], level.words, " words")) for level in params.levels if level.words is not None]
    found += [(axis, _used(used, params.axis[axis][1].size, "")) for axis, used in _spread(answer.after, tree, params).items()]
    return [*found, ("time", _time(cost))]


def _used(need: int | Fraction, have: int, unit: str) -> str:
    return f"{float(need):,.0f} of {have:,}{unit}" + (", full" if need == have else "")


def _spread(graph: Graph, tree: Node, params: Params) -> dict[str, int]:
    """Instances side by side on each axis, of the Einsum that uses most of it."""
    most = dict.fromkeys(params.axis, 1)
    extents = {einsum.name: dict(einsum.ranks) for einsum in graph.einsums}
    for end, loops in _paths(tree, ()):
        left, used = dict(extents[end.einsum]), dict.fromkeys(params.axis, 1)
        for loop in loops:
            extent = left.get(loop.rank, 1)
            if loop.spatial:
                used[loop.spatial] *= -(-extent // loop.tile)
            left[loop.rank] = min(loop.tile, extent)
        most = {axis: max(most[axis], used[axis]) for axis in most}
    return most


def _paths(node: Node, loops: tuple[Loop, ...]) -> list[tuple[Compute, tuple[Loop, ...]]]:
    if isinstance(node, Compute):
        return [(node, loops)]
    inside = (*loops, node) if isinstance(node, Loop) else loops
    return [pair for child in below(node) for pair in _paths(child, inside)]


def _time(cost: Cost) -> str:
    what = "compute" if cost.cycles == cost.compute else max(cost.moving, key=lambda pair: pair[1])[0]
    moving = "".join(f", {name} moves words in {float(cycles):,.0f}" for name, cycles in cost.moving)
    return f"{float(cost.cycles):,.0f} cycles a run, bound by {what}: compute takes {float(cost.compute):,.0f}{moving}"
