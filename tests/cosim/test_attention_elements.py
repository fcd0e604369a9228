"""An element and a lane of the attention engine against the definition of every micro-op, hundreds of thousands of values each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from archmodel.engines.attention.arithmetic import arithmetic_of, exponential
from archmodel.records.engines.attention import RECIPROCAL, STATE_OTHERS, STATE_RD, STATE_RM, Params, resolve
from archmodel.records.exponential import DOWN, UP
from rtl.attention import lane, pe
from rtl.attention.wires import ONE, TWO, element_layout, lane_layout
from sims.cosim.elements import Element

BASE = Params(rows=2, cols=2, port_bytes=1, tiles=1)
CASES = (
    (replace(BASE, rescale="split"), 16), (replace(BASE, degree=3, weight_bits=14, threshold=16), 9),
    (replace(BASE, format="bf16"), 0), (replace(BASE, format="bf16", degree=8, threshold=1, rescale="split"), 0),
)  # fmt: skip
"""Engines, and fraction bits of a score."""
OUT_SHIFT = 38
VECTORS = 50_000
LANE_VECTORS = 10_000
ONE_BF16 = 0x3F80


def _pack(layout, **fields):
    """Control words, as an array where a field is one."""
    return sum(np.asarray(value, dtype=np.uint64) << np.uint64(layout[name].offset) for name, value in fields.items())


def _signed(bits, width):
    return ((bits.astype(np.int64) + (1 << width - 1)) & ((1 << width) - 1)) - (1 << width - 1)


def _pattern(values, width=32):
    return (np.asarray(values) & ((1 << width) - 1)).astype(np.uint64)


def _wholes(rng, count):
    """Four arrays of int32 of every magnitude."""
    return rng.integers(-(1 << 31), 1 << 31, (4, count)) >> rng.integers(0, 31, (4, count))


def _singles(rng, count):
    """fp32 patterns: any, near one another, and every edge."""
    any_ = rng.integers(0, 1 << 32, count)
    usual = rng.normal(0, 40, count).astype(np.float32).view(np.uint32).astype(np.int64)
    edges = rng.choice([0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x3F800000, 0x43000000, 0x42FFFFFF], count)
    edges = edges | rng.integers(0, 2, count) << 31
    values = np.choose(rng.choice(3, count, p=(0.3, 0.6, 0.1)), (any_, usual, edges))
    exponent, mantissa = values >> 23 & 0xFF, values & 0x7FFFFF
    return np.where((exponent == 255) & (mantissa > 0), 0x7FC00000, values)


def _neighbours(rng, values):
    """Values at a distance that matters to an exponential, rounded anyhow."""
    with np.errstate(all="ignore"):
        near = values.astype(np.uint32).view(np.float32) + np.float32(1) * rng.normal(0, 30, len(values)).astype(np.float32)
    bits = near.view(np.uint32).astype(np.int64)
    return np.where(np.isnan(near), 0x7FC00000, bits)


def _bf16(rng, count):
    """bf16 patterns, all NaNs the one that operations give; the engine's operands may have others."""
    return rng.integers(0, 1 << 16, count)


@cache
def _hardware(params):
    return resolve(params, 1 << 12)


class Inputs:
    """What one vector needs: three products for a score, what comes down, an operand of V."""

    def __init__(self, hardware, seed):
        rng, n = np.random.default_rng(seed), VECTORS
        self.seen = rng.integers(0, 8, n) > 0
        if not hardware.is_float:
            self.k, self.q = rng.integers(-128, 128, (2, 3, n))
            self.v = rng.integers(-128, 128, n)
            self.local, self.above, self.down, self.below = _wholes(rng, n)
            return
        exact = _singles(rng, n)
        digits, exponent = exact & 0x7FFFFF, exact >> 23 & 0xFF
        plain = (exponent > 60) & (exponent < 200)
        significand = np.where(plain, digits | 1 << 23, 0)
        sign = exact >> 31 << 15
        scale = np.where(plain, exponent - 127 - 23, 0)
        # A score whose every bit is given, in three products of eight bits each; or any three products.
        pieces = np.array([(significand >> shift & 255) for shift in (16, 8, 0)]).astype(np.float32)
        factors = np.float32(2) ** np.array([scale + shift for shift in (16, 8, 0)]).astype(np.float32)
        given = plain & (rng.integers(0, 4, n) > 0)
        self.k = np.where(given, (pieces.view(np.uint32) >> 16) | sign, rng.integers(0, 1 << 16, (3, n))).astype(np.int64)
        self.q = np.where(given, factors.view(np.uint32) >> 16, rng.integers(0, 1 << 16, (3, n))).astype(np.int64)
        self.v = _bf16(rng, n)
        self.local, self.down, self.below = (_singles(rng, n) for _ in range(3))
        self.above = np.where(rng.integers(0, 4, n) > 0, _neighbours(rng, exact), _singles(rng, n))


@pytest.mark.parametrize(("params", "shift"), CASES)
def test_element(params, shift):
    hardware = _hardware(params)
    unit, given = arithmetic_of(hardware, shift, OUT_SHIFT), Inputs(hardware, 1)
    layout, degree = element_layout(hardware), hardware.degree
    bits = hardware.element.bits
    names = ("qk", "qk", "qk", "max", "sub", *("poly",) * degree, "sum", "av", "none")
    steps = len(names)
    control = np.array([_pack(layout, op=TWO[name], first=i == 0 or i == 5, last=i == degree + 4) for i, name in enumerate(names)])
    x, q, down = (np.zeros((VECTORS, steps), dtype=np.uint64) for _ in range(3))
    for i in range(3):
        x[:, i], q[:, i] = _pattern(given.k[i], bits), _pattern(given.q[i], bits)
    x[:, degree + 6] = _pattern(given.v, bits)
    down[:, 3], down[:, 4] = _pattern(given.local), _pattern(given.above)
    down[:, 5 : 5 + degree] = _pattern(_coefficients(hardware))
    down[:, degree + 5], down[:, degree + 6] = _pattern(given.below), _pattern(given.down)
    found = Element(hardware, pe.NAME).run(
        shift=np.full(VECTORS * steps, shift), control_in=np.tile(control, VECTORS), seen=np.repeat(given.seen, steps),
        x_in=x.ravel(), q_in=q.ravel(), down_in=down.ravel())["down_out"].reshape(VECTORS, steps)  # fmt: skip
    score = np.zeros(VECTORS, dtype=np.int64)
    for i in range(3):
        score = unit.multiply_add(given.k[i], given.q[i], score)
    hidden = unit.hidden(given.seen, score)
    power = unit.power(score, given.above)
    weight = unit.weight(exponential(unit, power), power, hidden)
    for column, wanted in (
        (3, unit.larger(given.local, np.where(hidden, unit.lowest, score))), (4, given.above),
        (degree + 5, unit.add_weight(given.below, weight)), (degree + 6, unit.add_value(given.down, weight, given.v, hidden)),
    ):  # fmt: skip
        wrong = np.flatnonzero(found[:, column + 1] != _pattern(wanted))
        assert not wrong.size, (names[column], wrong.size, score[wrong[0]], given.above[wrong[0]], found[wrong[0]], wanted[wrong[0]])
    assert np.unique(weight).size > 200 and np.unique(power.n).size > 40


def _coefficients(hardware):
    return np.array((UP if hardware.is_float else DOWN)[hardware.degree][1:])


@pytest.mark.parametrize(("params", "shift"), CASES)
def test_lane(params, shift):
    """Two tiles and the one that finishes: every word of state comes back as the RM of a micro-op to which nothing arrives."""
    hardware = _hardware(params)
    unit, given = arithmetic_of(hardware, shift, OUT_SHIFT), Inputs(hardware, 2)
    rng, vectors = np.random.default_rng(3), LANE_VECTORS
    first, second, rd, rnv = (values[:vectors] for values in (given.above, given.local, given.below, given.down))
    if hardware.is_float:
        second = np.where(rng.integers(0, 4, vectors) > 0, _neighbours(rng, first), second)
        rd = np.where(rng.integers(0, 2, vectors), rd & 0x7FFFFFFF, rd)
    else:
        second = np.where(rng.integers(0, 4, vectors) > 0, first + rng.integers(0, 1 << 6 + shift, vectors), second)
        second = np.clip(second, -(1 << 31), (1 << 31) - 1)
    sld, slnv = given.local[::-1][:vectors], given.above[::-1][:vectors]
    program = _lane_program(hardware)
    layout = lane_layout(hardware)
    control = np.array([_pack(layout, **fields) for fields, _ in program])
    arrivals = {"first": first, "second": second, "rd": rd, "rnv": rnv, "sld": sld, "slnv": slnv, "lowest": np.full(vectors, unit.lowest)}
    arriving = np.zeros((vectors, len(program)), dtype=np.uint64)
    for at, (_, name) in enumerate(program):  # control is a cycle ahead
        if name:
            arriving[:, at + 1] = _pattern(arrivals[name])
    size = vectors * len(program)
    found = Element(hardware, lane.NAME).run(shift=np.full(size, shift), out_shift=np.full(size, OUT_SHIFT),
                                             control_in=np.tile(control, vectors), arriving=arriving.ravel())  # fmt: skip
    up, out = (found[name].reshape(vectors, len(program)) for name in ("up", "out"))
    running = unit.maximum(np.full(vectors, unit.lowest), first)
    power = unit.power(np.full(vectors, unit.lowest), running)
    none = unit.rescale(exponential(unit, power), power, np.ones(vectors, dtype=bool))
    update = unit.scaled if hardware.rescale == "fused" else unit.split
    zero = np.zeros(vectors, dtype=np.int64)
    rd, rnv = update(zero, none, rd), update(zero, none, rnv)
    maximum = unit.maximum(running, second)
    power = unit.power(running, maximum)
    prm = unit.rescale(exponential(unit, power), power, running == unit.lowest)
    rd, rnv = update(rd, prm, sld), update(rnv, prm, slnv)
    reads = [at for at, (fields, name) in enumerate(program) if fields["op"] == ONE["rmax"]]
    level = _level(unit)
    for at, wanted in zip(reads, (running, maximum, level(rd), level(rnv)), strict=True):
        # In its cycle at + 1 the micro-op is executed, in at + 2 RM' is in its context, and in at + 3 on its way up.
        wrong = np.flatnonzero(up[:, at + 3] != _pattern(wanted))
        assert not wrong.size, (at, wrong.size, [int(values[wrong[0]]) for values in (first, second, sld, slnv, up[:, at + 3], wanted)])
    wanted = unit.output(rnv, unit.reciprocal(rd))
    wrong = np.flatnonzero(out[:, -1] != _pattern(wanted, hardware.element.bits))
    assert not wrong.size, (wrong.size, int(rd[wrong[0]]), int(rnv[wrong[0]]), int(out[wrong[0], -1]), int(wanted[wrong[0]]))
    assert np.unique(wanted).size > 50 or not hardware.is_float


def _level(unit):
    """What a micro-op rmax keeps to which nothing but the least score arrives."""
    return lambda state: unit.maximum(state, np.full_like(state, unit.lowest))


def _lane_program(hardware):
    """[(fields of the control, what arrives)], a slot each, with the distances that a schedule keeps."""
    program = []

    def slot(name="none", arriving="", word=0, **fields):
        program.append(({"op": ONE[name], "address": word, **fields}, arriving))

    def tile(local, denominator, numerator, first):
        slot("rmax", local, STATE_RM, first=first)
        slot("psub", first=first)
        for k in range(hardware.degree):
            slot("ppoly", step=k, first=first)
        if hardware.rescale == "split":
            slot("spd", "", STATE_RD, first=first)
            slot("spnv", "", STATE_OTHERS, first=first)
            slot()
        slot("rd", denominator, STATE_RD, first=first)
        slot("rnv", numerator, STATE_OTHERS, first=first)
        slot()
        slot()

    tile("first", "rd", "rnv", 1)
    tile("second", "sld", "slnv", 0)
    slot("rmax", "lowest", STATE_RD)
    slot("rmax", "lowest", STATE_OTHERS)
    slot()
    slot()
    slot("none", "", STATE_RD, divide=1, finish=1)
    for _ in range(RECIPROCAL - 1):
        slot()
    slot("rnv", "", STATE_OTHERS, finish=1)
    slot()
    slot()
    return program
