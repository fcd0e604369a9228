"""Areas and powers of the presets beside what was published of the machines they stand for, with the error."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel import evaluate, load_machine, search
from archmodel.cost import default_costs
from archmodel.evaluation import machine_area, machine_static
from archmodel.records.figure import Figure, scaled, total
from archmodel.records.machine import Machine
from archmodel.workload.gemm import gemm_graph

CNN0_MACS = 86e12 / 2
"""Multiply-adds a second at which TPU v1's power was measured (ISCA 2017, sections 4 and 6)."""
DIE = 331
"""Square millimetres that TPU v1's die has less than."""
TPU_BYTES = 34e9
"""Bytes a second of its weight memory."""
LOGIC = ("PEs", "requantizers", "placing and wiring")
MIB_BITS = 8 << 20


@dataclass(frozen=True)
class Comparison:
    """``published`` and ``modelled`` are in ``unit``; ``at_most`` where the publication gives only a limit."""

    preset: str
    what: str
    unit: str
    published: float
    key: str
    how: str
    modelled: Figure
    at_most: bool = False

    @property
    def error(self) -> float:
        return self.modelled.value / self.published - 1

    @property
    def inside(self) -> bool:
        """Whether the published figure lies within the model's bounds."""
        low, high = self.modelled.low, self.modelled.high
        return (low is None or low <= self.published) and (high is None or self.published <= high)


def comparisons() -> tuple[Comparison, ...]:
    """Every figure of a preset for which something comparable was published."""
    return (*_tpu(load_machine("tpu-v1")), *_cloud(load_machine("cloud")), *_edge(load_machine("edge-npu", ["node=22 nm"])))


def _tpu(machine: Machine) -> tuple[Comparison, ...]:
    parts, key = _mm2(machine), "jouppi-2017"
    limit = "the die is less than half of Haswell's 662 mm2"
    static = total(figure for _, figure in machine_static(machine, default_costs()))
    whole = total(parts.values())
    return (
        Comparison("tpu-v1", "all that is modelled", "mm2", 0.67 * DIE, key, f"{limit}; the datapath is 67 % of it", whole, True),
        Comparison("tpu-v1", "the array", "mm2", 0.25 * DIE, key, f"{limit}; the matrix unit is a quarter", _array(parts), True),
        Comparison("tpu-v1", "24 MiB of buffers", "mm2", DIE / 3, key, f"{limit}; they are almost a third", _sram(24, 28), True),
        Comparison("tpu-v1", "power at 86 Top/s", "W", 40.0, key, "of a server by its dies, at full load of CNN0", _busy(machine, static)),
        Comparison("tpu-v1", "static power", "W", 28.0, key, "idle power of table 2, quoted from memory; its clock runs on", static),
    )  # fmt: skip


def _cloud(machine: Machine) -> tuple[Comparison, ...]:
    limit, key = "TPUv4i's die is less than 400 mm2", "jouppi-2021"
    one = scaled(_array(_mm2(machine)), 1 / machine.engine("array").count)
    return (
        Comparison("cloud", "128 MiB of buffers", "mm2", 0.28 * 400, key, f"{limit}; its CMEM is 28 %", _sram(128, 7), True),
        Comparison("cloud", "one 128x128 array", "mm2", 0.11 * 400 / 4, key, f"{limit}; its four arrays are 11 %, and bf16", one, True),
    )


def _edge(machine: Machine) -> tuple[Comparison, ...]:
    parts, key = _mm2(machine), "genc-2021"
    how = "Gemmini's default in Intel 22FFL, quoted from memory"
    return (
        Comparison("edge-npu at 22 nm", "the array", "mm2", 0.116, key, how, _array(parts)),
        Comparison("edge-npu at 22 nm", "320 KiB of buffers", "mm2", 0.690, key, how, parts["array: buffers"]),
    )


def _mm2(machine: Machine) -> dict[str, Figure]:
    return {part: scaled(figure, 1e-6) for part, figure in machine_area(machine, default_costs())}


def _array(parts: dict[str, Figure]) -> Figure:
    return total(parts[f"array: {part}"] for part in LOGIC)


def _sram(mib: int, node_nm: int) -> Figure:
    return scaled(default_costs().area_um2("sram", mib * MIB_BITS, node_nm), 1e-6)


def _busy(machine: Machine, static: Figure) -> Figure:
    """Watts of a square product's multiply-adds, buffers and wires at CNN0's rate, of the whole memory bandwidth, and static."""
    graph = gemm_graph(2048, 2048, 2048)
    result = evaluate(graph, search(graph, machine), machine)
    on_chip = total(figure for cause, figure in result.ops[0].energy_by if cause not in ("dram", "wires to pins") and ":" not in cause)
    memory = default_costs().energy_pj("dram_read", 8, machine.node_nm, technology=machine.memory("dram").technology)
    return total((scaled(on_chip, 1e-12 * CNN0_MACS / result.macs), scaled(memory, 1e-12 * TPU_BYTES), static))
