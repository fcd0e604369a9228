"""evaluate: what a stage costs on a machine under a mapping, at fidelity bound, analytic or cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from . import __version__
from .bound import bound_seconds
from .cost import Costs, Figure, default_costs, total
from .engines import vector
from .engines.systolic import price
from .engines.systolic.closed_form import Cost, batch, join
from .engines.systolic.cycle import run
from .engines.systolic.energy import CAUSES, area, counts, tariff
from .engines.systolic.lower import Bases, lower
from .engines.systolic.tiling import Tiling
from .engines.systolic.tree import Placement, from_tree
from .legality import refuse_overflow
from .memory.port import Port, port_of
from .records.base import SpecError, record_hash
from .records.engines.systolic import Hardware, resolve
from .records.graph import Einsum, Graph
from .records.machine import Engine, Machine
from .records.mapping import Mapping, Node, leaf
from .records.result import Energy, OpResult, Result, weakest

Cycles = Callable[[Tiling], int]


def evaluate(graph: Graph, mapping: Mapping | None, machine: Machine, fidelity: str = "analytic") -> Result:
    """The Result of one stage.  Operators run one after another; copies of an engine run side by side.

    bound     roofline and compulsory traffic of the whole stage, as one row; it needs no mapping
    analytic  closed forms over the mapping
    cycle     each distinct Program in the cycle model, timing only
    Raises SpecError for an unknown fidelity, a mapping of something else, or what the machine cannot hold or execute.
    """
    if fidelity not in ("bound", "analytic", "cycle"):
        raise SpecError(f"fidelity {fidelity!r}: expected bound, analytic or cycle (rtl is sims.cosim's)")
    refuse_overflow(graph, machine)
    costs = default_costs()
    if graph.stage.routing == "expected" and fidelity != "bound":
        raise SpecError(f"fidelity {fidelity}: routing 'expected' has no integer tokens per expert, expected uniform, balanced or "
                        "worst (or fidelity bound)")  # fmt: skip
    if mapping is None and fidelity != "bound":
        raise SpecError(f"fidelity {fidelity}: no mapping, expected the one that search finds (only bound needs none)")
    if mapping is None or fidelity == "bound":
        ops: tuple[OpResult, ...] = (_bound_row(graph, machine),)
    else:
        ops = _rows(graph, mapping, machine, fidelity, costs)
    stage, clock = graph.stage, machine.clocks[0].hz
    space = _area(machine, costs)
    return Result(
        stage.model, machine.name, stage.kind, stage.batch, stage.context, stage.tokens, stage.emitted, fidelity, clock, ops,
        space.value / 1e6, space.provenance, bound_seconds(graph, machine), record_hash((graph.stage, machine, mapping)),
        __version__, stage.seed, stage.routing, graph.resident,
    )  # fmt: skip


def _bound_row(graph: Graph, machine: Machine) -> OpResult:
    hz = machine.clocks[0].hz
    cycles = int(bound_seconds(graph, machine) * hz)
    macs = sum(e.work * e.repeat for e in graph.einsums if e.is_gemm)
    return OpResult("stage", "stage", "all", hz, cycles, macs, (), float(cycles), Energy(0.0, None, None, "unknown"), "roofline",
                    "closed form", (("roofline", cycles),), ())  # fmt: skip


def _rows(graph: Graph, mapping: Mapping, machine: Machine, fidelity: str, costs: Costs) -> tuple[OpResult, ...]:
    einsums = {einsum.name: einsum for einsum in graph.einsums}
    trees: dict[str, Node] = {leaf(tree).einsum: tree for tree in mapping.trees}
    if trees.keys() != einsums.keys():
        missing = sorted(trees.keys() ^ einsums.keys())
        raise SpecError(f"mapping of {mapping.graph}: {missing[0]} is in only one of the mapping and graph {graph.name}")
    by_engine: dict[str, list[Einsum]] = {}
    for name, einsum in einsums.items():
        by_engine.setdefault(leaf(trees[name]).engine, []).append(einsum)
    rows: dict[str, OpResult] = {}
    for name, mine in by_engine.items():
        engine = machine.engine(name)
        rows |= {"systolic": _systolic, "vector": _vector}[engine.type](graph, mine, trees, machine, engine, fidelity, costs)
    turned = []
    for turn in mapping.relayouts:
        turned.append(_relayout(graph, einsums[turn.einsum], turn.tensor, machine, machine.engine(turn.engine), fidelity, costs))
    return tuple(rows[name] for name in einsums) + tuple(turned)


@dataclass(frozen=True)
class _Array:
    """A systolic engine, resolved."""

    machine: Machine
    engine: Engine
    hardware: Hardware
    port: Port


def _systolic(graph: Graph, einsums: list[Einsum], trees: dict[str, Node], machine: Machine, engine: Engine, fidelity: str,
              costs: Costs) -> dict[str, OpResult]:  # fmt: skip
    """Rows of the matrix products, all priced in one call."""
    hardware = resolve(engine.params, machine.memory(engine.buffer or "").size_bytes)
    array = _Array(machine, engine, hardware, port_of(machine, engine))
    placed = [from_tree(graph, einsum, trees[einsum.name], engine) for einsum in einsums]
    shapes = [place.tiling for place in placed] + [place.last for place in placed if place.last]
    cost = price(join([batch(tiling) for tiling in shapes]), hardware, array.port)
    cycles = cost.cycles
    if fidelity == "cycle":
        cycles = np.array([cycle_count(tiling, hardware, array.port) for tiling in shapes])
    prices = counts(cost, hardware, tariff(machine, engine, hardware, costs))
    rows, rest = {}, len(placed)
    for index, (einsum, place) in enumerate(zip(einsums, placed, strict=True)):
        weights = np.zeros(len(shapes), dtype=np.int64)
        weights[index] = _instances(graph, einsum, place) * einsum.repeat
        if place.last:
            weights[rest] = place.rounds * einsum.repeat
            rest += 1
        rows[einsum.name] = _gemm_row(einsum, place, array, cost, int(cycles[index]), prices, weights, index)
    return rows


def cycle_count(tiling: Tiling, hardware: Hardware, port: Port) -> int:
    """Cycles of one Program in the cycle model; addresses don't matter to time."""
    return run(lower(tiling, hardware, Bases(0, 0, 0, 0, 0)), hardware, port).cycles


def _instances(graph: Graph, einsum: Einsum, place: Placement) -> int:
    """Runs of the main shape in one instance of an Einsum, over all copies."""
    return graph.gemm(einsum).batch if place.split in ("", "batch") else place.rounds * place.full


def _gemm_row(einsum: Einsum, place: Placement, array: _Array, cost: Cost, cycles: int, prices: list[tuple[str, Figure, np.ndarray]],
              weights: np.ndarray, index: int) -> OpResult:  # fmt: skip
    engine, hw = array.engine, array.hardware
    times = place.rounds * einsum.repeat
    macs, elements = einsum.work * einsum.repeat, hw.rows * hw.cols * engine.count
    total_cycles = cycles * times
    ideal = macs / elements
    memory = int(cost.bound_memory[index]) * times
    compute = min(total_cycles - memory, -(-macs // elements))
    causes = (("compute", compute), ("fill and padding", total_cycles - memory - compute), ("memory", memory))
    moved = int((cost.read_bytes + cost.write_bytes) @ weights)
    energy, by_cause = _energy([(cause, figure, float(count @ weights)) for cause, figure, count in prices])
    ordered = tuple((cause, by_cause[cause]) for cause in CAUSES)
    return OpResult(
        einsum.name, einsum.group, engine.name, array.machine.clock_hz(engine.clock), total_cycles, macs,
        ((engine.port or "", moved), (engine.buffer or "", _buffer_bytes(cost, hw, weights))), ideal, energy,
        "memory" if memory * 2 > total_cycles else "array", "rtl-covered", causes, ordered, einsum.repeat,
    )  # fmt: skip


def _buffer_bytes(cost: Cost, hw: Hardware, weights: np.ndarray) -> int:
    """Bytes read from and written to the buffers: fills, streams, accumulations (read and written), stores."""
    size = {name: hw.beats(name) * hw.port_bytes for name in "XYZP"}
    words = {"X": cost.filled["X"] + cost.streamed["X"], "Y": cost.filled["Y"] + cost.streamed["Y"],
             "Z": cost.filled["Z"] + 2 * cost.streamed["Z"] + cost.stored, "P": 2 * cost.filled["P"]}  # fmt: skip
    return int(sum(int(words[name] @ weights) * size[name] for name in "XYZP"))


def _energy(rows: list[tuple[str, Figure, float]]) -> tuple[Energy, dict[str, float]]:
    """The sum with its bounds and weakest provenance, and picojoules by cause."""
    by_cause: dict[str, float] = {}
    low: float | None = 0.0
    high: float | None = 0.0
    used = [row for row in rows if row[2]]
    for cause, figure, count in rows:
        by_cause[cause] = by_cause.get(cause, 0.0) + figure.value * count
    for _, figure, count in used:
        low = None if low is None or figure.low is None else low + figure.low * count
        high = None if high is None or figure.high is None else high + figure.high * count
    provenance = weakest([figure.provenance for _, figure, _ in used])
    return Energy(sum(by_cause.values()), low, high, provenance), by_cause


def _vector(graph: Graph, einsums: list[Einsum], trees: dict[str, Node], machine: Machine, engine: Engine, fidelity: str,
            costs: Costs) -> dict[str, OpResult]:  # fmt: skip
    """Rows of the elementwise operators."""
    rows = {}
    for einsum in einsums:
        work = vector.stream(graph, einsum, engine.params, engine.count)
        bits = [vector.touched_bits(graph, einsum, tensor) for tensor in dict.fromkeys(einsum.inputs)]
        written = vector.touched_bits(graph, einsum, einsum.output)
        rows[einsum.name] = _vector_row(einsum.name, einsum.group, work, einsum.work * vector.lane_cycles(einsum, engine.params),
                                        sum(bits), written, einsum.repeat, machine, engine, fidelity, costs)  # fmt: skip
    return rows


def _relayout(graph: Graph, einsum: Einsum, tensor: str, machine: Machine, engine: Engine, fidelity: str, costs: Costs) -> OpResult:
    elements, bits = graph.elements(einsum, tensor), graph.tensor[tensor].bits
    work = vector.relayout_stream(elements, bits, engine.params, engine.count)
    return _vector_row(f"relayout {tensor} of {einsum.name}", einsum.group, work, elements, elements * bits, elements * bits,
                       einsum.repeat, machine, engine, fidelity, costs)  # fmt: skip


def _vector_row(name: str, group: str, work: vector.Stream, lane_cycles: int, read_bits: int, written_bits: int, repeat: int,
                machine: Machine, engine: Engine, fidelity: str, costs: Costs) -> OpResult:  # fmt: skip
    params, port = engine.params, port_of(machine, engine)
    model = vector.run if fidelity == "cycle" else vector.price
    cycles = model(work, params, port) * repeat
    compute = min(cycles, work.rounds * work.compute * repeat)
    memory = cycles - compute
    node, dram = machine.node_nm, machine.memory(engine.port or "")
    prices = [
        ("mac", costs.energy_pj("add", params.lane_bits, node), float(lane_cycles * repeat)),
        ("dram", costs.energy_pj("dram_read", 1, node, technology=dram.technology), float(read_bits * repeat)),
        ("dram", costs.energy_pj("dram_write", 1, node, technology=dram.technology), float(written_bits * repeat)),
    ]
    energy, by_cause = _energy(prices)
    moved = -(-(read_bits + written_bits) // 8) * repeat
    return OpResult(
        name, group, engine.name, machine.clock_hz(engine.clock), cycles, 0, ((dram.name, moved),),
        lane_cycles * repeat / (params.lanes * engine.count), energy, "memory" if memory > compute else "array",
        "cycle" if fidelity == "cycle" else "closed form", (("compute", compute), ("memory", memory)), tuple(by_cause.items()), repeat,
    )  # fmt: skip


def _area(machine: Machine, costs: Costs) -> Figure:
    """Square micrometres of all engines, buffers included."""
    parts = []
    for engine in machine.engines:
        if engine.type == "systolic":
            one = area(machine, resolve(engine.params, machine.memory(engine.buffer or "").size_bytes), costs)
            parts.append((one, engine.count))
        elif engine.type == "vector":
            parts.append((costs.area_um2("vector_lane", engine.params.lane_bits, machine.node_nm), engine.count * engine.params.lanes))
    return total([replace(figure, value=figure.value * count) for figure, count in parts])
