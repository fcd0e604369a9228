"""Rows of a Result: the matrix products of a stage on a systolic engine, all priced in one call."""

from __future__ import annotations

import numpy as np

from archmodel.cost import Costs
from archmodel.engines import Work
from archmodel.memory.port import Port, port_of
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import SUM_BITS, Hardware, Params, resolve
from archmodel.records.figure import Figure, by_cause
from archmodel.records.formats import format_of
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.result import Moved, OpResult

from .closed_form import Cost, batch, join, price
from .cycle import run
from .energy import area as hardware_area
from .energy import counts, tariff
from .energy import static as hardware_static
from .lower import MOST_INSTRUCTIONS, Bases, lower
from .tiling import OPERANDS, Tiling, check
from .tree import Placement, from_tree

BOUND_BY = {"compute": "array", "fill and padding": "overhead", "memory": "memory"}
"""What a row says it is bound by, after the cause of most of its cycles."""


def hardware_of(machine: Machine, engine: Engine) -> Hardware:
    """The hardware of one copy, its buffer's depths worked out."""
    return resolve(engine.params, machine.memory(engine.buffer or "").size_bytes)


def supports(graph: Graph, einsum: Einsum, engine: Engine) -> str | None:
    """Why the engine cannot execute an Einsum, or None if it can: matrix products of operands as wide as its formats.

    A graph knows widths, no formats: what 8 bits mean (int8, e4m3, e5m2) is the engine's choice.
    """
    if not einsum.is_gemm:
        return f"{einsum.map} is no matrix product, the work of {engine.name} (systolic)"
    params: Params = engine.params
    for name, which, wanted in zip(einsum.inputs, ("first", "second"), (params.act, params.weight), strict=True):
        tensor, wide = graph.tensor[name], format_of(wanted).bits
        if tensor.bits != wide:
            return (f"{name} has {tensor.bits} bits and {engine.name} takes a {which} operand of {wide} ({wanted}); "
                    f"--bits {_bits(params)} would fit")  # fmt: skip
    bits, result = graph.tensor[einsum.output].bits, format_of(params.act).bits
    return None if bits in (result, SUM_BITS) else f"{einsum.output} has {bits} bits and {engine.name} writes {result} or {SUM_BITS}"


def _bits(params: Params) -> str:
    """Widths of a model of which every product fits; weights and cached keys and values are second operands."""
    first, second = format_of(params.act).bits, format_of(params.weight).bits
    return f"weight={second},activation={first},kv={second}"


def ideal_cycles(einsum: Einsum, engine: Engine) -> float:
    """Every PE busy with a product that counts."""
    return einsum.work / (engine.params.rows * engine.params.cols * engine.count)


def area(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    return hardware_area(machine, hardware_of(machine, engine), costs)


def static(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    return hardware_static(machine, hardware_of(machine, engine), costs)


def evaluate(work: Work) -> dict[str, OpResult]:
    """A row for each product.  At fidelity cycle each distinct shape runs in the cycle model."""
    hardware, port = hardware_of(work.machine, work.engine), port_of(work.machine, work.engine)
    placed = [_placed(work, einsum, hardware) for einsum in work.einsums]
    shapes = _shapes(placed)
    cost = price(join([batch(tiling) for tiling in shapes]), hardware, port)
    cycles = cost.cycles
    if work.fidelity == "cycle":
        cycles = np.array([cycle_count(tiling, hardware, port) for tiling in shapes])
    prices = counts(cost, hardware, tariff(work.machine, work.engine, hardware, work.costs))
    rows = zip(work.einsums, placed, _runs(work, placed), strict=True)
    return {einsum.name: _row(work, einsum, place, hardware, cost, int(cycles[index]), prices, runs, index)
            for index, (einsum, place, runs) in enumerate(rows)}  # fmt: skip


def traffic(work: Work) -> dict[str, tuple[Moved, ...]]:
    """Bytes of each operand at the memory port and in the buffers, those of the same counts that ``evaluate`` adds up."""
    hardware, port = hardware_of(work.machine, work.engine), port_of(work.machine, work.engine)
    placed = [_placed(work, einsum, hardware) for einsum in work.einsums]
    cost = price(join([batch(tiling) for tiling in _shapes(placed)]), hardware, port)
    rows = zip(work.einsums, placed, _runs(work, placed), strict=True)
    return {einsum.name: _moved(work, einsum, place, cost, runs, hardware) for einsum, place, runs in rows}


def _moved(work: Work, einsum: Einsum, place: Placement, cost: Cost, runs: np.ndarray, hardware: Hardware) -> tuple[Moved, ...]:
    gemm, engine = work.graph.gemm(einsum), work.engine
    x, y = (gemm.a, gemm.b) if OPERANDS[place.tiling.flow][0] == "a" else (gemm.b, gemm.a)
    names = {"X": x, "Y": y, "Z": einsum.output, "P": f"bias and scale of {einsum.output}"}
    size = {name: hardware.beats(name) * hardware.port_bytes for name in names}
    filled = {name: int(cost.filled[name] @ runs) * size[name] for name in names}
    streamed = {name: int(cost.streamed[name] @ runs) * size[name] for name in "XYZ"} | {"P": filled["P"]}
    written = {"Z": int(cost.write_bytes @ runs)}
    taken, given = {"Z": streamed["Z"]}, {"Z": int(cost.stored @ runs) * size["Z"]}
    outer = [Moved(engine.port or "", names[name], filled[name], written.get(name, 0)) for name in names]
    inner = [Moved(engine.buffer or "", names[name], streamed[name] + given.get(name, 0), filled[name] + taken.get(name, 0))
             for name in names]  # fmt: skip
    return tuple(row for row in (*outer, *inner) if row.reads or row.writes)


def _shapes(placed: list[Placement]) -> list[Tiling]:
    """What the copies run: the main shape of every product, then those of last copies."""
    return [place.tiling for place in placed] + [place.last for place in placed if place.last]


def _runs(work: Work, placed: list[Placement]) -> list[np.ndarray]:
    """How often each of the shapes runs in all instances of each product, over all copies."""
    last, found, count = len(placed), [], len(_shapes(placed))
    for index, (einsum, place) in enumerate(zip(work.einsums, placed, strict=True)):
        runs = np.zeros(count, dtype=np.int64)
        runs[index] = _main_runs(work.graph, einsum, place) * einsum.repeat
        if place.last:
            runs[last] = place.rounds * einsum.repeat
            last += 1
        found.append(runs)
    return found


def _placed(work: Work, einsum: Einsum, hardware: Hardware) -> Placement:
    """The placement that a tree means.  Raises SpecError for what the engine or its buffers cannot execute."""
    found = from_tree(work.graph, einsum, work.trees[einsum.name], work.engine)
    try:
        check(found.tiling, hardware)
        if hardware.program_words < MOST_INSTRUCTIONS:
            lower(found.tiling, hardware, Bases(0, 0, 0, 0, 0))
    except SpecError as error:
        raise SpecError(f"mapping of {einsum.name}: {error}") from None
    return found


def cycle_count(tiling: Tiling, hardware: Hardware, port: Port) -> int:
    """Cycles of one Program in the cycle model; addresses don't matter to time."""
    return run(lower(tiling, hardware, Bases(0, 0, 0, 0, 0)), hardware, port).cycles


def _main_runs(graph: Graph, einsum: Einsum, place: Placement) -> int:
    """Runs of the main shape in one instance of an Einsum, over all copies."""
    return graph.gemm(einsum).batch if place.split in ("", "batch") else place.rounds * place.full


def _row(work: Work, einsum: Einsum, place: Placement, hardware: Hardware, cost: Cost, cycles: int,
         prices: list[tuple[str, Figure, np.ndarray]], runs: np.ndarray, index: int) -> OpResult:  # fmt: skip
    engine, times = work.engine, place.rounds * einsum.repeat
    total, ideal = cycles * times, ideal_cycles(einsum, engine) * einsum.repeat
    memory = int(cost.bound_memory[index]) * times
    compute = min(total - memory, -int(-ideal // 1))
    moved = int((cost.read_bytes + cost.write_bytes) @ runs)
    energy = by_cause((cause, figure, float(count @ runs)) for cause, figure, count in prices)
    causes = (("compute", compute), ("fill and padding", total - memory - compute), ("memory", memory))
    largest = max(causes, key=lambda cause: cause[1])[0]
    return OpResult(
        einsum.name, einsum.group, engine.name, work.machine.clock_hz(engine.clock), total, einsum.work * einsum.repeat,
        ((engine.port or "", moved), (engine.buffer or "", _buffer_bytes(cost, hardware, runs))), ideal,
        BOUND_BY[largest], "rtl-covered", causes, energy, einsum.repeat, int(cost.port_cycles[index]) * times,
    )  # fmt: skip


def _buffer_bytes(cost: Cost, hardware: Hardware, runs: np.ndarray) -> int:
    """Bytes read from and written to the buffers: fills, streams, accumulations (read and written), stores."""
    words = {"X": cost.filled["X"] + cost.streamed["X"], "Y": cost.filled["Y"] + cost.streamed["Y"],
             "Z": cost.filled["Z"] + 2 * cost.streamed["Z"] + cost.stored, "P": 2 * cost.filled["P"]}  # fmt: skip
    return sum(int(words[name] @ runs) * hardware.beats(name) * hardware.port_bytes for name in "XYZP")
