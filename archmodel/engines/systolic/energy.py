"""Energy and area of a systolic engine: how often each thing happens, times what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from archmodel.cost import Costs
from archmodel.cost.wires import across, side_mm
from archmodel.engines import die_um2
from archmodel.engines.silicon import Parts, area_of, static_of, with_control
from archmodel.records.commands import UNITS
from archmodel.records.engines.systolic import OUTPUT_PARAMETER_BYTES, SUM_BITS, Hardware
from archmodel.records.figure import Figure, product, scaled, total
from archmodel.records.formats import BF16
from archmodel.records.machine import Engine, Machine
from archmodel.records.program import INSTRUCTION_BYTES

from .closed_form import Cost
from .passes import Traffic


@dataclass(frozen=True)
class Tariff:
    """Figures of one engine: picojoules of a multiply-add, of the registers of one PE in a cycle of streaming, of one
    word of each buffer read or written, of one value requantised, of one byte of the memory behind the port.

    wires  of one word through the whole array (X, Y, Z), of one byte between the memory's pins and the buffers ("pins"),
           and of one word of each buffer between there and the array ("to X" and so on)
    """

    mac: Figure
    registers: Figure
    word_read: dict[str, Figure]
    word_write: dict[str, Figure]
    requantise: Figure
    dram_read: Figure
    dram_write: Figure
    wires: dict[str, Figure]


def tariff(machine: Machine, engine: Engine, hardware: Hardware, costs: Costs) -> Tariff:
    node, bits = machine.node_nm, _word_bits(hardware)
    bank = {name: hardware.depth(name) * bits[name] // 8 for name in bits}

    def words(action: str) -> dict[str, Figure]:
        return {name: costs.energy_pj(action, bits[name], node, size_bytes=max(1, bank[name])) for name in bits}

    dram = machine.memory(engine.port or "")
    mac, requantise = costs.energy_pj("mac", hardware.x_bits, node, by=hardware.y_bits), costs.energy_pj("requantise", 32, node)
    if hardware.is_float:
        mac = _floating(costs.energy_pj, node, hardware.x_bits, hardware.y_bits)
        if hardware.x == hardware.y == BF16:
            mac = total((costs.energy_pj("bf16_mul", BF16.bits, node), costs.energy_pj("fp_add", SUM_BITS, node)))
        requantise = _floating(costs.energy_pj, node, SUM_BITS, SUM_BITS)
    return Tariff(
        mac=mac,
        # The X, Y and sum registers of a PE change every cycle in which a word passes.
        registers=costs.energy_pj("register_write", hardware.x_bits + hardware.y_bits + 32, node),
        word_read=words("sram_read"), word_write=words("sram_write"), requantise=requantise,
        dram_read=costs.energy_pj("dram_read", 8, node, technology=dram.technology),
        dram_write=costs.energy_pj("dram_write", 8, node, technology=dram.technology),
        wires=_wires(machine, hardware, costs, bits),
    )  # fmt: skip


def _word_bits(hardware: Hardware) -> dict[str, int]:
    return {"X": hardware.x_bits * hardware.rows, "Y": hardware.y_bits * hardware.cols, "Z": 32 * hardware.cols,
            "P": 8 * OUTPUT_PARAMETER_BYTES * hardware.cols}  # fmt: skip


def _wires(machine: Machine, hardware: Hardware, costs: Costs, bits: dict[str, int]) -> dict[str, Figure]:
    """Ways: from PE to PE the side of one, between buffers and array that of the engine, from the pins that of the die."""
    node, parts = machine.node_nm, area(machine, hardware, costs)
    cells = _element(hardware, costs, node)
    pitch, way = side_mm(total((cells, costs.placed(cells)))), across(side_mm(total(figure for _, figure in parts)))
    hops = {"X": hardware.cols, "Y": hardware.rows, "Z": hardware.rows}
    wire = {name: costs.energy_pj("wire", width, node) for name, width in bits.items()}
    crossed = {name: product(wire[name], scaled(pitch, count)) for name, count in hops.items()}
    pins = product(costs.energy_pj("wire", 8, node), across(side_mm(die_um2(machine, costs))))
    return crossed | {f"to {name}": product(figure, way) for name, figure in wire.items()} | {"pins": pins}


def _floating(of: Callable[..., Figure], node: int, bits: int, by: int) -> Figure:
    """A product of ``bits`` by ``by`` bits and an fp32 sum, by the rows of IEEE 754's formats: fp16's where 16 bits are bf16.
    Below 16 bits, where there is no row, the product is extrapolated."""
    return total((of("fp_mul", bits, node, by=by), of("fp_add", SUM_BITS, node)))


def _element(hardware: Hardware, costs: Costs, node: int) -> Figure:
    """Area of one processing element."""
    if not hardware.is_float:
        return costs.area_um2("pe", hardware.x_bits, node, by=hardware.y_bits)
    registers = costs.area_um2("register", hardware.x_bits + 2 * hardware.y_bits + SUM_BITS, node)
    return total((_floating(costs.area_um2, node, hardware.x_bits, hardware.y_bits), registers))


def counts(cost: Cost | Traffic, hardware: Hardware, prices: Tariff) -> list[tuple[str, Figure, np.ndarray]]:
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
    rows += [("wires", prices.wires[name], cost.streamed[name]) for name in "XYZ"]
    rows += [("wires", prices.wires[f"to {name}"], reads[name] + writes[name]) for name in reads]
    return [*rows, ("wires to pins", prices.wires["pins"], cost.read_bytes + cost.write_bytes)]


def energy_pj(cost: Cost | Traffic, hardware: Hardware, prices: Tariff) -> np.ndarray:
    """Picojoules of each tiling priced."""
    return sum(figure.value * count for _, figure, count in counts(cost, hardware, prices))  # type: ignore[return-value]


def _logic(machine: Machine, hardware: Hardware, costs: Costs) -> Parts:
    node = machine.node_nm
    elements = scaled(_element(hardware, costs, node), hardware.rows * hardware.cols)
    multiplier = _floating(costs.area_um2, node, SUM_BITS, SUM_BITS) if hardware.is_float else costs.area_um2("requantizer", 32, node)
    return with_control((("PEs", elements), ("requantizers", scaled(multiplier, hardware.cols))), costs, node)


def area(machine: Machine, hardware: Hardware, costs: Costs) -> Parts:
    """(part, square micrometres) of one copy.  Sequencers, movers and the port's queue are in it where the table has ``control``."""
    return area_of(_logic(machine, hardware, costs), _buffer_bits(hardware), _program_bits(hardware), costs, machine.node_nm)


def static(machine: Machine, hardware: Hardware, costs: Costs) -> Parts:
    """(cause, watts) of one copy that is on."""
    return static_of(_logic(machine, hardware, costs), _buffer_bits(hardware) + _program_bits(hardware), costs, machine.node_nm)


def _buffer_bits(hardware: Hardware) -> int:
    return hardware.banks * sum(hardware.depth(name) * width for name, width in _word_bits(hardware).items())


def _program_bits(hardware: Hardware) -> int:
    return len(UNITS) * hardware.program_words * 8 * INSTRUCTION_BYTES
