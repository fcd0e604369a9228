"""Banks of words behind the memory wrapper; who reads and who writes says of which bank."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .. import sram


class Banks(wiring.Component):
    """One reader and one writer; `rdata` follows `raddr` by a cycle and holds while `ren` is low."""

    def __init__(self, width: int, depth: int, banks: int) -> None:
        self.width, self.depth, self.banks = width, depth, banks
        address, bank = sram.address_bits(depth), ceil_log2(banks)
        super().__init__({
            "wen": In(1), "wbank": In(bank), "waddr": In(address), "wdata": In(width),
            "ren": In(1), "rbank": In(bank), "raddr": In(address), "rdata": Out(width),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        read = Signal.like(self.rbank, name="read")
        with m.If(self.ren):
            m.d.sync += read.eq(self.rbank)
        words = []
        for index in range(self.banks):
            m.submodules[f"bank{index}"] = bank = sram.Sram(self.width, self.depth)
            m.d.comb += [
                bank.wen.eq(self.wen & (self.wbank == index)), bank.waddr.eq(self.waddr), bank.wdata.eq(self.wdata),
                bank.ren.eq(self.ren & (self.rbank == index)), bank.raddr.eq(self.raddr),
            ]  # fmt: skip
            words.append(bank.rdata)
        m.d.comb += self.rdata.eq(Array(words)[read])
        return m


def turning(m: Module, name: str, banks: int, restart: Any, swap: Any) -> Signal:
    """The bank that one side works on: the next one after each ``swap``, the first one after ``restart``."""
    bank = Signal(ceil_log2(banks), name=name)
    with m.If(restart):
        m.d.sync += bank.eq(0)
    with m.Elif(swap):
        m.d.sync += bank.eq(Mux(bank == banks - 1, 0, bank + 1))
    return bank
