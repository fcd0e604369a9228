"""cocotb benches of the engine behind AXI: the host and the memory are cocotbext-axi's, the rules are watched by ours.

Run by ``sims.cosim.protocol``.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp, AxiSlave

from archmodel.records.base import from_plain
from archmodel.records.engines.systolic import ISA_VERSION, Hardware
from archmodel.records.program import Program, hardware_id
from rtl.axi_master import burst_beats, bursts_of_a_word
from rtl.registers import EVENT_BIT, EVENTS, IDENTITY, MAP_VERSION, OFFSET, REGISTERS, WINDOWS
from sims.cosim.axi_mutants import SELECT
from sims.cosim.axi_rules import AxiRules
from sims.cosim.jobs import Bytes, Job, golden, random_job, unpack_result

FAULT = int(os.environ.get("ARCHMODEL_BENCH_FAULT", "0"))
"""Number of the mutation to choose, in hardware that has them (``sims.cosim.axi_mutants``)."""
HARDWARE = from_plain(Hardware, json.loads(os.environ["ARCHMODEL_BENCH_HARDWARE"]))
LARGEST = 9
PATIENCE = 6000
"""Cycles after which a run that has not ended is stuck."""
ALL = sum(1 << bit for bit in EVENT_BIT.values())
DONE, REFUSED, READ_ERROR, WRITE_ERROR = (1 << EVENT_BIT[name] for name, _ in EVENTS)
BASES = (0x1000 - 3 * HARDWARE.port_bytes, 0xFFFF_FFF0_0000_0F80, 0x7FFF_FFC0, (1 << 40) - 0x100)
"""Where the memory lies: before a boundary of 4 KiB, near the end of 64 bits, across 2 GiB, across 1 TiB."""


class Memory:
    """What ``AxiSlave`` reads and writes: bytes from ``base`` on.  An address outside, or in ``bad``, is an error."""

    def __init__(self) -> None:
        self.base, self.bytes, self.bad = 0, np.zeros(0, dtype=np.uint8), range(0)
        self.accesses = 0

    def place(self, address: int, length: int) -> slice:
        at = address - self.base
        if at < 0 or at + length > self.bytes.size or at in self.bad:
            raise ValueError(f"address {address:#x}")
        self.accesses += 1
        return slice(at, at + length)

    async def read(self, address: int, length: int) -> bytes:
        return self.bytes[self.place(address, length)].tobytes()

    async def write(self, address: int, data: bytes) -> None:
        self.bytes[self.place(address, len(data))] = np.frombuffer(data, dtype=np.uint8)


class Bench:
    def __init__(self, dut: Any) -> None:
        self.dut, self.memory = dut, Memory()
        Clock(dut.aclk, 2, unit="ns").start()
        dut.aresetn.value = 0
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False)
        self.slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.aclk, dut.aresetn, self.memory, reset_active_level=False)
        most = (max(HARDWARE.beats(name) for name in "XYZP") + burst_beats(HARDWARE) - 2) // burst_beats(HARDWARE) + 1
        self.rules = AxiRules(dut, HARDWARE.port_bytes, HARDWARE.outstanding * bursts_of_a_word(HARDWARE), HARDWARE.outstanding * most)

    async def open(self) -> None:
        await self.reset()
        if FAULT:
            await self.host.write(SELECT, FAULT.to_bytes(4, "little"))
        cocotb.start_soon(self.rules.watch())

    async def reset(self) -> None:
        await FallingEdge(self.dut.aclk)
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 3)
        await FallingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)

    def channels(self) -> dict[str, Any]:
        """Of both ports: what the library drives in each, and can pause."""
        write, read, host = self.slave.write_if, self.slave.read_if, self.host
        return {"AW": write.aw_channel, "W": write.w_channel, "B": write.b_channel, "AR": read.ar_channel, "R": read.r_channel,
                "host AW": host.write_if.aw_channel, "host W": host.write_if.w_channel, "host B": host.write_if.b_channel,
                "host AR": host.read_if.ar_channel, "host R": host.read_if.r_channel}  # fmt: skip

    def pause(self, shares: dict[str, float], seed: int) -> None:
        """Each channel rests in the given share of cycles; those not named never do."""
        for number, (name, channel) in enumerate(self.channels().items()):
            channel.clear_pause_generator()
            channel.pause = False
            if shares.get(name):
                channel.set_pause_generator(_sometimes(random.Random(f"{seed} {number}"), shares[name]))

    async def put(self, name: str, value: int, offset: int = 0, size: int = 4) -> int:
        """Write a register; the response."""
        return int((await self.host.write(OFFSET[name] + offset, value.to_bytes(size, "little"))).resp)

    async def get(self, name: str) -> int:
        answer = await self.host.read(OFFSET[name], 4)
        assert answer.resp == AxiResp.OKAY, f"{name}: {answer.resp!r}"
        return int.from_bytes(answer.data, "little")

    async def load(self, program: Program, base: int) -> None:
        settings = {"PROGRAM_HARDWARE_LOW": program.hardware & 0xFFFFFFFF, "PROGRAM_HARDWARE_HIGH": program.hardware >> 32,
                    "PROGRAM_ISA": program.isa, "MEMORY_BASE_LOW": base & 0xFFFFFFFF, "MEMORY_BASE_HIGH": base >> 32,
                    "INTERRUPT_ENABLE": ALL, "STATUS": ALL}  # fmt: skip
        for name, value in settings.items():
            assert await self.put(name, value) == AxiResp.OKAY
        for window, stream in zip(WINDOWS, program.streams, strict=True):
            assert (await self.host.write(window.offset, stream)).resp == AxiResp.OKAY

    async def begin(self, job: Job, base: int) -> None:
        self.memory.base, self.memory.bytes = base, job.memory.copy()
        await self.load(job.program, base)
        assert await self.put("CONTROL", 1) == AxiResp.OKAY

    async def interrupted(self) -> int:
        """Wait for the interrupt; the status."""
        for _ in range(PATIENCE):
            if int(self.dut.irq.value):
                return await self.get("STATUS")
            await FallingEdge(self.dut.aclk)
        raise AssertionError(f"no interrupt in {PATIENCE} cycles")

    async def execute(self, job: Job, base: int) -> Bytes:
        await self.begin(job, base)
        status = await self.interrupted()
        assert status == DONE, f"seed {job.seed}: status {status:#x}"
        assert self.rules.written == self.rules.answered, "a run ended before its last write was answered"
        wanted = golden(job.tiling, job.operands, job.hardware)
        assert np.array_equal(unpack_result(job, self.memory.bytes), wanted), f"seed {job.seed}: wrong result"
        return self.memory.bytes


def _sometimes(chance: random.Random, share: float) -> Iterator[bool]:
    while True:
        yield chance.random() < share


async def opened(dut: Any) -> Bench:
    bench = Bench(dut)
    await bench.open()
    return bench


def job_of(seed: int) -> Job:
    return random_job(HARDWARE, seed, stalled=False, largest=LARGEST)


@cocotb.test()
async def any_pauses_give_the_same_result(dut: Any) -> None:
    """All channels of both ports rest when they like, together, one alone, and nearly always; at every base."""
    bench = await opened(dut)
    channels = list(bench.channels())
    plans: list[dict[str, float]] = [{}, dict.fromkeys(channels, 0.5), dict.fromkeys(channels, 0.85)]
    plans += [{name: 0.9} for name in channels if not name.startswith("host")]
    for seed, plan in enumerate(plans):
        bench.pause(plan, seed)
        await bench.execute(job_of(seed), BASES[seed % len(BASES)])
    assert bench.rules.crossings > 3
    assert bench.rules.bursts > 300


@cocotb.test()
async def reset_in_mid_run_is_clean(dut: Any) -> None:
    """Both sides of the port are reset, as AXI wants it; then the same Program from the beginning."""
    bench, chance = await opened(dut), random.Random(2)
    for seed in range(20, 24):
        bench.pause({"R": 0.3, "W": 0.3, "AW": 0.3, "AR": 0.3}, seed)
        await bench.begin(job_of(seed), BASES[1])
        await ClockCycles(dut.aclk, chance.randrange(5, 120))
        await bench.reset()
        assert not await bench.get("STATUS")
        assert not int(dut.irq.value)
        assert await bench.get("MEMORY_BASE_LOW") == 0
        await bench.execute(job_of(seed), BASES[1])


def _requantising(first: int) -> Job:
    """A job whose results go to a place that nothing is read from."""
    return next(job for job in map(job_of, range(first, first + 50)) if job.tiling.requantise)


async def _until_done(bench: Bench) -> int:
    """The status once DONE is in it; errors come before."""
    for _ in range(PATIENCE):
        status = await bench.get("STATUS")
        if status & DONE:
            return status
    raise AssertionError("a run with errors never ended")


@cocotb.test()
async def errors_of_the_memory_are_kept_and_interrupt(dut: Any) -> None:
    """An answer that is not OKAY stays in STATUS until it is cleared; the run ends all the same, and the next is sound."""
    bench, size = await opened(dut), HARDWARE.port_bytes
    for seed, event in ((30, READ_ERROR), (40, WRITE_ERROR)):
        job = _requantising(seed)
        first = (job.bases.x if event == READ_ERROR else job.bases.q) * size
        bench.memory.bad = range(first, first + size)
        await bench.begin(job, BASES[2])
        assert await bench.interrupted() & event, "no interrupt of an error"
        status = await _until_done(bench)
        assert status == DONE | event, f"status {status:#x}"
        assert await bench.put("STATUS", DONE) == AxiResp.OKAY
        assert await bench.get("STATUS") == await bench.get("INTERRUPT_STATUS") == event
        assert int(dut.irq.value), "the interrupt ended before its cause"
        assert await bench.put("STATUS", event) == AxiResp.OKAY
        assert not await bench.get("STATUS")
        assert not int(dut.irq.value), "the interrupt outlived its cause"
        bench.memory.bad = range(0)
        await bench.execute(job, BASES[2])


@cocotb.test()
async def registers_answer_as_the_map_says(dut: Any) -> None:
    """Constants, byte strobes, address and data in either order, and SLVERR with zero where there is nothing to do."""
    bench, hardware = await opened(dut), hardware_id(HARDWARE)
    constants = {"ID": IDENTITY, "VERSION": MAP_VERSION | ISA_VERSION << 16, "HARDWARE_LOW": hardware & 0xFFFFFFFF,
                 "HARDWARE_HIGH": hardware >> 32, "SHAPE": HARDWARE.port_bytes | 64 << 8 | HARDWARE.program_words << 16,
                 "CONTROL": 0, "STATUS": 0, "INTERRUPT_ENABLE": 0}  # fmt: skip
    for plan in ({}, {"host AW": 0.8}, {"host W": 0.8}, {"host R": 0.8, "host B": 0.8}):
        bench.pause(plan, 1)
        for name, value in constants.items():
            assert await bench.get(name) == value, name
        await _bytes_of_a_register(bench)
        await _refusals(bench)
    bench.pause({}, 1)


async def _bytes_of_a_register(bench: Bench) -> None:
    """MEMORY_BASE, a byte, two and four at a time; bits inside a beat stay 0."""
    for name, mask in (("MEMORY_BASE_LOW", 0x100000000 - HARDWARE.port_bytes), ("MEMORY_BASE_HIGH", 0xFFFFFFFF)):
        want = 0
        for offset, size, value in ((0, 4, 0x12345679), (1, 1, 0xAB), (2, 2, 0xCDEF), (0, 1, 0xFF), (3, 1, 0x80), (0, 4, 0)):
            assert await bench.put(name, value, offset, size) == AxiResp.OKAY
            lanes = (1 << 8 * size) - 1 << 8 * offset
            want = (want & ~lanes | value << 8 * offset) & mask
            assert await bench.get(name) == want, f"{name} after {size} bytes at {offset}"


async def _refusals(bench: Bench) -> None:
    host = bench.host
    unmapped = [0x03C, 0x04C, 0x100, 0x1FFFC, WINDOWS[0].offset, WINDOWS[-1].offset + WINDOWS[-1].size - 4]
    unreadable = [register.offset for register in REGISTERS if not register.readable]
    for address in unmapped + unreadable:
        answer = await host.read(address, 4)
        assert (answer.resp, answer.data) == (AxiResp.SLVERR, bytes(4)), f"read of {address:#x}: {answer}"
    beyond = WINDOWS[1].offset + 32 * HARDWARE.program_words
    constant = [register.offset for register in REGISTERS if not register.writable]
    for address, data in [*((address, b"\xff" * 4) for address in [*unmapped[:4], *constant, beyond]),
                          (WINDOWS[0].offset, b"\xff"), (WINDOWS[2].offset + 6, b"\xff\xff"), (OFFSET["PROGRAM_ISA"], b"\1")]:  # fmt: skip
        assert (await host.write(address, data)).resp == AxiResp.SLVERR, f"write to {address:#x}"


@cocotb.test()
async def a_busy_engine_keeps_its_program(dut: Any) -> None:
    """While it runs, programs, base and start are refused and change nothing; cycles are counted to the end."""
    bench, job = await opened(dut), job_of(50)
    await bench.execute(job, BASES[3])
    cycles = await bench.get("CYCLES_LOW")
    await bench.begin(job, BASES[3])
    bench.pause({"R": 0.9, "W": 0.9}, 3)
    for _ in range(3):
        assert await bench.get("STATUS") == 1
        for name in ("CONTROL", "MEMORY_BASE_LOW", "PROGRAM_ISA", "LOAD_PROGRAM", "STORE_PROGRAM"):
            assert await bench.put(name, 0xFFFFFFFF) == AxiResp.SLVERR, f"{name} was written while the engine is busy"
    assert await bench.interrupted() == DONE
    slower = await bench.get("CYCLES_LOW")
    assert slower > cycles
    assert await bench.get("CYCLES_LOW") == slower, "the cycles go on after the end"
    bench.pause({}, 3)
    bench.memory.bytes = job.memory.copy()
    assert await bench.put("STATUS", ALL) == AxiResp.OKAY
    assert await bench.put("CONTROL", 1) == AxiResp.OKAY
    assert await bench.interrupted() == DONE
    assert np.array_equal(unpack_result(job, bench.memory.bytes), golden(job.tiling, job.operands, job.hardware))


@cocotb.test()
async def a_program_of_other_hardware_is_refused(dut: Any) -> None:
    """REFUSED interrupts and nothing moves; an event that is not enabled waits in STATUS."""
    bench, job = await opened(dut), job_of(60)
    wrong = Program("systolic", job.program.isa, job.program.hardware ^ 1 << 40, job.program.streams)
    await bench.load(wrong, 0)
    assert await bench.put("INTERRUPT_ENABLE", ALL & ~REFUSED) == AxiResp.OKAY
    assert await bench.put("CONTROL", 1) == AxiResp.OKAY
    assert await bench.get("STATUS") == REFUSED
    assert not int(dut.irq.value)
    assert await bench.put("INTERRUPT_ENABLE", REFUSED) == AxiResp.OKAY
    assert int(dut.irq.value)
    assert bench.rules.bursts == 0
    await bench.execute(job, 0)
