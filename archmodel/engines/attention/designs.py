"""The closed form for arrays of designs: sizes of the arrays, buffers and lengths, all at once.

Attentions without a mask: all blocks of a head are alike but the last, all rows of a block are.  The recurrence is that of
``closed_form``, for many designs in one step; what repeats is multiplied here too, and the few designs whose times don't
repeat soon are priced one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archmodel.engines.moves import load_cycles, store_cycles
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import MAX_BANK_WORDS, STATE_BITS, STATE_OTHERS, Params, resolve
from archmodel.records.formats import format_of

from .closed_form import START, price
from .schedule import Shape, schedule
from .tiling import Attention

Array = npt.NDArray[np.int64]
AT_ONCE = 4096
"""Designs priced in one pass, so that their arrays stay in cache."""
PATIENCE = 24
"""Steps after which a design whose times don't repeat is priced by itself."""
NEVER = -(1 << 60)
"""The time of what has not happened."""


@dataclass(frozen=True, eq=False)
class Designs:
    """N designs, each array [N] or one number for all: the engine's rows, cols and buffer, and the work (see Attention)."""

    rows: Array
    cols: Array
    buffer_bytes: Array
    queries: Array
    keys: Array
    heads: Array
    group: Array


@dataclass(frozen=True, eq=False)
class Prices:
    """Of each design.  fits: port and buffer hold a tile; where not, all counts are 0.  The others: see Cost."""

    fits: npt.NDArray[np.bool_]
    cycles: Array
    period: Array
    tiles: Array
    read_bytes: Array
    write_bytes: Array


class _Work(NamedTuple):
    """What the recurrence needs of each design, [N]: of blocks but the last (full) and of the last."""

    period: Array
    stages: Array
    heads: Array
    blocks: Array
    full: Array
    last: Array
    key_tiles: Array
    keys_cycles: Array
    full_opening: Array
    last_opening: Array
    full_store: Array
    last_store: Array

    def of(self, which: Array) -> _Work:
        return _Work(*(values[which] for values in self))


FREE, BEGUN, NEXT, EMPTY, PENDING, STORE, NUMBER, DONE = range(8)
"""Rows of the state [.., N]: the times of ``closed_form``'s clock; STORE is the cycles of the pending store, NUMBER the design."""
Step = Callable[[Array, _Work], None]


def price_designs(designs: Designs, params: Params, e: int, f: int, port: Port) -> Prices:
    """Cycles and traffic of each design, exactly as ``price`` gives them for blocks as large as fit.

    params  of the engine, but for rows and cols;  e, f  sizes of a query's and of a value's vector, of all
    Raises SpecError where no schedule exists.
    """
    given = (designs.rows, designs.cols, designs.buffer_bytes, designs.queries, designs.keys, designs.heads, designs.group)
    all_of = np.array([np.ravel(values) for values in np.broadcast_arrays(*given)], dtype=np.int64)
    parts = [_priced(Designs(*all_of[:, at : at + AT_ONCE]), params, e, f, port) for at in range(0, all_of.shape[1], AT_ONCE)]
    return Prices(*(np.concatenate([getattr(part, name) for part in parts]) for name in Prices.__dataclass_fields__))


def _priced(designs: Designs, params: Params, e: int, f: int, port: Port) -> Prices:
    depth = _depths(designs, params)
    needs = {"Q": e, "K": e, "V": f, "M": 1, "O": f, "S": f + STATE_OTHERS}
    bits = format_of(params.format).bits
    whole = (designs.rows * bits % (8 * params.port_bytes) == 0) & (designs.cols * bits % (8 * params.port_bytes) == 0)
    fits = np.logical_and.reduce([whole, *((depth[name] >= need) & (depth[name] <= MAX_BANK_WORDS) for name, need in needs.items())])
    tiles = -(-designs.queries * designs.group // designs.cols)
    size = np.maximum(1, np.minimum.reduce([tiles, *(depth[name] // needs[name] for name in "QSO")]))
    period, stages = _schedules(designs, params, e, f, fits)
    beats = {name: -(-lanes * bits // (8 * params.port_bytes)) for name, lanes in (("Q", designs.cols), ("K", designs.rows))}
    beats["M"] = -(-designs.rows * designs.cols // (8 * params.port_bytes))
    ragged = designs.keys % designs.rows > 0
    blocks = -(-tiles // size)
    last = tiles - (blocks - 1) * size
    mask = ragged * load_cycles(1, beats["M"], params, port)
    opening = [load_cycles(count * e, beats["Q"], params, port) + mask for count in (size, last)]
    closing = [store_cycles(count * f, beats["Q"], params, port) for count in (size, last)]
    row = sum(load_cycles(size, beats["K"], params, port) for size in (e, f))
    work = _Work(period, stages, designs.heads, blocks, size, last, -(-designs.keys // designs.rows), row, *opening, *closing)
    cycles, slow = _cycles(work.of(np.flatnonzero(fits)), params.buffering)
    total = np.zeros_like(tiles)
    total[fits] = cycles
    for number in np.flatnonzero(fits)[slow]:
        total[number] = _alone(designs, int(number), params, e, f, port)
    visits = blocks * work.key_tiles
    read = tiles * e * beats["Q"] + visits * (e + f) * beats["K"] + blocks * ragged * beats["M"]
    scale = designs.heads * params.port_bytes * fits
    return Prices(fits, total, period, designs.heads * tiles * (work.key_tiles + 1) * fits, read * scale, tiles * f * beats["Q"] * scale)


def _depths(designs: Designs, params: Params) -> dict[str, Array]:
    """Words a bank of each buffer, as ``resolve`` works them out."""
    bits = format_of(params.format).bits
    wide, tall = bits * designs.cols, bits * designs.rows
    sizes = (2 * wide, params.buffering * tall, params.buffering * tall, 2 * designs.rows * designs.cols, 2 * wide,
             STATE_BITS * designs.cols)  # fmt: skip
    shares = params.buffer_split
    return {name: 8 * designs.buffer_bytes * share // (sum(shares) * size)
            for name, share, size in zip("QKVMOS", shares, sizes, strict=True)}  # fmt: skip


def _schedules(designs: Designs, params: Params, e: int, f: int, fits: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Period and stages of each design's schedule, each found once."""
    sides, which = np.unique(np.stack((designs.rows, designs.cols)) * fits, axis=1, return_inverse=True)
    found = np.zeros_like(sides)
    for at, (rows, cols) in enumerate(sides.T.tolist()):
        if rows:
            shape = Shape(rows, cols, params.degree, params.mac_latency, params.tiles, params.rescale == "split", params.buffer_words, e, f)
            one = schedule(shape)
            found[:, at] = one.period, one.stages
            if one.period > params.slots:
                raise SpecError(f"lower: a period of {one.period} slots for heads of {e} and {f}, and the table holds {params.slots}; "
                                "raise slots")  # fmt: skip
    return found[0][which.ravel()], found[1][which.ravel()]


def _alone(designs: Designs, number: int, params: Params, e: int, f: int, port: Port) -> int:
    """Cycles of one design."""
    rows, cols, size, queries, keys, heads, group = (int(getattr(designs, name)[number]) for name in Designs.__dataclass_fields__)
    hardware = resolve(replace(params, rows=rows, cols=cols), size)
    return price(Attention(e, f, queries, keys, heads, group), hardware, port).cycles


def _cycles(work: _Work, banks: int) -> tuple[Array, npt.NDArray[np.intp]]:
    """Cycles of each design, and the numbers of those that are not to be trusted: their times didn't repeat soon."""
    count = len(work.period)
    state = np.zeros((DONE + banks, count), dtype=np.int64)
    state[FREE], state[NUMBER] = START, np.arange(count)
    state[PENDING] = state[DONE:] = NEVER
    slow: list[Array] = []
    timed = np.array([row for row in range(DONE + banks) if row not in (STORE, NUMBER)])
    rows_timed = timed[timed != PENDING]

    def block(now: Array, mine: _Work, tiles: Array, opening: Array, store: Array) -> None:
        now[FREE] += opening
        lengths = mine._replace(full=tiles)
        _repeat(now, lengths, mine.key_tiles, _row, rows_timed, slow, banks)
        _store(now)
        _begin(now, now[NEXT], tiles, mine)
        now[PENDING], now[STORE] = now[EMPTY], store

    def full(now: Array, mine: _Work) -> None:
        block(now, mine, mine.full, mine.full_opening, mine.full_store)

    def head(now: Array, mine: _Work) -> None:
        _repeat(now, mine, mine.blocks - 1, full, timed, slow, banks)
        block(now, mine, mine.last, mine.last_opening, mine.last_store)

    _repeat(state, work, work.heads, head, timed, slow, banks)
    _store(state)
    return state[FREE], np.unique(np.concatenate(slow)) if slow else np.zeros(0, dtype=np.intp)


def _row(now: Array, mine: _Work) -> None:
    now[FREE] = np.maximum(now[FREE], now[DONE]) + mine.keys_cycles
    _begin(now, now[FREE], mine.full, mine)
    now[DONE:-1] = now[DONE + 1 :]
    now[-1] = now[EMPTY]


def _begin(now: Array, allowed: Array, tiles: Array, mine: _Work) -> None:
    at = np.maximum(allowed, now[NEXT])
    at += np.where(at < now[EMPTY], (now[BEGUN] - at) % mine.period, 0)
    now[BEGUN] = at
    now[NEXT] = at + tiles * mine.period
    now[EMPTY] = now[NEXT] + (mine.stages - 1) * mine.period


def _store(now: Array) -> None:
    now[FREE] = np.where(now[STORE] > 0, np.maximum(now[FREE], now[PENDING]) + now[STORE], now[FREE])


def _repeat(state: Array, work: _Work, count: Array, step: Step, timed: Array, slow: list[Array], lag: int) -> None:
    """``count`` steps for each design, in place; what repeats after ``lag`` steps is multiplied."""
    which = np.flatnonzero(count > 0)
    now, mine, left = state[:, which], work.of(which), count[which]
    past: list[Array] = []
    for number in range(PATIENCE + 1):
        if number == PATIENCE:
            slow.append(now[NUMBER].copy())
            left[:] = 0
        if len(past) == lag:
            shift = now[BEGUN] - past[0][BEGUN]
            alike = (now[timed] - past[0][timed] == shift).all(axis=0) & (now[STORE] == past[0][STORE])
            rounds = np.where(alike, left // lag, 0)
            now[timed] += rounds * shift
            left -= rounds * lag
            past = past[1:]
        if (ends := left == 0).any():
            state[:, which[ends]] = now[:, ends]
            on = np.flatnonzero(~ends)
            which, now, mine, left = which[on], now[:, on], mine.of(on), left[on]
            past = [before[:, on] for before in past]
        if not len(which):
            return
        past.append(now.copy())
        step(now, mine)
        left -= 1
