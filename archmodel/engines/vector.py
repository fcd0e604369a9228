"""The vector engine: closed form and cycle model of one elementwise operator, streamed from memory and back.

Operands come in rounds, one element for each lane.  A round is read through the port, computed on, and its results
are written; while round j computes, the results of round j-1 are written, then round j+1 is read, and the next round
begins when all is done:

    cycles = START + read + sum over j of max(compute, write(j-1) + read(j+1)) + write + pipeline

The port keeps requests in flight, so its latency is paid once at either end.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from archmodel.cost import Costs
from archmodel.cost.wires import across, side_mm
from archmodel.engines import Derived, Work, die_um2
from archmodel.memory.port import Port, port_of
from archmodel.records.base import SpecError
from archmodel.records.engines.vector import Params
from archmodel.records.figure import Figure, by_cause, product, scaled
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Compute
from archmodel.records.result import Moved, OpResult

TYPE = "vector"
START = 3
"""Decode, issue and first request, as in the systolic engine's sequencer."""


@dataclass(frozen=True)
class Stream:
    """One operator on one copy of the engine: ``rounds`` of one element a lane, so many cycles and beats each."""

    rounds: int
    compute: int
    read: int
    write: int


def derived(machine: Machine, engine: Engine) -> tuple[Derived, ...]:
    """What follows from the parameters: operations a second."""
    peak = engine.params.lanes * engine.count * machine.clock_hz(engine.clock)
    return (Derived("peak", ((peak, "op/s"),), "lanes x count x clock"),)


def lane_cycles(einsum: Einsum, params: Params) -> int:
    """Lane cycles of one point of an Einsum: its map and its reduction."""
    e, d = params.exp_cycles, params.divide_cycles
    table = {"copy": 1, "add": 1, "sub": 1, "mul": 1, "max": 1, "mask": 1, "square": 1, "relu": 1, "muladd": 1, "dequantise": 1, "topk": 1,
             "exp": e, "div": d, "rsqrt": d, "rope": 3, "silu": e + d + 1, "gelu": e + d + 1, "tanh": e + d + 1}  # fmt: skip
    if einsum.map not in table:
        raise SpecError(f"einsum {einsum.name}: map {einsum.map!r} is no operation of the vector engine")
    alone = einsum.map == "copy" and einsum.reduce != "none"
    return table[einsum.map] + (einsum.reduce != "none" and not alone)


def stream(graph: Graph, einsum: Einsum, params: Params, copies: int) -> Stream:
    """One instance of ``einsum``, its points dealt evenly to ``copies`` engines.

    Each tensor passes the port once; its beats are spread evenly over the rounds, rounded up.
    """
    points = -(-einsum.work // copies)
    rounds = -(-points // params.lanes)
    read = sum(touched_bits(graph, einsum, tensor) for tensor in dict.fromkeys(einsum.inputs))
    written = touched_bits(graph, einsum, einsum.output)
    beats = [-(-bits // (8 * params.port_bytes * copies * rounds)) for bits in (read, written)]
    return Stream(rounds, lane_cycles(einsum, params), *beats)


def relayout_stream(elements: int, bits: int, params: Params, copies: int) -> Stream:
    """A change of layout: every element read and written once, one lane cycle each."""
    rounds = -(-elements // (copies * params.lanes))
    beats = -(-elements * bits // (8 * params.port_bytes * copies * rounds))
    return Stream(rounds, 1, beats, beats)


def touched_bits(graph: Graph, einsum: Einsum, tensor: str) -> int:
    """Bits of ``tensor`` that one instance moves: each element once, and no more elements than points."""
    return min(graph.elements(einsum, tensor), einsum.work) * graph.tensor[tensor].bits


def price(work: Stream, params: Params, port: Port) -> int:
    """Cycles of one operator on one copy, in closed form."""
    read, write = work.read * port.interval, work.write * port.interval
    ends = START + 2 * port.latency + read + write + params.pipeline
    if work.rounds == 1:
        return ends + work.compute
    middle = max(work.compute, read + write)
    return ends + max(work.compute, read) + (work.rounds - 2) * middle + max(work.compute, write)


def port_cycles(work: Stream, port: Port) -> int:
    """Cycles in which beats pass the port, or the first and the last are on their way."""
    return 2 * port.latency + work.rounds * (work.read + work.write) * port.interval


def run(work: Stream, params: Params, port: Port) -> int:
    """The same by execution, round by round; it skips ahead only once a whole round has repeated."""
    read, write = work.read * port.interval, work.write * port.interval
    now = START + port.latency + read
    done, last_phase = 0, -1
    while done < work.rounds:
        memory = (write if done > 0 else 0) + (read if done < work.rounds - 1 else 0)
        phase = max(work.compute, memory)
        now, done = now + phase, done + 1
        if phase == last_phase and 1 < done < work.rounds - 1:
            skipped = work.rounds - 1 - done
            now, done = now + skipped * phase, done + skipped
        last_phase = phase if done > 1 else -1
    return now + write + port.latency + params.pipeline


def supports(graph: Graph, einsum: Einsum, engine: Engine) -> str | None:
    """Why the engine cannot execute an Einsum, or None if it can: everything but matrix products."""
    del graph
    if einsum.is_gemm:
        return f"a matrix product is no work for {engine.name} (vector)"
    return None


def ideal_cycles(einsum: Einsum, engine: Engine) -> float:
    """Every lane busy in every cycle."""
    return einsum.work * lane_cycles(einsum, engine.params) / (engine.params.lanes * engine.count)


def area(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    """(part, square micrometres) of one copy."""
    lanes = scaled(costs.area_um2("vector_lane", engine.params.lane_bits, machine.node_nm), engine.params.lanes)
    return (("lanes", lanes), ("placing and wiring", costs.placed(lanes)))


def static(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    """(cause, watts) of one copy that is on."""
    lanes = dict(area(machine, engine, costs))["lanes"]
    return (("leakage of logic", product(costs.static_w("leakage", 1.0, machine.node_nm), lanes)),)


def evaluate(work: Work) -> dict[str, OpResult]:
    """A row for each elementwise operator."""
    rows = {}
    for einsum in work.einsums:
        if not isinstance(work.trees[einsum.name], Compute):
            raise SpecError(f"mapping of {einsum.name}: {work.engine.name} takes a compute leaf alone, without loops and storage")
        read = sum(touched_bits(work.graph, einsum, tensor) for tensor in dict.fromkeys(einsum.inputs))
        written = touched_bits(work.graph, einsum, einsum.output)
        moved = stream(work.graph, einsum, work.engine.params, work.engine.count)
        lanes = einsum.work * lane_cycles(einsum, work.engine.params)
        rows[einsum.name] = _row(work, einsum.name, einsum, moved, lanes, read, written)
    return rows


def traffic(work: Work) -> dict[str, tuple[Moved, ...]]:
    """Bytes at the memory port: each tensor passes once."""
    found = {}
    for einsum in work.einsums:
        read, written, port = dict.fromkeys(einsum.inputs), einsum.output, work.engine.port or ""
        size = {name: Fraction(touched_bits(work.graph, einsum, name) * einsum.repeat, 8) for name in (*read, written)}
        rows = {name: Moved(port, name, size[name] if name in read else 0, size[name] if name == written else 0) for name in size}
        found[einsum.name] = tuple(rows.values())
    return found


def relayout(work: Work, einsum: Einsum, tensor: str) -> OpResult:
    """The row of a change of layout of ``tensor`` for ``einsum``."""
    elements, bits = work.graph.elements(einsum, tensor), work.graph.tensor[tensor].bits
    moved = relayout_stream(elements, bits, work.engine.params, work.engine.count)
    return _row(work, f"relayout {tensor} of {einsum.name}", einsum, moved, elements, elements * bits, elements * bits)


def relayout_cycles(machine: Machine, engine: Engine, elements: int, bits: int) -> int:
    """Cycles of the engine's clock that a change of layout takes."""
    return price(relayout_stream(elements, bits, engine.params, engine.count), engine.params, port_of(machine, engine))


def _lane_pj(work: Work, einsum: Einsum) -> Figure:
    """Picojoules of one lane cycle: an addition's.  What takes several (exp, division) is priced as so many, which no source says."""
    figure = work.costs.energy_pj("add", work.engine.params.lane_bits, work.machine.node_nm)
    return scaled(figure, 1.0, "published" if lane_cycles(einsum, work.engine.params) <= 2 else "extrapolated")


def _row(work: Work, name: str, einsum: Einsum, moved: Stream, lanes: int, read_bits: int, written_bits: int) -> OpResult:
    """``lanes`` lane cycles of one instance, and the bits that it reads and writes."""
    engine, repeat, node = work.engine, einsum.repeat, work.machine.node_nm
    model, port = run if work.fidelity == "cycle" else price, port_of(work.machine, engine)
    cycles = model(moved, engine.params, port) * repeat
    compute = min(cycles, moved.rounds * moved.compute * repeat)
    dram = work.machine.memory(engine.port or "")
    wire = product(work.costs.energy_pj("wire", 1, node), across(side_mm(die_um2(work.machine, work.costs))))
    energy = by_cause([
        ("lanes", _lane_pj(work, einsum), float(lanes * repeat)),
        ("dram", work.costs.energy_pj("dram_read", 1, node, technology=dram.technology), float(read_bits * repeat)),
        ("dram", work.costs.energy_pj("dram_write", 1, node, technology=dram.technology), float(written_bits * repeat)),
        ("wires to pins", wire, float((read_bits + written_bits) * repeat)),
    ])  # fmt: skip
    return OpResult(
        name, einsum.group, engine.name, work.machine.clock_hz(engine.clock), cycles, 0,
        ((dram.name, -(-(read_bits + written_bits) // 8) * repeat),), lanes * repeat / (engine.params.lanes * engine.count),
        "memory" if 2 * compute < cycles else "lanes", "cycle" if work.fidelity == "cycle" else "closed form",
        (("compute", compute), ("memory", cycles - compute)), energy, repeat, port_cycles(moved, port) * repeat,
    )  # fmt: skip
