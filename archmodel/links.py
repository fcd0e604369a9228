"""Collectives over the links of a fabric: closed forms, in steps in which every link carries so many bytes.

A group of devices is a line along the columns, the rows, or both, of equally spaced devices; all groups of a fabric work at
once, so that lines which lie within one another share their links.  A transfer over several hops passes each link on its way in
the same step (cut-through), and a step ends when its last byte has arrived: hops x latency + bytes of the busiest link / bandwidth.

- all-reduce is a reduce-scatter and an all-gather around a ring (Patarasu and Yuan, JPDC 69(2), 2009): a closed ring is walked in
  both directions at once, each with half of the data; an open line is folded into a ring (0, 2, 4, ... 5, 3, 1), in which a
  neighbour is at most two hops away and each direction of a link carries one chunk.  Over rows and columns: reduce-scatter along
  the rows' direction, all-reduce along the other with what is left, all-gather back.
- all-to-all sends to the devices at distance 1, then 2, ...; over rows and columns one dimension after the other.

Chunks are whole bytes, rounded up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .records.base import SpecError
from .records.machine import Fabric

PICOSECONDS = 10**12
KINDS = ("all-reduce", "all-gather", "all-to-all")


@dataclass(frozen=True)
class Line:
    """``size`` devices, each ``stride`` hops from the next; ``closed``: the last is the first one's neighbour."""

    size: int
    stride: int = 1
    closed: bool = False


@dataclass(frozen=True)
class Phase:
    """``steps`` alike: a transfer takes ``hops`` hops, the busiest direction of a link carries ``load_bytes``.

    ``moved_bytes`` cross a link in all steps, summed over the links of one line.
    """

    steps: int
    hops: int
    load_bytes: int
    moved_bytes: int


@dataclass(frozen=True)
class Cost:
    """Picoseconds of hops and of bytes, which add up, and the bytes that cross a link, summed over a group's links."""

    latency_picoseconds: int
    transfer_picoseconds: int
    moved_bytes: int

    @property
    def picoseconds(self) -> int:
        return self.latency_picoseconds + self.transfer_picoseconds


def lines_of(fabric: Fabric, inner: int, size: int) -> tuple[Line, ...]:
    """The lines of a group of ``size`` devices that are ``inner`` apart in the fabric's order, row by row: along a row, along a column.

    Raises SpecError for a group that is no rectangle.
    """
    rows, columns = fabric.shape
    if size == 1:
        return ()
    if columns % (inner * size) == 0:
        return (Line(size, inner, fabric.topology == "ring" and inner * size == columns and size > 2),)
    if inner % columns == 0:
        return (Line(size, inner // columns),)
    if columns % inner == 0 and inner * size % columns == 0:
        return (Line(columns // inner, inner), Line(inner * size // columns))
    raise SpecError(f"fabric: groups of {size} devices, {inner} apart, are no rectangles of a mesh of {rows} x {columns} devices, "
                    f"expected sizes that divide {columns} or are multiples of it")  # fmt: skip


def cost(kind: str, lines: tuple[Line, ...], size: int, fabric: Fabric) -> Cost:
    """What one collective of a group takes, all groups of the fabric at work.

    ``size`` in bytes: of the array that all-reduce sums and all-gather puts together, or that each sends each other in all-to-all.
    """
    latency = transfer = moved = 0
    for phase, many in _phases(kind, lines, size):
        latency += phase.steps * phase.hops * fabric.latency_picoseconds
        transfer += phase.steps * _ceil(phase.load_bytes * PICOSECONDS, fabric.bandwidth_bytes_per_second)
        moved += phase.moved_bytes * many
    return Cost(latency, transfer, moved)


def _phases(kind: str, lines: tuple[Line, ...], size: int) -> Iterator[tuple[Phase, int]]:
    """Each phase with the number of lines of the group that do it side by side."""
    lines = tuple(line for line in lines if line.size > 1)
    if not lines:
        return
    along, across = lines[0], lines[1] if len(lines) > 1 else Line(1)
    if kind == "all-to-all":
        for line, other in ((along, across), (across, along)):
            yield from ((phase, other.size) for phase in _exchange(line, size * other.size))
        return
    part = _ceil(size, along.size)
    if kind == "all-reduce":
        yield _round(along, size), across.size
        yield _round(across, part), along.size
    yield _round(across, part), along.size
    yield _round(along, size), across.size


def _round(line: Line, size: int) -> Phase:
    """Once around the ring: a reduce-scatter or an all-gather of ``size`` bytes."""
    ways = 2 if line.closed else 1
    chunk = _ceil(size, line.size * ways)
    hops = line.stride * (1 if line.closed or line.size == 2 else 2)
    links = 2 * (line.size if line.closed else line.size - 1)
    return Phase(line.size - 1, hops, line.stride * chunk, (line.size - 1) * links * line.stride * chunk)


def _exchange(line: Line, message: int) -> Iterator[Phase]:
    """All-to-all along a line: a step for each distance."""
    size, stride = line.size, line.stride
    for apart in range(1, size // 2 + 1 if line.closed else size):
        if not line.closed:
            load, moved = min(apart, size - apart) * message, 2 * (size - apart) * apart * message
        else:  # to the device opposite, half goes either way
            part = _ceil(message, 2) if 2 * apart == size else message
            load, moved = apart * part, 2 * size * apart * part
        yield Phase(1, apart * stride, stride * load, stride * moved)


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
