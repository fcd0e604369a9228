"""The machines of the study, one SM of them, and what a work tile or a whole kernel takes on them."""

from __future__ import annotations

import functools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from archmodel.dispatch import makespan
from archmodel.evaluation import evaluate
from archmodel.load import load_machine
from archmodel.records.machine import Machine
from archmodel.records.result import OpResult

from . import graphs, trees
from .graphs import Shape
from .trees import ENGINE, SHARED

TILES = ("a", "b")
"""The two tiles of queries that ping-pong in a CTA."""
PERSISTENT = 128
"""The largest head size whose result has a shared memory of its own."""


@functools.cache
def machine(name: str, mhz: int = 0) -> Machine:
    """``name`` at its own clock, or at another; what its shared memory moves in a cycle stays."""
    found = load_machine(str(Path(__file__).with_name(f"{name}.yaml")))
    if not mhz:
        return found
    (clock,) = found.clocks
    shared = found.memory(SHARED)
    scaled = replace(shared, bandwidth_bytes_per_second=(shared.bandwidth_bytes_per_second or 0) * mhz * 10**6 // clock.hz)
    memories = tuple(scaled if memory.name == SHARED else memory for memory in found.memories)
    return replace(found, clocks=(replace(clock, hz=mhz * 10**6),), memories=memories)


def with_rate(whole: Machine, line: str, other: str) -> Machine:
    """The machine with another rate of one operation."""
    engine = whole.engine(ENGINE)
    lines = tuple(other if mine == line else mine for mine in engine.params.operations)
    return replace(whole, engines=(replace(engine, params=replace(engine.params, operations=lines)),))


@functools.cache
def one_sm(whole: Machine) -> Machine:
    """One SM (or pair), with a unit for bulk moves at its share of the memory, elements of 16 bits."""
    engine, (clock,) = whole.engine(ENGINE), whole.clocks
    has, rate = engine.params, whole.memory("hbm").bandwidth_bytes_per_second or 1
    params = replace(has, units=(*has.units, "bulk"), rows=(*has.rows, 1), cols=(*has.cols, 1),
                     operations=(*has.operations, f"bulk copy {Fraction(2 * clock.hz * engine.count, rate)}"))  # fmt: skip
    return replace(whole, engines=(replace(engine, count=1, params=params),))


@functools.cache
def forward(sm: Machine, shape: Shape, emulated: int, alone: bool) -> OpResult:
    """A CTA's two tiles of queries."""
    graph = graphs.forward(shape, TILES, alone)
    (row,) = evaluate(graph, trees.forward(graph, sm, shape, TILES, emulated), sm).ops
    return row


@functools.cache
def backward(sm: Machine, shape: Shape, resident: bool = False) -> OpResult:
    """A CTA's block of keys."""
    graph = graphs.backward(shape, resident)
    (row,) = evaluate(graph, trees.backward(graph, sm, shape), sm).ops
    return row


@functools.cache
def roofline(sm: Machine, shape: Shape, emulated: int) -> OpResult:
    """Two tiles of queries again and again with one block of keys, where every unit always finds work."""
    graph = graphs.forward(shape, TILES, resident=True)
    (row,) = evaluate(graph, trees.forward(graph, sm, shape, TILES, emulated, False), sm).ops
    return row


def forward_seconds(whole: Machine, d: int, f: int, length: int, heads: int, causal: bool, emulated: int) -> float:
    """All heads of all sequences: work tiles of two tiles of queries, dealt to the SMs; blocks above the diagonal are skipped.

    The kernel is persistent where nothing is masked and its result has a shared memory of its own (flash_fwd_sm100.py).
    """
    sm, rows = one_sm(whole), len(TILES) * 128
    jobs = []
    for tile in range(length // rows):
        blocks = (tile + 1) * rows // 128 if causal else length // 128
        jobs.append((forward(sm, Shape(d, f, blocks), emulated, causal or d > PERSISTENT).cycles, heads))
    return makespan(jobs, whole.engine(ENGINE).count) / whole.clock_hz(ENGINE)


def backward_seconds(whole: Machine, d: int, f: int, length: int, heads: int, causal: bool) -> float:
    """All blocks of keys, and what runs before and after: the sums of O dO, and dQ rounded to 16 bits."""
    sm, keys = one_sm(whole), whole.engine(ENGINE).params.rows[0]
    jobs = []
    for block in range(length // keys):
        blocks = length // 128 - (block * keys // 128 if causal else 0)
        jobs.append((backward(sm, Shape(d, f, blocks, keys=keys)).cycles, heads))
    ends = graphs.ends(d, f, length * heads)
    return makespan(jobs, whole.engine(ENGINE).count) / whole.clock_hz(ENGINE) + evaluate(ends, trees.ends(ends, whole), whole).seconds
