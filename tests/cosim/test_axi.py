"""The engine behind AXI takes the cycles of the cycle model, and keeps the rules of AXI; every planted fault is caught."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from rtl import axi, registers
from rtl.axi_master import burst_beats, bursts_of_a_word
from rtl.systolic_axi import TOP, emit
from sims.cosim import axi_mutants
from sims.cosim.build import SHARED
from sims.cosim.compare import check
from sims.cosim.crosscheck import is_wide
from sims.cosim.drive import Engine
from sims.cosim.jobs import random_job
from sims.cosim.protocol import run_benches

from .configurations import CONFIGURATIONS

PROGRAMS = 150
HARDWARE = CONFIGURATIONS["all 4x4"]
SMALL = replace(HARDWARE, rows=2, cols=2, dataflows=("ws",), port_bytes=2, outstanding=3)
bulk, benches = pytest.mark.xdist_group("axi bulk"), pytest.mark.xdist_group("axi benches")


@lru_cache(maxsize=2)
def faulty(hardware: Hardware) -> str:
    """The engine behind AXI with every fault in it, none chosen."""
    return axi_mutants.mutated(emit(hardware))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Every fault in one simulator, chosen at run time."""
    with Engine(HARDWARE, faulty(HARDWARE), top=TOP) as made:
        yield made


def failures(engine: Engine, seed: int) -> tuple[str, ...]:
    """Of one Program on a memory that never stalls, at any place of 64-bit addresses."""
    engine.base = random.Random(seed).randrange(1 << 50) * HARDWARE.port_bytes
    return check(random_job(HARDWARE, seed, stalled=False, largest=18, wide=is_wide(seed)), engine).failures


@bulk
def test_axi_adds_no_cycle(engine: Engine) -> None:
    """Latency of the port = latency of the memory behind AXI: total, every command, every bit; words split at 4 KiB included."""
    assert [seed for seed in range(PROGRAMS) if failures(engine, seed)] == []


@bulk
def test_data_is_right_where_the_memory_stalls(engine: Engine) -> None:
    """Where a stall meets a word that is two bursts, the second waits, and the model's port knows one; so cycles may differ."""
    engine.base = 1 << 40
    for seed in range(40):
        verdict = check(random_job(HARDWARE, seed, stalled=True, largest=18), engine)
        assert {*verdict.failures} <= {"cycles", "commands"}, verdict.report


@bulk
def test_reset_at_any_cycle_is_clean(engine: Engine) -> None:
    engine.base = 0x1000
    for seed in range(8):
        job = random_job(HARDWARE, seed, stalled=False, largest=18)
        whole = engine.run(job.program, job.port, job.memory.copy())
        cut = random.Random(seed).randrange(1, whole.cycles)
        assert engine.run(job.program, job.port, job.memory.copy(), max_cycles=cut).status == "too long"
        engine.reset()
        assert failures(engine, seed) == ()


CAUGHT_IN_BULK = {
    "WLAST at the first beat": "hardware bus rule",
    "ARVALID waits for ARREADY": "hardware bus rule",
    "boundary ignored": "hardware bus rule",
    "second burst begins where the first did": "hardware result",
    "word written with its first answer": "cycles",
    "cycles counted after the end": "hardware bus rule",
}


@bulk
@pytest.mark.parametrize("fault", CAUGHT_IN_BULK)
def test_the_comparison_catches(fault: str, engine: Engine) -> None:
    select = axi_mutants.UNIT, axi_mutants.ADDRESS, axi_mutants.LANE
    engine.write(*select, axi_mutants.number(fault))
    try:
        assert CAUGHT_IN_BULK[fault] in {name for seed in range(12) for name in failures(engine, seed)}
    finally:
        engine.write(*select, 0)
        engine.reset()


BENCHES = {
    "any_pauses_give_the_same_result": "pauses",
    "reset_in_mid_run_is_clean": "reset",
    "errors_of_the_memory_are_kept_and_interrupt": "errors",
    "registers_answer_as_the_map_says": "registers",
    "a_busy_engine_keeps_its_program": "busy",
    "a_program_of_other_hardware_is_refused": "refused",
}
CAUGHT_BY_BENCH = {
    "WLAST at the first beat": ("pauses", "WLAST with 3 beats to come"),
    "AWVALID dropped once the data has gone": ("pauses", "AWVALID withdrawn before AWREADY"),
    "WVALID dropped once the address has gone": ("pauses", "WVALID withdrawn before WREADY"),
    "boundary ignored": ("pauses", "crosses a boundary of 4 KiB"),
    "second burst begins where the first did": ("pauses", "wrong result"),
    "word written with its first answer": ("pauses", "no interrupt in 6000 cycles"),
    "error of a write swallowed": ("errors", "no interrupt of an error"),
    "error of a read swallowed": ("errors", "no interrupt of an error"),
    "another id": ("errors", "AWID 1, and the engine has one id, 0"),
    "BVALID for one cycle only": ("registers", "BVALID withdrawn before BREADY"),
    "all answered OKAY": ("registers", "read of 0x3c"),
    "byte strobes ignored": ("registers", "write to 0x20000"),
    "program written while busy": ("busy", "LOAD_PROGRAM was written while the engine is busy"),
    "interrupt not kept": ("errors", "the interrupt ended before its cause"),
    "cycles counted after the end": ("busy", "the cycles go on after the end"),
}


def test_every_fault_is_expected_somewhere() -> None:
    assert {mutation.name for mutation in axi_mutants.MUTATIONS} == {*CAUGHT_IN_BULK, *CAUGHT_BY_BENCH}


@benches
def test_the_benches_pass_on_sound_hardware() -> None:
    results = run_benches(SMALL, "systolic_axi", faulty(SMALL), top=TOP)
    assert {result.name for result in results} == {*BENCHES}
    assert [result for result in results if not result.passed] == []


@benches
@pytest.mark.parametrize("fault", CAUGHT_BY_BENCH)
def test_a_bench_catches(fault: str) -> None:
    word, message = CAUGHT_BY_BENCH[fault]
    name = next(name for name, short in BENCHES.items() if short == word)
    results = run_benches(SMALL, "systolic_axi", faulty(SMALL), axi_mutants.number(fault), TOP, only=name)
    assert [result.name for result in results] == [name]
    assert message in results[0].message, results


@pytest.mark.parametrize("name", ["CONTROL", "STATUS", "INTERRUPT_ENABLE", "CYCLES_LOW", "CYCLES_HIGH", "MEMORY_BASE_LOW",
                                  "MEMORY_BASE_HIGH", "PROGRAM_HARDWARE_LOW"])  # fmt: skip
def test_the_harness_uses_the_map(name: str) -> None:
    said = {"MEMORY_BASE_LOW": "BaseLow", "MEMORY_BASE_HIGH": "BaseHigh", "PROGRAM_HARDWARE_LOW": "ProgramHeader"}
    short = said.get(name, name.title().replace("_", ""))
    found = re.search(rf"\bk{short} = (0x\w+)", SHARED.with_name("axi_harness.cpp").read_text())
    assert found is not None
    assert int(found[1], 16) == registers.OFFSET[name]


def test_registers_lie_apart_and_fields_too() -> None:
    offsets = [register.offset for register in registers.REGISTERS]
    assert offsets == sorted(set(offsets))
    assert max(offsets) < registers.WINDOWS[0].offset
    for register in registers.REGISTERS:
        bits = [bit for field in register.fields for bit in range(field.low, field.low + field.bits)]
        assert len(bits) == len(set(bits)), register.name
        assert max(bits) < 32
        assert all(field.access in registers.ACCESS for field in register.fields)
    header = [registers.OFFSET[f"PROGRAM_{name}"] % 32 for name in ("HARDWARE_LOW", "HARDWARE_HIGH", "ISA")]
    assert header == [0, 4, 8], "the header's words are lanes 0, 1 and 2 of the engine's program port"
    assert registers.WINDOWS[-1].offset + registers.WINDOWS[-1].size == 1 << registers.ADDRESS_BITS


def test_the_document_has_the_map() -> None:
    page = (Path(__file__).parents[2] / "docs" / "axi.md").read_text()
    assert registers.markdown() in page, "docs/axi.md: its register map differs from rtl/registers.py; paste registers.markdown()"


def _port(hardware: Hardware, port_bytes: int) -> Hardware:
    return replace(hardware, port_bytes=port_bytes)


@pytest.mark.parametrize(("port_bytes", "below"), [(3, 2), (12, 8), (96, 64), (256, 128)])
def test_a_port_that_axi_has_not_is_refused(port_bytes: int, below: int) -> None:
    with pytest.raises(SpecError) as caught:
        emit(_port(HARDWARE, port_bytes))
    assert str(caught.value) == (f"systolic engine behind AXI4: port_bytes {port_bytes}, expected a power of two up to 128; "
                                 f"{below} is the next below")  # fmt: skip


def test_addresses_have_32_or_64_bits() -> None:
    with pytest.raises(SpecError, match=r"^systolic engine behind AXI4: addresses of 40 bits, expected 32 or 64$"):
        emit(HARDWARE, address_bits=40)
    assert "output [31:0] m_axi_araddr" in emit(HARDWARE, address_bits=32)


def test_bursts_stay_inside_axi_whatever_the_port() -> None:
    for port_bytes in axi.WIDTHS:
        hardware = replace(HARDWARE, rows=128, cols=128, port_bytes=port_bytes)
        assert burst_beats(hardware) <= 256
        assert burst_beats(hardware) * port_bytes <= 4096
        assert bursts_of_a_word(hardware) >= -(-hardware.beats("Z") // burst_beats(hardware))
