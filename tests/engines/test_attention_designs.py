"""Many attention designs at once cost what each costs by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archmodel.engines.attention import Attention, designs, price
from archmodel.engines.attention.designs import Designs, price_designs
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import Params, resolve

from .attention_jobs import generator

PARAMS = Params(8, 8, format="bf16", port_bytes=8, tiles=8)
COUNT = 150


def random_designs(seed: int, count: int = COUNT) -> Designs:
    rng = generator(seed)
    rows, cols = rng.choice((2, 4, 8, 16, 32, 64, 256), (2, count))
    return Designs(rows, cols, rng.integers(1 << 12, 1 << 21, count), rng.integers(1, 2000, count), rng.integers(1, 1 << 16, count),
                   rng.integers(1, 40, count), rng.choice((1, 2, 4, 8), count))  # fmt: skip


def alone(of: Designs, at: int, params: Params, e: int, f: int, port: Port) -> tuple[int, ...] | None:
    """Of one design by itself: cycles, period, tiles, traffic; None where it doesn't fit."""
    rows, cols, size, queries, keys, heads, group = (int(getattr(of, name)[at]) for name in Designs.__dataclass_fields__)
    try:
        cost = price(Attention(e, f, queries, keys, heads, group), resolve(replace(params, rows=rows, cols=cols), size), port)
    except SpecError:
        return None
    return cost.cycles, cost.period, cost.tiles, cost.read_bytes, cost.write_bytes


@pytest.mark.parametrize("buffering", [2, 3, 4])
@pytest.mark.parametrize(("latency", "interval"), [(1, 1), (30, 1), (30, 4), (200, 9), (1500, 1)])
def test_each_costs_what_it_costs_by_itself(buffering: int, latency: int, interval: int) -> None:
    params, port = replace(PARAMS, buffering=buffering, outstanding=4), Port(latency, interval)
    of = random_designs(latency + interval)
    found = price_designs(of, params, 24, 40, port)
    names = ("cycles", "period", "tiles", "read_bytes", "write_bytes")
    for at in range(COUNT):
        expected = alone(of, at, params, 24, 40, port)
        assert bool(found.fits[at]) == (expected is not None)
        assert tuple(int(getattr(found, name)[at]) for name in names) == (expected or (0,) * len(names))
    assert 0 < found.fits.sum() < COUNT


def test_int8_and_split_lanes() -> None:
    params, port = replace(PARAMS, format="int8", port_bytes=2, rescale="split", mac_latency=3, buffer_words=4), Port(7, 2)
    of = random_designs(5, 60)
    found = price_designs(of, params, 16, 16, port)
    assert [int(cycles) for cycles in found.cycles] == [(alone(of, at, params, 16, 16, port) or (0,))[0] for at in range(60)]


def test_one_number_stands_for_all() -> None:
    of = Designs(*(np.asarray(value) for value in (8, 8, 65536, np.array([8, 16, 24]), 640, 2, 1)))
    found = price_designs(of, PARAMS, 16, 16, Port(20, 1))
    assert found.cycles.shape == (3,)
    assert (np.diff(found.cycles) > 0).all()


def test_those_that_do_not_repeat_are_priced_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    params, port = replace(PARAMS, buffering=4), Port(30, 3)
    right = price_designs(random_designs(3), params, 16, 16, port)
    monkeypatch.setattr(designs, "PATIENCE", 2)
    assert (price_designs(random_designs(3), params, 16, 16, port).cycles == right.cycles).all()
    monkeypatch.setattr(designs, "_alone", lambda *given: 1)
    assert not (price_designs(random_designs(3), params, 16, 16, port).cycles == right.cycles).all()


def test_a_table_that_is_too_short_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^lower: a period of \d+ slots for heads of 64 and 64, and the table holds 64; raise slots$"):
        price_designs(random_designs(1), replace(PARAMS, slots=64), 64, 64, Port(20, 1))
