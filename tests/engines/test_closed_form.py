"""The closed form equals the cycle model on every regular schedule: 10,000 random ones, no tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pytest

from archmodel.engines.sequencing import Run
from archmodel.engines.systolic import Bases, Tiling, lower, price, run
from archmodel.engines.systolic.closed_form import batch, join
from archmodel.engines.systolic.tiling import RANKS, check, fits, quantum
from archmodel.memory.port import Port, port_of
from archmodel.records.engines.systolic import DATAFLOWS, Hardware, Params
from archmodel.records.machine import Clock, Engine, Machine, Memory

CHUNKS, GROUPS, TILINGS = 20, 10, 50
BASES = Bases(0, 0, 0, 0, 0)
ORDERS = tuple(permutations(RANKS))
Rng = np.random.Generator


@dataclass(frozen=True)
class Drawn:
    hardware: Hardware
    port: Port
    tilings: list[Tiling]


def draw_hardware(rng: Rng) -> Hardware:
    rows, cols, lanes = (int(rng.choice(options)) for options in ((2, 3, 4, 8, 16), (2, 4, 8, 16), (1, 2)))
    x, y = (("int8", "int8"), ("int8", "int4"), ("bf16", "bf16"))[rng.choice(3, p=(0.5, 0.3, 0.2))]
    words = (int(rng.integers(rows, 12 * rows + 1)) for _ in range(3))
    return Hardware(rows, cols, tuple(sorted(DATAFLOWS if x == y else ("os", "ws"))), x, y, 1 if rows % 2 else lanes,
                    int(rng.integers(1, 33)), int(rng.integers(1, 3)), *words, int(rng.integers(1, 9)), 512)  # fmt: skip


def draw_tiling(hardware: Hardware, rng: Rng, flow: str, order: tuple[str, str, str]) -> Tiling:
    """Uniform over extents up to eight tiles' lanes and over legal tiles of them; what fits no buffer is drawn again."""
    while True:
        extent = {rank: int(rng.integers(1, 8 * hardware.rows)) for rank in RANKS}
        tile = {rank: legal_tile(extent[rank], quantum(flow, rank, hardware), rng) for rank in RANKS}
        tiling = Tiling(**extent, **{f"tile_{rank}": size for rank, size in tile.items()}, flow=flow, order=order,
                        requantise=bool(rng.integers(2)), init=bool(rng.integers(2)))  # fmt: skip
        if fits(tiling, hardware) and math.prod(tiling.loops) <= 400:
            return tiling


def legal_tile(extent: int, grain: int, rng: Rng) -> int:
    """A multiple of ``grain`` below the extent, or the whole extent."""
    return min(extent, grain * int(rng.integers(1, extent // grain + 2)))


def draw(seed: int) -> Drawn:
    """One machine and tilings of it, every dataflow and loop order among them."""
    rng = np.random.Generator(np.random.PCG64(seed))
    hardware = draw_hardware(rng)
    latency = int(rng.integers(1, 60))
    port = Port(latency, int(rng.integers(1, min(latency, 6) + 1)))
    flows = hardware.dataflows
    tilings = [draw_tiling(hardware, rng, flows[i % len(flows)], ORDERS[i % 6]) for i in range(TILINGS)]  # type: ignore[arg-type]
    return Drawn(hardware, port, tilings)


def executed(tiling: Tiling, hardware: Hardware, port: Port) -> Run:
    return run(lower(tiling, hardware, BASES), hardware, port)


def cycles_of(trace: Run, *units: str) -> int:
    return sum(event.end - event.start for event in trace.trace if event.unit in units)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_closed_form_equals_the_cycle_model_on_ten_thousand_random_schedules(chunk: int) -> None:
    equal = 0
    for group in range(GROUPS):
        drawn = draw(1000 * chunk + group)
        cost = price(join([batch(tiling) for tiling in drawn.tilings]), drawn.hardware, drawn.port)
        for tiling, cycles, array in zip(drawn.tilings, cost.cycles, cost.exec_cycles, strict=True):
            seen = executed(tiling, drawn.hardware, drawn.port)
            assert cycles == seen.cycles, f"{tiling} on {drawn.hardware} at {drawn.port}"
            assert array == cycles_of(seen, "exec"), f"{tiling} on {drawn.hardware}"
            equal += 1
    assert equal * CHUNKS == 10_000


def test_a_tiling_alone_costs_what_it_costs_in_a_batch() -> None:
    drawn = draw(7)
    together = price(join([batch(tiling) for tiling in drawn.tilings]), drawn.hardware, drawn.port)
    for number, tiling in enumerate(drawn.tilings):
        alone = price(tiling, drawn.hardware, drawn.port)
        assert int(alone.cycles[0]) == int(together.cycles[number])
        assert int(alone.read_bytes[0]) == int(together.read_bytes[number])
        assert int(alone.write_bytes[0]) == int(together.write_bytes[number])


def _machine(rng: Rng) -> tuple[Machine, Engine]:
    """A machine whose memory is uniform over bandwidth (0.5 to 32 B/ns) and latency (1 to 200 ns)."""
    hz = int(rng.integers(100, 2001)) * 10**6
    memory = Memory("dram", "ddr4", 1 << 30, int(rng.integers(1, 65)) * 5 * 10**8, int(rng.integers(1, 201)) * 1000)
    engine = Engine("array", "systolic", "core", Params(4, 4, ("ws", "is", "os"), port_bytes=4), port="dram", count=1)
    return Machine("drawn", 16, (Clock("core", hz),), (memory,), (engine,)), engine


def test_all_uniformly_drawn_legal_mappings_are_regular() -> None:
    """The closed form is exact on each of 400, so "at least nine in ten are regular" holds by definition, not by luck.

    Regular asks for a port of constant latency and bandwidth without refresh or stalls: it is about the memory, never
    about the mapping, and a machine's memory is today given by bandwidth and latency alone.  The claim gets a meaning of
    its own only with a memory record that has refresh or banks; what can fail here is the equality.
    """
    rng = np.random.Generator(np.random.PCG64(2026))
    regular, drawn = 0, 400
    for _ in range(drawn):
        machine, engine = _machine(rng)
        port = port_of(machine, engine)
        hardware = replace(draw_hardware(rng), dataflows=DATAFLOWS, x_format="int8", y_format="int8")
        tiling = draw_tiling(hardware, rng, str(rng.choice(DATAFLOWS)), ORDERS[rng.integers(6)])  # type: ignore[arg-type]
        check(tiling, hardware)
        regular += int(price(tiling, hardware, port).cycles[0]) == executed(tiling, hardware, port).cycles
    assert regular == drawn
