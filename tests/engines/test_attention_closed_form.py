"""The closed form equals the cycle model, exactly, whatever the mask, the blocks and the port."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from archmodel.engines.attention import Attention, closed_form, lower, price, run
from archmodel.engines.attention.tiling import blocks, most_in_block
from archmodel.engines.sequencing import Run
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import Hardware, Params, resolve
from archmodel.records.mask import Mask

from .attention_jobs import bases, generator, integers, random_attention, random_hardware, random_mask, random_port

JOBS = 85
"""In each of the tests' twelve parts."""


def executed(work: Attention, hardware: Hardware, port: Port, size: int) -> Run:
    return run(lower(work, hardware, bases(work, hardware, size)[0], size), hardware, port)


def same(seed: int) -> bool | None:
    """Whether both agree on a random job; None where one of its blocks takes more patterns than fit."""
    rng = generator(seed)
    hardware, work, port = random_hardware(rng), random_attention(rng), random_port(rng)
    size = integers(rng, 0, most_in_block(work, hardware))
    try:
        cost = price(work, hardware, port, size)
    except SpecError as error:
        assert "patterns of the mask" in str(error)
        return None
    found = executed(work, hardware, port, size)
    moves = [event.end - event.start for event in found.trace if event.unit != "exec"]
    attends = sum(event.unit == "exec" for event in found.trace)
    assert attends >= work.heads * len(blocks(work, hardware, size))
    return (cost.cycles, cost.port_cycles) == (found.cycles, sum(moves))


@pytest.mark.parametrize("part", range(12))
def test_it_is_what_the_cycle_model_executes(part: int) -> None:
    results = Counter(same(part * JOBS + number) for number in range(JOBS))
    assert results[False] == 0
    assert results[True] > JOBS * 0.9


HARDWARE = replace(resolve(Params(8, 8, port_bytes=8), 32 * 1024), program_words=4096)
PORT = Port(20, 1)


@pytest.mark.parametrize("latency", [1, 13, 60, 400, 3000])
@pytest.mark.parametrize("interval", [1, 3, 40])
@pytest.mark.parametrize("banks", [2, 3, 4])
def test_many_rows_are_multiplied(latency: int, interval: int, banks: int) -> None:
    """Bound by arrays, by the bandwidth of the port, by its latency, and between them."""
    hardware, port = replace(HARDWARE, banks=banks, outstanding=3), Port(max(latency, interval), interval)
    for work in (Attention(16, 16, 1, 3000), Attention(16, 24, 100, 1500, heads=2), Attention(5, 3, 9, 4001, heads=3, group=3)):
        for size in (0, 1):
            assert price(work, hardware, port, size).cycles == executed(work, hardware, port, size).cycles


def test_it_takes_no_longer_for_a_million_keys() -> None:
    work = Attention(16, 16, 64, 1 << 20)
    hardware = replace(HARDWARE, format="bf16", weight_bits=0)
    cost = price(work, hardware, PORT)
    assert cost.tiles == 8 * ((1 << 17) + 1)
    assert cost.period * cost.tiles < cost.cycles < cost.period * (cost.tiles + 10) + 10_000


def test_steady_state_costs_a_period_a_tile() -> None:
    """What FuseMax states on paper: 137 cycles a tile at head size 64, fill and drain hidden; here with every row's end counted."""
    hardware = resolve(Params(16, 16, format="bf16", port_bytes=16), 1 << 20)
    short, long = (price(Attention(64, 64, 256, keys), hardware, Port(30, 1)) for keys in (4096, 8192))
    assert long.cycles - short.cycles == 137 * (long.tiles - short.tiles)


def test_traffic() -> None:
    work = Attention(16, 12, 20, 30, heads=3, group=2, mask=Mask(causal=True))
    cost = price(work, HARDWARE, PORT)
    # 5 tiles of queries (positions 0-3, 4-7, ...) see 1, 1, 2, 2, 3 tiles of 8 keys, all in one block, so 3 tiles are loaded once;
    # positions beside a tile's keys, or 4 behind, make two patterns.
    assert (cost.tiles, cost.finishing) == (3 * (9 + 5), 3 * 5)
    assert cost.filled == {"Q": 3 * 5 * 16, "K": 3 * 3 * 16, "V": 3 * 3 * 12, "M": 3 * 2}
    assert (cost.stored, cost.write_bytes) == (3 * 5 * 12, 3 * 5 * 12 * 8)
    assert cost.read_bytes == 8 * (240 + 144 + 108) + 8 * 6


def test_random_masks_occur() -> None:
    masks = [random_mask(generator(seed)) for seed in range(99)]
    assert len({(mask.causal, mask.window > 0, mask.sink > 0, mask.query_block > 0, mask.query_block == 1) for mask in masks}) >= 9


@pytest.mark.parametrize(("name", "wrong"), [("START", 2), ("store_cycles", lambda *given: 90), ("load_cycles", lambda *given: 50)])
def test_a_wrong_closed_form_is_seen(monkeypatch: pytest.MonkeyPatch, name: str, wrong: object) -> None:
    monkeypatch.setattr(closed_form, name, wrong)
    assert not all(same(seed) in (True, None) for seed in range(12))


def test_bubbles_that_are_forgotten_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that begins as soon as its data are there, not at a boundary of periods."""
    right = closed_form._Clock._begin

    def early(self: closed_form._Clock, allowed: int, tiles: int) -> None:
        self.empty = 0
        right(self, allowed, tiles)

    monkeypatch.setattr(closed_form._Clock, "_begin", early)
    assert not all(same(seed) in (True, None) for seed in range(30))
