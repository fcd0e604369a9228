"""The one wrapper around every memory: replace the module ``archmodel_sram`` to use a foundry's macro."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

NAME = "archmodel_sram"

VERILOG = """\
// Replace this module by a foundry's macro or a device's block RAM: every memory of the engine is an instance of it.
// One write port, one read port, both on `clk`; `rdata` follows `raddr` by one cycle and holds while `ren` is low.
// Reading the word that is written in the same cycle is never relied upon.
module archmodel_sram #(parameter WIDTH = 8, parameter DEPTH = 2, parameter ADDRESS = 1) (
  input  wire               clk,
  input  wire               wen,
  input  wire [ADDRESS-1:0] waddr,
  input  wire [WIDTH-1:0]   wdata,
  input  wire               ren,
  input  wire [ADDRESS-1:0] raddr,
  output reg  [WIDTH-1:0]   rdata
);
  reg [WIDTH-1:0] words [0:DEPTH-1];
`ifndef SYNTHESIS
`ifndef VERILATOR
  // An operand that is padded with zeros meets words that were never written, and zero times X is X in a simulator.
  integer i;
  initial for (i = 0; i < DEPTH; i = i + 1) words[i] = {WIDTH{1'b0}};
`endif
`endif
  always @(posedge clk) if (wen) words[waddr] <= wdata;
  always @(posedge clk) if (ren) rdata <= words[raddr];
endmodule
"""


def address_bits(depth: int) -> int:
    return max(1, ceil_log2(depth))


class Sram(wiring.Component):
    """``depth`` words of ``width`` bits behind the wrapper module."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth, self.address = width, depth, address_bits(depth)
        super().__init__({
            "wen": In(1), "waddr": In(self.address), "wdata": In(width),
            "ren": In(1), "raddr": In(self.address), "rdata": Out(width),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = Instance(
            NAME, p_WIDTH=self.width, p_DEPTH=self.depth, p_ADDRESS=self.address, i_clk=ClockSignal(),
            i_wen=self.wen, i_waddr=self.waddr, i_wdata=self.wdata, i_ren=self.ren, i_raddr=self.raddr, o_rdata=self.rdata,
        )  # fmt: skip
        return m
