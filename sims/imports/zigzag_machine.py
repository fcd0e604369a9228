"""A ZigZag accelerator to a machine of one plain engine.

A memory's cost is that of one access, as wide as the port that is used; a word here is a bit, so it takes its share.  Where the ports
of operands differ in width, so does what a bit of each costs: then the bits of a tensor, or the levels, are made to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from archmodel.records.engines.plain import MOST_LEVELS, Axis, Level, Params
from archmodel.records.machine import Machine

from .fields import Field
from .result import machine_of

NODE_NM = 28
"""ZigZag's accelerators name none."""
CLOCK_HZ = 10**9
"""ZigZag counts cycles only."""
READS, WRITES = ("tl", "th"), ("fh", "fl")
PORTS = ("read", "write", "read_write")


@dataclass
class Store:
    """A memory: ``served`` are the dimensions along which one instance serves all; bits an access moves, by operand, and in a cycle
    through all ports of a type.  ``sums``: sums in it may be partial."""

    where: Field
    name: str
    size: int
    cost: tuple[Fraction, Fraction]
    operands: tuple[str, ...]
    served: frozenset[str]
    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    double: bool = False
    sums: bool = True


@dataclass(frozen=True)
class Operand:
    """A tensor of the layer in a memory's terms: its ``name`` there, I1, I2 or O; ``partial`` are the bits of a sum still added to."""

    tensor: str
    name: str
    bits: int
    partial: int


@dataclass(frozen=True)
class Hierarchy:
    """A machine, its memories innermost first, the place of each operand's level by (operand, memory), and bits of each tensor."""

    machine: Machine
    stores: tuple[Store, ...]
    place: dict[tuple[str, str], int]
    bits: dict[str, int]
    sizes: dict[str, int]


def stores_of(memories: Field) -> tuple[Store, ...]:
    """The memories, innermost first, as the file has them."""
    if len(memories.fields()) > MOST_LEVELS:
        raise memories.wrong(f"found {len(memories.fields())} memories, expected at most {MOST_LEVELS}")
    found = []
    for name, part in memories.fields().items():
        served = part.need("served_dimensions", "a list of dimensions")
        store = Store(part, name, part.need("size", "bits").whole(), (_cost(part, "r_cost"), _cost(part, "w_cost")),
                      tuple(item.text() for item in part.need("operands", "a list").items()),
                      frozenset(item.text() for item in served.items()))  # fmt: skip
        for key in ("size", "operands", "served_dimensions"):
            part.need(key, key).translated({"size": "words", "operands": "holds", "served_dimensions": "axes"}[key])
        if (double := part.get("force_double_buffering")) is not None:
            store.double = double.text().lower() == "true"
            double.translated("buffering")
        for key in ("area", "latency", "min_r_granularity", "min_w_granularity", "auto_cost_extraction", "mem_type"):
            if other := part.get(key):
                other.refused("no counterpart in a description of levels")
        for port in part.need("ports", "a list of ports").items():
            _port(port, store)
        found.append(store)
    if not found:
        raise memories.wrong("found no memory, expected one")
    return tuple(found)


def _cost(part: Field, key: str) -> Fraction:
    cost = part.need(key, "pJ of an access (costs that CACTI would estimate are not extracted)")
    cost.translated("read_pj" if key == "r_cost" else "write_pj")
    return cost.number()


def _port(port: Field, store: Store) -> None:
    """Notes the width of a port for each operand and direction in its allocation."""
    wide = port.need("bandwidth_max", "bits an access moves")
    wide.translated("energy of a bit, bandwidth")
    kind = port.need("type", "read, write or read_write")
    if kind.text() not in PORTS:
        raise kind.wrong(f"found {kind.node.shown()}, expected one of {', '.join(PORTS)}")
    kind.translated("bandwidth")
    store.ports[kind.text()] = store.ports.get(kind.text(), 0) + wide.whole(1, 1 << 16)
    if (label := port.get("name")) is not None:
        label.refused("a port's name, which nothing asks for")
    if (least := port.get("bandwidth_min")) is not None:
        least.approximated("accesses are not rounded up to it")
    allocation = port.need("allocation", "a list such as [I1, tl]")
    allocation.translated("holds")
    for item in allocation.items():
        words = [item.text() for item in item.items()] if isinstance(item.node.value, list) else item.text().replace(",", " ").split()
        for direction in words[1:]:
            table = store.reads if direction in READS else store.writes if direction in WRITES else None
            if table is None or words[0] not in store.operands:
                raise item.wrong(f"found {item.node.shown()}, expected an operand of the memory and tl, th, fh or fl")
            table[words[0]] = max(table.get(words[0], 0), wide.whole(1, 1 << 16))


def hierarchy(stores: tuple[Store, ...], array: Field, operands: tuple[Operand, ...], used: frozenset[str] | None,
              begins: Mapping[str, int], name: str) -> Hierarchy:  # fmt: skip
    """The machine for one layer's operands; ``used``: dimensions that its mapping unrolls, None where there is no mapping.

    begins  loops in time outside each memory, which settles which of several alike is further out
    """
    names = [item.text() for item in array.need("dimensions", "a list").items()]
    counts = [item.whole(1, 1 << 20) for item in array.need("sizes", "a list").items()]
    if len(names) != len(counts):
        raise array.wrong(f"found {len(counts)} sizes of {len(names)} dimensions, expected as many")
    for key in ("dimensions", "sizes"):
        array.need(key, key).translated("axes")
    sizes = dict(zip(names, counts, strict=True))
    bits = _fitted(stores[-1], operands)
    order = _outermost_first(stores, sizes, used, begins)
    levels: list[Level] = []
    place: dict[tuple[str, str], int] = {}
    placed: list[str] = []
    for store in order:
        new = [name for name in sizes if name in _many(store, sizes, used) and name not in placed]
        if extra := [name for name in placed if name not in _many(store, sizes, None)]:
            store.where.need("served_dimensions", "a list").approximated(
                f"shared along {', '.join(extra)} there, one for each instance here: levels are one chain")
        if new and not levels:
            raise store.where.wrong(f"found no memory that serves {', '.join(new)}, expected an outermost one that serves all")
        if new:
            levels[-1] = _with_axes(levels[-1], new, sizes)
        placed += new
        for group in _groups(store, operands, bits):
            for operand in group:
                place[operand.name, store.name] = len(levels)
            levels.append(_level(store, group, operands, bits, outermost=not levels))
    if rest := [name for name in sizes if name not in placed]:
        levels[-1] = _with_axes(levels[-1], rest, sizes)
    energy = array.need("unit_energy", "pJ of a multiply-add")
    energy.translated("engines.array.mac_pj")
    params = Params(tuple(levels), energy.number(), counting="zigzag")
    return Hierarchy(machine_of(name, NODE_NM, CLOCK_HZ, params, "ZigZag"), stores, place, bits, sizes)


def _outermost_first(stores: tuple[Store, ...], sizes: dict[str, int], used: frozenset[str] | None,
                     begins: Mapping[str, int]) -> list[Store]:  # fmt: skip
    """One chain of memories: fewer instances further out; of equally many the one within fewer loops, then the larger one.

    Where an operand would pass them the other way, the file's order settles it.
    """
    order = sorted(stores, key=lambda store: (len(_many(store, sizes, used)), begins.get(store.name, 0), -store.size))
    for place, outer in enumerate(order):
        if any(set(inner.operands) & set(outer.operands) and stores.index(inner) > stores.index(outer) for inner in order[place + 1 :]):
            return sorted(stores, key=lambda store: (len(_many(store, sizes, used)), -stores.index(store)))
    return order


def _many(store: Store, sizes: dict[str, int], used: frozenset[str] | None) -> frozenset[str]:
    """Dimensions along which there are several instances of a memory; of those a mapping doesn't use, none matter."""
    return frozenset(sizes) - store.served if used is None else (frozenset(sizes) & used) - store.served


def _with_axes(level: Level, names: list[str], sizes: dict[str, int]) -> Level:
    return replace(level, axes=(*level.axes, *(Axis(name, sizes[name]) for name in names)))


def _fitted(home: Store, operands: tuple[Operand, ...]) -> dict[str, int]:
    """Bits of each tensor, so that one energy a bit serves all in the outermost memory: a wider port moves more of them for as much."""
    widths = {operand.name: home.reads.get(operand.name) or home.writes.get(operand.name, 0) for operand in operands}
    for operand in operands:
        if not widths[operand.name]:
            raise home.where.wrong(f"found no port of {operand.name}, expected one: it is the outermost memory")
    for common in (min(widths.values()), max(widths.values())):
        bits = {operand.tensor: Fraction(operand.bits * common, widths[operand.name]) for operand in operands}
        if all(each.denominator == 1 and each <= 64 for each in bits.values()):
            if len(set(widths.values())) > 1:
                home.where.need("ports", "ports").approximated("tensors get bits in proportion to what an access of their port moves")
            return {tensor: int(each) for tensor, each in bits.items()}
    home.where.need("ports", "ports").approximated("an access of each operand's port is taken to move equally many bits")
    return {operand.tensor: operand.bits for operand in operands}


def _share(store: Store, operand: Operand, alone: bool, bits: dict[str, int]) -> tuple[Fraction, Fraction]:
    """What a bit of a tensor is of an access, read and written."""
    width = Fraction(operand.partial if alone else operand.bits, bits[operand.tensor])
    both = store.reads.get(operand.name), store.writes.get(operand.name)
    read, write = (wide or both[0] or both[1] or 1 for wide in both)
    return width / read, width / write


def _groups(store: Store, operands: tuple[Operand, ...], bits: dict[str, int]) -> list[list[Operand]]:
    """Operands in a memory, those together whose bits cost alike."""
    held = [operand for operand in operands if operand.name in store.operands]
    groups: dict[tuple[Fraction, Fraction], list[Operand]] = {}
    for operand in held:
        groups.setdefault(_share(store, operand, len(held) == 1 and store.sums, bits), []).append(operand)
    return list(groups.values())


def _level(store: Store, group: list[Operand], operands: tuple[Operand, ...], bits: dict[str, int], outermost: bool) -> Level:
    held = [operand for operand in operands if operand.name in store.operands]
    alone = len(held) == 1 and store.sums
    read, write = _share(store, group[0], alone, bits)
    room = min(Fraction(store.size * bits[operand.tensor], operand.partial if alone else operand.bits) for operand in group)
    if len(group) < len(held):
        store.where.need("size", "bits").approximated(f"shared by {', '.join(store.operands)} there, by fewer here: their ports differ")
    if len(held) > 1 and any(operand.partial != operand.bits for operand in group):
        store.where.need("operands", "operands").approximated("partial sums take the bits of final ones in a level that others share")
    both, reading, writing = (store.ports.get(kind) for kind in ("read_write", "read", "write"))
    if both and (reading or writing):
        store.where.need("ports", "ports").approximated("ports that read and write serve reads and writes alike beside the others")
        reading, writing, both = (reading or 0) + both, (writing or 0) + both, None
    name = store.name if len(group) == len(held) else f"{store.name}_{'_'.join(operand.name for operand in group)}"
    return Level(name, store.cost[0] * read, store.cost[1] * write, max(1, int(room)), 1,
                 _rate(both), _rate(reading), _rate(writing), () if outermost else tuple(operand.tensor for operand in group), True,
                 buffering="double" if store.double else "shared")  # fmt: skip


def _rate(bits: int | None) -> Fraction | None:
    return Fraction(bits) if bits else None
