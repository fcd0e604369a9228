"""What one mapping does differently from another, and what each difference saves: by tree, and within a tree by decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from archmodel.engines.plain.cost import cost_of
from archmodel.records.base import SpecError
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, Node, leaf, leaves
from archmodel.records.result import Result

from .shape import Held, Shape, shape_of, tree_of


@dataclass(frozen=True)
class Change:
    """One decision: ``what`` it is about, as one mapping takes it and as the other.

    energy_pj, cycles  what it saves by itself, all else as in the first; None where that is no legal mapping
    """

    what: str
    mine: str
    best: str
    energy_pj: float | None = None
    cycles: int | None = None


@dataclass(frozen=True)
class Difference:
    """Einsums that the two mappings map otherwise, with what the second saves over the first."""

    einsums: tuple[str, ...]
    energy_pj: float
    cycles: int
    changes: tuple[Change, ...]


def differences(graph: Graph, machine: Machine, mine: tuple[Mapping, Result], best: tuple[Mapping, Result]) -> list[Difference]:
    """What ``best`` does otherwise than ``mine``, most savings in energy first.  Both are of the same graph, not rewritten."""
    found = []
    for names in _parts(mine[0], best[0]):
        trees = [tuple(tree for tree in mapping.trees if leaf(tree).einsum in names) for mapping in (mine[0], best[0])]
        if trees[0] == trees[1]:
            continue
        energy, cycles = (_cost(result, names) for result in (mine[1], best[1]))
        changes = tuple(_changes(graph, machine, *trees))
        found.append(Difference(names, energy[0] - cycles[0], energy[1] - cycles[1], changes))
    return sorted(found, key=lambda item: (-item.energy_pj, item.einsums))


def _parts(mine: Mapping, best: Mapping) -> Iterator[tuple[str, ...]]:
    """The Einsums in sets that no tree of either mapping reaches out of."""
    groups = [{end.einsum for end in leaves(tree)} for mapping in (mine, best) for tree in mapping.trees]
    while groups:
        whole = groups.pop(0)
        while touching := next((other for other in groups if other & whole), None):
            groups.remove(touching)
            whole |= touching
        yield tuple(sorted(whole))


def _cost(result: Result, names: tuple[str, ...]) -> tuple[float, int]:
    rows = [op for op in result.ops if op.name in names]
    return sum(op.energy.value for op in rows if op.energy), sum(op.cycles for op in rows)


def _changes(graph: Graph, machine: Machine, mine: tuple[Node, ...], best: tuple[Node, ...]) -> Iterator[Change]:
    fused = [_fusion(trees) for trees in (mine, best)]
    if fused[0] != fused[1]:
        yield Change("fusion", fused[0], fused[1])
        return
    for one, other in zip(sorted(mine, key=_first), sorted(best, key=_first), strict=True):
        engines = leaf(one).engine, leaf(other).engine
        if engines[0] != engines[1]:
            yield Change("engine", *engines)
        elif machine.engine(engines[0]).type == "plain":
            yield from _decisions(graph, machine, one, other)


def _first(tree: Node) -> str:
    return leaf(tree).einsum


def _fusion(trees: tuple[Node, ...]) -> str:
    groups = [" + ".join(dict.fromkeys(end.einsum for end in leaves(tree))) for tree in trees]
    return ", ".join(sorted(groups))


def _decisions(graph: Graph, machine: Machine, one: Node, other: Node) -> Iterator[Change]:
    """Differences of two trees of one Einsum, and what each saves by itself."""
    engine = machine.engine(leaf(one).engine)
    einsum = next(einsum for einsum in graph.einsums if einsum.name == leaf(one).einsum)
    mine, best = shape_of(einsum, one, engine.params), shape_of(einsum, other, engine.params)
    if mine is None or best is None:
        return
    now = cost_of(graph, one, engine.params)
    for what, told, changed in _swaps(mine, best):
        change = Change(what, told[0], told[1])
        try:
            cost = cost_of(graph, tree_of(einsum, changed, engine.params, engine.name), engine.params)
        except SpecError:
            yield change
            continue
        cycles = (-(-now.cycles // 1) - -(-cost.cycles // 1)) * einsum.repeat
        yield replace(change, energy_pj=float((now.energy_pj - cost.energy_pj) * einsum.repeat), cycles=int(cycles))


def _swaps(mine: Shape, best: Shape) -> Iterator[tuple[str, tuple[str, str], Shape]]:
    """Each decision in which two shapes differ: its name, both in words, and the first shape with that of the second."""
    theirs = dict(best.levels)
    for place, (level, tiles) in enumerate(mine.levels):
        wanted = theirs[level]

        def with_tiles(changed: tuple[Held, ...], place: int = place, level: str = level) -> Shape:
            return replace(mine, levels=(*mine.levels[:place], (level, changed), *mine.levels[place + 1 :]))

        names, others = [held.tensor for held in tiles], [held.tensor for held in wanted]
        if set(names) != set(others):
            yield f"residence at {level}", (_list(names), _list(others)), with_tiles(wanted)
            continue
        if names != others:
            moved = tuple(Held(name, held.sizes) for name, held in zip(others, tiles, strict=True))
            yield f"order at {level}", (_list(names), _list(others)), with_tiles(moved)
        if [held.sizes for held in tiles] != [held.sizes for held in wanted]:
            resized = tuple(Held(name, held.sizes) for name, held in zip(names, wanted, strict=True))
            yield f"tiles at {level}", (_tiles(tiles), _tiles(wanted)), with_tiles(resized)
    for place, ((axis, mine_on), (_, best_on)) in enumerate(zip(mine.axes, best.axes, strict=True)):
        if mine_on != best_on:
            changed = replace(mine, axes=(*mine.axes[:place], (axis, best_on), *mine.axes[place + 1 :]))
            yield f"spread on {axis}", (_sizes(mine_on, " by "), _sizes(best_on, " by ")), changed


def _list(names: list[str]) -> str:
    return " > ".join(names) or "nothing"


def _tiles(tiles: tuple[Held, ...]) -> str:
    return "; ".join(f"{held.tensor} {_sizes(held.sizes)}" for held in tiles)


def _sizes(sizes: tuple[tuple[str, int], ...], of: str = " ") -> str:
    return ", ".join(f"{rank}{of}{size:,}" for rank, size in sizes) or "nothing"
