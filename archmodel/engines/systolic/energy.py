"""Energy and area of a systolic engine: how often each thing happens, times what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archmodel.cost import Costs
from archmodel.records.engines.systolic import OUTPUT_PARAMETER_BYTES, UNITS, Hardware
from archmodel.records.figure import Figure, scaled
from archmodel.records.machine import Engine, Machine
from archmodel.records.program import INSTRUCTION_BYTES

from .closed_form import Cost


@dataclass(frozen=True)
class Tariff:
    """Figures of one engine: picojoules of a multiply-add, of the registers of one PE in a cycle of streaming, of one
    word of each buffer read or written, of one value requantised, of one byte of the memory behind the port."""

    mac: Figure
    registers: Figure
    word_read: dict[str, Figure]
    word_write: dict[str, Figure]
    requantise: Figure
    dram_read: Figure
    dram_write: Figure


def tariff(machine: Machine, engine: Engine, hardware: Hardware, costs: Costs) -> Tariff:
    node = machine.node_nm
    bits = {"X": hardware.x_bits * hardware.rows, "Y": hardware.y_bits * hardware.cols, "Z": 32 * hardware.cols,
            "P": 8 * OUTPUT_PARAMETER_BYTES * hardware.cols}  # fmt: skip
    bank = {name: hardware.depth(name) * bits[name] // 8 for name in bits}

    def words(action: str) -> dict[str, Figure]:
        return {name: costs.energy_pj(action, bits[name], node, size_bytes=max(1, bank[name])) for name in bits}

    dram = machine.memory(engine.port or "")
    return Tariff(
        mac=costs.energy_pj("mac", hardware.x_bits, node, by=hardware.y_bits),
        # The X, Y and sum registers of a PE change every cycle in which a word passes.
        registers=costs.energy_pj("register_write", hardware.x_bits + hardware.y_bits + 32, node),
        word_read=words("sram_read"), word_write=words("sram_write"), requantise=costs.energy_pj("requantise", 32, node),
        dram_read=costs.energy_pj("dram_read", 8, node, technology=dram.technology),
        dram_write=costs.energy_pj("dram_write", 8, node, technology=dram.technology),
    )  # fmt: skip


def counts(cost: Cost, hardware: Hardware, prices: Tariff) -> list[tuple[str, Figure, np.ndarray]]:
    """(cause, figure, how often) of every action.  Every PE of a streamed word multiplies, padding included."""
    x, y, z = (cost.streamed[name] for name in "XYZ")
    slots = x * hardware.rows * hardware.cols
    rows = [("mac", prices.mac, slots), ("registers", prices.registers, slots),
            ("requantise", prices.requantise, cost.requantised * hardware.cols),
            ("dram", prices.dram_read, cost.read_bytes), ("dram", prices.dram_write, cost.write_bytes)]  # fmt: skip
    reads = {"X": x, "Y": y, "Z": z + cost.stored, "P": cost.filled["P"]}
    writes = {"X": cost.filled["X"], "Y": cost.filled["Y"], "Z": cost.filled["Z"] + z, "P": cost.filled["P"]}
    rows += [("buffers", prices.word_read[name], reads[name]) for name in reads]
    rows += [("buffers", prices.word_write[name], writes[name]) for name in writes]
    return rows


def energy_pj(cost: Cost, hardware: Hardware, prices: Tariff) -> np.ndarray:
    """Picojoules of each tiling priced."""
    return sum(figure.value * count for _, figure, count in counts(cost, hardware, prices))  # type: ignore[return-value]


def area(machine: Machine, hardware: Hardware, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    """(part, square micrometres) of one copy.  Wires and control have no row."""
    node = machine.node_nm
    element = costs.area_um2("pe", hardware.x_bits, node, by=hardware.y_bits)
    multiplier = costs.area_um2("int_mul", 32, node)
    bits = (hardware.x_words * hardware.x_bits * hardware.rows + hardware.y_words * hardware.y_bits * hardware.cols
            + hardware.z_words * 32 * hardware.cols + hardware.p_words * 8 * OUTPUT_PARAMETER_BYTES * hardware.cols)  # fmt: skip
    programs = len(UNITS) * hardware.program_words * 8 * INSTRUCTION_BYTES
    return (
        ("PEs", scaled(element, hardware.rows * hardware.cols)),
        ("requantizers", scaled(multiplier, hardware.cols)),
        ("buffers", costs.area_um2("sram", bits * hardware.banks, node)),
        ("program memories", costs.area_um2("sram", programs, node)),
    )
