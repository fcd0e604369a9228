"""The closed forms of collectives, against links that carry chunk after chunk, step by step, with what each chunk holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from archmodel import links
from archmodel.links import Line, cost, lines_of
from archmodel.records.base import SpecError
from archmodel.records.machine import Fabric

Key = tuple[int, int]
Held = dict[int, dict[Key, frozenset[int]]]
"""Of each device: which devices' contributions its copy of a part holds."""


class Wires:
    """A fabric's links; ``step`` moves parts over them at once, and takes as long as the busiest link and the longest way."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.rows, self.columns = fabric.shape
        self.picoseconds = self.moved = 0

    def route(self, source: int, target: int, way: int) -> list[tuple[int, int]]:
        """Links from one device to another: along the row (in direction ``way`` where the row is a ring), or along the column."""
        found, at = [], source
        while at != target:
            row, column = divmod(at, self.columns)
            if column != target % self.columns:
                following = row * self.columns + (column + way) % self.columns
            else:
                following = at + (self.columns if target > at else -self.columns)
            found.append((at, following))
            at = following
        return found

    def step(self, transfers: list[tuple[int, int, int, int]]) -> None:
        """(source, target, direction, bytes) at once."""
        load: dict[tuple[int, int], int] = {}
        longest = 0
        for source, target, way, size in transfers:
            route = self.route(source, target, way)
            longest = max(longest, len(route))
            for link in route:
                load[link] = load.get(link, 0) + size
        busiest = max(load.values(), default=0)
        self.moved += sum(load.values())
        self.picoseconds += longest * self.fabric.latency_picoseconds
        self.picoseconds += -(-busiest * links.PICOSECONDS // self.fabric.bandwidth_bytes_per_second)


def groups_of(fabric: Fabric, inner: int, size: int) -> list[list[list[int]]]:
    """Every group as a grid of devices: its rows, each a line along the fabric's columns."""
    columns = fabric.shape[1]
    found = []
    for base in range(fabric.devices):
        if base // inner % size == 0:
            members = [base + inner * place for place in range(size)]
            rows: dict[int, list[int]] = {}
            for member in members:
                rows.setdefault(member // columns, []).append(member)
            found.append(list(rows.values()))
    return found


def rings(line: list[int], closed: bool) -> list[tuple[int, list[int]]]:
    """(direction, order) of the rings that a line is walked in: both ways around a closed one, an open one folded."""
    if closed:
        return [(1, line), (-1, line[::-1])]
    return [(1, [*line[::2], *line[1::2][::-1]])]


def parts(size: int, count: int) -> list[int]:
    return [size * (place + 1) // count - size * place // count for place in range(count)]


def around(wires: Wires, lines: list[tuple[list[int], Callable[[int, int, int], list[tuple[Key, int]]]]], closed: bool, held: Held,
           gather: bool) -> None:  # fmt: skip
    """One reduce-scatter or all-gather on all lines at once; a line's ``chunk(ring, place, count)`` names the parts of a chunk."""
    count = len(lines[0][0])
    for turn in range(count - 1):
        transfers, changes = [], []
        for line, chunk in lines:
            for number, (way, order) in enumerate(rings(line, closed)):
                for place, source in enumerate(order):
                    target = order[(place + 1) % count]
                    content = chunk(number, (place - turn + gather) % count, count)
                    direct = way if closed else 1 if target > source else -1
                    transfers.append((source, target, direct, sum(size for _, size in content)))
                    changes += [(target, key, held[source][key]) for key, _ in content]
        wires.step(transfers)
        for target, key, value in changes:
            held[target][key] = value if gather else held[target][key] | value


def simulate_reduce(fabric: Fabric, inner: int, size: int, total: int) -> Wires:
    """All-reduce in every group at once; every device must end with everything summed."""
    wires, grids = Wires(fabric), groups_of(fabric, inner, size)
    closed = bool(lines_of(fabric, inner, size)[0].closed)
    ways, high, wide = (2 if closed else 1), len(grids[0]), len(grids[0][0])
    chunks = [chunk for whole in parts(total, ways) for chunk in parts(whole, wide)]
    sizes = {(place, row): part for place, chunk in enumerate(chunks) for row, part in enumerate(parts(chunk, high))}
    held: Held = {device: {key: frozenset([device]) for key in sizes} for device in range(fabric.devices)}

    def along(number: int, place: int, count: int) -> list[tuple[Key, int]]:
        return [(key, size) for key, size in sizes.items() if key[0] == number * count + place]

    def across(column: int) -> Callable[[int, int, int], list[tuple[Key, int]]]:
        return lambda _number, place, _count: [((column, place), sizes[column, place])]

    def owned(line: list[int]) -> list[int]:
        """The chunk that each device of an open line has the sum of after a reduce-scatter."""
        order = rings(line, False)[0][1]
        return [(order.index(device) + 1) % len(order) for device in line]

    rows = [(line, along) for grid in grids for line in grid]
    columns = [([line[place] for line in grid], across(owned(grid[0])[place])) for grid in grids for place in range(wide)]
    if wide > 1:
        around(wires, rows, closed, held, False)
    if high > 1:
        around(wires, columns, False, held, False)
        around(wires, columns, False, held, True)
    if wide > 1:
        around(wires, rows, closed, held, True)
    check_sums(grids, held, sizes)
    return wires


def check_sums(grids: list[list[list[int]]], held: Held, sizes: dict[Key, int]) -> None:
    for grid in grids:
        members = frozenset(device for line in grid for device in line)
        assert all(held[device][key] == members for device in members for key in sizes), "a device lacks a part of a sum"


def simulate_exchange(fabric: Fabric, inner: int, size: int, message: int) -> Wires:
    """All-to-all in every group at once, along rows and then along columns, a step for each distance; all messages must arrive."""
    wires, grids, columns = Wires(fabric), groups_of(fabric, inner, size), fabric.shape[1]
    along = lines_of(fabric, inner, size)[0]
    at = {pair: pair[0] for grid in grids for pair in product([device for line in grid for device in line], repeat=2)}
    turned = [list(column) for grid in grids for column in zip(*grid, strict=True)]
    for lines, closed in (([line for grid in grids for line in grid], along.closed), (turned, False)):
        place = {device: (line, number) for line in lines for number, device in enumerate(line)}
        moves: dict[int, list[tuple[int, int, int, int]]] = {}
        for (source, final), here in at.items():
            line, number = place[here]
            aim = line.index(final) if lines is turned else [device % columns for device in line].index(final % columns)
            right, left = (aim - number) % len(line), (number - aim) % len(line)
            for way, part in shares(right, left, closed, aim > number, message):
                moves.setdefault(min(right, left) if closed else abs(aim - number), []).append((here, line[aim], way, part))
            at[source, final] = line[aim]
        for apart in sorted(moves):
            if apart:
                wires.step(moves[apart])
    assert all(place == final for (_, final), place in at.items()), "a message did not arrive"
    return wires


def shares(right: int, left: int, closed: bool, rising: bool, message: int) -> list[tuple[int, int]]:
    """(direction, bytes) of a message along a line; half goes either way to the device opposite."""
    if not closed:
        return [(1 if rising else -1, message)]
    if right == left:
        return [(1, message - message // 2), (-1, message // 2)]
    return [(1 if right < left else -1, message)]


CASES = [
    *((Fabric(count, "ring", 3 * 10**9, 700), 1, count) for count in range(2, 10)),
    *((Fabric(12, "ring", 7 * 10**9, 13), inner, size) for inner, size in ((1, 2), (1, 3), (1, 6), (2, 2), (2, 3), (2, 6), (3, 4), (4, 3))),
    *((Fabric(24, "mesh", 5 * 10**9, 1000), inner, size) for inner, size in (
        (1, 24), (1, 12), (1, 6), (1, 3), (2, 3), (3, 2), (6, 4), (6, 2), (12, 2), (3, 8), (2, 12))),
    (Fabric(16, "mesh", 10**9, 0), 1, 16), (Fabric(7, "mesh", 10**9, 5), 1, 7), (Fabric(4, "mesh", 10**9, 5), 1, 4),
]  # fmt: skip


@pytest.mark.parametrize(("fabric", "inner", "size"), CASES)
@pytest.mark.parametrize("total", (1, 1000, 65_537))
def test_all_reduce_and_all_to_all_take_what_the_links_take(fabric: Fabric, inner: int, size: int, total: int) -> None:
    lines, groups = lines_of(fabric, inner, size), fabric.devices // size
    simulated = simulate_reduce(fabric, inner, size, total)
    reduced = cost("all-reduce", lines, total, fabric)
    assert reduced.picoseconds == simulated.picoseconds
    assert reduced.moved_bytes * groups >= simulated.moved
    simulated = simulate_exchange(fabric, inner, size, total)
    exchanged = cost("all-to-all", lines, total, fabric)
    assert exchanged.picoseconds == simulated.picoseconds
    if total % 2 == 0:
        assert exchanged.moved_bytes * groups == simulated.moved


def test_bytes_over_links_are_exact_where_chunks_are_whole() -> None:
    for fabric, inner, size in CASES:
        whole = 5 * 2 * 24 * size
        simulated = simulate_reduce(fabric, inner, size, whole)
        assert cost("all-reduce", lines_of(fabric, inner, size), whole, fabric).moved_bytes * (fabric.devices // size) == simulated.moved


def test_a_reduce_is_a_scatter_and_a_gather() -> None:
    ring = Fabric(8, "ring", 10**9, 1000)
    reduced, gathered = (cost(kind, (Line(8, 1, True),), 4096, ring) for kind in ("all-reduce", "all-gather"))
    assert reduced.picoseconds == 2 * gathered.picoseconds
    # 14 steps of a 16th of the data, both ways around: 2 (p - 1) / p of it at twice a link's bandwidth.
    assert reduced.transfer_picoseconds == 14 * 4096 // 16 * 1000
    assert reduced.latency_picoseconds == 14 * 1000


def test_a_fault_in_a_closed_form_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = Fabric(12, "ring", 7 * 10**9, 13)
    true = links._round
    monkeypatch.setattr(links, "_round", lambda line, size: replace(true(line, size), hops=1))  # forgets that a line is folded
    assert cost("all-reduce", lines_of(fabric, 1, 6), 1000, fabric).picoseconds != simulate_reduce(fabric, 1, 6, 1000).picoseconds


def test_one_device_exchanges_nothing() -> None:
    assert cost("all-reduce", (), 4096, Fabric(1, "ring", 10**9, 10**6)).picoseconds == 0


def test_a_group_must_be_a_rectangle() -> None:
    with pytest.raises(SpecError, match="groups of 6 devices, 1 apart, are no rectangles of a mesh of 3 x 4 devices, expected sizes"):
        lines_of(Fabric(12, "mesh", 1, 0), 1, 6)


def test_a_mesh_is_as_square_as_its_count_allows() -> None:
    shapes = {1: (1, 1), 2: (1, 2), 6: (2, 3), 7: (1, 7), 12: (3, 4), 16: (4, 4), 24: (4, 6)}
    assert {count: Fabric(count, "mesh", 1, 0).shape for count in shapes} == shapes


@pytest.mark.parametrize(("fields", "says"), [
    ((0, "ring", 1, 0), "fabric: devices is 0, expected at least 1"), ((1 << 13, "ring", 1, 0), "devices is 8192, expected at most 4096"),
    ((2, "torus", 1, 0), "fabric: topology 'torus', expected one of ring, mesh"), ((2, "ring", 0, 0), "bandwidth_bytes_per_second is 0"),
])  # fmt: skip
def test_what_is_no_fabric_is_refused(fields: tuple[int, str, int, int], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        Fabric(*fields)
