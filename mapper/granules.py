"""Attention on a machine that counts as published: Einsum by Einsum, in granules of whole rows of scores, or in one pass.

row-granular  FLAT (Kao et al., ASPLOS 2023): the three-pass cascade as one tree; the scores of a granule of queries, all keys of
              each, stay in the buffer from their product to the weighted values
one-pass      FuseMax (Nayak et al., MICRO 2024): the cascade rewritten; a tile of keys meets a group of tiles of queries
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from archmodel.blocks import Block, blocks, odd_ones
from archmodel.cost import Costs
from archmodel.onepass import OnePass, one_passes
from archmodel.records.base import SpecError
from archmodel.records.goal import FASTEST, Goal
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Certificate, Choice, Compute, Loop, Mapping, Node, Parallel, Rewrite, Sequence
from archmodel.rewriting import rewritten

from .nests import Part, Priced, best, by_itself, fastest, held, moved, nest, parts_of, tile_bytes
from .ways import Way, decided

REGISTERS = "registers"
ON_ARRAY = ("BQK", "LM", "SLN", "SLD", "SLNV")
"""Of the one-pass cascade: what works on tiles of scores."""
PASSING = ("BQK", "LM", "SLN", "SLD", "SLNV", "PRM", "SPD", "SPNV")
"""What a tile makes and uses up itself."""
SCOPE = "the trees that were tried: nests of one Einsum over all lanes, rows and tiles of attention"


@dataclass(frozen=True)
class Fusion:
    """One way of a block: its trees with their rows, and the rewrite that it takes."""

    way: Way
    found: tuple[Priced, ...] = ()
    rewrite: tuple[Rewrite, ...] = ()


def refuse_goals(machine: Machine, goal: Goal) -> None:
    """Raises SpecError for a goal that the search on machines which count as published doesn't heed."""
    if machine.convention != "published":
        return
    asked = [f"objective {goal.objective}"] * (goal.objective != FASTEST.objective) + [f"limit {limit.what}" for limit in goal.limits]
    asked += [name for name in ("nodes", "seconds") if getattr(goal, name) is not None] + ["tiles perfect"] * (goal.tiles == "perfect")
    if asked:
        raise SpecError(f"machine {machine.name}: {asked[0]} on a machine whose convention is published, where only the fewest cycles are "
                        "searched; expected objective latency without limits and budgets")  # fmt: skip


def search_units(graph: Graph, machine: Machine, costs: Costs) -> Mapping:
    """The mapping of a graph on the units of a machine: each Einsum on the fastest that has it, each attention block in its best way.

    Raises SpecError for an Einsum whose operators no unit has.
    """
    inside: set[str] = set()
    chosen: list[Fusion] = []
    ways: list[Way] = []
    known: dict[str, Priced] = {}

    def alone(einsum: Einsum) -> Priced:
        if einsum.name not in known:
            known[einsum.name] = by_itself(graph, einsum, machine, costs)
        return known[einsum.name]

    for block in blocks(graph):
        inside |= {einsum.name for einsum in block.einsums}
        tried = [_way(block, *kind, machine) for kind in _kinds(graph, block, machine, costs, alone)]
        told = decided([item.way for item in tried])
        ways += told
        chosen += [item for item, way in zip(tried, told, strict=True) if way.choice.chosen]
    for whole in one_passes(graph):
        steps = {einsum.name for einsum in whole.steps.values()}
        inside |= steps
        item = _way(whole, "one-pass", partial(_whole, graph, whole, machine, costs), machine)
        if item.way.order is None:
            raise SpecError(f"machine {machine.name}: {item.way.choice.why}")
        ways += decided([item.way])
        chosen.append(item)
    ways += [Way(Choice(odd.name, "unfused", chosen=True)) for odd in odd_ones(graph)]
    ways += [Way(Choice(odd.name, way, why=odd.why)) for odd in odd_ones(graph) for way in ("row-granular", "one-pass")]
    found = [alone(einsum) for einsum in graph.einsums if einsum.name not in inside]
    found += [priced for item in chosen for priced in item.found]
    return _mapping(graph, machine, found, ways, tuple(rewrite for item in chosen for rewrite in item.rewrite))


def _mapping(graph: Graph, machine: Machine, found: list[Priced], ways: list[Way], rewrites: tuple[Rewrite, ...]) -> Mapping:
    """Trees by the name of their first Einsum.  The lower bound is what was found: the best of the trees that were tried, no more."""
    cycles = sum(item.row.cycles for item in found)
    tried = sum(item.tried for item in found) + sum(way.evaluated for way in ways if not way.choice.chosen)
    proof = Certificate("cycles, then energy", cycles, cycles, tried, tried, tuple(way.choice for way in ways), scope=SCOPE)
    trees = tuple(item.tree for item in sorted(found, key=lambda item: item.row.name))
    return Mapping(graph.name, machine.name, trees, (), (), proof, rewrites)


Trees = tuple[tuple[Priced, ...], tuple[Rewrite, ...]]


def _kinds(graph: Graph, block: Block, machine: Machine, costs: Costs,
           alone: Callable[[Einsum], Priced]) -> tuple[tuple[str, Callable[[], Trees]], ...]:  # fmt: skip
    """Each way by its name, and what finds its trees."""

    def one_pass() -> Trees:
        rewrite = Rewrite(block.name, "one-pass", min(_product(block.scores, machine)[1].rows, block.keys))
        after = rewritten(graph, (rewrite,))
        (whole,) = (item for item in one_passes(after) if item.name == block.name)
        return (_fused(after, whole, machine, costs),), (rewrite,)

    return (("unfused", lambda: (tuple(alone(einsum) for einsum in block.einsums), ())),
            ("row-granular", lambda: ((best(graph, granules(graph, block, machine), machine, costs),), ())),
            ("one-pass", one_pass))  # fmt: skip


def _way(block: Block | OnePass, name: str, find: Callable[[], Trees], machine: Machine) -> Fusion:
    try:
        found, rewrite = find()
    except SpecError as error:
        return Fusion(Way(Choice(block.name, name, why=str(error))))
    energies = [item.row.energy for item in found]
    energy = sum(figure.value for figure in energies if figure)
    seconds = sum(item.order[0] for item in found)
    hz, tried = machine.clocks[0].hz, sum(item.tried for item in found)
    cycles = sum(-(-item.row.cycles * hz // item.row.clock_hz) for item in found)
    choice = Choice(block.name, name, "" if name == "unfused" else found[0].row.engine, cycles=cycles,
                    bytes=sum(moved(machine, item.row) for item in found), energy_pj=energy if all(energies) else None)  # fmt: skip
    return Fusion(Way(choice, None, (seconds, energy if all(energies) else 0.0), tried, tried), found, rewrite)


def _product(scores: Einsum, machine: Machine) -> Part:
    """The unit of the scores, whose engine takes the whole block.  Raises SpecError where none multiplies."""
    part = fastest(scores, parts_of(machine))
    if part is None:
        raise SpecError(f"no unit of {machine.name} does {scores.map}+{scores.reduce}")
    return part


def _units(einsums: tuple[Einsum, ...], engine: Engine, machine: Machine, spare: str = "") -> dict[str, Part]:
    """The fastest unit of an engine for each Einsum, unit ``spare`` only where no other can."""
    mine = [part for part in parts_of(machine) if part[0] is engine]
    found = {}
    for einsum in einsums:
        part = fastest(einsum, [part for part in mine if part[1].name != spare]) or fastest(einsum, mine)
        if part is None:
            raise SpecError(f"no unit of {engine.name} does {einsum.map}, {einsum.reduce} for {einsum.name}")
        found[einsum.name] = part
    return found


def _buffer(engine: Engine) -> str:
    if not engine.buffer:
        raise SpecError(f"{engine.name} has no buffer to keep scores in")
    return engine.buffer


def granules(graph: Graph, block: Block, machine: Machine) -> Iterator[Node]:
    """Trees of a block in granules of rows: one granule at a time, or three in flight (made, normalised, weighted) where they fit.

    Scores, exponentials and weights of a granule take the same place, as wide as the widest.  Keys and values stay for all of a
    head's granules, or are read again for each tile of queries.  Raises SpecError where not even one row of scores fits.
    """
    engine, array = _product(block.scores, machine)
    level, rank = _buffer(engine), block.position_rank
    size, positions = machine.memory(level).size_bytes, block.size(block.position_rank)
    widest = max((block.scores.output, block.exp.output, block.div.output), key=lambda name: graph.tensor[name].bits)
    row = tile_bytes(graph, (widest,), {block.key_rank: block.keys})
    least = tile_bytes(graph, _rowwise(block), {block.width: block.e, block.value_width: block.f})
    if row + least > size:
        raise SpecError(f"one row of {block.keys:,} scores takes {row:,} B and what is made beside it {least:,} B; {level} of "
                        f"{engine.name} has {size:,} B")  # fmt: skip
    softmax = (block.top, block.exp, block.total, block.div)
    plans = [_units(softmax, engine, machine, spare) | _units((block.scores, block.values), engine, machine)
             for spare in ("", array.name)]  # fmt: skip
    for granule in (tile for tile in range(1, positions + 1) if positions % tile == 0):
        tiles = {rank: granule, block.key_rank: block.keys, block.width: block.e, block.value_width: block.f}
        for flight, stay in ((flight, stay) for flight in (1, 3) for stay in ((block.key, block.value), ())):
            held_bytes = flight * tile_bytes(graph, (widest, *_rowwise(block)), tiles) + tile_bytes(graph, stay, tiles)
            if held_bytes <= size:
                yield from (_granule(graph, block, plan, granule, flight > 1, stay, level) for plan in plans)


def _rowwise(block: Block) -> tuple[str, ...]:
    """What a row has beside its scores."""
    return tuple(dict.fromkeys((block.query, block.top.output, block.total.output, block.values.output)))


def _granule(graph: Graph, block: Block, plan: dict[str, Part], granule: int, flight: bool, stay: tuple[str, ...], level: str) -> Node:
    ranks = {block.position_rank: granule} | {rank: 1 for rank in (*block.batch, *block.queries) if rank != block.position_rank}

    def step(einsum: Einsum, lag: int) -> Node:
        small = replace(einsum, ranks=tuple((rank, ranks.get(rank, extent)) for rank, extent in einsum.ranks),
                        points=None, mask=None, mask_ranks=())  # fmt: skip
        return nest(graph, small, plan[einsum.name], lag if flight else 0)

    scores, values = step(block.scores, 0), step(block.values, 2)
    softmax = Sequence(tuple(step(einsum, 1) for einsum in (block.top, block.exp, block.total, block.div)))
    body: Node = Parallel((Sequence((scores, values)), softmax)) if flight else Sequence((scores, softmax, values))
    kept = (*_rowwise(block), block.scores.output, block.exp.output, block.div.output, *stay)
    tree = Loop(block.position_rank, granule, held(dict.fromkeys(kept), level, body))
    for rank in (*reversed([name for name in block.queries if name != block.position_rank]), *reversed(block.batch)):
        tree = Loop(rank, 1, tree)
    return tree


def _fused(graph: Graph, whole: OnePass, machine: Machine, costs: Costs) -> Priced:
    return best(graph, passes(graph, whole, machine), machine, costs)


def _whole(graph: Graph, whole: OnePass, machine: Machine, costs: Costs) -> Trees:
    return (_fused(graph, whole, machine, costs),), ()


def passes(graph: Graph, whole: OnePass, machine: Machine) -> Iterator[Node]:
    """Trees of a one-pass attention: keys of a tile over the rows of the array, queries over its columns, groups that fit the buffer."""
    steps = whole.steps
    engine, array = _product(steps["BQK"], machine)
    level, rank = _buffer(engine), max(whole.queries, key=whole.size)
    size, count = machine.memory(level).size_bytes, whole.size(rank)
    cols = min(array.cols, count)
    scored = {name: (engine, array) for name in ON_ARRAY if array.point_cycles(steps[name])}
    others = _units(tuple(step for name, step in steps.items() if name not in scored), engine, machine, array.name)
    plan = {name: scored.get(name) or others[step.name] for name, step in steps.items()}
    state = (whole.query, *(steps[name].output for name in ("RM", "RD", "RNV")))
    leaves = len({plan[name][1].name for name in ON_ARRAY}) > 1 or whole.size(whole.inner) > array.rows
    through = ("BQK", "SLN") if leaves else ()  # what the array's own registers do not hold
    extents = {whole.inner: whole.size(whole.inner), whole.e: whole.size(whole.e), whole.f: whole.value_width}
    tiles = -(-count // cols)
    inside = (*state, *(steps[name].output for name in through), whole.key, whole.value)
    if (least := tile_bytes(graph, inside, extents | {rank: cols})) > size:
        raise SpecError(f"a tile of {extents[whole.inner]:,} keys and {cols:,} queries takes {least:,} B with what runs along; {level} of "
                        f"{engine.name} has {size:,} B")  # fmt: skip
    for group in (group for group in range(1, tiles + 1) if tiles % group == 0):
        if tile_bytes(graph, inside, extents | {rank: group * cols}) > size:
            break
        for body in (_in_turn(whole, plan, cols), _overlapped(whole, plan, cols)):
            made = held([steps[name].output for name in PASSING if name not in through], REGISTERS, body)
            tile = Loop(rank, cols, Loop(rank, 1, made, "cols"))
            keys = Loop(whole.outer, 1, held((whole.key, whole.value), level, tile))
            tree: Node = Loop(rank, group * cols, held((*state, *(steps[name].output for name in through)), level, keys))
            for outer in (*reversed([name for name in whole.queries if name != rank]), *reversed(whole.batch)):
                tree = Loop(outer, 1, tree)
            yield tree


def _leaves(whole: OnePass, plan: dict[str, Part], lag: int, *names: str) -> Node:
    found: list[Node] = []
    for name in names:
        engine, unit = plan[name]
        end = Compute(whole.steps[name].name, engine.name, unit.name, lag)
        spread: Node = Loop(whole.inner, 1, end, "rows") if name in ON_ARRAY and unit.rows > 1 else end
        found.append(Loop(whole.inner, unit.rows, spread) if spread is not end and whole.size(whole.inner) > unit.rows else spread)
    return found[0] if len(found) == 1 else Sequence(tuple(found))


def _in_turn(whole: OnePass, plan: dict[str, Part], cols: int) -> Node:
    """Each step after the one before, on one tile; what reads the running maximum takes it from the registers."""
    names = list(whole.steps)
    at = names.index("RM")
    return Sequence((_leaves(whole, plan, 0, *names[:at]), _in_registers(whole, _leaves(whole, plan, 0, *names[at:]))))


def _in_registers(whole: OnePass, body: Node) -> Node:
    return held([whole.steps["RM"].output], REGISTERS, body)


def _overlapped(whole: OnePass, plan: dict[str, Part], cols: int) -> Node:
    """FuseMax's +Binding, whose readers of sums work on older tiles; its +Cascade where not all of a tile is on the array."""

    def on(lag: int, *names: str) -> Node:
        return _leaves(whole, plan, lag, *names)

    if len({plan[name][1].name for name in ON_ARRAY}) > 1:
        older = Sequence((on(2, "RM"), on(2, "SLN", "SLD"), on(2, "PRM", "SPD", "RD", "SPNV"), on(4, "RNV", "AV")))
        return Parallel((Parallel((on(0, "BQK"), on(1, "LM"))), _in_registers(whole, older), on(3, "SLNV")))
    return Sequence((
        Parallel((on(0, "BQK", "LM"), on(2, "RD", "RNV", "AV"))),
        _in_registers(whole, Sequence((
            on(1, "RM"),
            Parallel((on(1, "SLN", "SLD"), on(1, "PRM", "SPD"))),
            Parallel((on(1, "SLNV"), on(1, "SPNV"))),
        ))),
    ))  # fmt: skip
