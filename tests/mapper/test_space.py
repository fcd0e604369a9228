"""The mapspace: complete, without doubles, and bounded from below by what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archmodel.engines.systolic import price
from archmodel.engines.systolic.closed_form import Batch
from archmodel.engines.systolic.tiling import ROLES, ceil_div, quantum
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from mapper.space import floor, grid, in_every_order, least, lower_bound, order_count, tiles

from .helpers import every_mapping, generator, integers, multiples, random_hardware, random_port, smallest


def test_tiles_are_the_smallest_of_each_trip_count() -> None:
    for extent in range(1, 130):
        for grain in (1, 2, 3, 4, 7, 8, 16, 32):
            found = tiles(extent, grain).tolist()
            assert found == smallest(extent, grain), (extent, grain)


def test_tiles_have_each_trip_count_once_and_every_one_that_exists() -> None:
    rng = generator(1)
    for _ in range(300):
        extent, grain = integers(rng, 1, 3000)[0], int(rng.choice([1, 4, 8, 16, 128]))
        trips = [-(-extent // tile) for tile in tiles(extent, grain).tolist()]
        assert len(set(trips)) == len(trips)
        assert set(trips) == {-(-extent // tile) for tile in multiples(extent, grain)}


def test_a_mapspace_too_large_to_look_at_is_refused_before_it_is_built() -> None:
    hardware = random_hardware(generator(1))
    with pytest.raises(SpecError) as error:
        grid({"m": 1 << 40, "n": 1 << 40, "k": 1 << 16}, True, hardware)
    assert str(error.value) == (
        "a product of 1099511627776 x 1099511627776 x 65536 (m x n x k) can be cut in more than 4194304 ways; "
        "take fewer tokens at once, or a smaller buffer"
    )


@pytest.mark.parametrize(
    ("extent", "grain", "found"),
    [(1, 16, [1]), (16, 16, [16]), (17, 16, [16, 17]), (100, 16, [16, 32, 48, 64, 100]), (7, 1, [1, 2, 3, 4, 7]),
     (48, 16, [16, 32, 48]), (49, 16, [16, 32, 49])],
)  # fmt: skip
def test_tiles_by_hand(extent: int, grain: int, found: list[int]) -> None:
    """The last tile may be ragged, and a rank that is not whole lanes may still be taken whole."""
    assert tiles(extent, grain).tolist() == found


def test_a_long_rank_has_few_tiles() -> None:
    """About two square roots of them, not one a multiple."""
    assert len(tiles(128256, 16)) < 2 * np.sqrt(128256 / 16) + 2


Key = tuple[object, ...]


def keys(work: Batch) -> list[Key]:
    """What tells mappings apart: dataflow, tiles, order of the loops of more than one trip."""
    trips = ceil_div(work.extent, work.tile)
    found = []
    for at in range(len(work)):
        order = tuple(int(role) for role in work.order[:, at] if trips[role, at] > 1)
        found.append((bool(work.output[at]), bool(work.n_is_i[at]), *work.tile[:, at].tolist(), order))
    return found


def cases(seed: int, count: int, most: int) -> list[tuple[dict[str, int], bool, Hardware]]:
    rng = generator(seed)
    return [(dict(zip("mnk", integers(rng, 3, most), strict=True)), bool(rng.integers(2)), random_hardware(rng)) for _ in range(count)]


def test_complete_and_without_doubles() -> None:
    """The same set of mappings as loops over every legal tile, thinned to the smallest of each trip count."""
    sizes = []
    for shape, requantise, hardware in cases(2, 150, 60):
        found = keys(in_every_order(grid(shape, requantise, hardware)))
        assert len(found) == len(set(found)), (shape, hardware)
        assert set(found) == set(keys(every_mapping(shape, requantise, hardware, cuts=True))), (shape, hardware)
        sizes.append(len(found))
    assert max(sizes) > 1000 and 0 in sizes  # small P buffers hold no tile of some shapes


def test_order_count() -> None:
    for shape, requantise, hardware in cases(3, 60, 100):
        work = grid(shape, requantise, hardware)
        assert int(order_count(work).sum()) == len(in_every_order(work))


def test_every_order_costs_what_its_double_costs() -> None:
    """Where a loop of one trip stands makes no difference, so one such order is enough."""
    for shape, requantise, hardware in cases(4, 40, 40):
        work = every_mapping(shape, requantise, hardware, cuts=True)
        if not len(work):
            continue
        cost = price(work, hardware, random_port(generator(4)))
        seen: dict[Key, tuple[int, ...]] = {}
        for at, key in enumerate(keys(work)):
            figures = tuple(int(a[at]) for a in (cost.cycles, cost.read_bytes, cost.write_bytes, cost.bound_memory, cost.exec_cycles))
            assert seen.setdefault(key, figures) == figures, (key, shape, hardware)


def test_everything_in_the_space_is_legal() -> None:
    for shape, requantise, hardware in cases(5, 60, 200):
        work = grid(shape, requantise, hardware)
        for at in range(0, len(work), 1 + len(work) // 20):
            flow = "os" if work.output[at] else "is" if work.n_is_i[at] else "ws"
            for role, rank in enumerate(ROLES[flow]):
                tile, extent = int(work.tile[role, at]), int(work.extent[role, at])
                assert extent == shape[rank]
                assert tile == extent or tile % quantum(flow, rank, hardware) == 0


@pytest.mark.parametrize("banks", [1, 2])
def test_bounds_are_never_above_the_price(banks: int) -> None:
    """On tens of thousands of mappings, of whole tiles and ragged ones, compute-bound and memory-bound."""
    rng = generator(10 + banks)
    priced, tight = 0, 0
    for shape, requantise, hardware in cases(20 + banks, 1200, 120):
        array, port = replace(hardware, banks=banks), random_port(rng)
        work = in_every_order(grid(shape, requantise, array))
        if not len(work):
            continue
        work = work[rng.permutation(len(work))[:400]]
        work.init[:] = rng.random(len(work)) < 0.3
        cycles = price(work, array, port).cycles
        bound, lowest = lower_bound(work, array, port), floor(work, array, port)
        assert (bound <= cycles).all(), (shape, array, port)
        assert (lowest <= bound).all(), (shape, array, port)
        assert least(shape, requantise, array, port) <= lowest.min(), (shape, array, port)
        priced, tight = priced + len(work), tight + int((bound > 0.9 * cycles).sum())
    assert priced > 10_000
    assert tight > priced / 4  # a bound of nothing would be no test


def test_floor_holds_in_every_order() -> None:
    for shape, requantise, hardware in cases(30, 60, 80):
        port = random_port(generator(30))
        work = grid(shape, requantise, hardware)
        if not len(work):
            continue
        least = {key[:-1]: int(value) for key, value in zip(keys(work), floor(work, hardware, port), strict=True)}
        ordered = in_every_order(work)
        for key, cycles in zip(keys(ordered), price(ordered, hardware, port).cycles, strict=True):
            assert least[key[:-1]] <= cycles
