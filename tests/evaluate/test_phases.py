"""The phases of a Program, read off traces of the cycle model: what runs at once, and what waits."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import gcd

import numpy as np
import pytest

from archmodel.engines.sequencing import Event, Run
from archmodel.engines.systolic import Bases, Tiling, lower, price, run
from archmodel.engines.systolic.closed_form import START, Folds, exec_cycles, load_cycles, store_cycles
from archmodel.engines.systolic.tiling import RANKS, fits, quantum
from archmodel.memory.port import Port
from archmodel.records.commands import SYNC
from archmodel.records.engines.systolic import Hardware
from tests.mapper.helpers import generator, integers, random_hardware, random_port


def draw(rng: np.random.Generator, banks: int, most: int = 60) -> tuple[Tiling, Hardware, Port]:
    """A random legal tiling of at most some hundred steps."""
    while True:
        hardware, port = replace(random_hardware(rng), banks=banks), random_port(rng)
        if rng.integers(4):  # so wide and fast that the array decides some phases
            wide = gcd(hardware.rows, hardware.cols * hardware.y_bits // 8, hardware.cols)
            hardware, port = replace(hardware, port_bytes=wide, x_words=8 * hardware.x_words), Port(2, 1)
        flow, sizes = str(rng.choice(hardware.dataflows)), dict(zip("mnk", integers(rng, 3, most), strict=True))
        tile = {}
        for rank, size in sizes.items():
            grain = quantum(flow, rank, hardware)
            tile[rank] = min(size, grain * int(rng.integers(1, 2 + size // grain)))
        order = tuple(str(rank) for rank in rng.permutation(RANKS))
        tiling = Tiling(*sizes.values(), *tile.values(), flow, order, bool(rng.integers(2)), bool(rng.integers(2)))  # type: ignore[arg-type]
        if fits(tiling, hardware) and np.prod(tiling.loops) < 300:
            return tiling, hardware, port


def executed(tiling: Tiling, hardware: Hardware, port: Port) -> tuple[Run, dict[str, list[Event]]]:
    done = run(lower(tiling, hardware, Bases(0, 0, 0, 0, 0)), hardware, port)
    return done, {unit: [event for event in done.trace if event.unit == unit] for unit in ("load", "exec", "store")}


def length(event: Event) -> int:
    return event.end - event.start


@pytest.mark.parametrize("banks", [1, 2])
def test_moves_never_overlap_nor_do_execs(banks: int) -> None:
    rng = generator(banks)
    for _ in range(150):
        _, units = executed(*draw(rng, banks))
        moves = sorted((e for e in units["load"] + units["store"] if length(e) > SYNC), key=lambda e: e.start)
        for events in (moves, units["exec"]):
            assert all(first.end <= second.start for first, second in pairwise(events))


@pytest.mark.parametrize("banks", [1, 2])
def test_port_cycles_are_those_of_all_moves(banks: int) -> None:
    """Loads and stores of the trace, syncs not among them."""
    rng = generator(10 + banks)
    for _ in range(150):
        tiling, hardware, port = draw(rng, banks)
        _, units = executed(tiling, hardware, port)
        moves = sum(length(event) for event in units["load"] + units["store"] if length(event) > SYNC)
        assert int(price(tiling, hardware, port).port_cycles[0]) == moves


def test_a_phase_lasts_as_long_as_its_longest_part() -> None:
    """Two banks: between the starts of two execs lies the longer of the exec and the moves that run beside it."""
    rng, by_memory, by_array = generator(3), 0, 0
    for _ in range(700):
        done, units = executed(*draw(rng, 2))
        execs, stores, loads = units["exec"], units["store"][1:], units["load"]  # the first sync frees the other bank
        assert len(execs) == len(stores)
        assert execs[0].start == START + sum(length(e) for e in loads if e.start < execs[0].start)
        for step, (now, then) in enumerate(pairwise(execs)):
            fetched = sum(length(e) for e in loads if now.start <= e.start < then.start)
            memory = (length(stores[step - 1]) if step else 0) + fetched
            assert then.start - now.start == max(length(now), memory)
            by_memory, by_array = by_memory + (memory > length(now)), by_array + (memory < length(now))
        assert stores[-1].start == max(execs[-1].end, stores[-2].end if len(stores) > 1 else 0)
        assert done.cycles == stores[-1].end
    assert min(by_memory, by_array) > 200


def test_with_one_bank_nothing_runs_at_once() -> None:
    rng = generator(4)
    for _ in range(150):
        done, units = executed(*draw(rng, 1))
        assert done.cycles == START + sum(length(event) for event in done.trace)
        assert all(first.end <= second.start for first, second in pairwise(done.trace))
        assert len(units["exec"]) == len(units["store"])


def test_commands_by_the_page() -> None:
    """The formulas of docs/timing.md, written out again."""
    rng = generator(5)
    for _ in range(3000):
        hardware, port = random_hardware(rng), random_port(rng)
        w, b, t, outer, inner = integers(rng, 5, 200)
        R, C, q, L, v = hardware.rows, hardware.cols, hardware.outstanding, port.latency, port.interval
        data = b * v
        group = max(q * data, L + 1 + data - v)
        move = L + (w - 1) // q * group + (w - 1) % q * data + data - v
        assert load_cycles(w, b, hardware, port) == max(16, 2 + move)
        assert store_cycles(w, b, hardware, port) == max(16, 5 + move)
        assert exec_cycles(Folds(outer, inner, t), hardware) == max(16, 2 * R + C + 1 + t + (outer * inner - 1) * max(R, t))
