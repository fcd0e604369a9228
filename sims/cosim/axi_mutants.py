"""Faults in the AXI around the engine, chosen at run time like those of the engine (``mutants``), by a write past a program."""

from __future__ import annotations

from rtl.registers import WINDOWS

from . import mutants
from .mutants import Mutation

UNIT, ADDRESS, LANE = 2, 4095, 7
"""The last word of the last window, where no program of fewer than 4096 instructions lies."""
SELECT = WINDOWS[UNIT].offset + 32 * ADDRESS + 4 * LANE
TOP = "archmodel_systolic_axi"
PORT = f"""  always @(posedge aclk)
    if (s_axi_awvalid && s_axi_wvalid && s_axi_awaddr == 19'h{SELECT:x})
      archmodel_fault::number <= s_axi_wdata;
"""

MUTATIONS = (
    Mutation("WLAST at the first beat", "axi_master", r"assign m_axi_wlast = (.*);", "first"),
    Mutation("AWVALID dropped once the data has gone", "axi_master", r"assign m_axi_awvalid = (.*);", r"\g<1> & ~data_gone"),
    Mutation("WVALID dropped once the address has gone", "axi_master", r"assign m_axi_wvalid = (.*);", r"\g<1> & ~address_gone"),
    Mutation("ARVALID waits for ARREADY", "axi_master", r"assign m_axi_arvalid = (.*);", r"\g<1> & m_axi_arready"),
    Mutation("boundary ignored", "_part", r"= ((\d+'h\w+) - .*);", r"\g<2>"),
    Mutation("second burst begins where the first did", "axi_master", r"= ((\w+) \+ asked);", r"\g<2>"),
    Mutation("word written with its first answer", "axi_master", r"assign written = (.*);", "m_axi_bvalid"),
    Mutation("error of a write swallowed", "axi_master", r"assign write_error = (.*);", "1'b0"),
    Mutation("error of a read swallowed", "axi_master", r"assign read_error = (.*);", "1'b0"),
    Mutation("another id", TOP, r"assign m_axi_awid = (.*);", "1'b1"),
    Mutation("BVALID for one cycle only", "axi_lite", r"s_axi_bvalid <= (.*);", r"\g<1> & ~s_axi_bvalid"),
    Mutation("all answered OKAY", "axi_lite", r"= (read_ok \? 2'h0 : 2'h2);", "2'h0"),
    Mutation("byte strobes ignored", "axi_control", r"= (strobe == 4'hf);", "1'b1"),
    Mutation("program written while busy", "axi_control", r"assign in_window = ((\S+)  & done);", r"\g<2> "),
    Mutation("interrupt not kept", "axi_control", r"assign irq = (.*);", "event_done"),
    Mutation("cycles counted after the end", "axi_control", r"= (cycles \+ .*);", "cycles + 1"),
)


def mutated(verilog: str) -> str:
    """The engine behind AXI with every mutation in it, none chosen."""
    return mutants.mutated(verilog, MUTATIONS, TOP, PORT)


def number(name: str | None) -> int:
    """What to write at SELECT for the fault of that name; 0 for none."""
    return 0 if name is None else 1 + [mutation.name for mutation in MUTATIONS].index(name)
