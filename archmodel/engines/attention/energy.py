"""Energy and area of an attention engine: how often each thing happens, times what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.cost import Costs
from archmodel.cost.wires import across, side_mm
from archmodel.engines import die_um2
from archmodel.engines.silicon import Parts, area_of, static_of, with_control
from archmodel.records.commands import UNITS
from archmodel.records.engines.attention import ENTRY_BYTES, STATE_BITS, STATE_OTHERS, Hardware
from archmodel.records.figure import Figure, product, scaled, total
from archmodel.records.machine import Engine, Machine
from archmodel.records.program import INSTRUCTION_BYTES

Row = tuple[str, Figure, float]
"""Cause, picojoules of one action, how often."""
BUFFERS = "QKVMOS"


@dataclass(frozen=True)
class Actions:
    """What one attention does: ``tiles`` through the arrays, ``masked`` of them by a pattern, and ``finished`` tiles of queries.

    filled, drained  words of each buffer that come from memory, and of O that go there
    read, written    bytes at the memory port
    """

    tiles: int
    masked: int
    finished: int
    filled: dict[str, int]
    drained: int
    read: int
    written: int

    def reads(self, e: int, f: int) -> dict[str, int]:
        """Words of each buffer that are read: by the arrays, and those of O on their way to memory."""
        state = self.tiles * (f + STATE_OTHERS) + self.finished * (f + 1)
        return {"Q": self.tiles * e, "K": self.tiles * e, "V": self.tiles * f, "M": self.masked, "O": self.drained, "S": state}

    def writes(self, f: int) -> dict[str, int]:
        """Words of each buffer that are written."""
        return {**self.filled, "O": self.finished * f, "S": self.tiles * (f + STATE_OTHERS)}

    def buffer_bytes(self, hardware: Hardware, e: int, f: int) -> int:
        """Bytes read from and written to all buffers."""
        reads, writes, bits = self.reads(e, f), self.writes(f), word_bits(hardware)
        return sum((reads[name] + writes[name]) * bits[name] for name in BUFFERS) // 8


def word_bits(hardware: Hardware) -> dict[str, int]:
    """Bits of one word of each buffer; S is a word of state of all lanes."""
    return {name: hardware.bits(name) for name in "QKVMO"} | {"S": STATE_BITS * hardware.cols}


def counts(done: Actions, hardware: Hardware, e: int, f: int, machine: Machine, engine: Engine, costs: Costs) -> list[Row]:
    """(cause, picojoules, how often) of every action.  Every PE of a tile computes, hidden and padded pairs included."""
    node, bits, degree = machine.node_nm, word_bits(hardware), hardware.degree
    cells = hardware.rows * hardware.cols
    slots = e + f + degree + 3
    lane_steps = done.tiles * (f + degree + 3)
    dram = machine.memory(engine.port or "")
    rows = [
        ("mac", _product_sum(hardware, costs, node), float(done.tiles * (e + f) * cells)),
        ("exp", _product_sum(hardware, costs, node), float(done.tiles * degree * cells)),
        ("softmax", _sum(hardware, costs, node), float(done.tiles * 3 * cells)),
        ("registers", costs.energy_pj("register_write", _moving_bits(hardware), node), float(done.tiles * slots * cells)),
        ("lanes", _lane(hardware, costs, node), float((lane_steps + done.finished * f) * hardware.cols)),
        ("lanes", costs.energy_pj("div", STATE_BITS, node), float(done.finished * hardware.cols)),
        ("dram", costs.energy_pj("dram_read", 8, node, technology=dram.technology), float(done.read)),
        ("dram", costs.energy_pj("dram_write", 8, node, technology=dram.technology), float(done.written)),
    ]  # fmt: skip
    reads, writes = done.reads(e, f), done.writes(f)
    wires = _wires(machine, hardware, costs)
    for name in BUFFERS:
        size = max(1, hardware.depth(name) * bits[name] // 8)
        rows.append(("buffers", costs.energy_pj("sram_read", bits[name], node, size_bytes=size), float(reads[name])))
        rows.append(("buffers", costs.energy_pj("sram_write", bits[name], node, size_bytes=size), float(writes[name])))
        rows.append(("wires", wires[f"to {name}"], float(reads[name] + writes[name])))
    streamed = {"Q": reads["Q"], "K": reads["K"], "V": reads["V"], "S": 3 * done.tiles}
    rows += [("wires", wires[name], float(count)) for name, count in streamed.items()]
    return [*rows, ("wires to pins", wires["pins"], float(done.read + done.written))]


def _product_sum(hardware: Hardware, costs: Costs, node: int) -> Figure:
    """A multiply-add of a PE."""
    bits = hardware.element.bits
    if hardware.is_float:
        return total((costs.energy_pj("bf16_mul", bits, node), costs.energy_pj("fp_add", STATE_BITS, node)))
    return costs.energy_pj("mac", bits, node, by=_wider(hardware))


def _wider(hardware: Hardware) -> int:
    """The wider factor of a PE's products: an element, or in integers a 16-bit fraction of the exponential."""
    return hardware.element.bits if hardware.is_float else 16


def _sum(hardware: Hardware, costs: Costs, node: int) -> Figure:
    return costs.energy_pj("fp_add" if hardware.is_float else "int_add", STATE_BITS, node)


def _lane(hardware: Hardware, costs: Costs, node: int) -> Figure:
    """A multiply-add of a lane."""
    kind = "fp_mul" if hardware.is_float else "int_mul"
    return total((costs.energy_pj(kind, STATE_BITS, node), _sum(hardware, costs, node)))


def _moving_bits(hardware: Hardware) -> int:
    """Bits of a PE's registers that change in a slot: K or V, Q, what goes down, a sum."""
    return 2 * hardware.element.bits + 2 * STATE_BITS


def _kept_bits(hardware: Hardware) -> int:
    """Bits of a PE's contexts: of each tile in flight a sum, a fraction, an exponent, a weight and the pattern's bit."""
    return hardware.tiles * (STATE_BITS + 16 + 10 + 16 + 1)


def _wires(machine: Machine, hardware: Hardware, costs: Costs) -> dict[str, Figure]:
    """Of one word through the whole array, between its buffer and the array ("to Q"), and of one byte from the pins."""
    node, bits = machine.node_nm, word_bits(hardware)
    parts = area(machine, hardware, costs)
    cell = _cell(hardware, costs, node)
    pitch, way = side_mm(total((cell, costs.placed(cell)))), across(side_mm(total(figure for _, figure in parts)))
    hops = {"Q": hardware.rows, "K": hardware.cols, "V": hardware.cols, "S": hardware.rows}
    wire = {name: costs.energy_pj("wire", width, node) for name, width in bits.items()}
    crossed = {name: product(wire[name], scaled(pitch, count)) for name, count in hops.items()}
    pins = product(costs.energy_pj("wire", 8, node), across(side_mm(die_um2(machine, costs))))
    return crossed | {f"to {name}": product(figure, way) for name, figure in wire.items()} | {"pins": pins}


def _cell(hardware: Hardware, costs: Costs, node: int) -> Figure:
    """Area of one processing element: multiply-add, comparison and shift (an adder each), registers of all contexts."""
    bits, kind = hardware.element.bits, "fp" if hardware.is_float else "int"
    multiplier = costs.area_um2(f"{kind}_mul", bits, node, by=_wider(hardware))
    adders = scaled(costs.area_um2(f"{kind}_add", STATE_BITS, node), 3.0)
    return total((multiplier, adders, costs.area_um2("register", _moving_bits(hardware) + _kept_bits(hardware), node)))


def _one_lane(hardware: Hardware, costs: Costs, node: int) -> Figure:
    """Area of one lane: a 32-bit multiply-add, a comparison, a serial divider (an adder), registers of all contexts."""
    kind = "fp" if hardware.is_float else "int"
    adders = scaled(costs.area_um2(f"{kind}_add", STATE_BITS, node), 3.0)
    kept = (3 * STATE_BITS + 26) * hardware.tiles + 4 * STATE_BITS
    return total((costs.area_um2(f"{kind}_mul", STATE_BITS, node), adders, costs.area_um2("register", kept, node)))


def _logic(machine: Machine, hardware: Hardware, costs: Costs) -> Parts:
    node = machine.node_nm
    cells = scaled(_cell(hardware, costs, node), hardware.rows * hardware.cols)
    return with_control((("PEs", cells), ("lanes", scaled(_one_lane(hardware, costs, node), hardware.cols))), costs, node)


def area(machine: Machine, hardware: Hardware, costs: Costs) -> Parts:
    """(part, square micrometres) of one copy.  The schedule's control has no row of its own."""
    return area_of(_logic(machine, hardware, costs), _buffer_bits(hardware), _program_bits(hardware), costs, machine.node_nm)


def static(machine: Machine, hardware: Hardware, costs: Costs) -> Parts:
    """(cause, watts) of one copy that is on."""
    return static_of(_logic(machine, hardware, costs), _buffer_bits(hardware) + _program_bits(hardware), costs, machine.node_nm)


def _buffer_bits(hardware: Hardware) -> int:
    return sum(hardware.banks_of(name) * hardware.depth(name) * width for name, width in word_bits(hardware).items())


def _program_bits(hardware: Hardware) -> int:
    """Instructions of the sequencers, and the schedule's table."""
    return len(UNITS) * hardware.program_words * 8 * INSTRUCTION_BYTES + hardware.slots * 8 * ENTRY_BYTES
