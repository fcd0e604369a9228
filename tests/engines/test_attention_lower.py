"""Lowering of attentions: every key that is seen counts once, buffers and counters hold, and what cannot be is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from archmodel.engines.attention import Attention, Bases, extents, lower, patterns, run
from archmodel.engines.attention.cycle import decoded, executed
from archmodel.engines.attention.tiling import blocks, key_tiles, most_in_block, query_tiles
from archmodel.masks import visible
from archmodel.memory.port import Port
from archmodel.memory.stalls import random_stalls
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import (
    BUFFERS,
    ISA_VERSION,
    LAYOUTS,
    OPCODES,
    Hardware,
    Params,
    decode,
    instruction,
    resolve,
)
from archmodel.records.machine import engine_types
from archmodel.records.mask import Mask
from archmodel.records.program import INSTRUCTION_BYTES, Program, from_bytes, hardware_id, to_bytes

from .attention_jobs import bases, generator, integers, random_attention, random_hardware, random_port

PORT = Port(10, 1)
HARDWARE = resolve(Params(4, 4, format="bf16", port_bytes=8), 16 * 1024)
INT8 = resolve(Params(4, 4, port_bytes=4), 16 * 1024)
HALT = instruction("halt")
Array = npt.NDArray[Any]


def seen_by_blocks(work: Attention, hardware: Hardware, size: int) -> Array:
    """[packed query, key]: how often the rows of all blocks let a query see a key."""
    rows, cols = hardware.rows, hardware.cols
    seen = np.zeros((query_tiles(work, hardware) * cols, key_tiles(work, hardware) * rows), dtype=np.int64)
    for block in blocks(work, hardware, size):
        for part in block.rows:
            for key_tile in range(part.begin, part.begin + part.count):
                for one in part.runs:
                    pattern = np.ones((rows, cols), dtype=int) if one.pattern is None else block.patterns[one.pattern]
                    for tile in range(block.begin + one.begin, block.begin + one.begin + one.count):
                        seen[tile * cols : (tile + 1) * cols, key_tile * rows : (key_tile + 1) * rows] += np.transpose(pattern)
    return seen


@pytest.mark.parametrize("seed", range(60))
def test_every_key_that_is_seen_counts_once(seed: int) -> None:
    rng = generator(seed)
    hardware, work = random_hardware(rng), random_attention(rng)
    hardware = replace(hardware, m_words=1 << 18)
    size = integers(rng, 0, most_in_block(work, hardware))
    expected = visible(work.mask, np.arange(work.packed) // work.group, np.arange(work.keys))
    found = seen_by_blocks(work, hardware, size)
    assert np.array_equal(found[: work.packed, : work.keys], expected)
    assert not found[:, work.keys :].any()
    cut = blocks(work, hardware, size)
    assert sum(block.count for block in cut) == query_tiles(work, hardware)
    for block in cut:
        opened = [number for rows in block.rows for one in rows.runs if one.first for number in range(one.begin, one.begin + one.count)]
        blind = [number for one in block.finish if one.first for number in range(one.begin, one.begin + one.count)]
        assert sorted((*opened, *blind)) == list(range(block.count))
        assert len({pattern.tobytes() for pattern in block.patterns}) == len(block.patterns)


def narrow(values: Array) -> Array:
    """The upper half of fp32, as bits."""
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def wide(bits: Array) -> Array:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def tiled(values: Array, lanes: int, tiles: int) -> Array:
    """[head, position, element] as words: [head, tile, element, lane]."""
    heads, positions, size = values.shape
    padded = np.zeros((heads, tiles * lanes, size), dtype=values.dtype)
    padded[:, :positions] = values
    return padded.reshape(heads, tiles, lanes, size).transpose(0, 1, 3, 2)


WORKS = [
    Attention(8, 8, 4, 4), Attention(8, 8, 10, 23), Attention(8, 12, 10, 23, heads=3, group=2),
    Attention(8, 12, 30, 30, heads=3, group=2, mask=Mask(causal=True)),
    Attention(8, 12, 30, 40, heads=5, group=2, mask=Mask(causal=True, offset=10, window=9, sink=3)),
    Attention(8, 12, 16, 16, heads=5, mask=Mask(query_block=4, key_block=4, blocks=((0, 0), (0, 2), (2, 1), (3, 3)))),
    Attention(4, 4, 9, 50, heads=2, mask=Mask(query_block=1, key_block=8, blocks=tuple((q, (q * q) % 7) for q in range(9)))),
    Attention(4, 4, 12, 12, heads=2, mask=Mask(window=1, causal=True, offset=50)),
]  # fmt: skip


@pytest.mark.parametrize("work", WORKS, ids=range(len(WORKS)))
@pytest.mark.parametrize("size", [0, 1, 3])
def test_the_program_computes_attention(work: Attention, size: int) -> None:
    """Against float64, to what bf16 leaves; what sees no key gives 0.  The bits themselves are compared elsewhere."""
    hardware = HARDWARE
    size = min(size, most_in_block(work, hardware))
    at, end = bases(work, hardware, size)
    rng = generator(1)
    q, k, v = (wide(narrow(rng.normal(size=shape))) for shape in (
        (work.heads, work.packed, work.e), (work.heads, work.keys, work.e), (work.heads, work.keys, work.f)))  # fmt: skip
    memory = np.zeros(end * hardware.port_bytes, dtype=np.uint8)
    masks = np.packbits(patterns(work, hardware, size).reshape(-1, hardware.rows * hardware.cols), axis=1, bitorder="little")
    masks = np.pad(masks, ((0, 0), (0, hardware.beats("M") * hardware.port_bytes - masks.shape[1])))
    tiles, keys = query_tiles(work, hardware), key_tiles(work, hardware)
    words = {"q": tiled(narrow(q), 4, tiles), "k": tiled(narrow(k), 4, keys), "v": tiled(narrow(v), 4, keys), "m": masks}
    for name, data in words.items():
        flat = np.ascontiguousarray(data).view(np.uint8).ravel()
        memory[getattr(at, name) * hardware.port_bytes :][: flat.size] = flat
    run(lower(work, hardware, at, size), hardware, PORT, memory)
    count = work.heads * tiles * work.f * hardware.cols
    out = wide(memory[at.o * hardware.port_bytes :][: 2 * count].view(np.uint16)).reshape(work.heads, tiles, work.f, hardware.cols)
    found = out.transpose(0, 1, 3, 2).reshape(work.heads, -1, work.f)[:, : work.packed]
    seen = visible(work.mask, np.arange(work.packed) // work.group, np.arange(work.keys))
    score = np.where(seen, np.einsum("hqe,hke->hqk", q, k, dtype=np.float64), -np.inf)
    top = score.max(-1, keepdims=True)
    weight = np.exp2(score - np.where(np.isfinite(top), top, 0))
    expected = np.einsum("hqk,hkf->hqf", weight, v) / np.maximum(weight.sum(-1, keepdims=True), 1e-30)
    assert np.abs(found - expected).max() < 0.02
    assert not found[:, ~seen.any(axis=1)].any()


@pytest.mark.parametrize("seed", range(20))
def test_stalls_only_cost_time(seed: int) -> None:
    rng = generator(1000 + seed)
    hardware, work, port = replace(random_hardware(rng), m_words=1 << 18), random_attention(rng), random_port(rng)
    program = lower(work, hardware, bases(work, hardware)[0])
    calm, stalled = run(program, hardware, port), run(program, hardware, port, None, random_stalls(seed))
    assert stalled.cycles > calm.cycles
    assert [event.unit for event in sorted(stalled.trace, key=lambda e: (e.unit, e.start))] == sorted(event.unit for event in calm.trace)


def test_commands_follow_each_other_without_a_drain() -> None:
    """Rows and blocks whose data are there begin a period apart for each tile, and end while others are in flight."""
    work = Attention(8, 8, 64, 64)
    program = lower(work, HARDWARE, bases(work, HARDWARE, 8)[0], 8)
    _, configure = decode(program.streams[3][:INSTRUCTION_BYTES])
    events = [event for event in run(program, HARDWARE, PORT).trace if event.unit == "exec"]
    assert configure["stages"] > 1
    assert all((second.start - first.start) % configure["period"] == 0 for first, second in pairwise(events))
    assert all(second.start == first.start + 8 * configure["period"] < first.end for first, second in pairwise(events))


def test_the_size_of_a_program_does_not_grow_with_trips() -> None:
    small, large = (lower(work, HARDWARE, bases(work, HARDWARE)[0])
                    for work in (Attention(8, 8, 400, 400, heads=4), Attention(8, 8, 4000, 40000, heads=400)))  # fmt: skip
    assert max(large.lengths()[:3]) <= max(small.lengths()[:3]) + 8 < 100
    assert executed(large.streams[1]) > 100 * executed(small.streams[1])


def test_the_same_bytes_again() -> None:
    work = WORKS[4]
    first, second = (to_bytes(lower(work, HARDWARE, bases(work, HARDWARE)[0])) for _ in range(2))
    assert first == second
    assert from_bytes(first, engine_types()) == lower(work, HARDWARE, bases(work, HARDWARE)[0])


@pytest.mark.parametrize("name", OPCODES)
def test_every_instruction_is_decoded_as_it_was_encoded(name: str) -> None:
    fields = {field: (1 << bits) - 1 for field, bits in LAYOUTS[name] if field != "opcode"}
    assert decode(instruction(name, **fields)) == (name, {"opcode": OPCODES[name], **fields})
    assert sum(bits for _, bits in LAYOUTS[name]) <= 8 * INSTRUCTION_BYTES


def test_identical_blocks_share_their_patterns_in_memory() -> None:
    work = Attention(8, 8, 64, 61)
    assert len(patterns(work, HARDWARE, 2)) == 1
    assert extents(work, HARDWARE, 2)["M"] == HARDWARE.beats("M")


REFUSED = [
    (Attention(8, 8, 4, 4), replace(HARDWARE, k_words=7), 0,
     "attention: one tile needs 8 words of K and a bank has 7; enlarge the buffer or its share"),
    (Attention(8, 8, 4, 4), replace(HARDWARE, s_words=9), 0,
     "attention: one tile needs 10 words of S and a bank has 9; enlarge the buffer or its share"),
    (Attention(8, 8, 8, 4), HARDWARE, 3, "attention: blocks of 3 tiles of queries, expected 1 to 2, or 0 for as many as fit"),
    (Attention(8, 8, 8, 5), replace(HARDWARE, m_words=0), 0,
     "attention: 2 tiles of queries take 1 patterns of the mask, and a bank of M holds 0; enlarge its share, or take smaller blocks"),
    (Attention(8, 8, 1 << 20, 1 << 20, mask=Mask(causal=True)), HARDWARE, 0,
     "attention: 262,144 x 262,144 tiles under a mask, expected at most 67,108,864; split the queries"),
    (Attention(8, 8, 4, (1 << 14) + 1), INT8, 0, "lower: 16,388 keys with weights up to 2^10 make a numerator of up to 2,148,007,936"),
    (Attention(8, 8, 100, 100, mask=Mask(causal=True)), replace(HARDWARE, program_words=16), 2,
     "instructions for the load unit, and its sequencer holds 16; raise program_words, take larger blocks, or split the queries"),
    (Attention(200, 200, 4, 4), replace(HARDWARE, k_words=999, v_words=999, s_words=999, o_words=999, slots=64), 0,
     "and the table holds 64; raise slots"),
    (Attention(8, 8, 4, 4, heads=1 << 30), HARDWARE, 0,
     "lower: Q ends at beat 8,589,934,592, and an address has 32 bits; place it lower or split the heads"),
]  # fmt: skip


@pytest.mark.parametrize(("work", "hardware", "size", "text"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_is_refused(work: Attention, hardware: Hardware, size: int, text: str) -> None:
    with pytest.raises(SpecError, match=re.escape(text)):
        lower(work, hardware, Bases(0, 0, 0, 0, 0), size)


def test_as_many_keys_as_a_sum_surely_holds() -> None:
    """2^14 values of -2^7 with weights of 2^10 make -2^31, which an int32 holds."""
    most = Attention(8, 8, 4, 1 << 14)
    assert lower(most, INT8, Bases(0, 0, 0, 0, 0)) and lower(most, replace(INT8, threshold=1, weight_bits=9), Bases(0, 0, 0, 0, 0))
    with pytest.raises(SpecError, match=r"^lower: 16,384 keys with weights up to 2\^11"):
        lower(most, replace(INT8, threshold=1), Bases(0, 0, 0, 0, 0))


def _program(unit: int, code: bytes, hardware: Hardware = HARDWARE) -> Program:
    """One unit's code beside a schedule of heads of 8."""
    table = lower(Attention(8, 8, 4, 4), hardware, Bases(0, 0, 0, 0, 0)).streams[3]
    streams = [HALT, HALT, HALT, table]
    streams[unit] = code + HALT
    return Program("attention", ISA_VERSION, hardware_id(hardware), tuple(streams))


MOVE = {"inner": 1, "outer": 1}


@pytest.mark.parametrize(
    ("unit", "code", "text"),
    [
        (0, instruction("attend", count=1), "attend in the stream of the load unit, which executes sync and move"),
        (1, instruction("sync"), "sync in the stream of the exec unit, which executes attend"),
        (1, instruction("attend"), "an attend of 0 tiles, expected at least 1"),
        (1, instruction("attend", count=1, state=11), "an attend with state 11, expected a multiple of 10"),
        (1, instruction("attend", count=1, finish=1, o=9), "an attend with o 9, expected a multiple of 8"),
        (1, instruction("attend", count=500), r"a command reaches word 4999 of S, which has \d+ words a bank"),
        (1, instruction("attend", count=1, q=1000), r"a command reaches word 1007 of Q, which has \d+ words a bank"),
        (1, instruction("attend", count=1, masked=1, pattern=999), r"a command reaches word 999 of M, which has \d+ words a bank"),
        (1, instruction("attend", count=1, finish=1, o=800), r"a command reaches word 807 of O, which has \d+ words a bank"),
        (0, instruction("move", inner=1), "a move of 0 x 1 words, expected at least 1 x 1"),
        (0, instruction("move", **MOVE, params=3), "params in a move, expected 0: this engine moves words as they are"),
        (2, instruction("move", **MOVE, buffer=1), "a store of buffer 1, expected 0, which is O"),
        (2, instruction("move", **MOVE, register=1), "address register 1 in the store unit, which has 1"),
        (0, instruction("move", outer=1, inner=9999), r"a command reaches word 9998 of Q, which has \d+ words a bank"),
        (0, instruction("sync", wait=2), "deadlock, the load unit waits for a token that never comes"),
        (0, instruction("configure"), "configure in the stream of the load unit, which executes sync and move"),
    ],
)
def test_what_the_hardware_would_execute_otherwise_is_refused(unit: int, code: bytes, text: str) -> None:
    with pytest.raises(SpecError, match=rf"^program: {text}"):
        run(_program(unit, code), HARDWARE, PORT)


def test_a_program_without_its_schedule_is_refused() -> None:
    right = _program(0, b"")
    head, table = right.streams[3][:INSTRUCTION_BYTES], right.streams[3][INSTRUCTION_BYTES:]
    _, fields = decode(head)
    fields.pop("opcode")
    for stream, text in (
        (b"", "program: the schedule begins with nothing, expected configure"),
        (HALT, "program: the schedule begins with halt, expected configure"),
        (instruction("configure", **{**fields, "period": 0}) + table, "program: a period of 0, heads of 8 and 8, a shift of 0; expected"),
        (instruction("configure", **{**fields, "shift": 25}) + table, "program: a period of 28, heads of 8 and 8, a shift of 25; expected"),
        (head + table[:-INSTRUCTION_BYTES], "schedule: 24 slots for a period of 28, expected 28"),
        (head + bytes(len(table)), "schedule: it divides in 0 slots, expected 1"),
        (instruction("configure", **{**fields, "e": 7}) + table, "schedule: qk 7 stands there 1 times, expected 0"),
        (instruction("configure", **{**fields, "stages": 1}) + table, "schedule: slots 0 to"),
        (head + b"\x0f" + table[1:], "schedule: micro-op 15 in slot 0, expected at most 6"),
    ):
        with pytest.raises(SpecError, match=f"^{text}"):
            run(replace(right, streams=(*right.streams[:3], stream)), HARDWARE, PORT)


def test_programs_of_other_hardware_are_refused() -> None:
    program = lower(Attention(8, 8, 4, 4), HARDWARE, Bases(0, 0, 0, 0, 0))
    with pytest.raises(SpecError, match=r"^program: it was made for other hardware parameters; lower the mapping again$"):
        run(program, replace(HARDWARE, tiles=5), PORT)
    with pytest.raises(SpecError, match=rf"^program: for engine systolic ISA {ISA_VERSION}, expected attention ISA {ISA_VERSION}$"):
        run(replace(program, engine="systolic"), HARDWARE, PORT)
    with pytest.raises(SpecError, match=r"^program: streams of \[.*\] instructions, expected three of at most 1024 and the schedule$"):
        run(replace(program, streams=program.streams[:3]), HARDWARE, PORT)


def test_loads_name_the_buffers_in_order() -> None:
    commands = [fields for name, fields in decoded(lower(WORKS[1], HARDWARE, bases(WORKS[1], HARDWARE)[0]).streams[0]) if name == "move"]
    assert [BUFFERS[fields["buffer"]] for fields in commands][:4] == ["Q", "M", "K", "V"]
