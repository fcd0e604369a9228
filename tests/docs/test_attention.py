"""The tables of docs/attention.md are those of docs/attention.csv, and at 256x256 those of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import pytest

from archmodel.engines.attention import Attention, price
from archmodel.engines.attention.schedule import Shape, schedule
from archmodel.memory.port import Port
from archmodel.records.engines.attention import Hardware
from sims import measure
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "attention.md").read_text()
ROWS = measure.table()
CENTRE: dict[str, Any] = {"size": 8, "format": "int8", "degree": 6, "mac_latency": 1, "rescale": "split", "banks": 2, "e": 64, "f": 64,
                          "tiles": 4, "buffer_words": 0, "queries": 4, "keys": 20, "interval": 1}  # fmt: skip


def found(what: str = "tile", **point: Any) -> str:
    """A figure of one row of the table, to a tenth of a cycle."""
    wanted = {name: str(value) for name, value in {**CENTRE, **point}.items()}
    (row,) = (row for row in ROWS if wanted.items() <= row.items())
    value = Fraction(row[what])
    return f"{value}" if value.denominator == 1 else f"{float(value):.1f}"


def line(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def both(points: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Fused and split of each."""
    return tuple(found(rescale=rescale, **point) for point in points for rescale in ("fused", "split"))


def head_sizes() -> Iterator[str]:
    for e, f in measure.SIZES:
        yield line(e, f, e + f + 9, 2 * f + 10, *both({"e": e, "f": f, "size": size} for size in (4, 8, 16)))


def in_flight() -> Iterator[str]:
    for tiles in (1, 2, 3, 4, 6, 8):
        model = (schedule(shape(256, tiles, rescale == "split")).period for rescale in ("fused", "split"))
        yield line(tiles, *both({"tiles": tiles, "size": size} for size in (4, 8, 16)), *model)


def large() -> Iterator[str]:
    tiles = (found(size=32, tiles=tiles) for tiles in (1, 2, 3, 4))
    words = (found(size=32, buffer_words=words) for words in (2, 3, 4))
    heads = (found(size=32, e=e, f=f) for e, f in measure.SIZES if (e, f) != (64, 64))
    yield line("32x32", *tiles, *words, *heads)


def shape(size: int, tiles: int, split: bool, e: int = 64, latency: int = 1) -> Shape:
    return Shape(size, size, 6, latency, tiles, split, 0, e, e)


def latencies() -> Iterator[str]:
    for latency in (1, 2, 4):
        model = (schedule(shape(256, tiles, True, latency=latency)).period for tiles in (4, 8, 16))
        yield line(latency, *(found(mac_latency=latency, tiles=tiles, size=size) for size in (8, 16) for tiles in (2, 4, 8)),
                   *model)  # fmt: skip


def degrees() -> Iterator[str]:
    for degree in (2, 4, 6):
        yield line(degree, 128 + degree + 3, 128 + degree + 4, *(found(degree=degree, tiles=tiles) for tiles in (2, 4)))


def buffer_words() -> Iterator[str]:
    for words in (2, 3, 4, 6, 0):
        yield line(words or "any", *both({"buffer_words": words, "size": size} for size in (4, 8, 16)))


def one_tile() -> Iterator[str]:
    yield line("the same keys again and again", *both([{"queries": 1, "interval": 0}]), "")
    for queries in (1, 2, 3):
        deep = found(queries=queries, keys=100, banks=4) if queries < 3 else ""
        yield line(f"{queries} of queries, a word a cycle", *both([{"queries": queries, "keys": 100}]), deep)
    for interval in (2, 4, 8):
        yield line(f"4 of queries, a word every {interval} cycles", *both([{"keys": 100, "interval": interval}]), "")


def whole_programs() -> Iterator[str]:
    for side in (4, 16):
        for rescale in ("fused", "split"):
            cycles = found("program", queries=side, keys=side, rescale=rescale)
            period = int(found(queries=side, keys=side, rescale=rescale))
            share = 2 * side * side * period / int(cycles)
            yield line(f"{side} x {side}", rescale, f"{int(cycles):,}", f"{2 * side * side * period:,}", f"{2 * side * period:,}",
                       f"{int(cycles) - 2 * side * (side + 1) * period:,}", f"{100 * share:.1f} %")  # fmt: skip


LEAST = {(64, 1): (3, 3, 4, 7), (64, 2): (3, 5, 7, 12), (128, 1): (3, 3, 3, 4), (128, 2): (3, 4, 5, 7)}
"""Tiles in flight for 2F + 10 cycles with split lanes, by head size and latency, at these sizes:"""
LEAST_AT = (16, 64, 128, 256)


def least() -> Iterator[str]:
    for (e, latency), tiles in LEAST.items():
        yield line(e, latency, *tiles)


@pytest.mark.parametrize(("e", "latency"), LEAST)
def test_as_many_tiles_are_needed_and_no_more(e: int, latency: int) -> None:
    """One fewer only for heads of 64: looking in vain takes a quarter of a minute at 128."""
    for size, tiles in zip(LEAST_AT, LEAST[e, latency], strict=True):
        assert schedule(shape(size, tiles, True, e, latency)).period == 2 * e + 10
        assert e > 64 or schedule(shape(size, tiles - 1, True, e, latency)).period > 2 * e + 10


def published() -> Iterator[str]:
    """FuseMax's own array and lengths, BERT's 768 heads: its formula beside the closed form of our hardware."""
    for e in (64, 128):
        for power in (10, 12, 14, 16):
            length = 1 << power
            theirs = length // 256 * (length // 256 * (2 * e + 10) + e)
            ours = (per_head(length, e, tiles, banks) / theirs for tiles, banks in ((4, 2), (8, 2), (8, 4)))
            yield line(e, f"{length:,}", f"{theirs:,}", *(f"{ratio:.3f}" for ratio in ours))


def per_head(length: int, e: int, tiles: int, banks: int) -> float:
    words = 64 * e
    hardware = Hardware(256, 256, "bf16", 6, 1, tiles, "split", 0, 0, 0, 512, 64, banks, words, e, e, 1, words, 64 * (e + 2), 2048, 1024)
    return price(Attention(e, e, length, length, heads=768), hardware, Port(1, 1)).cycles / 768


TABLES = (head_sizes, in_flight, large, latencies, degrees, buffer_words, one_tile, whole_programs, least, published)


@pytest.mark.parametrize("rows", TABLES)
def test_a_table_of_the_page(rows: Any) -> None:
    assert "\n".join(rows()) in PAGE
