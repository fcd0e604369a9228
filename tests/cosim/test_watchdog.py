"""The watchdog ends what is stuck and nothing else; a trace shows every command or says that it is full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from archmodel.engines.systolic import run
from archmodel.memory.port import Port
from archmodel.records.engines.systolic import ISA_VERSION, TYPE, instruction
from archmodel.records.program import Program, hardware_id
from sims.cosim import drive
from sims.cosim.compare import check
from sims.cosim.drive import PATIENCE, Engine, patience_of
from sims.cosim.jobs import random_job

from .configurations import CONFIGURATIONS

HARDWARE = CONFIGURATIONS["ws 2x2"]
HALT = instruction("halt")
NEAR = Port(2, 1)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(HARDWARE) as made:
        yield made


def program(*streams: bytes) -> Program:
    return Program(TYPE, ISA_VERSION, hardware_id(HARDWARE), tuple(stream + HALT for stream in streams))


def memory() -> np.ndarray:
    return np.zeros(64 * HARDWARE.port_bytes, dtype=np.uint8)


def test_one_long_exec_is_not_stuck(engine: Engine) -> None:
    made = program(b"", instruction("exec", t=4, outer=100, inner=100), b"")
    model = run(made, HARDWARE, NEAR)
    assert model.cycles > 40_000 > PATIENCE
    real = engine.run(made, NEAR, memory())
    assert (real.status, real.cycles, real.trace) == ("done", model.cycles, model.trace)
    assert engine.run(made, NEAR, memory(), patience=PATIENCE).status == "stuck"
    engine.reset()


def test_far_memory_is_not_stuck(engine: Engine) -> None:
    job = replace(random_job(HARDWARE, 8, stalled=False, largest=3), port=Port(30_000, 2))
    verdict = check(job, engine)
    assert not verdict.failures, verdict.report
    assert verdict.cycles > 60_000


def test_what_waits_forever_is_stuck_after_the_patience(engine: Engine) -> None:
    made = program(instruction("sync", wait=2), b"", b"")
    real = engine.run(made, NEAR, memory())
    assert real.status == "stuck"
    assert patience_of(made, HARDWARE, NEAR) == PATIENCE + NEAR.latency
    assert real.cycles == PATIENCE + NEAR.latency + 1
    engine.reset()


def test_a_trace_too_short_says_so_and_drops_nothing(engine: Engine) -> None:
    made = program(instruction("loop", count=5) + instruction("sync") + instruction("end"), b"", b"")
    model = run(made, HARDWARE, NEAR)
    whole = engine.run(made, NEAR, memory(), events=10)
    assert (whole.status, whole.trace) == ("done", model.trace)
    assert engine.run(made, NEAR, memory(), events=9).status == "trace full"
    engine.reset()


def test_the_comparison_brings_room_for_every_command(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    job = random_job(HARDWARE, 9, stalled=False, largest=9)
    monkeypatch.setattr(drive, "TRACE_SLACK", 0)
    monkeypatch.setattr(drive, "EVENTS", 1)
    verdict = check(job, engine)
    assert not verdict.failures, verdict.report
    assert verdict.commands > 1
