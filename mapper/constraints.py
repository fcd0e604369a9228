"""Constraints against a graph and a machine, before a search: names that exist, rules that an engine knows, rules that can hold together.

Whatever is wrong is refused with the line where it was written; of rules that contradict each other, with both lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import combinations
from math import lcm
from typing import Any

from archmodel.engines import engine_module
from archmodel.engines.systolic.tree import rank_names
from archmodel.records.base import SpecError
from archmodel.records.constraints import (
    AxisRule,
    Constraints,
    EngineRule,
    GroupRule,
    KeepRule,
    OrderRule,
    Rule,
    TileRule,
    TreeRule,
    concerns,
)
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import leaf, leaves
from archmodel.schema import choice

SHOWN = {TileRule: "tiles", OrderRule: "order", AxisRule: "spatial", KeepRule: "keep and bypass", EngineRule: "engine",
         GroupRule: "fuse and apart", TreeRule: "trees"}  # fmt: skip


def check(constraints: Constraints | None, graph: Graph, machine: Machine) -> None:
    """Raises SpecError, a line for each rule that names what isn't there, that no engine heeds, or that contradicts another."""
    if constraints is None:
        return
    found = [f"{rule.place}: {text}" for rule in constraints.rules for text in _faults(rule, graph, machine)]
    found = found or list(_treeless(constraints, graph))
    found = found or [text for pair in combinations(constraints.rules, 2) for text in _clashes(*pair, graph, machine)]
    if found:
        raise SpecError("\n".join(dict.fromkeys(found)))


def _treeless(constraints: Constraints, graph: Graph) -> Iterator[str]:
    """Trees are given for all Einsums or for none: what is fused depends on the others."""
    trees = [rule for rule in constraints.rules if isinstance(rule, TreeRule)]
    held = {end.einsum for rule in trees for end in leaves(rule.tree)}
    if trees and (missing := [einsum.name for einsum in graph.einsums if einsum.name not in held]):
        yield f"{trees[-1].place}: trees: found none of {', '.join(missing[:5])}, expected one for every Einsum"


def levels(machine: Machine) -> tuple[str, ...]:
    """What tensors may be held in: the levels of plain engines, ports and buffers of the others, outermost first."""
    return tuple(dict.fromkeys(name for engine in machine.engines for name in levels_of(engine)))


def levels_of(engine: Engine) -> tuple[str, ...]:
    """The levels of one engine, outermost first."""
    plain = tuple(level.name for level in getattr(engine.params, "levels", ()))
    return plain or tuple(name for name in (engine.port, engine.buffer) if name)


def axes_of(engine: Engine) -> dict[str, int]:
    """What loops may stand on side by side, with its size."""
    if hasattr(engine.params, "levels"):
        return {axis.name: axis.size for level in engine.params.levels for axis in level.axes}
    sides = {name: getattr(engine.params, name) for name in ("rows", "cols") if hasattr(engine.params, name)}
    return {"copies": engine.count, **sides}


def heeded(engine: Engine) -> tuple[type, ...]:
    """The kinds of rule that the mapper of an engine's type applies; where an engine leaves no choice, only which engine it is."""
    name = f"{__package__}.{engine.type}"
    return (*(getattr(import_module(name), "RULES", ()) if find_spec(name) else ()), EngineRule)


@dataclass(frozen=True)
class _Place:
    """An Einsum that a rule concerns, with the engines that may execute it, and its ranks, joined ones of a matrix product ("b.s") too."""

    einsum: Einsum
    engines: tuple[Engine, ...]
    ranks: tuple[str, ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        return (*self.einsum.inputs, self.einsum.output)


def _places(rule: Rule, graph: Graph, machine: Machine) -> list[_Place]:
    return [_Place(einsum, tuple(engine for engine in machine.engines if engine_module(engine).supports(graph, einsum, engine) is None),
                   (*dict(einsum.ranks), *_joined(graph, einsum, machine)))
            for einsum in graph.einsums if concerns(rule, einsum.name)]  # fmt: skip


def _joined(graph: Graph, einsum: Einsum, machine: Machine) -> tuple[str, ...]:
    able = einsum.is_gemm and machine.engine_of_type("systolic") is not None
    return tuple(rank_names(graph.gemm(einsum)).values()) if able else ()


def _faults(rule: Rule, graph: Graph, machine: Machine) -> Iterator[str]:
    """What one rule says that cannot be."""
    found = list(_named(rule, graph, machine))
    yield from found
    engines = [engine for place in _places(rule, graph, machine) for engine in place.engines]
    if not found and not any(type(rule) in heeded(engine) for engine in engines):
        names = ", ".join(dict.fromkeys(engine.name for engine in engines))
        yield f"{SHOWN[type(rule)]}: {names or 'no engine'} leaves no such choice"


def _named(rule: Rule, graph: Graph, machine: Machine) -> Iterator[str]:
    """What a rule names that isn't there, and sizes that cannot be."""
    names, have = [einsum.name for einsum in graph.einsums], [engine.name for engine in machine.engines]
    if isinstance(rule, TreeRule | GroupRule):
        members = [end.einsum for end in leaves(rule.tree)] if isinstance(rule, TreeRule) else rule.einsums
        yield from (_no("Einsum", name, graph.name, names) for name in members if name not in names)
        wanted = (leaf(rule.tree).engine,) if isinstance(rule, TreeRule) else ()
        yield from (_no("engine", name, machine.name, have) for name in wanted if name not in have)
        return
    places = _places(rule, graph, machine)
    engines = {engine.name: engine for place in places for engine in place.engines}.values()
    if not places:
        yield _no("Einsum", rule.einsum, graph.name, names)
    elif isinstance(rule, EngineRule):
        yield from (_no("engine", name, machine.name, have) for name in rule.engines if name not in have)
        if set(rule.engines) <= set(have):
            yield from _unable(rule, places, graph, machine)
    elif isinstance(rule, AxisRule):
        yield from _axis_faults(rule, places, engines)
    else:
        yield from _level_faults(rule, places, engines)


def _unable(rule: EngineRule, places: list[_Place], graph: Graph, machine: Machine) -> Iterator[str]:
    for place in places:
        if not {engine.name for engine in place.engines} & set(rule.engines):
            engine = machine.engine(rule.engines[0])
            yield f"engine {engine.name} for {place.einsum.name}: {engine_module(engine).supports(graph, place.einsum, engine)}"


def _axis_faults(rule: AxisRule, places: list[_Place], engines: Iterable[Engine]) -> Iterator[str]:
    sizes = {name: size for engine in engines for name, size in axes_of(engine).items()}
    ranks = [rank for place in places for rank in place.ranks]
    if rule.axis not in sizes:
        yield _no("axis", rule.axis, "its engines", list(sizes))
        return
    named = (*(rule.ranks or ()), *rule.forbidden, *(rank for rank, _ in rule.counts))
    yield from (_no("rank", rank, rule.einsum, ranks) for rank in dict.fromkeys(named) if rank not in ranks)
    used = 1
    for _, count in rule.counts:
        used *= count
    if used > sizes[rule.axis]:
        yield f"{used} pieces side by side on {rule.axis}, which has {sizes[rule.axis]}"
    yield from (f"rank {rank} is counted and forbidden on {rule.axis}" for rank, count in rule.counts
                if count > 1 and (rank in rule.forbidden or (rule.ranks is not None and rank not in rule.ranks)))  # fmt: skip


def _level_faults(rule: TileRule | OrderRule | KeepRule, places: list[_Place], engines: Iterable[Engine]) -> Iterator[str]:
    have = list(dict.fromkeys(name for engine in engines for name in levels_of(engine)))
    if rule.level not in have:
        yield _no("level", rule.level, "its engines", have)
        return
    tensors, ranks = [name for place in places for name in place.tensors], [rank for place in places for rank in place.ranks]
    if isinstance(rule, KeepRule | TileRule) and rule.tensor and rule.tensor not in tensors:
        yield _no("tensor", rule.tensor, rule.einsum, tensors)
    if isinstance(rule, TileRule):
        if all(hasattr(engine.params, "levels") and engine.params.levels[0].name == rule.level for engine in engines):
            yield f"tile of {rule.rank} at {rule.level}: it is the outermost level, which holds everything whole"
        if rule.rank not in ranks:
            yield _no("rank", rule.rank, rule.einsum, ranks)
        elif not any(_left([rule], extent) for place in places for rank, extent in place.einsum.ranks if rank == rule.rank):
            extents = {extent for place in places for rank, extent in place.einsum.ranks if rank == rule.rank}
            if extents:
                yield f"no tile of {rule.rank}, which is {max(extents):,}, is as it says"
    elif isinstance(rule, OrderRule):
        named = {name for order in (*rule.allowed, *rule.forbidden) for name in order}
        yield from (_no("tensor or rank", name, rule.einsum, [*tensors, *ranks]) for name in sorted(named)
                    if name not in tensors and name not in ranks)  # fmt: skip
    else:
        yield from _held_faults(rule, engines)


def _held_faults(rule: KeepRule, engines: Iterable[Engine]) -> Iterator[str]:
    """What a plain engine's levels themselves say of residence."""
    for engine in engines:
        for place, level in enumerate(getattr(engine.params, "levels", ())):
            if level.name != rule.level or rule.keep:
                continue
            if place == 0:
                yield f"bypass of {rule.level}: it is the outermost level, which holds everything"
            elif not level.bypass and not level.holds:
                yield f"bypass of {rule.level}: the machine lets no tensor past it (bypass: false)"


def _no(what: str, name: str, where: str, have: Iterable[str]) -> str:
    return f"no {what} {name!r} of {where}, expected {choice(name, dict.fromkeys(have))}"


def _clashes(one: Any, two: Any, graph: Graph, machine: Machine) -> Iterator[str]:
    """What two rules say together that cannot be, with both lines."""
    where = f"{one.place} and {two.place}"
    for einsum in graph.einsums:
        if concerns(one, einsum.name) and concerns(two, einsum.name) and (why := _clash(one, two, einsum, machine)):
            yield f"{where} contradict each other for {einsum.name}: {why}"
            return


def _clash(one: Any, two: Any, einsum: Einsum, machine: Machine) -> str:
    kinds = {type(one), type(two)}
    if kinds == {TileRule}:
        return _tile_clash(one, two, dict(einsum.ranks), machine)
    if kinds == {KeepRule, TileRule}:
        keep, tile = (one, two) if isinstance(one, KeepRule) else (two, one)
        same = (keep.level, keep.tensor) == (tile.level, tile.tensor)
        return f"a tile of {keep.tensor} at {keep.level}, which it goes past" if same and not keep.keep else ""
    if kinds == {KeepRule}:
        same = (one.tensor, one.level) == (two.tensor, two.level) and one.keep != two.keep
        return f"{one.tensor} is held at {one.level} and goes past it" if same else ""
    if kinds == {OrderRule} and one.level == two.level and one.allowed and two.allowed:
        fits = any(first[: len(second)] == second[: len(first)] for first in one.allowed for second in two.allowed)
        return "" if fits else f"no order at {one.level} is as both say"
    if kinds == {AxisRule} and one.axis == two.axis:
        return _axis_clash(one, two)
    if kinds == {EngineRule}:
        return "" if set(one.engines) & set(two.engines) else "no engine is as both say"
    if kinds == {GroupRule} and one.together != two.together:
        both = sorted(set(one.einsums) & set(two.einsums))
        return f"{both[0]} and {both[1]} stay together and apart" if len(both) > 1 else ""
    return ""


def _axis_clash(one: AxisRule, two: AxisRule) -> str:
    counts = dict(one.counts)
    for rank, count in two.counts:
        if counts.get(rank, count) != count:
            return f"{counts[rank]} and {count} pieces of {rank} on {one.axis}"
    for first, second in ((one, two), (two, one)):
        for rank, count in first.counts:
            if count > 1 and (rank in second.forbidden or (second.ranks is not None and rank not in second.ranks)):
                return f"{count} pieces of {rank} on {one.axis}, where it may not stand"
    return ""


def _tile_clash(one: TileRule, two: TileRule, extents: dict[str, int], machine: Machine) -> str:
    """Rules on one tile that leave no size, or on two levels of which the inner tile would be the larger one."""
    if one.rank != two.rank or one.rank not in extents or (one.tensor and two.tensor and one.tensor != two.tensor):
        return ""
    extent = extents[one.rank]
    if one.level == two.level:
        return "" if _left([one, two], extent) else f"no tile of {one.rank} at {one.level} is as both say"
    for engine in machine.engines:
        order = levels_of(engine)
        if one.level in order and two.level in order and _held(one, engine) and _held(two, engine):
            outer, inner = sorted((one, two), key=lambda rule: order.index(rule.level))
            most, least = _left([outer], extent), _left([inner], extent)
            if most and least and least[0] > most[1]:
                return (f"a tile of {one.rank} of at most {most[1]:,} at {outer.level} holds none of at least {least[0]:,} "
                        f"at {inner.level}")  # fmt: skip
    return ""


def _held(rule: TileRule, engine: Engine) -> bool:
    """Whether a tile that a rule speaks of is held in any case."""
    level = next((level for level in getattr(engine.params, "levels", ()) if level.name == rule.level), None)
    return bool(rule.tensor) or level is None or not (level.bypass or level.holds)


def _left(rules: list[TileRule], extent: int) -> tuple[int, int] | None:
    """The smallest and the largest size that rules on one tile leave."""
    least = max(rule.least for rule in rules)
    most = min([extent, *(rule.most for rule in rules if rule.most is not None)])
    only = [set(rule.only) for rule in rules if rule.only]
    if only:
        sizes = sorted(size for size in set.intersection(*only) if least <= size <= most and _whole(rules, size, extent))
        return (sizes[0], sizes[-1]) if sizes else None
    step = lcm(*(rule.multiple for rule in rules))
    low, high = -(-least // step) * step, most // step * step
    ends = [low, high] if low <= high else []
    ends += [extent] if least <= extent <= most else []
    return (min(ends), max(ends)) if ends else None


def _whole(rules: list[TileRule], size: int, extent: int) -> bool:
    return size == extent or all(size % rule.multiple == 0 for rule in rules)
