"""From one attention to the Program that executes it.

Block by block of queries: its queries and patterns are loaded, then for each tile of keys that it visits K and V; every
tile of keys is one row of tiles, one attend for each run of tiles alike; a last row finishes, and the store unit writes the
results.  Tokens keep the order: a row waits for its K and V; a load of K waits until the row that had the bank is done; the
store of a block waits for its last row and for the loads of the next block, and the loads after those wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from archmodel.engines.code import DEEPEST, Command, Item, Repeat, Steps, encoded, folded
from archmodel.records.base import SpecError
from archmodel.records.commands import ADDRESS_REGISTERS, EXEC, LOAD, STORE, UNITS
from archmodel.records.engines.attention import BUFFERS, ISA_VERSION, STATE_OTHERS, TYPE, Hardware, instruction
from archmodel.records.program import Program, hardware_id

from .schedule import Schedule, schedule, shape
from .tiling import Attention, Block, Run, blocks, key_tiles, query_tiles

Flags = dict[str, int]
STILL: Steps = (0,) * ADDRESS_REGISTERS

ADDRESS_BEATS = 32
"""Bits of a memory address, which counts beats."""
MOST_KEPT = 1 << 31
"""An int32 sum stays below."""
VALUE_BITS = 7
"""An int8 is at most 2^7."""


@dataclass(frozen=True)
class Bases:
    """Where the packed tensors begin in memory, in beats of the port.

    q, o   [head][tile of queries][e or f] words      k, v   [head][tile of keys][e or f] words      m   ``patterns``
    """

    q: int
    k: int
    v: int
    m: int
    o: int


def patterns(work: Attention, hardware: Hardware, size: int = 0) -> npt.NDArray[np.bool_]:
    """[number, rows, columns]: the words of M, in the order in which memory holds them; blocks with the same ones share them."""
    _, words = _placed(blocks(work, hardware, size))
    return words.reshape(-1, hardware.rows, hardware.cols)


def _placed(of: tuple[Block, ...]) -> tuple[tuple[int, ...], npt.NDArray[np.bool_]]:
    """The first word in memory of each block's patterns, and all patterns."""
    known: dict[bytes, int] = {}
    begins, words, end = [], [], 0
    for block in of:
        key = block.patterns.tobytes()
        if key not in known:
            known[key] = end
            words.append(block.patterns)
            end += len(block.patterns)
        begins.append(known[key])
    return tuple(begins), np.concatenate(words)


def extents(work: Attention, hardware: Hardware, size: int = 0) -> dict[str, int]:
    """Beats of the port that each packed tensor takes in memory."""
    return _extents(work, hardware, len(patterns(work, hardware, size)))


def _extents(work: Attention, hardware: Hardware, masks: int) -> dict[str, int]:
    queries, keys = query_tiles(work, hardware), key_tiles(work, hardware)
    words = {"Q": work.heads * queries * work.e, "K": work.heads * keys * work.e, "V": work.heads * keys * work.f,
             "M": masks, "O": work.heads * queries * work.f}  # fmt: skip
    return {name: count * hardware.beats(name) for name, count in words.items()}


def lower(work: Attention, hardware: Hardware, bases: Bases, size: int = 0) -> Program:
    """The Program of one attention in blocks of ``size`` tiles of queries, 0 for as many as fit.

    Raises SpecError where the hardware cannot execute it.
    """
    _refuse_overflow(work, hardware)
    cut = blocks(work, hardware, size)
    at, words = _placed(cut)
    extent = _extents(work, hardware, len(words))
    _refuse_far(bases, extent)
    maker = _Maker(work, hardware, bases, cut, at)
    steps = tuple(extent[name] // work.heads if name != "M" else 0 for name in BUFFERS)
    streams = (_heads(work.heads, maker.apart(), maker.load, steps), _heads(work.heads, maker.apart(), maker.execute, STILL),
               _heads(work.heads - 1, 0, maker.store, (extent["O"] // work.heads, *STILL[1:])) + maker.store(work.heads - 1))  # fmt: skip
    halted = [(*encoded((*stream[:1], *folded(stream[1:])), instruction), instruction("halt")) for stream in streams]
    for name, stream in zip(UNITS, halted, strict=True):
        if len(stream) > hardware.program_words:
            raise SpecError(f"lower: {len(stream)} instructions for the {name} unit, and its sequencer holds {hardware.program_words}; "
                            "raise program_words, take larger blocks, or split the queries")  # fmt: skip
    found = scheduled(work, hardware)
    table = instruction("configure", period=found.period, stages=found.stages, e=work.e, f=work.f, shift=work.shift,
                        out_shift=work.out_shift)  # fmt: skip
    return Program(TYPE, ISA_VERSION, hardware_id(hardware), (*(b"".join(stream) for stream in halted), table + found.words()))


def scheduled(work: Attention, hardware: Hardware) -> Schedule:
    """The schedule of its tiles.  Raises SpecError where the table doesn't hold it."""
    found = schedule(shape(hardware, work.e, work.f))
    if found.period > hardware.slots:
        raise SpecError(f"lower: a period of {found.period} slots for heads of {work.e} and {work.f}, and the table holds "
                        f"{hardware.slots}; raise slots")  # fmt: skip
    return found


def _heads(heads: int, apart: int, make: Callable[[int], tuple[Item, ...]], steps: Steps) -> tuple[Item, ...]:
    """Code of all heads: the first ``apart`` ones each by itself, then a loop."""
    early = tuple(item for head in range(min(heads, apart)) for item in make(head))
    if heads <= apart:
        return early
    return (*early, *_loop(heads - apart, steps, make(apart)))


def _loop(count: int, steps: Steps, body: tuple[Item, ...]) -> tuple[Item, ...]:
    return body if count == 1 else (Repeat(count, steps, body),)


class _Maker:
    """The code of one head for each unit."""

    def __init__(self, work: Attention, hardware: Hardware, bases: Bases, cut: tuple[Block, ...], patterns_at: tuple[int, ...]) -> None:
        self.work, self.hardware, self.bases, self.cut, self.patterns_at = work, hardware, bases, cut, patterns_at
        self.visits = [block.visits for block in cut]
        self.beats = {name: hardware.beats(name) for name in (*BUFFERS, "O")}

    def apart(self) -> int:
        """Heads whose commands wait for less than those of later heads do: bank after bank is filled for the first time."""
        most = max(2, self.hardware.banks)
        return next((head for head in range(most) if head * len(self.cut) >= 2 and head * sum(self.visits) >= self.hardware.banks), most)

    def load(self, head: int) -> tuple[Item, ...]:
        code: list[Item] = []
        row = head * sum(self.visits)
        for index, (block, visits) in enumerate(zip(self.cut, self.visits, strict=True)):
            number = head * len(self.cut) + index
            last = EXEC | STORE if number else EXEC
            tile = head * query_tiles(self.work, self.hardware) + block.begin
            code.append(self._move("Q", tile * self.work.e, block.count * self.work.e, wait=STORE if number >= 2 else 0,
                                   signal=0 if visits else last))  # fmt: skip
            if len(block.patterns):
                code.append(self._move("M", self.patterns_at[index], len(block.patterns)))
            code += self._keys(head, block, row, last)
            row += visits
        # The first command of all stands in no loop, so that it always issues in the same cycle.
        return (*code[:1], *folded(code[1:], DEEPEST - 1))

    def _keys(self, head: int, block: Block, row: int, last: int) -> Iterator[Item]:
        """Loads of K and V: the first rows of all wait for no bank, the last row of a block tells the store unit too."""
        steps = (0, self.work.e * self.beats["K"], self.work.f * self.beats["V"], 0)
        end = row + block.visits
        for rows in block.rows:
            inside = (at for at in (*range(self.hardware.banks + 1), end - 1) if row < at < row + rows.count)
            for at, to in pairwise(sorted({row, *inside, row + rows.count})):
                tile = head * key_tiles(self.work, self.hardware) + rows.begin + at - row
                k = self._move("K", tile * self.work.e, self.work.e, wait=EXEC if at >= self.hardware.banks else 0)
                v = self._move("V", tile * self.work.f, self.work.f, signal=last if to == end and to - at == 1 else EXEC)
                yield from _loop(to - at, steps, (k, v))
            row += rows.count

    def _move(self, name: str, word: int, count: int, wait: int = 0, signal: int = 0) -> Command:
        fields = {"wait": wait, "signal": signal, "buffer": BUFFERS.index(name), "swap": 1, "inner": count, "outer": 1}
        return Command("move", tuple(fields.items()), BUFFERS.index(name), getattr(self.bases, name.lower()) + word * self.beats[name])

    def execute(self, head: int) -> tuple[Item, ...]:
        code: list[Item] = []
        for index, block in enumerate(self.cut):
            for rows in block.rows:
                runs = self._attends(rows.runs, {}, {"wait": LOAD}, {"signal": LOAD, "swap_kv": 1})
                code += _loop(rows.count, STILL, runs)
            waits = (STORE if head * len(self.cut) + index >= 2 else 0) | (0 if block.visits else LOAD)
            ends = {"signal": STORE, "swap_q": 1, "swap_m": int(len(block.patterns) > 0), "swap_o": 1}
            code += self._attends(block.finish, {"finish": 1}, {"wait": waits}, ends)
        return folded(code, DEEPEST - 1)

    def _attends(self, runs: tuple[Run, ...], every: Flags, opening: Flags, ending: Flags) -> tuple[Command, ...]:
        """One attend for each run; the first and the last have fields of their own."""
        code = []
        for run in runs:
            fields = {
                **every, **(opening if run is runs[0] else {}), **(ending if run is runs[-1] else {}), "first": int(run.first),
                "masked": int(run.pattern is not None), "pattern": run.pattern or 0, "count": run.count, "q": run.begin * self.work.e,
                "state": run.begin * (self.work.f + STATE_OTHERS), "o": run.begin * self.work.f,
            }  # fmt: skip
            code.append(Command("attend", tuple(sorted(fields.items()))))
        return tuple(code)

    def store(self, head: int) -> tuple[Item, ...]:
        code = []
        for index, block in enumerate(self.cut):
            tile = head * query_tiles(self.work, self.hardware) + block.begin
            final = head == self.work.heads - 1 and index == len(self.cut) - 1
            fields = {"wait": EXEC if final else EXEC | LOAD, "signal": LOAD | EXEC, "swap": 1, "inner": block.count * self.work.f}
            code.append(Command("move", (*fields.items(), ("outer", 1)), 0, self.bases.o + tile * self.work.f * self.beats["O"]))
        return folded(code, DEEPEST - 1)


def _refuse_overflow(work: Attention, hardware: Hardware) -> None:
    """Raises SpecError where an int32 sum could leave its range: a weight is at most 2^(weight_bits + threshold)."""
    if hardware.is_float:
        return
    keys = key_tiles(work, hardware) * hardware.rows
    bits = hardware.weight_bits + hardware.threshold
    if (most := keys << bits + VALUE_BITS) > MOST_KEPT:
        raise SpecError(f"lower: {keys:,} keys with weights up to 2^{bits} make a numerator of up to {most:,}, and a 32-bit sum holds "
                        f"{MOST_KEPT:,}; split the keys, or take fewer weight_bits or a lower threshold")  # fmt: skip


def _refuse_far(bases: Bases, extent: dict[str, int]) -> None:
    """Raises SpecError when a tensor reaches beyond the 32 bits of an address."""
    for name, beats in extent.items():
        if (end := getattr(bases, name.lower()) + beats) > 1 << ADDRESS_BEATS:
            raise SpecError(f"lower: {name} ends at beat {end:,}, and an address has {ADDRESS_BEATS} bits; place it lower or split "
                            "the heads")  # fmt: skip
