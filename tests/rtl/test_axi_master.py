"""The AXI4 manager alone: words of any length at any address become bursts that AXI allows, and one answer a word."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from amaranth.sim import Simulator

from archmodel.records.engines.systolic import Hardware
from rtl.axi_master import AxiMaster, burst_beats, bursts_of_a_word

BASE = 0xFFFF_FFFE_0000_0000


def hardware(port_bytes: int) -> Hardware:
    """A word of Z has 1024 bytes: 1024 beats, or 64."""
    return Hardware(2, 256, ("ws",), "int8", "int8", port_bytes, 2, 2, 8, 8, 8, 8, program_words=64)


@dataclass
class Seen:
    """Bursts (address, beats) of a word; for a write its beats (data, last) and the answers given up to each `written`."""

    bursts: list[tuple[int, int]] = field(default_factory=list)
    beats: list[tuple[int, int]] = field(default_factory=list)
    answers: int = 0
    written_after: list[int] = field(default_factory=list)


def word(port_bytes: int, write: bool, address: int, length: int, seed: int) -> Seen:
    """Take one word through the manager; its channels are ready at random."""
    dut, seen, chance = AxiMaster(hardware(port_bytes), 64), Seen(), random.Random(seed)

    async def bench(context: Any) -> None:
        context.set(dut.base, BASE)
        context.set(dut.request_length, length)
        context.set(dut.request_write, write)
        left, idle = length if write else 1, 0
        for _ in range(20 * length + 100):
            if idle == 20:
                break
            idle += left == 0 and seen.answers == (len(seen.bursts) if write else 0)
            context.set(dut.request_valid, left > 0)
            context.set(dut.request_address, address + (length - left) * write)
            context.set(dut.request_data, (length - left) % (1 << 8 * port_bytes))
            for ready in (dut.m_axi_awready, dut.m_axi_wready, dut.m_axi_arready):
                context.set(ready, chance.random() < 0.7)
            ended = sum(last for _, last in seen.beats)
            context.set(dut.m_axi_bvalid, seen.answers < min(ended, len(seen.bursts)) and chance.random() < 0.5)
            left -= context.get(dut.request_valid & dut.request_ready)
            look(context)
            await context.tick()

    def look(context: Any) -> None:
        for channel in ("aw", "ar"):
            valid, ready, address, beats = (getattr(dut, f"m_axi_{channel}{name}") for name in ("valid", "ready", "addr", "len"))
            if context.get(valid & ready):
                seen.bursts.append((context.get(address), context.get(beats) + 1))
        if context.get(dut.m_axi_wvalid & dut.m_axi_wready):
            seen.beats.append((context.get(dut.m_axi_wdata), context.get(dut.m_axi_wlast)))
        seen.answers += context.get(dut.m_axi_bvalid)
        if context.get(dut.written):
            seen.written_after.append(seen.answers)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


CASES = [(1, 0, 600), (1, 255, 400), (1, 4093, 5), (16, 0, 64), (16, 250, 64), (16, 255, 1), (16, 255, 2)]


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
@pytest.mark.parametrize(("port_bytes", "address", "length"), CASES)
def test_a_word_becomes_bursts_that_axi_allows(port_bytes: int, address: int, length: int, write: bool) -> None:
    seen = word(port_bytes, write, address, length, seed=length + address)
    at = BASE + address * port_bytes
    for start, beats in seen.bursts:
        assert start == at
        assert 1 <= beats <= 256
        assert start % 4096 + beats * port_bytes <= 4096
        at += beats * port_bytes
    assert at == BASE + (address + length) * port_bytes
    most = burst_beats(hardware(port_bytes))
    assert len(seen.bursts) == (address + length - 1) // most - address // most + 1
    if write:
        assert len(seen.bursts) <= bursts_of_a_word(hardware(port_bytes))
        assert [data for data, _ in seen.beats] == [beat % (1 << 8 * port_bytes) for beat in range(length)]
        ends = [number + 1 for number, (_, last) in enumerate(seen.beats) if last]
        assert ends == [sum(beats for _, beats in seen.bursts[: i + 1]) for i in range(len(seen.bursts))]
        assert seen.written_after == [len(seen.bursts)], "one answer to the engine, with the last burst's"
