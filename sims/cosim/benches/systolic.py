"""cocotb benches of the systolic engine's ports: what a host and a memory may do to it, and what it must never do.

The memory is plain Python and owes nothing to the harness of the bulk tests.  Run by ``sims.cosim.protocol``.
"""

from __future__ import annotations

import json
import os
import random
from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from archmodel.engines.systolic.cycle import run
from archmodel.records.base import from_plain
from archmodel.records.commands import UNITS
from archmodel.records.engines.systolic import Hardware
from archmodel.records.program import Program
from sims.cosim.jobs import Job, golden, random_job, unpack_result
from sims.cosim.mutants import SELECT_ADDRESS, SELECT_UNIT

HARDWARE = from_plain(Hardware, json.loads(os.environ["ARCHMODEL_BENCH_HARDWARE"]))
FAULT = int(os.environ.get("ARCHMODEL_BENCH_FAULT", "0"))
"""Number of the mutation to choose, in hardware that has them (``sims.cosim.mutants``)."""
LARGEST = 9
PATIENCE = 3000
HEADER = 3
Choice = Callable[[int], bool]


class Stuck(Exception):
    """The watchdog: nothing moved for ``PATIENCE`` cycles."""


class Bench:
    """Clock, host and memory of one engine, a cycle at a time: inputs change at the falling edge, then all is sampled."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.memory = np.zeros(0, dtype=np.uint8)
        self.latency, self.interval = 1, 1
        self.accepts: Choice = lambda cycle: True
        self.answers: Choice = lambda cycle: True
        self.forget()

    def forget(self) -> None:
        """What reset does to the memory: no request is in flight."""
        self.reads: deque[tuple[int, int]] = deque()
        self.words: deque[int] = deque()  # beats left of each read in flight
        self.writes: deque[int] = deque()
        self.next_read = self.next_write = self.left = self.last_move = 0
        self.held: tuple[int, ...] | None = None
        self.starts: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int]] = []

    async def open(self) -> None:
        Clock(self.dut.clk, 2, unit="ns").start()
        for name in ("program_write", "start", "request_ready", "read_valid", "read_data", "written"):
            getattr(self.dut, name).value = 0
        await self.reset()
        if FAULT:
            await self._write(SELECT_UNIT, SELECT_ADDRESS, 0, FAULT)

    async def reset(self, cycles: int = 2) -> None:
        self.dut.rst.value = 1
        self.dut.request_ready.value = self.dut.read_valid.value = self.dut.written.value = self.dut.start.value = 0
        for _ in range(cycles):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.forget()

    async def load(self, program: Program) -> None:
        header = (program.hardware & 0xFFFFFFFF, program.hardware >> 32, program.isa)
        for lane, value in enumerate(header):
            await self._write(HEADER, 0, lane, value)
        for unit, stream in enumerate(program.streams):
            for at, word in enumerate(np.frombuffer(stream, dtype="<u4").tolist()):
                await self._write(unit, at // 8, at % 8, word)
        await FallingEdge(self.dut.clk)
        self.dut.program_write.value = 0

    async def _write(self, unit: int, address: int, lane: int, value: int) -> None:
        await FallingEdge(self.dut.clk)
        fields = {"unit": unit, "address": address, "lane": lane, "data": value, "write": 1}
        for name, number in fields.items():
            getattr(self.dut, f"program_{name}").value = number

    async def run(self, cycles: int = 10**6) -> int:
        """From the start pulse until done; returns the cycles.  Stops early after ``cycles``."""
        self.forget()
        for cycle in range(cycles):
            await FallingEdge(self.dut.clk)
            self.dut.start.value = int(cycle == 0)
            if await self._cycle(cycle) and cycle:
                return cycle
            if cycle - self.last_move > PATIENCE:
                raise Stuck(f"watchdog: nothing moved for {PATIENCE} cycles, since cycle {self.last_move}")
        return cycles

    async def _cycle(self, cycle: int) -> bool:
        """One cycle of the memory, with the rules of the port; True when the engine is done."""
        dut = self.dut
        ready = self.accepts(cycle) and cycle >= self.next_write
        valid = bool(self.reads) and self.reads[0][0] <= cycle and cycle >= self.next_read and self.answers(cycle)
        written = bool(self.writes) and self.writes[0] <= cycle and self.answers(cycle)
        dut.request_ready.value, dut.read_valid.value, dut.written.value = int(ready), int(valid), int(written)
        if valid:
            dut.read_data.value = int.from_bytes(self._beat(self.reads[0][1]).tobytes(), "little")
        await ReadOnly()
        done = bool(dut.done.value)
        self._trace(cycle)
        self._rules(ready, done and cycle > 0)
        if int(dut.request_valid.value) and ready:
            self._accept(cycle)
        if valid:
            self._deliver(cycle)
        if written:
            self.writes.popleft()
            self.last_move = cycle
        return done

    def _beat(self, address: int) -> Any:
        size = HARDWARE.port_bytes
        assert (address + 1) * size <= self.memory.size, f"beat {address} lies outside the memory"
        return self.memory[address * size : (address + 1) * size]

    def _trace(self, cycle: int) -> None:
        for events, signal, late in ((self.starts, self.dut.trace_start, 0), (self.ends, self.dut.trace_end, 1)):
            bits = int(signal.value)
            for unit in range(len(UNITS)):
                if bits >> unit & 1:
                    events.append((unit, cycle + late))
                    self.last_move = cycle

    def _request(self) -> tuple[int, ...]:
        names = ("write", "address", "length", "data") if int(self.dut.request_write.value) else ("write", "address", "length")
        return tuple(int(getattr(self.dut, f"request_{name}").value) for name in names)

    def _rules(self, ready: bool, done: bool) -> None:
        """A request stays as it is until accepted, and none comes from an engine that is done."""
        valid = bool(self.dut.request_valid.value)
        if self.held is not None:
            assert valid, "a request was withdrawn before it was accepted"
            assert self._request() == self.held, "a request changed before it was accepted"
        assert not (valid and done), "a request after done"
        self.held = self._request() if valid and not ready else None

    def _accept(self, cycle: int) -> None:
        write, address, length, *data = self._request()
        assert length >= 1
        if write:
            assert not self.words, "a write while reads are in flight"
            self._beat(address)[:] = np.frombuffer(data[0].to_bytes(HARDWARE.port_bytes, "little"), dtype=np.uint8)
            self.next_write = cycle + self.interval
            self.left = (self.left or length) - 1
            if not self.left:
                self.writes.append(cycle + self.latency)
        else:
            assert not self.left, "a read between the beats of a write"
            self.reads.extend((cycle + self.latency, address + i) for i in range(length))
            self.words.append(length)
        self.last_move = cycle
        in_flight = len(self.words) + len(self.writes) + bool(self.left)
        assert in_flight <= HARDWARE.outstanding, f"{in_flight} words in flight, and the limit is {HARDWARE.outstanding}"

    def _deliver(self, cycle: int) -> None:
        self.reads.popleft()
        self.words[0] -= 1
        if not self.words[0]:
            self.words.popleft()
        self.next_read, self.last_move = cycle + self.interval, cycle

    async def execute(self, job: Job) -> int:
        """Load and run a job, and compare its result with the golden."""
        self.memory = job.memory.copy()
        await self.load(job.program)
        cycles = await self.run()
        wanted = golden(job.tiling, job.operands, job.hardware)
        assert np.array_equal(unpack_result(job, self.memory), wanted), f"seed {job.seed}: wrong result"
        return cycles

    def follow(self, job: Job) -> None:
        """The memory keeps the schedule of ``job``."""
        stalls = job.stalls
        self.latency, self.interval = job.port.latency, job.port.interval
        if stalls:
            self.accepts = lambda cycle: not stalls.request[cycle % len(stalls.request)]
            self.answers = lambda cycle: not stalls.response[cycle % len(stalls.response)]


async def opened(dut: Any) -> Bench:
    bench = Bench(dut)
    await bench.open()
    return bench


@cocotb.test()
async def cycles_are_those_of_the_cycle_model(dut: Any) -> None:
    """Back to back without reset, at ports with and without stalls: total, every start, every end."""
    bench = await opened(dut)
    for seed in range(8):
        job = random_job(HARDWARE, seed, stalled=bool(seed % 2), largest=LARGEST)
        bench.accepts = bench.answers = lambda cycle: True
        bench.follow(job)
        cycles = await bench.execute(job)
        model = run(job.program, HARDWARE, job.port, None, job.stalls)
        assert cycles == model.cycles, f"seed {seed}: {cycles} cycles, the model says {model.cycles}"
        for unit, name in enumerate(UNITS):
            events = [(event.start, event.end) for event in model.trace if event.unit == name]
            seen = [[at for number, at in side if number == unit] for side in (bench.starts, bench.ends)]
            assert list(zip(*seen, strict=True)) == events, f"seed {seed}: commands of the {name} unit"


def _sometimes(chance: random.Random, share: float) -> Choice:
    return lambda cycle: chance.random() < share


@cocotb.test()
async def any_back_pressure_gives_the_same_result(dut: Any) -> None:
    """A memory that accepts and answers when it likes, from nearly always to nearly never."""
    bench, chance = await opened(dut), random.Random(1)
    for seed, share in enumerate((0.9, 0.5, 0.5, 0.2, 0.1)):
        bench.latency = chance.randrange(1, 20)
        bench.accepts = bench.answers = _sometimes(chance, share)
        await bench.execute(random_job(HARDWARE, 100 + seed, largest=LARGEST))


@cocotb.test()
async def reset_in_any_cycle_is_clean(dut: Any) -> None:
    bench, chance = await opened(dut), random.Random(2)
    for seed in range(5):
        job = random_job(HARDWARE, 200 + seed, stalled=False, largest=LARGEST)
        bench.follow(job)
        whole = await bench.execute(job)
        bench.memory = job.memory.copy()
        assert await bench.run(cycles=chance.randrange(1, whole)) < whole
        await FallingEdge(dut.clk)
        await bench.reset()
        await ReadOnly()
        assert int(dut.done.value)
        assert not int(dut.request_valid.value)
        assert await bench.execute(job) == whole


@cocotb.test()
async def a_port_that_stalls_forever_ends_at_the_watchdog(dut: Any) -> None:
    """Neither a memory that stops accepting nor one that stops answering hangs the simulation."""
    bench = await opened(dut)
    for side in ("accepts", "answers"):
        job = random_job(HARDWARE, 300, stalled=False, largest=LARGEST)
        bench.accepts = bench.answers = lambda cycle: True
        bench.memory = job.memory.copy()
        setattr(bench, side, lambda cycle: cycle < 40)
        await bench.load(job.program)
        try:
            await bench.run()
        except Stuck as stuck:
            assert str(stuck).startswith(f"watchdog: nothing moved for {PATIENCE} cycles, since cycle ")
        else:
            raise AssertionError("the watchdog did not end a run that cannot move")
        await FallingEdge(dut.clk)
        await bench.reset()


@cocotb.test()
async def a_program_of_other_hardware_is_refused(dut: Any) -> None:
    """`refused` rises, nothing moves, and the right Program runs afterwards; a start while busy changes nothing."""
    bench = await opened(dut)
    job = random_job(HARDWARE, 400, stalled=False, largest=LARGEST)
    bench.memory = job.memory.copy()
    for wrong in (Program("systolic", job.program.isa, job.program.hardware ^ 1 << 40, job.program.streams),
                  Program("systolic", job.program.isa + 1, job.program.hardware, job.program.streams)):  # fmt: skip
        await bench.load(wrong)
        assert await bench.run() == 1
        assert int(dut.refused.value)
        assert not bench.starts
    cycles = await bench.execute(job)
    assert not int(dut.refused.value)
    bench.memory = job.memory.copy()
    right = bench.accepts
    bench.accepts = lambda cycle: _pulse(dut, cycle) and right(cycle)
    assert await bench.execute(job) == cycles


def _pulse(dut: Any, cycle: int) -> bool:
    """A second start pulse in the middle of a run."""
    if cycle == 10:
        dut.start.value = 1
    return True
