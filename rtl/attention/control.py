"""Which tiles are in flight, and what the schedule starts in each slot of the period.

A tile enters in the first slot of a period.  The table is read in a slot's cycle b, what it says meets the tiles in b + 1, and
in b + 2 the buffers are addressed and the arrays' control is there.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from archmodel.records.commands import ADDRESS_BITS, UNITS
from archmodel.records.engines.attention import ENTRY, LAYOUTS, STATE_OTHERS, STATE_RD, STATE_RM, Hardware
from archmodel.records.program import INSTRUCTION_BYTES

from ..floating import wire
from ..sequencer import seen
from ..sram import address_bits
from .buffers import turning
from .wires import ONE, TWO, context_bits, element_layout, lane_layout

ATTEND = data.StructLayout(dict(LAYOUTS["attend"]))
CONFIGURE = data.StructLayout(dict(LAYOUTS["configure"]))
SLOT = data.StructLayout(dict(ENTRY))
POINTERS = {"q": "swap_q", "kv": "swap_kv", "m": "swap_m", "o": "swap_o"}
"""Banks in use, and the flag of an attend after which the next one is."""


def tile_layout(hardware: Hardware) -> data.StructLayout:
    """A tile in flight; last: of its command, whose token goes to ``signal``."""
    flags = {name: 1 for name in ("valid", "last", "first", "finish", "masked")}
    banks = {"q_bank": 1, "kv_bank": ceil_log2(hardware.banks), "m_bank": 1, "o_bank": 1}
    addresses = {name: ADDRESS_BITS for name in ("q", "state", "o", "pattern")}
    return data.StructLayout({**flags, **banks, **addresses, "signal": len(UNITS), "context": context_bits(hardware)})


class Tiles(wiring.Component):
    """Lets tiles enter and leave.  `slot` is that of the table; those in flight, by periods since they entered, are `tiles`."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware, self.layout = hardware, tile_layout(hardware)
        super().__init__({
            "restart": In(1), "configure": In(CONFIGURE.size), "issue": In(1), "issued": In(INSTRUCTION_BYTES * 8),
            "allow": Out(1), "working": Out(1), "finished": Out(1), "signals": Out(len(UNITS)),
            "slot": Out(address_bits(hardware.slots)), "tiles": Out(self.layout.size * hardware.tiles),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m, hw = Module(), self.hardware
        configure = CONFIGURE(self.configure)
        flying = [Signal(self.layout, name=f"tile{s}") for s in range(hw.tiles)]
        left, boundary, enters = Signal(16, name="left"), Signal(name="boundary"), Signal(name="enters")
        staying = wire(m, "staying", Cat(*(tile.valid & (configure.stages > s + 1) for s, tile in enumerate(flying))).any())
        leaving = self.layout(Array([tile.as_value() for tile in flying])[(configure.stages - 1)[: context_bits(hw)]])
        m.d.comb += [
            boundary.eq(self.slot == 0), self.allow.eq(boundary & (left == 0)), enters.eq(boundary & (self.issue | (left != 0))),
            self.working.eq((left != 0) | Mux(boundary, staying, Cat(*(tile.valid for tile in flying)).any())),
            self.finished.eq((self.slot == configure.period - 1) & leaving.valid & leaving.last), self.signals.eq(leaving.signal),
            self.tiles.eq(Cat(*flying)),
        ]  # fmt: skip
        with m.If(boundary):
            m.d.sync += [self.slot.eq(enters | staying), flying[0].eq(self._entering(m, configure, left, enters))]
            for s in range(1, hw.tiles):
                m.d.sync += [flying[s].eq(flying[s - 1]), flying[s].valid.eq(flying[s - 1].valid & (configure.stages > s))]
        with m.Else():
            m.d.sync += self.slot.eq(Mux(self.slot == configure.period - 1, 0, self.slot + 1))
        return m

    def _entering(self, m: Module, configure: Any, left: Signal, enters: Signal) -> Any:
        """The tile that enters, and the command's next one."""
        command, tile = Signal(ATTEND, name="command"), Signal(self.layout, name="entering")
        kept = {name: Signal(ADDRESS_BITS, name=f"next_{name}") for name in ("q", "state", "o")}
        now = seen(ATTEND, Mux(self.issue, self.issued, command.as_value()))
        count = wire(m, "count", Mux(self.issue, now.count, left))
        last = wire(m, "last", count == 1)
        context = Signal(context_bits(self.hardware), name="next_context")
        banks = {name: turning(m, f"{name}_bank", self.hardware.banks if name == "kv" else 2, self.restart, enters & last & now[flag])
                 for name, flag in POINTERS.items()}  # fmt: skip
        m.d.comb += [tile[f"{name}_bank"].eq(bank) for name, bank in banks.items()]
        m.d.comb += [tile[name].eq(Mux(self.issue, now[name], register)) for name, register in kept.items()]
        m.d.comb += [tile[name].eq(now[name]) for name in ("first", "finish", "masked", "pattern", "signal")]
        m.d.comb += [tile.valid.eq(enters), tile.last.eq(last), tile.context.eq(context)]
        with m.If(self.issue):
            m.d.sync += command.eq(self.issued)
        with m.If(enters):
            m.d.sync += [
                left.eq(count - 1), context.eq(Mux(context == self.hardware.tiles - 1, 0, context + 1)),
                kept["q"].eq(tile.q + configure.e), kept["state"].eq(tile.state + configure.f + STATE_OTHERS),
                kept["o"].eq(tile.o + configure.f),
            ]  # fmt: skip
        return tile


class Slots(wiring.Component):
    """What one entry of the table starts, for the tiles that it names.

    two, step, one     control of the arrays
    q_*, x_*, v, m_*   the words of Q, of K or (v) V, of M that the 2D micro-op needs; m_read: else every key is visible
    o_*                where a lane's result goes
    words              that buffers give and take in this slot
    """

    def __init__(self, hardware: Hardware) -> None:
        self.hardware, self.tile = hardware, tile_layout(hardware)
        self.two_layout, self.one_layout = element_layout(hardware), lane_layout(hardware)
        super().__init__({
            "entry": In(SLOT.size), "tiles": In(self.tile.size * hardware.tiles),
            "two": Out(self.two_layout), "step": Out(3), "one": Out(self.one_layout),
            "q_address": Out(ADDRESS_BITS), "q_bank": Out(1), "x_address": Out(ADDRESS_BITS), "x_bank": Out(ceil_log2(hardware.banks)),
            "v": Out(1), "m_read": Out(1), "m_address": Out(ADDRESS_BITS), "m_bank": Out(1),
            "o_write": Out(1), "o_address": Out(ADDRESS_BITS), "o_bank": Out(1), "words": Out(4),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = SLOT(self.entry)
        size = self.tile.size
        tiles = Array([self.tiles[s * size : (s + 1) * size] for s in range(self.hardware.tiles)])
        bits = context_bits(self.hardware)
        first, second = (Signal(self.tile, name=name) for name in ("tile_of_two", "tile_of_one"))
        m.d.comb += [first.eq(tiles[entry.stage2[:bits]]), second.eq(tiles[entry.stage1[:bits]])]
        self._two(m, entry, first)
        self._one(m, entry, second)
        return m

    def _two(self, m: Module, entry: Any, tile: Any) -> None:
        op = wire(m, "op2", Mux(tile.valid & ~tile.finish, entry.op2, TWO["none"]))
        masked = wire(m, "masked", (op == TWO["max"]) & tile.masked)
        m.d.sync += [
            self.two.op.eq(op), self.two.context.eq(tile.context), self.two.first.eq(entry.index2 == 0),
            self.two.last.eq(entry.index2 == self.hardware.degree - 1), self.step.eq(entry.index2),
            self.q_address.eq(tile.q + entry.index2), self.q_bank.eq(tile.q_bank),
            self.x_address.eq(entry.index2), self.x_bank.eq(tile.kv_bank), self.v.eq(op == TWO["av"]),
            self.m_read.eq(masked), self.m_address.eq(tile.pattern), self.m_bank.eq(tile.m_bank),
        ]  # fmt: skip
        self.words2 = Mux(op == TWO["qk"], 2, Mux(op == TWO["av"], 1, masked))

    def _one(self, m: Module, entry: Any, tile: Any) -> None:
        starts = tile.valid & (~tile.finish | (entry.op1 == ONE["rnv"]))
        op = wire(m, "op1", Mux(starts, entry.op1, ONE["none"]))
        divide = wire(m, "divide", tile.valid & tile.finish & entry.divide)
        word = Mux(op == ONE["rmax"], STATE_RM, Mux((op == ONE["rnv"]) | (op == ONE["spnv"]), entry.index1 + STATE_OTHERS, STATE_RD))
        m.d.sync += [
            self.one.op.eq(op), self.one.context.eq(tile.context), self.one.step.eq(entry.index1), self.one.first.eq(tile.first),
            self.one.finish.eq(tile.finish), self.one.divide.eq(divide), self.one.address.eq(tile.state + word),
            self.o_write.eq((op == ONE["rnv"]) & tile.finish), self.o_address.eq(tile.o + entry.index1), self.o_bank.eq(tile.o_bank),
        ]  # fmt: skip
        moves = Cat(*(op == ONE[name] for name in ("rmax", "spd", "rd", "spnv", "rnv"))).any()
        m.d.comb += self.words.eq(self.words2 + Mux(moves, 2, divide))
