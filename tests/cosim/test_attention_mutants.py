"""Every planted fault of the attention engine's RTL is caught by exactly the checks named here, on random jobs and wild Programs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from archmodel.records.engines.attention import Params, resolve
from archmodel.records.program import hardware_id
from sims.cosim.attention import mutants
from sims.cosim.compare import check
from sims.cosim.drive import Engine
from sims.cosim.engines.attention import random_job, same_cycles

pytestmark = pytest.mark.xdist_group("attention mutants")
HARDWARE = resolve(Params(4, 4, port_bytes=4, threshold=3, tiles=3, slots=512, program_words=512), 6000)
FLOAT_HARDWARE = resolve(Params(4, 4, "bf16", port_bytes=4, rescale="split", mac_latency=2, slots=512, program_words=512), 12_000)
SEEDS = range(20)
WRONG_DATA = {"memory image", "hardware result"}
WRONG_CYCLES = {"cycles", "commands", "wild cycles"}
EVERYTHING = {*WRONG_DATA, *WRONG_CYCLES, "hardware stuck"}
OTHERWISE = {
    "token a period early": EVERYTHING, "token to nobody": EVERYTHING, "next command begins amid a period": EVERYTHING,
    "next command waits for the last tile to leave": WRONG_CYCLES,
}  # fmt: skip
"""What catches a fault that doesn't only give wrong data."""


@cache
def _engine(hardware):
    """Every fault in one simulator, chosen at run time."""
    return mutants.faulty(hardware)


def _caught(engine, fault, seeds=SEEDS, wild=8):
    failures = set()
    mutants.choose(engine, fault)
    for seed in seeds:
        job = random_job(engine.hardware, seed, stalled=bool(seed % 2), largest=16)
        failures |= {*check(job, engine).failures}
    if not all(same_cycles(engine.hardware, engine, seed) for seed in range(wild)):
        failures.add("wild cycles")
    mutants.choose(engine, None)
    engine.reset()
    return failures


@pytest.mark.parametrize("hardware", (HARDWARE, FLOAT_HARDWARE), ids=("int8", "bf16"))
def test_without_a_fault_nothing_is_reported(hardware):
    assert _caught(_engine(hardware), None) == set()


@pytest.mark.parametrize("fault", mutants.MUTATIONS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught_by_these_checks(fault):
    assert _caught(_engine(HARDWARE), fault.name) == OTHERWISE.get(fault.name, WRONG_DATA)


@pytest.mark.parametrize("fault", mutants.FLOAT_MUTATIONS, ids=lambda fault: fault.name)
def test_a_planted_fault_of_floating_point_is_caught_by_these_checks(fault):
    assert _caught(_engine(FLOAT_HARDWARE), fault.name, wild=1) == OTHERWISE.get(fault.name, WRONG_DATA)


def test_more_words_in_a_slot_than_the_buffers_have_is_reported():
    """Schedules for hardware without a limit, on hardware that takes two words a slot: the engine runs them, and says so."""
    limited = resolve(Params(2, 2, port_bytes=1, buffer_words=2, slots=256, program_words=512), 4000)
    with Engine(limited) as engine:
        for hardware, status in ((limited, "done"), (replace(limited, buffer_words=0), "overrun")):
            jobs = [random_job(hardware, seed, stalled=False, largest=12) for seed in range(8)]
            assert {_status(engine, job) for job in jobs} >= {status}
            assert hardware != limited or {_status(engine, job) for job in jobs} == {status}


def _status(engine, job):
    """Of a job that says it was made for this engine."""
    program = replace(job.program, hardware=hardware_id(engine.hardware))
    status = engine.run(program, job.port, job.memory.copy(), patience=20_000).status
    engine.reset()
    return status
