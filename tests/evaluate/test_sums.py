"""What a Result says adds up: causes to cycles, energy by cause to energy, copies to bytes, instances to rows."""

from __future__ import annotations

import math
from functools import cache

import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.cost import default_costs
from archmodel.cost.wires import across, side_mm
from archmodel.engines import die_um2, engine_module
from archmodel.engines.systolic import Tiling, hardware_of, price
from archmodel.engines.systolic.tree import from_tree, slice_size, to_tree
from archmodel.memory.port import port_of
from archmodel.records.figure import Figure, weakest
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, Relayout
from archmodel.records.result import OpResult, Result
from archmodel.sources import sources
from tests.mapper.helpers import edge, gemm_graph, gemm_of, generator, integers, mapped

STAGES = (("mixtral-8x7b", "cloud", "decode"), ("gpt2", "edge-npu", "prefill"), ("deepseek-v2-lite", "tpu-v1", "decode"),
          ("llama-3.1-8b", "edge-npu", "decode"))  # fmt: skip


@cache
def stage(model: str, machine: str, kind: str) -> tuple[Graph, Mapping, Machine]:
    which = load_machine(machine, sets=["memories.dram.size=1 TiB"])
    graph = load_model(model).prefill(100) if kind == "prefill" else load_model(model).decode(batch=3, context=200)
    return graph, search(graph, which), which


@cache
def result(model: str, machine: str, kind: str) -> Result:
    graph, mapping, which = stage(model, machine, kind)
    return evaluate(graph, mapping, which)


@pytest.fixture(params=STAGES, ids="-".join)
def found(request: pytest.FixtureRequest) -> tuple[Graph, Mapping, Machine, Result]:
    return *stage(*request.param), result(*request.param)


Found = tuple[Graph, Mapping, Machine, Result]


def test_a_row_for_each_einsum_and_change_of_layout(found: Found) -> None:
    graph, mapping, _, outcome = found
    names = [einsum.name for einsum in graph.einsums] + [f"relayout {t.tensor} of {t.einsum}" for t in mapping.relayouts]
    assert [op.name for op in outcome.ops] == names


def test_causes_sum_to_cycles(found: Found) -> None:
    for op in found[3].ops:
        assert sum(cycles for _, cycles in op.causes) == op.cycles > 0
        assert all(cycles >= 0 for _, cycles in op.causes), op.causes


def test_energy_sums(found: Found) -> None:
    for op in found[3].ops:
        assert op.energy is not None
        assert math.fsum(part.value for _, part in op.energy_by) == op.energy.value > 0
        if op.energy.low is not None and op.energy.high is not None:
            assert op.energy.low <= op.energy.value <= op.energy.high
    assert found[3].energy is not None
    assert found[3].energy.value == math.fsum(op.energy.value for op in found[3].ops if op.energy)


def test_totals(found: Found) -> None:
    graph, _, _, outcome = found
    assert outcome.cycles == sum(op.cycles for op in outcome.ops)
    assert outcome.macs == sum(einsum.work * einsum.repeat for einsum in graph.einsums if einsum.is_gemm)
    assert outcome.provenance == weakest([op.provenance for op in outcome.ops])
    assert outcome.seconds == pytest.approx(outcome.cycles / outcome.clock_hz)


def test_no_engine_is_busier_than_it_can_be(found: Found) -> None:
    """Every operator is costed, and none in fewer cycles than its arithmetic takes on all units."""
    graph, _, machine, outcome = found
    for einsum, op in zip(graph.einsums, outcome.ops, strict=False):
        engine = machine.engine(op.engine)
        assert op.ideal_cycles == pytest.approx(engine_module(engine).ideal_cycles(einsum, engine) * einsum.repeat)
        assert 0 < op.ideal_cycles <= op.cycles
        assert op.repeat == einsum.repeat
        if engine.type == "systolic":
            assert op.macs / (engine.params.rows * engine.params.cols * engine.count) == pytest.approx(op.ideal_cycles)


def test_bytes_cover_what_is_touched(found: Found) -> None:
    """Each operand of each instance crosses the port at least once."""
    graph, _, _, outcome = found
    for einsum, op in zip(graph.einsums, outcome.ops, strict=False):
        tensors = dict.fromkeys((*einsum.inputs, einsum.output))
        touched = sum(min(graph.elements(einsum, t), einsum.work) * graph.tensor[t].bits for t in tensors) * einsum.repeat
        assert dict(op.bytes)["dram"] * 8 >= touched, op.name


def single(graph: Graph, tiling: Tiling, split: str, machine: Machine) -> OpResult:
    tree = to_tree(graph, graph.einsums[0], machine.engine("array"), tiling, split)
    return evaluate(graph, mapped(graph, tree, machine), machine).ops[0]


def test_copies_move_the_bytes_of_their_own_slices() -> None:
    """Bytes are the sum over the copies, each priced alone; cycles are those of the busiest copy."""
    rng, ragged = generator(5), 0
    for _ in range(150):
        copies, batch = int(rng.integers(2, 6)), int(rng.integers(1, 6))
        machine = edge(f"engines.array.count={copies}")
        sizes = dict(zip("mnk", integers(rng, 3, 300), strict=True))
        graph = gemm_graph((batch, *sizes.values()))
        split = str(rng.choice(["m", "n", "batch"][: 3 if batch > 1 else 2]))
        whole = sizes.get(split, 0)
        piece = slice_size(whole, copies, 16) if whole else 0
        slices = [min(piece, whole - at) for at in range(0, whole, piece)] if whole else [0]
        flow = str(rng.choice(["ws", "is", "os"]))

        def tiling(size: int, split: str = split, sizes: dict[str, int] = sizes, flow: str = flow) -> Tiling:
            m, n, k = (size if rank == split else extent for rank, extent in sizes.items())
            return Tiling(m, n, k, min(m, 32), min(n, 32), min(k, 48), flow, ("n", "k", "m"), True)

        op = single(graph, tiling(slices[0]), split, machine)
        engine = machine.engine("array")
        costs = [price(tiling(size), hardware_of(machine, engine), port_of(machine, engine)) for size in slices]
        moved = sum(int(cost.read_bytes[0] + cost.write_bytes[0]) for cost in costs) * batch
        rounds = -(-batch // copies) if split == "batch" else batch
        assert dict(op.bytes)["dram"] == moved
        assert op.cycles == rounds * max(int(cost.cycles[0]) for cost in costs)
        ragged += slices[-1] != slices[0]
    assert ragged > 30


def pj(op: OpResult, cause: str) -> float:
    return dict(op.energy_by)[cause].value


def test_repeat_multiplies_everything() -> None:
    machine = edge()
    one, five = (gemm_graph((1, 100, 200, 64), repeat=repeat) for repeat in (1, 5))
    first, many = (evaluate(graph, search(graph, machine), machine).ops[0] for graph in (one, five))
    assert many.cycles == 5 * first.cycles
    assert many.macs == 5 * first.macs
    assert many.bytes == tuple((memory, 5 * moved) for memory, moved in first.bytes)
    assert [pj(many, cause) for cause, _ in first.energy_by] == [pytest.approx(5 * part.value) for _, part in first.energy_by]
    assert many.causes == tuple((cause, 5 * cycles) for cause, cycles in first.causes)


def test_energy_is_that_of_the_mapping_not_of_the_clock() -> None:
    """A faster clock or a slower memory leaves the energy of what happens alone; a smaller node, a cheaper memory do not."""
    graph = gemm_graph((1, 128, 256, 512))
    base = edge()
    mapping = search(graph, base)
    energy = {name: evaluate(graph, mapping, edge(*sets)).ops[0] for name, sets in {
        "base": (), "clock": ("clocks.core=500 MHz",), "bandwidth": ("memories.dram.bandwidth=4 GB/s",),
        "node": ("node=7 nm",), "technology": ("memories.dram.technology=hbm2e",),
    }.items()}  # fmt: skip
    assert dynamic(energy["clock"]) == dynamic(energy["base"]) == dynamic(energy["bandwidth"])
    assert energy["bandwidth"].cycles > energy["base"].cycles
    assert pj(energy["node"], "mac") < pj(energy["base"], "mac")
    assert pj(energy["node"], "dram") == pj(energy["base"], "dram")
    assert pj(energy["technology"], "dram") < pj(energy["base"], "dram")
    assert pj(energy["technology"], "mac") == pj(energy["base"], "mac")


def dynamic(op: OpResult) -> dict[str, Figure]:
    return {cause: figure for cause, figure in op.energy_by if ":" not in cause}


def test_static_power_is_paid_for_as_long_as_the_stage_takes(found: Found) -> None:
    """Each operator pays for the whole machine in its time; the shares sum to watts times seconds."""
    outcome = found[3]
    assert {cause.split(": ")[1] for cause, _ in outcome.static_by} == {"leakage of logic", "leakage of buffers", "background"}
    for cause, watts in outcome.static_by:
        assert 0 <= (watts.low or 0) <= watts.value <= (watts.high or 0)
        paid = sum(dict(op.energy_by)[cause].value for op in outcome.ops)
        assert paid == pytest.approx(1e12 * watts.value * outcome.seconds)


def test_every_figure_of_a_preset_has_bounds(found: Found) -> None:
    outcome = found[3]
    assert outcome.energy is not None
    for figure in (outcome.energy, outcome.area):
        assert 0 < (figure.low or 0) < figure.value < (figure.high or 0)
        assert set(figure.sources) <= set(sources())


def test_wires_are_as_long_as_the_areas_that_they_span() -> None:
    """A machine of four times the area has twice the way from its pins."""
    machine, costs = edge(), default_costs()
    die, four = die_um2(machine, costs), die_um2(edge("engines.array.count=4", "engines.vector.count=4"), costs)
    assert four.value == pytest.approx(4 * die.value)
    assert side_mm(four).value == pytest.approx(2 * side_mm(die).value)
    way = across(side_mm(die))
    assert (way.low, way.value, way.high) == (0.0, side_mm(die).value, 2 * (side_mm(die).high or 0))
    graph = gemm_graph((1, 128, 256, 512))
    op = evaluate(graph, search(graph, machine), machine).ops[0]
    assert 0 < pj(op, "wires") < pj(op, "dram")


def test_energy_of_multiply_adds_is_linear() -> None:
    """Whole tiles: twice the rows of A, twice the multiply-adds, and the same energy for each."""
    tilings = [Tiling(m, 64, 64, 32, 64, 64, "ws", ("n", "k", "m"), True) for m in (64, 128)]
    small, large = (single(gemm_graph((1, tiling.m, 64, 64)), tiling, "", edge()) for tiling in tilings)
    assert pj(large, "mac") == pytest.approx(2 * pj(small, "mac"))
    assert pj(large, "requantise") == pytest.approx(2 * pj(small, "requantise"))
    assert pj(small, "dram") < pj(large, "dram") < 2 * pj(small, "dram")


@pytest.mark.parametrize(("flow", "turned"), [("ws", []), ("os", ["a00"]), ("is", ["a00", "c00"])])
def test_relayouts_where_a_dataflow_needs_them(flow: str, turned: list[str]) -> None:
    """Activations lie as ws reads them; another dataflow pays for turning them, in rows of their own."""
    graph, machine = gemm_graph((1, 64, 128, 96)), edge(f"engines.array.dataflows=[{flow}]")
    mapping = search(graph, machine)
    assert mapping.relayouts == tuple(Relayout("g00", tensor, "vector") for tensor in turned)
    outcome = evaluate(graph, mapping, machine)
    rows = outcome.ops[1:]
    assert [op.name for op in rows] == [f"relayout {tensor} of g00" for tensor in turned]
    for op, tensor in zip(rows, turned, strict=True):
        size = graph.elements(graph.einsums[0], tensor)
        assert (op.engine, op.macs, dict(op.bytes)["dram"]) == ("vector", 0, 2 * size)
        assert op.cycles > 2 * size // 16
    assert mapping.certificate is not None
    assert mapping.certificate.value == outcome.cycles


def test_weights_need_no_relayout() -> None:
    """What no engine wrote lies as its only reader wants it."""
    graph = gemm_graph((1, 64, 128, 96))
    mapping = search(graph, edge("engines.array.dataflows=[os]"))
    assert all(turn.tensor != "b00" for turn in mapping.relayouts)


def test_the_placement_of_the_busiest_copy_is_the_largest() -> None:
    graph, machine = gemm_graph((1, 100, 64, 64)), edge("engines.array.count=3")
    tree = search(graph, machine).trees[0]
    placed = from_tree(graph, graph.einsums[0], tree, machine.engine("array"))
    gemm = gemm_of(graph)
    assert placed.last is None or getattr(placed.last, placed.split) < getattr(gemm, placed.split)
