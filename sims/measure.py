"""What a tile costs on the generated attention engine: ``python -m sims.measure 8 16`` measures those sizes again.

Everything here is read off the simulated hardware: when its commands start and end.  A result that is wrong in one bit ends the
measurement, as a fast machine that computes something else proves nothing.  One engine has contexts for eight tiles; what fewer
tiles in flight give, or buffers that move few words at once, is measured by executing tables that need no more.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from archmodel.engines.attention.cycle import run
from archmodel.engines.attention.lower import Bases, lower
from archmodel.engines.attention.tiling import Attention
from archmodel.engines.sequencing import Event
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.commands import LOAD, STORE
from archmodel.records.engines.attention import STATE_OTHERS, Hardware, instruction
from archmodel.records.formats import format_of
from archmodel.records.program import Program, hardware_id

from .commands.output import write_whole
from .cosim.attention.golden import golden
from .cosim.attention.jobs import Job, make_job
from .cosim.drive import Engine

TABLE = Path(__file__).resolve().parent.parent / "docs" / "attention.csv"
CONTEXTS = 8
SEED = 1
LONG = 20
"""Tiles of keys from which the second half of a row's starts is steady, whatever fills and drains."""
SIZES = ((16, 16), (32, 32), (64, 64), (128, 128), (192, 128), (64, 32))
"""e, f."""


@dataclass(frozen=True)
class Built:
    """An engine of its own; ``size`` rows and columns."""

    size: int
    format: str = "int8"
    degree: int = 6
    mac_latency: int = 1
    rescale: str = "split"
    banks: int = 2

    def hardware(self) -> Hardware:
        """With buffers for all that is measured: 16 tiles of queries of 64, or 4 of 192 and 128."""
        whole = format_of(self.format)
        e, f = max(e for e, _ in SIZES), max(f for _, f in SIZES)
        return Hardware(self.size, self.size, self.format, self.degree, self.mac_latency, CONTEXTS, self.rescale, 0,
                        0 if whole.is_float else 10, 0, self.size * whole.bits // 8, 64, self.banks, q_words=16 * 64, k_words=e, v_words=f,
                        m_words=1, o_words=16 * 64, s_words=16 * (64 + STATE_OTHERS), slots=1024, program_words=128)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One measurement.

    tiles, buffer_words    what the table of the schedule needs at most: tiles in flight, words that buffers move in a slot (0: any)
    queries, keys          tiles of queries that stay while so many tiles of keys pass, for each of two heads
    interval               cycles from one word of K or V at the port to the next; 0: the same tile of keys all the time, loaded once
    """

    built: Built
    e: int = 64
    f: int = 64
    tiles: int = 4
    buffer_words: int = 0
    queries: int = 4
    keys: int = LONG
    interval: int = 1

    def scheduled_for(self) -> Hardware:
        """The hardware for which the table is made."""
        return replace(self.built.hardware(), tiles=self.tiles, buffer_words=self.buffer_words)

    def port(self) -> Port:
        return Port(max(1, self.interval), max(1, self.interval))

    def work(self) -> Attention:
        hw = self.built.hardware()
        bits = hw.weight_bits + 30 if hw.weight_bits else 0
        keys, heads = (self.keys, 2) if self.interval else (1, 1)
        return Attention(self.e, self.f, self.queries * hw.cols, keys * hw.rows, heads, shift=bits and 6, out_shift=bits)

    def program(self, bases: Bases) -> Program:
        """Of the hardware that is built, with the table for fewer tiles or words."""
        made = lower(self.work(), self.scheduled_for(), bases)
        streams = made.streams if self.interval else (made.streams[0], _again(self.keys), *made.streams[2:])
        return replace(made, hardware=hardware_id(self.built.hardware()), streams=streams)

    def job(self) -> Job:
        job = make_job(self.work(), self.built.hardware(), self.port(), None, SEED)
        return replace(job, program=self.program(job.bases))


def _again(times: int) -> bytes:
    """The exec stream for one tile of queries that sees the same tile of keys so often."""
    tile = {"count": 1, "q": 0, "state": 0, "o": 0}
    opening, ending = instruction("attend", wait=LOAD, first=1, **tile), instruction("attend", signal=LOAD, swap_kv=1, **tile)
    loop = instruction("loop", count=times - 2) + instruction("attend", **tile) + instruction("end")
    finish = instruction("attend", finish=1, signal=STORE, swap_q=1, swap_o=1, **tile)
    return opening + loop + ending + finish + instruction("halt")


def wanted(point: Point, job: Job) -> Any:
    """The result by definition."""
    if point.interval:
        return job.wanted()
    (of,), times = job.operands, point.keys
    keys, values = (np.tile(part, (times, 1)) for part in (of.k, of.v))
    seen = np.ones((len(of.q), len(keys)), dtype=np.bool_)
    return golden(of.q, keys, values, seen, job.hardware, job.work.shift, job.work.out_shift)[None]


@dataclass(frozen=True)
class Measured:
    """Cycles.

    tile     from one tile to the next, between the starts of rows of tiles in the second half of a head
    finish   of a tile of queries that is divided and leaves, up to the first row of the next head; 0 where there is none
    row      from the start of a row to its end: ``queries`` tiles enter one after another and the last one leaves
    program  start pulse to done
    """

    tile: Fraction
    finish: Fraction
    row: int
    program: int


def read(point: Point, trace: Sequence[Event], cycles: int) -> Measured:
    """What the starts and ends of all commands say: every attend is a row of tiles, the last one of a head a row that finishes."""
    rows = [event for event in trace if event.unit == "exec"]
    half, last, queries = point.keys // 2, point.keys - 1, point.queries
    tile = Fraction(rows[last].start - rows[half].start, (last - half) * queries)
    following = rows[point.keys + 1 : point.keys + 2]
    finish = Fraction(sum(row.start for row in following) - rows[point.keys].start * len(following), queries)
    return Measured(tile, finish, rows[half].end - rows[half].start, cycles)


def measure(point: Point, engine: Engine) -> Measured:
    """Of the hardware.  Raises SpecError where it doesn't finish, or where a bit of the result is wrong."""
    job = point.job()
    memory = job.memory.copy()
    seen = engine.run(job.program, job.port, memory)
    if seen.status != "done" or not np.array_equal(job.found(memory), wanted(point, job)):
        raise SpecError(f"measure: {point} ends as {seen.status!r} with a wrong result; expected the definition's")
    return read(point, seen.trace, seen.cycles)


def modelled(point: Point) -> Measured:
    """What the cycle model says of the same commands."""
    found = run(point.program(Bases(0, 0, 0, 0, 0)), point.built.hardware(), point.port())
    return read(point, found.trace, found.cycles)


def points(size: int) -> Iterator[Point]:
    """A star around 64 x 64, six steps, a multiply-add of one cycle, four tiles in flight; what is large is measured at less."""
    for rescale in ("split", "fused"):
        yield from _around(Built(size, rescale=rescale))
    if size in (8, 16):
        yield from (Point(Built(size, mac_latency=latency), tiles=tiles) for latency in (2, 4) for tiles in (2, 4, 8))
    if size == 8:
        yield from (Point(Built(size, degree=degree), tiles=tiles) for degree in (2, 4) for tiles in (2, 4, 8))
        yield from (Point(Built(size, "bf16"), e, f) for e, f in SIZES)
        yield from (Point(Built(size, banks=4), queries=queries, keys=5 * LONG) for queries in (1, 2))


def _around(built: Built) -> Iterator[Point]:
    yield from (Point(built, e, f) for e, f in SIZES)
    yield from (Point(built, tiles=tiles) for tiles in (1, 2, 3, 6, 8))
    yield from (Point(built, buffer_words=words) for words in (2, 3, 4, 6))
    yield Point(built, queries=1, interval=0)
    yield from (Point(built, queries=queries, keys=5 * LONG) for queries in (1, 2, 3))
    yield from (Point(built, interval=interval, keys=5 * LONG) for interval in (2, 4, 8))
    yield from (Point(built, queries=tiles, keys=tiles) for tiles in (4, 16))


# --- The table --------------------------------------------------------------------------------------------------------


def cells(point: Point, found: Measured) -> dict[str, str]:
    """A row of the table."""
    flat = asdict(point)
    return {name: str(value) for name, value in {**flat.pop("built"), **flat, **asdict(found)}.items()}


def table() -> list[dict[str, str]]:
    """All rows as they were measured."""
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def text(rows: Sequence[dict[str, str]]) -> str:
    """The table as it is kept."""
    return "".join(",".join(line) + "\n" for line in (rows[0], *(row.values() for row in rows)))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the hardware takes what the cycle model says, 1 where it differs, 2 where it can't be measured."""
    parser = argparse.ArgumentParser(prog="python -m sims.measure", description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int, help="rows and columns of the engines")
    parser.add_argument("--write", action="store_true", help=f"put what is found into {TABLE.name}")
    given = parser.parse_args(arguments)
    try:
        found = [row for size in given.sizes for row in measured(size)]
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    if given.write:
        others = [row for row in table() if int(row["size"]) not in given.sizes]
        write_whole(TABLE, text(sorted(others + found, key=lambda row: int(row["size"]))))
    return int(found != [cells(point, modelled(point)) for size in given.sizes for point in points(size)])


def measured(size: int) -> Iterator[dict[str, str]]:
    """The rows of one size, measured now; printed as they come."""
    for built, mine in groupby(points(size), key=lambda point: point.built):
        with Engine(built.hardware()) as engine:
            for point in mine:
                row = cells(point, measure(point, engine))
                print(",".join(row.values()), flush=True)
                yield row


if __name__ == "__main__":
    raise SystemExit(main())
