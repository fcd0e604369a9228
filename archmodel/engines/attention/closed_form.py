"""What one attention costs, in closed form; it equals the cycle model exactly for every port of constant timing.

With II the schedule's period and S its stages, row i of n tiles, whose loads of K and V take k and v cycles at B banks:

    load(i) = max(end of the move before, done(i - B))        V is there at load(i) + k + v
    begin(i) = max(that, begin(i-1) + n(i-1) * II), and while tiles are in flight on the next boundary of periods
    done(i) = begin(i) + (n(i) - 1 + S) * II

and a block ends with a row that finishes.  The port's order is total: the loads of a block, the store of the block before,
the loads of the next.  Rows, blocks and heads that are alike cost the same once the times between them repeat, so a run of
them is a multiplication, whatever their number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from archmodel.engines.moves import load_cycles, store_cycles
from archmodel.memory.port import Port
from archmodel.records.engines.attention import Hardware

from .lower import scheduled
from .tiling import Attention, Block, Rows, blocks

START = 3
"""From the start pulse to the first command: fetch, decode, issue."""


@dataclass(frozen=True)
class Cost:
    """Counts of one attention.

    cycles        start pulse to done
    period        of the schedule: array cycles of one tile;  stages  periods from a tile's entry until it has left
    tiles         that enter the arrays;  finishing  of them, those that only divide
    port_cycles   cycles in which a move is in flight, loads and stores together
    read_bytes, write_bytes    over the memory port
    filled        words loaded into Q, K, V, M;  stored  words of O
    """

    cycles: int
    period: int
    stages: int
    tiles: int
    finishing: int
    port_cycles: int
    read_bytes: int
    write_bytes: int
    filled: dict[str, int]
    stored: int


def price(work: Attention, hardware: Hardware, port: Port, size: int = 0) -> Cost:
    """Cycles and traffic of one attention in blocks of ``size`` tiles of queries, each exactly as the cycle model counts them.

    Raises SpecError where ``lower`` does, but for addresses and numbers of instructions.
    """
    cut = blocks(work, hardware, size)
    found = scheduled(work, hardware)
    clock = _Clock(work, hardware, port, found.period, found.stages)
    cycles = clock.heads(cut)
    keys = work.heads * sum(block.visits for block in cut)
    tiles = work.heads * sum(rows.count * rows.tiles for block in cut for rows in block.rows)
    finishing = work.heads * sum(block.count for block in cut)
    filled = {"Q": finishing * work.e, "K": keys * work.e, "V": keys * work.f, "M": work.heads * sum(len(block.patterns) for block in cut)}
    busy = sum(clock.block_cycles(block) for block in cut) * work.heads + keys * clock.keys
    read = sum(words * hardware.beats(name) for name, words in filled.items()) * hardware.port_bytes
    written = finishing * work.f * hardware.beats("O") * hardware.port_bytes
    return Cost(cycles, found.period, found.stages, tiles + finishing, finishing, busy, read, written, filled, finishing * work.f)


def _alike(cut: tuple[Block, ...]) -> list[tuple[Block, int]]:
    """Blocks that follow each other and take the same time, and how many."""
    return [(same[0], len(same)) for same in (list(run) for _, run in groupby(cut, _kind))]


def _kind(block: Block) -> tuple[object, ...]:
    return block.count, len(block.patterns), tuple((rows.count, rows.tiles) for rows in block.rows)


class _Clock:
    """Times of what happens last: all that the future depends on."""

    def __init__(self, work: Attention, hardware: Hardware, port: Port, period: int, stages: int) -> None:
        self.work, self.period, self.stages = work, period, stages
        self.hardware, self.port = hardware, port
        self.keys = self.move("K", work.e) + self.move("V", work.f)
        self.free = START
        """The port and the load unit."""
        self.begun = self.next = self.empty = 0
        """The last command of the arrays began; the next may; no tile is in flight."""
        self.done: deque[int] = deque(maxlen=hardware.banks)
        """The last rows, as many as there are banks of K and V."""
        self.pending: tuple[int, int] | None = None
        """The last block that is not stored: when it is finished, and its words."""

    def move(self, name: str, words: int) -> int:
        return int(load_cycles(words, self.hardware.beats(name), self.hardware, self.port))

    def store(self, words: int) -> int:
        return int(store_cycles(words, self.hardware.beats("O"), self.hardware, self.port))

    def block_cycles(self, block: Block) -> int:
        """Cycles of the moves of a block that are not of keys."""
        masks = self.move("M", len(block.patterns)) if len(block.patterns) else 0
        return self.move("Q", block.count * self.work.e) + masks + self.store(block.count * self.work.f)

    def heads(self, cut: tuple[Block, ...]) -> int:
        """Cycles of all heads."""
        kinds = _alike(cut)
        self._repeat(self.work.heads, lambda: self._head(kinds))
        self._store()
        return self.free

    def _head(self, kinds: list[tuple[Block, int]]) -> None:
        for block, count in kinds:
            self._repeat(count, lambda block=block: self._block(block))  # type: ignore[misc]

    def _block(self, block: Block) -> None:
        self.free += self.move("Q", block.count * self.work.e)
        if len(block.patterns):
            self.free += self.move("M", len(block.patterns))
        pending, self.pending = self.pending, None  # the rows don't depend on it
        for rows in block.rows:
            self._repeat(rows.count, lambda rows=rows: self._row(rows))  # type: ignore[misc]
        loaded, self.pending = self.free, pending
        self._store()
        self._begin(self.next if block.rows else loaded, block.count)
        self.pending = (self.empty, block.count * self.work.f)

    def _row(self, rows: Rows) -> None:
        if len(self.done) == self.done.maxlen:
            self.free = max(self.free, self.done[0])
        self.free += self.keys
        self._begin(self.free, rows.tiles)
        self.done.append(self.empty)

    def _begin(self, allowed: int, tiles: int) -> None:
        """So many tiles enter as soon as they may, one a period."""
        at = max(allowed, self.next)
        if at < self.empty:
            at += (self.begun - at) % self.period
        self.begun, self.next = at, at + tiles * self.period
        self.empty = self.next + (self.stages - 1) * self.period

    def _store(self) -> None:
        if self.pending:
            finished, words = self.pending
            self.free = max(self.free, finished) + self.store(words)

    def _relative(self) -> tuple[object, ...]:
        """The times as seen from the last begin: where they are the same, so is all that follows."""
        at = self.begun
        pending = self.pending and (self.pending[0] - at, self.pending[1])
        return self.free - at, self.next - at, self.empty - at, tuple(done - at for done in self.done), pending

    def _later(self, cycles: int) -> None:
        self.free += cycles
        self.begun += cycles
        self.next += cycles
        self.empty += cycles
        self.done = deque((done + cycles for done in self.done), self.done.maxlen)
        if self.pending:
            self.pending = (self.pending[0] + cycles, self.pending[1])

    def _repeat(self, count: int, step: Callable[[], None]) -> None:
        """``count`` steps that are alike; those between two equal states are multiplied."""
        seen: dict[tuple[object, ...], tuple[int, int]] = {}
        number = 0
        while number < count:
            state = self._relative()
            if state in seen:
                before, begun = seen[state]
                rounds = (count - number) // (number - before)
                self._later(rounds * (self.begun - begun))
                number += rounds * (number - before)
                seen.clear()
                continue
            seen[state] = (number, self.begun)
            step()
            number += 1
