"""An AXI4-Lite subordinate: one write and one read at a time, both answered from registers."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import axi


class AxiLite(wiring.Component):
    """Between `s_axi_*` and registers that answer in the cycle they are asked.

    write  high for one cycle with `write_address`, `write_data` and `strobe`; `write_ok` says whether it was done
    read   high for one cycle with `read_address`; `answer` and `read_ok` come with it

    What is not ok is answered SLVERR; the data read is then 0.  Address and data of a write may come in either order.
    """

    def __init__(self, address_bits: int) -> None:
        self.address_bits = address_bits
        super().__init__({
            "write": Out(1), "write_address": Out(address_bits), "write_data": Out(32), "strobe": Out(4), "write_ok": In(1),
            "read": Out(1), "read_address": Out(address_bits), "answer": In(32), "read_ok": In(1),
            **axi.subordinate(address_bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        has_address, has_data = Signal(name="has_address"), Signal(name="has_data")
        m.d.comb += [self.s_axi_awready.eq(~has_address), self.s_axi_wready.eq(~has_data),
                     self.write.eq(has_address & has_data & ~self.s_axi_bvalid)]  # fmt: skip
        with m.If(self.s_axi_awvalid & self.s_axi_awready):
            m.d.sync += [has_address.eq(1), self.write_address.eq(self.s_axi_awaddr)]
        with m.If(self.s_axi_wvalid & self.s_axi_wready):
            m.d.sync += [has_data.eq(1), self.write_data.eq(self.s_axi_wdata), self.strobe.eq(self.s_axi_wstrb)]
        with m.If(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(self.write):
            m.d.sync += [has_address.eq(0), has_data.eq(0), self.s_axi_bvalid.eq(1),
                         self.s_axi_bresp.eq(Mux(self.write_ok, axi.OKAY, axi.SLVERR))]  # fmt: skip
        m.d.comb += self.s_axi_arready.eq(~self.read & ~self.s_axi_rvalid)
        m.d.sync += self.read.eq(self.s_axi_arvalid & self.s_axi_arready)
        with m.If(self.s_axi_arready):
            m.d.sync += self.read_address.eq(self.s_axi_araddr)
        with m.If(self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
        with m.If(self.read):
            m.d.sync += [self.s_axi_rvalid.eq(1), self.s_axi_rdata.eq(Mux(self.read_ok, self.answer, 0)),
                         self.s_axi_rresp.eq(Mux(self.read_ok, axi.OKAY, axi.SLVERR))]  # fmt: skip
        return m
