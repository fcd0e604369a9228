"""ZigZag: accelerator, layers and mapping; a mapping is one whose order of loops in time is given in full, innermost first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from archmodel.records.engines.plain import Params
from archmodel.records.mapping import Compute, Mapping, Node

from .fields import Field
from .nests import Nest, Stay, Turn, begins, nested
from .result import ENGINE, Imported
from .work import Access, Line, Work, rank_name, tensor_name
from .zigzag_loops import MOST_LOOPS, Problem, allocated
from .zigzag_machine import Hierarchy, Operand, Store, hierarchy, stores_of

LINKS = {"I": "I1", "W": "I2", "O": "O"}
"""Which memory operand a layer's operand is, where no mapping says so."""
COUNTS = (
    "an access moves whole words of a port's least width in ZigZag, rounded up for each transfer; here a bit takes its exact share",
    "stalls and the loading of the first tiles are cycles in ZigZag; here transfers pass beside compute, bounded by bandwidth",
    "a partial sum is wider than a final one in ZigZag at every level; here only in memories of its own",
)
_EQUATION = re.compile(r"\s*(\w+)((?:\[\w+\])*)\s*\+?=\s*(\w+)((?:\[\w+\])*)\s*(?:[*+]\s*(\w+)((?:\[\w+\])*))?\s*")
_RELATION = re.compile(r"\s*(\w+)\s*=\s*(?:\d+\s*\*\s*)?(\w+)\s*\+\s*(?:\d+\s*\*\s*)?(\w+)\s*")


@dataclass(frozen=True)
class Layer:
    """A layer: ``names`` are its operands there (O, I, W) by tensor here; ``wide`` final and partial bits of each."""

    where: Field
    kind: str
    label: str
    line: Line
    names: dict[str, str]
    wide: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Plan:
    """A layer with its mapping; ``timed`` innermost first, empty where the order is not given in full."""

    layer: Layer
    given: Field
    links: dict[str, str]
    spread: dict[str, tuple[Turn, ...]]
    timed: tuple[Turn, ...]
    extents: dict[str, int]

    @property
    def ranks(self) -> dict[str, tuple[str, ...]]:
        return {access.name: access.ranks for access in (*self.layer.line.inputs, self.layer.line.output)}

    @property
    def problem(self) -> Problem:
        reduced = frozenset(self.extents) - set(self.layer.line.output.ranks)
        return Problem(self.timed, self.spread, self.ranks, reduced)


def read(roots: list[Field], name: str) -> Imported:
    """What the files describe.  Raises SpecError where a needed part is missing or wrong."""
    tops = {key: part for root in roots if isinstance(root.node.value, dict) for key, part in root.fields().items()}
    items = [item for root in roots if isinstance(root.node.value, list) for item in root.items()]
    layers, extents = _layers([item for item in items if item.get("loop_dims") is not None])
    maps = [item for item in items if item.get("spatial_mapping") is not None]
    work = Work(name, extents, [layer.line for layer in layers], "ZigZag") if layers else None
    for key in set(tops) - {"memories", "operational_array"}:
        tops[key].refused("no part of a machine's description")
    plans = [_plan(layer, given, extents) for layer in layers if (given := _map_of(layer, maps))] if maps else []
    links = plans[0].links if plans else LINKS
    used = frozenset(name for plan in plans for name in plan.spread) if plans else None
    machine = None
    if "memories" in tops:
        if "operational_array" not in tops:
            raise tops["memories"].wrong("found no operational_array beside it, expected one")
        stores = stores_of(tops["memories"])
        outside = _begins(plans[0], stores) if plans and plans[0].timed else {}
        machine = hierarchy(stores, tops["operational_array"], _operands(layers[0] if layers else None, links), used, outside, name)
    if work is not None and machine is not None:
        work = _fitted(work, layers, machine)
    mapping = None
    if machine is not None and plans and len(plans) == len(layers) and all(plan.timed for plan in plans):
        trees = sorted((plan.layer.line.output.name, _tree(plan, machine)) for plan in plans)
        mapping = Mapping(name, machine.machine.name, tuple(tree for _, tree in trees))
    return Imported("zigzag", machine.machine if machine else None, work.cascade if work else None, mapping, counts=COUNTS)


def _fitted(work: Work, layers: list[Layer], machine: Hierarchy) -> Work:
    """The work with the bits that tensors have in the machine; those of the first layer, and of others in their place."""
    first = {there: machine.bits[tensor] for tensor, there in layers[0].names.items()}

    def fitted(access: Access, layer: Layer) -> Access:
        return Access(access.name, access.axes, first.get(layer.names[access.name], access.bits))

    lines = [Line(line.where, line.name, tuple(fitted(access, layer) for access in line.inputs), fitted(line.output, layer))
             for line, layer in zip(work.lines, layers, strict=True)]  # fmt: skip
    return Work(work.name, work.extents, lines, work.source)


# --- Layers ---------------------------------------------------------------------------------------------------------


def _layers(items: list[Field]) -> tuple[list[Layer], dict[str, int]]:
    """The layers, and extents by rank; of several layers, each has ranks and tensors of its own."""
    extents: dict[str, int] = {}
    found = []
    for number, item in enumerate(items):
        mark = f"_{number}" if len(items) > 1 else ""
        dims, counts = item.need("loop_dims", "a list").items(), item.need("loop_sizes", "a list").items()
        if len(dims) != len(counts):
            raise item.wrong(f"found {len(counts)} sizes of {len(dims)} dimensions, expected as many")
        for dim, count in zip(dims, counts, strict=True):
            extents[rank_name(dim.text()) + mark] = count.whole(1, 1 << 40)
            dim.translated("ranks")
            count.translated("ranks")
        found.append(_layer(item, mark, extents))
    return found, extents


def _layer(item: Field, mark: str, extents: dict[str, int]) -> Layer:
    equation = item.need("equation", "an equation such as O[b][k]+=I[b][c]*W[c][k]")
    parts = _EQUATION.fullmatch(equation.text())
    if parts is None:
        raise equation.wrong(f"found {equation.node.shown()}, expected an equation such as O[b][k]+=I[b][c]*W[c][k]")
    windows = dict(_relations(item))
    wide = _precisions(item)
    names: dict[str, str] = {}
    accesses = []
    for name, indices in ((parts[1], parts[2]), (parts[3], parts[4]), *(((parts[5], parts[6]),) if parts[5] else ())):
        axes = tuple(tuple(rank_name(rank) + mark for rank in windows.get(index, (index,))) for index in re.findall(r"\[(\w+)\]", indices))
        if unknown := [rank for axis in axes for rank in axis if rank not in extents]:
            raise equation.wrong(f"found rank {unknown[0]!r} without a size, expected one of loop_dims")
        tensor = tensor_name(name) + mark
        names[tensor] = name
        accesses.append(Access(tensor, axes, wide.get(name, (8, 8))[0]))
    if windowed := [access for access in accesses if access.windows]:
        equation.approximated(f"windows are unrolled: {windowed[0].name} has an element for each of {', '.join(windowed[0].ranks)}")
    else:
        equation.translated("einsums")
    kind = item.get("operator_type")
    label = item.get("name") or item.get("id")
    for part in (kind, label):
        if part is not None:
            part.translated("an Einsum, which goes by its result here, and which mapping is its own")
    if (source := item.get("operand_source")) is not None:
        source.refused("layers are not joined: each reads its operands from the outermost memory")
    return Layer(item, kind.text() if kind else "", label.text() if label else "",
                 Line(item, label.text() if label else "layer", tuple(accesses[1:]), accesses[0]), names, wide)  # fmt: skip


def _relations(item: Field) -> list[tuple[str, tuple[str, ...]]]:
    """Windows: (index, the ranks that it sums)."""
    found: list[tuple[str, tuple[str, ...]]] = []
    given = item.get("dimension_relations")
    for relation in given.items() if given else ():
        parts = _RELATION.fullmatch(relation.text())
        if parts is None:
            raise relation.wrong(f"found {relation.node.shown()}, expected one such as ix=1*ox+1*fx")
        relation.approximated("a stride or dilation changes nothing once windows are unrolled")
        found.append((parts[1], (parts[2], parts[3])))
    return found


def _precisions(item: Field) -> dict[str, tuple[int, int]]:
    """(final, partial) bits by operand."""
    given = item.get("operand_precision")
    found: dict[str, tuple[int, int]] = {}
    for key, part in given.fields().items() if given else ():
        bits = part.whole(1, 64)
        part.translated("bits")
        name = key.removesuffix("_final")
        old = found.get(name, (bits, bits))
        found[name] = (bits, old[1]) if key.endswith("_final") else (old[0] if name in found else bits, bits)
    return found


def _operands(layer: Layer | None, links: dict[str, str]) -> tuple[Operand, ...]:
    if layer is None:
        return tuple(Operand(tensor_name(name), there, 8, 8) for name, there in links.items())
    return tuple(Operand(tensor, links.get(there, there), *layer.wide.get(there, (8, 8))) for tensor, there in layer.names.items())


# --- Mapping --------------------------------------------------------------------------------------------------------


def _map_of(layer: Layer, maps: list[Field]) -> Field | None:
    """The mapping of a layer's own name, else of its operator, else the default."""
    named = {item.need("name", "a name").text(): item for item in maps}
    for wanted in (layer.label, layer.kind, "default"):
        if wanted and wanted in named:
            named[wanted].need("name", "a name").translated("whose mapping it is")
            return named[wanted]
    return None


def _links(given: Field) -> dict[str, str]:
    links = given.get("memory_operand_links")
    if links is None:
        return LINKS
    found = {}
    for name, part in links.fields().items():
        found[name] = part.text()
        part.translated("holds")
    return found


def _pair(loop: Field) -> tuple[str, Field]:
    """A loop such as [K, 32] or "K, 32"."""
    if isinstance(loop.node.value, list):
        items = loop.items()
        if len(items) == 2:
            return rank_name(items[0].text()), items[1]
    raise loop.wrong(f"found {loop.node.shown()}, expected a dimension and a size such as [K, 32]")


def _spread(layer: Layer, given: Field, extents: dict[str, int]) -> dict[str, tuple[Turn, ...]]:
    """Loops in space by the array's dimension; those over ranks that the layer lacks are refused."""
    mark = layer.line.output.name.removeprefix(tensor_name(layer.names[layer.line.output.name]))
    found: dict[str, tuple[Turn, ...]] = {}
    for name, loops in given.need("spatial_mapping", "loops by dimension").fields().items():
        for loop in loops.items():
            text = loop.text().replace(",", " ").split() if isinstance(loop.node.value, str) else [item.text() for item in loop.items()]
            if len(text) != 2 or not text[1].isdigit() or len(text[1]) > 9:
                raise loop.wrong(f"found {loop.node.shown()}, expected a dimension and a size such as K, 32")
            rank, count = rank_name(text[0]) + mark, int(text[1])
            if rank not in extents or rank not in {rank for access in (*layer.line.inputs, layer.line.output) for rank in access.ranks}:
                loop.refused("the layer has no such dimension: nothing is unrolled, as in ZigZag")
                continue
            loop.translated("loops on an axis")
            if count > 1:
                found[name] = (*found.get(name, ()), Turn(rank, min(count, extents[rank]), name))
    return found


def _ordering(layer: Layer, given: Field) -> tuple[Turn, ...]:
    """Loops in time, innermost first; none where the order is not given in full."""
    order = given.get("temporal_ordering")
    if order is None:
        return ()
    mark = layer.line.output.name.removeprefix(tensor_name(layer.names[layer.line.output.name]))
    pairs = [_pair(item) for item in order.items()]
    if any(size.text() == "*" for _, size in pairs):
        order.refused("an order of some loops only, from which ZigZag would search, is no mapping")
        return ()
    if len(pairs) > MOST_LOOPS:
        raise order.wrong(f"found {len(pairs)} loops, expected at most {MOST_LOOPS}")
    order.translated("loops in time")
    return tuple(Turn(rank + mark, size.whole(1, 1 << 40)) for rank, size in pairs)


def _plan(layer: Layer, given: Field, extents: dict[str, int]) -> Plan:
    """Raises SpecError where loops are not those of the layer."""
    spread, timed = _spread(layer, given, extents), _ordering(layer, given)
    own = {rank: extents[rank] for access in (*layer.line.inputs, layer.line.output) for rank in access.ranks}
    if not timed:
        given.need("spatial_mapping", "loops").refused("loops in space alone are no mapping; order those in time too (temporal_ordering)")
    for rank, extent in own.items() if timed else ():
        loops = [*timed, *(turn for turns in spread.values() for turn in turns)]
        if (got := prod(turn.count for turn in loops if turn.rank == rank)) != extent:
            raise given.wrong(f"found loops over {rank} of {got:,} in all, expected its size {extent:,}")
    return Plan(layer, given, _links(given), spread, timed, own)


def _begins(plan: Plan, stores: tuple[Store, ...]) -> dict[str, int]:
    """Loops in time outside each memory: the fewest of its operands.  Notes where sums are complete."""
    operands = _operands(plan.layer, plan.links)
    held = allocated(plan.problem, stores, operands, plan.given)
    within = 0
    for store in stores:
        across = [turn for name, turns in plan.spread.items() if name not in store.served for turn in turns]
        store.sums = any(turn.rank in plan.problem.reduced for turn in (*plan.timed[within:], *across))
        within = held.get(("O", store.name), within)
    outside = plan.timed[::-1]
    return {store.name: min(begins(outside[: len(outside) - held[operand.name, store.name]], plan.ranks[operand.tensor])
                            for operand in operands if operand.name in store.operands)
            for store in stores if any(operand.name in store.operands for operand in operands)}  # fmt: skip


def _tree(plan: Plan, machine: Hierarchy) -> Node:
    """A layer's tree."""
    given, inner = plan.given, plan.timed
    for name, turns in plan.spread.items():
        if name not in machine.sizes or prod(turn.count for turn in turns) > machine.sizes[name]:
            raise given.wrong(f"found {prod(turn.count for turn in turns)} along {name}, expected at most {machine.sizes.get(name, 0)}")
    operands = _operands(plan.layer, plan.links)
    held = allocated(plan.problem, machine.stores, operands, given)
    stays = tuple(Stay(operand.tensor, machine.place[operand.name, store.name], len(inner) - held[operand.name, store.name])
                  for store in machine.stores for operand in operands
                  if operand.name in store.operands and machine.place[operand.name, store.name])  # fmt: skip
    params: Params = machine.machine.engines[0].params
    across = tuple((params.axis[turn.axis][0], turn) for turns in plan.spread.values() for turn in turns)
    leaf = Compute(plan.layer.line.output.name, ENGINE)
    made = nested(Nest(inner[::-1], across, stays), tuple(params.depth), plan.extents, plan.ranks, leaf)
    for tensor, level in made.lost:
        given.need("temporal_ordering", "loops").approximated(
            f"{tensor} is brought to {level} more often: storage nodes stand from the outermost level inwards here")
    return made.tree
