"""Loop nests on units, where a machine counts as published: an Einsum over all lanes of one unit, its operands in tiles of the buffer.

The looptree evaluator enforces no size; here every tile that a tree keeps in the buffer fits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations, product
from math import prod

from archmodel import looptree
from archmodel.cost import Costs
from archmodel.engines import Unit, Work, engine_module
from archmodel.records.base import SpecError
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Compute, Loop, Node, Storage, leaf
from archmodel.records.result import OpResult

Widths = dict[str, tuple[int, int]]
"""How many of each rank lie side by side on the rows and on the columns of a unit."""
Part = tuple[Engine, Unit]


@dataclass(frozen=True)
class Priced:
    """The best of some trees, its row, and how many were priced."""

    tree: Node
    row: OpResult
    tried: int

    @property
    def order(self) -> tuple[float, float]:
        """Seconds, then picojoules."""
        return self.row.cycles / self.row.clock_hz, self.row.energy.value if self.row.energy else 0.0


def parts_of(machine: Machine) -> tuple[Part, ...]:
    """Every unit of every engine that has units and a port."""
    able = [engine for engine in machine.engines if hasattr(engine_module(engine), "units") and engine.port]
    return tuple((engine, unit) for engine in able for unit in engine_module(engine).units(machine, engine))


def fastest(einsum: Einsum, parts: Iterable[Part]) -> Part | None:
    """The unit that takes the fewest cycles of compute, or None where no unit has the operators."""
    able = [part for part in parts if part[1].point_cycles(einsum)]
    return min(able, key=lambda part: steps(einsum, part[1]) * (part[1].point_cycles(einsum) or 0), default=None)


def steps(einsum: Einsum, unit: Unit) -> int:
    return _steps(einsum, widths(einsum, unit, ()))


def _steps(einsum: Einsum, wide: Widths) -> int:
    return prod(-(-extent // prod(wide[rank])) for rank, extent in einsum.ranks)


def widths(einsum: Einsum, unit: Unit, kept: tuple[str, ...]) -> Widths:
    """The spread over rows and columns with the fewest steps; of those the one with the fewest sums over columns, as sums leave by rows,
    then of the fewest ranks, each on one axis.  ``kept`` are those of the result."""
    extents = dict(einsum.ranks)
    found: list[tuple[tuple[int, ...], Widths]] = []
    for down, across in product(extents, repeat=2):
        wide = {rank: (1, 1) for rank in extents}
        for rank in (across, *sorted(extents, key=lambda name: (name not in kept, -extents[name]))):
            left = unit.cols // prod(cols for _, cols in wide.values())
            wide[rank] = (1, max(wide[rank][1], min(left, extents[rank])))
        for rank in (down, *sorted(extents, key=lambda name: -extents[name])):
            left = unit.rows // prod(rows for rows, _ in wide.values())
            rows, cols = wide[rank]
            wide[rank] = (max(rows, min(left, -(-extents[rank] // cols))), cols)
        summed = sum(cols > 1 and rank not in kept for rank, (_, cols) in wide.items())
        used, both = sum((rows > 1) + (cols > 1) for rows, cols in wide.values()), sum(rows > 1 < cols for rows, cols in wide.values())
        inside = sum(rows for rank, (rows, _) in wide.items() if rank not in kept)
        found.append(((_steps(einsum, wide), summed, used + both, inside), wide))
    return min(found, key=lambda item: item[0])[1]


def nest(graph: Graph, einsum: Einsum, part: Part, lag: int = 0) -> Node:
    """An Einsum over the lanes of a unit; what it sums, beyond the lanes, its leaf walks."""
    engine, unit = part
    kept = graph.tensor[einsum.output].ranks
    wide, extents = widths(einsum, unit, kept), dict(einsum.ranks)
    body: Node = Compute(einsum.name, engine.name, unit.name, lag)
    for rank, (_, cols) in wide.items():
        body = Loop(rank, 1, body, "cols") if cols > 1 else body
    for rank, (rows, cols) in wide.items():
        body = Loop(rank, cols, body, "rows") if rows > 1 else body
    for rank in sorted(extents, key=lambda name: name in kept):
        if prod(wide[rank]) < extents[rank] and (rank in kept or prod(wide[rank]) > 1):
            body = Loop(rank, prod(wide[rank]), body)
    return body


def held(tensors: Iterable[str], level: str, body: Node) -> Node:
    for tensor in tensors:
        body = Storage(tensor, level, body)
    return body


def tile_bytes(graph: Graph, tensors: Iterable[str], tiles: Mapping[str, int]) -> int:
    """Of a tile of each tensor."""
    return sum(-(-prod(tiles.get(rank, 1) for rank in graph.tensor[name].ranks) * graph.tensor[name].bits // 8) for name in tensors)


def best(graph: Graph, trees: Iterable[Node], machine: Machine, costs: Costs) -> Priced:
    """The fastest legal tree, then that of least energy, then of fewest bytes.  Raises the first SpecError where none is legal."""
    found, refusal, tried = None, None, 0
    for tree in trees:
        try:
            row = price(graph, tree, machine, costs)
        except SpecError as error:
            refusal = refusal or error
            continue
        tried += 1
        mine = Priced(tree, row, tried)
        if found is None or (*mine.order, moved(machine, row)) < (*found.order, moved(machine, found.row)):
            found = mine
    if found is None:
        raise refusal or SpecError("no tree to choose from")
    return Priced(found.tree, found.row, tried)


def price(graph: Graph, tree: Node, machine: Machine, costs: Costs) -> OpResult:
    """The row of one tree."""
    first = leaf(tree)
    (einsum,) = (item for item in graph.einsums if item.name == first.einsum)
    engine = machine.engine(first.engine)
    return looptree.evaluate(Work(graph, (einsum,), {einsum.name: tree}, machine, engine, "analytic", costs))[einsum.name]


def moved(machine: Machine, row: OpResult) -> int:
    """Bytes at the memory ports."""
    ports = {engine.port for engine in machine.engines}
    return sum(size for memory, size in row.bytes if memory in ports)


def by_itself(graph: Graph, einsum: Einsum, machine: Machine, costs: Costs) -> Priced:
    """The best tree of one Einsum on its fastest unit.  Raises SpecError where no unit has its operators."""
    part = fastest(einsum, parts_of(machine))
    if part is None:
        operators = einsum.map if einsum.reduce == "none" else f"{einsum.map}+{einsum.reduce}"
        names = ", ".join(f"{engine.name}.{unit.name}" for engine, unit in parts_of(machine)) or "none"
        raise SpecError(f"machine {machine.name}: no unit for {einsum.name}, which is {operators} (units: {names})")
    return best(graph, _alone(graph, einsum, part, machine), machine, costs)


def _alone(graph: Graph, einsum: Einsum, part: Part, machine: Machine) -> Iterator[Node]:
    """The nest straight on memory, and below two loops over tiles of the buffer, the outer tile as large as fits."""
    body = nest(graph, einsum, part)
    yield body
    level, extents = part[0].buffer, dict(einsum.ranks)
    tensors = tuple(dict.fromkeys((*einsum.inputs, einsum.output)))
    shared = [rank for rank in extents if all(rank in graph.tensor[name].ranks for name in tensors)]
    free = [rank for rank in extents if rank not in shared and extents[rank] > 1]
    if not level or not free:
        return
    wide = {rank: prod(pair) for rank, pair in widths(einsum, part[1], graph.tensor[einsum.output].ranks).items()}
    for order in permutations(free, min(2, len(free))):
        tiles = dict(extents) | {rank: wide[rank] for rank in (*shared, *order[1:])}
        for rank in (order[0], *sorted(free, key=lambda name: -extents[name])):
            while tiles[rank] > wide[rank] and tile_bytes(graph, tensors, tiles) > machine.memory(level).size_bytes:
                tiles[rank] = max(wide[rank], -(-tiles[rank] // 2))
        if tile_bytes(graph, tensors, tiles) <= machine.memory(level).size_bytes:
            tree = held(tensors, level, body)
            for rank in (*reversed([name for name in free if name not in order]), *reversed(order), *shared):
                tree = Loop(rank, tiles[rank], tree) if tiles[rank] < extents[rank] else tree
            yield tree
