"""Programs: canonical bytes, round trips, and refusal of everything that is not one."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archmodel.engines.systolic import Bases, Tiling, lower, run
from archmodel.engines.systolic.cycle import executed, walk
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import DATAFLOWS, ISA_VERSION, LAYOUTS, OPCODES, Hardware, decode, instruction
from archmodel.records.program import (
    INSTRUCTION_BYTES,
    Program,
    fingerprint,
    from_bytes,
    hardware_id,
    pack,
    to_bytes,
    unpack,
)

HARDWARE = Hardware(4, 4, tuple(sorted(DATAFLOWS)), "int8", "int8", 4, 16, 2, 48, 48, 72, 4, 512)
TILING = Tiling(9, 10, 11, 4, 4, 8, "ws", ("n", "k", "m"), requantise=True)
BASES = Bases(1, 2, 3, 4, 5)
PROGRAM = lower(TILING, HARDWARE, BASES)
DATA = to_bytes(PROGRAM)
PORT = Port(10, 2)
HALT = instruction("halt")


def test_a_program_is_read_back_unchanged() -> None:
    assert from_bytes(DATA) == PROGRAM
    assert to_bytes(from_bytes(DATA)) == DATA


@given(st.lists(st.binary(max_size=4).map(lambda b: b.ljust(1, b"\1") * 32), min_size=1, max_size=5), st.integers(0, 2**16 - 1))
def test_any_streams_survive_the_round_trip(streams: list[bytes], isa: int) -> None:
    program = Program("systolic", isa, hardware_id(HARDWARE), tuple(streams))
    assert from_bytes(to_bytes(program)) == program


@pytest.mark.parametrize("name", [b"sys\0olic", b"systol\xffc", b"\0" * 8, b"a b     "])
def test_an_engine_type_that_would_not_be_written_back(name: bytes) -> None:
    with pytest.raises(SpecError) as error:
        from_bytes(DATA[:16] + name.ljust(8, b"\0") + DATA[24:])
    assert str(error.value) == f"program: engine type {name.ljust(8, bytes(1))!r}, expected ASCII letters, digits and _, zero padded"


@given(st.integers(0, len(DATA) - 1))
def test_truncated_bytes_are_refused(length: int) -> None:
    with pytest.raises(SpecError, match=r"^program: "):
        from_bytes(DATA[:length])


@given(st.binary(max_size=200))
def test_bytes_of_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(SpecError, match=r"^program: it does not begin with the magic AMPG"):
        from_bytes(b"X" + data)


@given(st.integers(0, 27), st.integers(1, 255))
def test_a_damaged_head_never_gives_the_same_program(at: int, flip: int) -> None:
    damaged = bytearray(DATA)
    damaged[at] ^= flip
    try:
        assert from_bytes(bytes(damaged)) != PROGRAM
    except SpecError as error:
        assert str(error).startswith("program: ")


def test_unknown_versions_name_what_was_expected() -> None:
    later = DATA[:4] + struct.pack("<H", 2) + DATA[6:]
    with pytest.raises(SpecError, match=r"^program: format version 2, expected 1$"):
        from_bytes(later)
    with pytest.raises(SpecError, match=r"^program: for engine systolic ISA 3, expected systolic ISA 2$"):
        run(replace(PROGRAM, isa=3), HARDWARE, PORT)
    with pytest.raises(SpecError, match=r"^program: for engine vector ISA 2, expected systolic ISA 2$"):
        run(replace(PROGRAM, engine="vector"), HARDWARE, PORT)


def test_a_program_of_other_hardware_is_refused() -> None:
    other = replace(HARDWARE, outstanding=15)
    with pytest.raises(SpecError, match=r"^program: it was made for other hardware parameters; lower the mapping again$"):
        run(PROGRAM, other, PORT)


def test_a_program_too_long_for_its_sequencers_is_refused() -> None:
    small = replace(HARDWARE, program_words=16)
    with pytest.raises(SpecError, match=r"^lower: \d+ instructions for the load unit, and its sequencer holds 16; raise program_words$"):
        lower(Tiling(40, 40, 40, 4, 4, 4, requantise=True), small, BASES)
    long = Program("systolic", ISA_VERSION, hardware_id(small), (HALT * 17, HALT, HALT))
    with pytest.raises(SpecError, match=r"^program: streams of \[17, 1, 1\] instructions, expected three of at most 16$"):
        run(long, small, PORT)


def test_streams_are_whole_instructions() -> None:
    with pytest.raises(SpecError, match=r"^program: a stream is not a whole number of 32-byte instructions$"):
        Program("systolic", 1, 0, (b"\0" * 33,))


@pytest.mark.parametrize("name", OPCODES)
@given(data=st.data())
def test_every_instruction_is_decoded_as_it_was_encoded(name: str, data: st.DataObject) -> None:
    fields = {field: data.draw(st.integers(0, 2**bits - 1)) for field, bits in LAYOUTS[name] if field != "opcode"}
    assert decode(instruction(name, **fields)) == (name, {"opcode": OPCODES[name], **fields})


def test_executed_instructions_are_those_of_all_rounds() -> None:
    sync, end = instruction("sync"), instruction("end")
    stream = instruction("loop", count=3) + sync + instruction("loop", count=2) + sync + end + end + HALT
    assert executed(stream) == 1 + 3 * (1 + 1 + 2 * 2 + 1) + 1
    walked = 0
    for name, _, control in walk(stream):
        walked += 1 + control
        if name == "halt":
            break
    assert walked == executed(stream)


def test_a_layout_holds_less_than_an_instruction() -> None:
    assert all(sum(bits for _, bits in layout) <= 8 * INSTRUCTION_BYTES for layout in LAYOUTS.values())


def test_a_value_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^program: field t is 1048576, which does not fit 20 bits$"):
        instruction("exec", t=1 << 20)
    with pytest.raises(SpecError, match=r"^program: field a is -9, which does not fit 4 bits$"):
        pack((("a", 4),), {"a": -9})
    with pytest.raises(SpecError, match=r"^program: sync has no field 'stride'$"):
        instruction("sync", stride=1)


def test_negative_values_are_twos_complement() -> None:
    assert unpack((("a", 4), ("b", 4)), pack((("a", 4), ("b", 4)), {"a": -1, "b": -8})) == {"a": 15, "b": 8}


def test_bits_without_meaning_are_refused() -> None:
    with pytest.raises(SpecError, match=r"^program: an instruction has bits set beyond its last field$"):
        decode(HALT[:31] + b"\1")
    with pytest.raises(SpecError, match=r"^program: opcode 9 is not one of ISA version 2$"):
        decode(b"\x09" + bytes(31))


def test_the_same_input_gives_the_same_bytes_in_any_process() -> None:
    script = (
        "from tests.engines.test_program import PROGRAM; from archmodel.records.program import fingerprint; print(fingerprint(PROGRAM))"
    )
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.strip() == fingerprint(PROGRAM)


def _program(*streams: bytes) -> Program:
    return Program("systolic", ISA_VERSION, hardware_id(HARDWARE), streams)


@pytest.mark.parametrize(
    ("streams", "text"),
    [
        ((instruction("sync", wait=2) + HALT, HALT, HALT), "deadlock, the load unit waits for a token that never comes"),
        (
            (instruction("sync", wait=2, signal=2) + HALT, instruction("sync", wait=1, signal=1) + HALT, HALT),
            "deadlock, the load and exec unit waits for a token that never comes",
        ),
        ((instruction("sync"), HALT, HALT), "a stream runs past its end, expected a halt"),
        ((instruction("end") + HALT, HALT, HALT), "an end without its loop"),
        (
            (instruction("loop") + instruction("sync") + instruction("end") + HALT, HALT, HALT),
            "a loop of 0 at depth 0, expected at least 1 and at most 4 deep",
        ),
        (
            (instruction("loop", count=1) * 5 + instruction("sync") + instruction("end") * 5 + HALT, HALT, HALT),
            "a loop of 1 at depth 4, expected at least 1 and at most 4 deep",
        ),
    ],
)
def test_a_program_that_cannot_end_is_refused(streams: tuple[bytes, ...], text: str) -> None:
    with pytest.raises(SpecError, match=rf"^program: {text}$"):
        run(_program(*streams), HARDWARE, PORT)


SYNC = instruction("sync")
MOVE = {"inner": 1, "outer": 1}
RUN = {"t": 4, "outer": 1, "inner": 1}


@pytest.mark.parametrize(
    ("unit", "code", "text"),
    [
        (0, instruction("exec", **RUN), "exec in the stream of the load unit, which executes sync and move"),
        (1, instruction("move", **MOVE), "move in the stream of the exec unit, which executes sync and exec"),
        (2, instruction("exec", **RUN), "exec in the stream of the store unit, which executes sync and move"),
        (2, instruction("move", **MOVE, buffer=1), "a store of Y, expected Z"),
        (0, instruction("move", **MOVE, requantise=1), "a load that requantises; only a store does"),
        (0, instruction("move", **MOVE, buffer=2, turn_z=1), "turn_z in a load of Z, expected swap"),
        (0, instruction("move", inner=1), "a move of 0 x 1 words, expected at least 1 x 1"),
        (2, instruction("move", outer=3, buffer=2), "a move of 3 x 0 words, expected at least 1 x 1"),
        (1, instruction("exec", **{**RUN, "t": 0}), "an exec of 1 x 1 folds of 0 words, expected at least 1 x 1 of 1"),
        (1, instruction("exec", **{**RUN, "outer": 0}), "an exec of 0 x 1 folds of 4 words, expected at least 1 x 1 of 1"),
        (1, instruction("exec", **{**RUN, "inner": 0}), "an exec of 1 x 0 folds of 4 words, expected at least 1 x 1 of 1"),
        (2, instruction("move", **MOVE, buffer=2, register=2), "address register 2 in the store unit, which has 2"),
        (0, instruction("move", inner=9, outer=5, pitch=10), "a command reaches word 48 of X, which has 48 words a bank"),
        (0, instruction("move", **MOVE, buffer=3, sram=4), "a command reaches word 4 of P, which has 4 words a bank"),
        (2, instruction("move", inner=36, outer=2, pitch=37, buffer=2), "a command reaches word 72 of Z, which has 72 words a bank"),
        (2, instruction("move", outer=4, inner=1, pitch=1, buffer=2, requantise=1, params=1),
         "a command reaches word 4 of P, which has 4 words a bank"),
        (2, instruction("move", outer=1, inner=17, buffer=2, requantise=1, broadcast=1),
         "a command reaches word 4 of P, which has 4 words a bank"),
        (1, instruction("exec", t=4, outer=3, inner=2, x0=5, x1=20), "a command reaches word 48 of X, which has 48 words a bank"),
        (1, instruction("exec", **RUN, y=45), "a command reaches word 48 of Y, which has 48 words a bank"),
        (1, instruction("exec", **{**RUN, "inner": 2}, z=65, z0=4), "a command reaches word 72 of Z, which has 72 words a bank"),
        (1, instruction("exec", output=1, **RUN, z=69), "a command reaches word 72 of Z, which has 72 words a bank"),
        (1, instruction("exec", t=6, outer=1, inner=2, z0=5), "a fold begins at the word of Z that the one before has yet to write"),
        (1, SYNC + instruction("loop", count=2) + SYNC, "a halt inside 1 loops, expected an end of each"),
    ],
)  # fmt: skip
def test_what_the_hardware_would_execute_otherwise_is_refused(unit: int, code: bytes, text: str) -> None:
    streams = [HALT, HALT, HALT]
    streams[unit] = code + HALT
    with pytest.raises(SpecError, match=rf"^program: {text}$"):
        run(_program(*streams), HARDWARE, PORT)


def test_a_dataflow_that_the_hardware_lacks_is_refused() -> None:
    only = replace(HARDWARE, dataflows=("os",))
    program = Program("systolic", ISA_VERSION, hardware_id(only), (HALT, instruction("exec", **RUN) + HALT, HALT))
    with pytest.raises(SpecError, match=r"^program: an exec with output 0 on hardware for os$"):
        run(program, only, PORT)


def _tokens(count: int, waits: int) -> Program:
    """The load unit signals ``count`` tokens to the exec unit, which is busy meanwhile and then waits for some."""
    many = instruction("loop", count=count) + instruction("sync", signal=2) + instruction("end")
    busy = instruction("exec", t=4, outer=100, inner=10)
    takes = instruction("loop", count=waits) + instruction("sync", wait=1) + instruction("end")
    return _program(many + HALT, busy + takes + HALT, HALT)


def test_more_tokens_than_the_hardware_counts_are_refused() -> None:
    run(_tokens(255, 255), HARDWARE, PORT)
    text = "^program: more than 255 tokens from the load unit wait for the exec unit, which counts them in 8 bits$"
    for waits in (256, 1):
        with pytest.raises(SpecError, match=text):
            run(_tokens(256, waits), HARDWARE, PORT)
    many = instruction("loop", count=256) + instruction("sync", signal=4) + instruction("end")
    with pytest.raises(SpecError, match=r"^program: more than 255 tokens from the load unit wait for the store unit"):
        run(_program(many + HALT, HALT, HALT), HARDWARE, PORT)


def test_moves_and_folds_beyond_memory_or_buffer_are_refused() -> None:
    memory = np.zeros(64, dtype=np.uint8)
    far = instruction("move", inner=1, outer=1, base=16) + HALT
    with pytest.raises(SpecError, match=r"^program: a move reaches byte 67 of a memory of 64 bytes$"):
        run(_program(far, HALT, HALT), HARDWARE, PORT, memory)
    deep = instruction("move", inner=1, outer=1, sram=48) + HALT
    with pytest.raises(SpecError, match=r"^program: a command reaches word 48 of X, which has 48 words a bank$"):
        run(_program(deep, HALT, HALT), HARDWARE, PORT, memory)
