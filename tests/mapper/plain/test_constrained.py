"""The constrained optimum is the least of all mappings that obey the rules: every mapping of small problems, priced one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import permutations, product
from random import Random

import pytest

from archmodel.engines.plain.cost import cost_of
from archmodel.records.base import SpecError
from archmodel.records.constraints import AxisRule, KeepRule, OrderRule, Rule, TileRule
from archmodel.records.engines.plain import Axis, Level, Params
from archmodel.records.goal import Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.workload.gemm import gemm_graph
from mapper.plain.one import best
from mapper.plain.problem import problem
from mapper.shape import Held, Shape, tree_of

GRAPH = gemm_graph(3, 3, 2)
EINSUM: Einsum = GRAPH.einsums[0]
RANKS = ("k", "m", "n")
TENSORS = ("a", "b", "c")
PARAMS = Params(
    (Level("dram", Fraction(50), Fraction(60), axes=(Axis("rows", 2), Axis("cols", 3))),
     Level("register", Fraction(1), Fraction(2), 9, bypass=True)), Fraction(1),
)  # fmt: skip
RULE_SETS = 60


@dataclass(frozen=True)
class Priced:
    """One mapping: pieces on each axis by rank, its tiles, what it costs."""

    shape: Shape
    pieces: dict[str, dict[str, int]]
    energy: Fraction
    cycles: Fraction


def chains(extent: int, length: int) -> Iterator[tuple[int, ...]]:
    """Sizes that never grow."""
    if not length:
        yield ()
        return
    for size in range(1, extent + 1):
        for rest in chains(size, length - 1):
            yield (size, *rest)


@cache
def every() -> tuple[Priced, ...]:
    """All mappings that fit: what is held in which order, every size at every place."""
    found = []
    for kept in product((True, False), repeat=3):
        names = [name for name, keep in zip(TENSORS, kept, strict=True) if keep]
        for order in permutations(names):
            for chosen in product(*(chains(dict(EINSUM.ranks)[rank], 2 + len(order)) for rank in RANKS)):
                found.append(_priced(order, dict(zip(RANKS, chosen, strict=True))))
    return tuple(one for one in found if one is not None)


def _priced(order: tuple[str, ...], chain: dict[str, tuple[int, ...]]) -> Priced | None:
    left, pieces = dict(EINSUM.ranks), {}
    for place, axis in enumerate(("rows", "cols")):
        pieces[axis] = {rank: -(-left[rank] // chain[rank][place]) for rank in RANKS}
        left = {rank: chain[rank][place] for rank in RANKS}
    if any(pieces[axis.name]["k"] * pieces[axis.name]["m"] * pieces[axis.name]["n"] > axis.size for axis in PARAMS.levels[0].axes):
        return None
    held = tuple(Held(name, tuple((rank, chain[rank][2 + place]) for rank in RANKS)) for place, name in enumerate(order))
    axes = tuple((axis, tuple((rank, chain[rank][place]) for rank in RANKS)) for place, axis in enumerate(("rows", "cols")))
    shape = Shape((("dram", ()), ("register", held)), axes)
    try:
        cost = cost_of(GRAPH, tree_of(EINSUM, shape, PARAMS, "array"), PARAMS)
    except SpecError:
        return None
    return Priced(shape, pieces, cost.energy_pj, cost.cycles)


def obeys(one: Priced, rule: Rule, perfect: bool) -> bool:
    """What a rule says, read plainly."""
    held = {tile.tensor: dict(tile.sizes) for tile in dict(one.shape.levels)["register"]}
    if isinstance(rule, KeepRule):
        return (rule.tensor in held) == rule.keep
    if isinstance(rule, TileRule):
        own = {"a": "mk", "b": "kn", "c": "mn"}
        sizes = [size[rule.rank] for name, size in held.items() if rule.rank in own[name] and rule.tensor in ("", name)]
        whole = dict(EINSUM.ranks)[rule.rank]
        return all(
            (not rule.only or size in rule.only) and rule.least <= size <= (rule.most or size)
            and (size % rule.multiple == 0 or size == whole) for size in sizes)  # fmt: skip
    if isinstance(rule, OrderRule):
        order = tuple(held)
        begins = [order[: len(first)] == first for first in rule.allowed]
        return (any(begins) or not begins) and not any(order[: len(first)] == first for first in rule.forbidden)
    assert isinstance(rule, AxisRule)
    pieces = one.pieces[rule.axis]
    used = {rank for rank, count in pieces.items() if count > 1}
    fits = rule.ranks is None or used <= set(rule.ranks)
    shares = pieces | dict(rule.counts)
    size = next(axis.size for axis in PARAMS.levels[0].axes if axis.name == rule.axis)
    room = shares["k"] * shares["m"] * shares["n"] <= size
    given = all(pieces[rank] == count if perfect else pieces[rank] <= count for rank, count in rule.counts)
    return fits and room and given and not used & set(rule.forbidden)


def drawn(rng: Random) -> tuple[Rule, ...]:
    """One to three rules."""
    return tuple(_rule(rng) for _ in range(rng.randint(1, 3)))


def _rule(rng: Random) -> Rule:
    kind, tensor, rank = rng.randrange(6), rng.choice(TENSORS), rng.choice(RANKS)
    extent, axis = dict(EINSUM.ranks)[rank], rng.choice(("rows", "cols"))
    if kind == 0:
        own = rng.choice(["", *(name for name, ranks in (("a", "mk"), ("b", "kn"), ("c", "mn")) if rank in ranks)])
        return TileRule("gemm", "register", rank, own, tuple(sorted(rng.sample(range(1, extent + 1), rng.randint(1, extent)))))
    if kind == 1:
        least = rng.randint(1, extent)
        return TileRule("*", "register", rank, "", (), least, rng.randint(least, extent), rng.randint(1, 2))
    if kind == 2:
        first = [tuple(rng.sample(TENSORS, rng.randint(1, 2))) for _ in range(rng.randint(1, 2))]
        return OrderRule("g*", "register", tuple(first)) if rng.random() < 0.5 else OrderRule("g*", "register", (), tuple(first))
    if kind == 3:
        return KeepRule("gemm", tensor, "register", rng.random() < 0.6)
    if kind == 4:
        few = tuple(rng.sample(RANKS, rng.randint(0, 2)))
        return AxisRule("gemm", axis, few) if rng.random() < 0.5 else AxisRule("gemm", axis, None, few)
    size = next(one.size for one in PARAMS.levels[0].axes if one.name == axis)
    return AxisRule("gemm", axis, (rank,) if rng.random() < 0.5 else None, (), ((rank, rng.randint(1, min(size, extent))),))


def wanted(rules: tuple[Rule, ...], perfect: bool, objective: str) -> tuple[Fraction, Fraction] | None:
    """The least of all that obey: the objective, then what decides between equals."""
    able = [one for one in every() if all(obeys(one, rule, perfect) for rule in rules) and (not perfect or _divides(one))]
    pairs = [(one.energy, one.cycles) if objective == "energy" else (one.cycles, one.energy) for one in able]
    return min(pairs, default=None)


def _divides(one: Priced) -> bool:
    left = dict(EINSUM.ranks)
    for sizes in (*(sizes for _, sizes in one.shape.axes), *(held.sizes for held in dict(one.shape.levels)["register"])):
        if any(left[rank] % size for rank, size in sizes):
            return False
        left = dict(sizes)
    return True


def found(rules: tuple[Rule, ...], perfect: bool, objective: str, graph: Graph = GRAPH) -> tuple[float, float] | None:
    goal = Goal(objective, tiles="perfect" if perfect else "ragged")
    choice = best(problem(graph, EINSUM, "array", PARAMS, rules), goal)
    if choice is None:
        return None
    return (choice.energy_pj, choice.cycles) if objective == "energy" else (choice.cycles, choice.energy_pj)


@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_without_rules_both_agree(objective: str) -> None:
    assert found((), False, objective) == wanted((), False, objective)
    assert found((), True, objective) == wanted((), True, objective)


@pytest.mark.parametrize("part", range(5))
def test_the_search_finds_the_least_of_what_obeys(part: int) -> None:
    rng = Random(part)
    for _ in range(RULE_SETS // 5):
        rules, perfect, objective = drawn(rng), rng.random() < 0.5, rng.choice(("energy", "latency"))
        assert found(rules, perfect, objective) == wanted(rules, perfect, objective), (rules, perfect, objective)
