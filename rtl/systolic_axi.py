"""The systolic engine behind AXI: its memory port an AXI4 manager, its control an AXI4-Lite subordinate with an interrupt."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archmodel.records.commands import UNITS
from archmodel.records.engines.systolic import Hardware

from . import axi, registers, systolic, verilog
from .axi_lite import AxiLite
from .axi_master import AxiMaster
from .control import Control

TOP = "archmodel_systolic_axi"
ADDRESS_BITS = 64


def ports(hardware: Hardware, address_bits: int = ADDRESS_BITS) -> dict[str, Any]:
    """Those of the engine behind AXI, by name; ``SystolicAxi`` says what they do."""
    return {
        "aclk": In(1), "aresetn": In(1), **axi.manager(hardware.port_bytes, address_bits), **axi.subordinate(registers.ADDRESS_BITS),
        "irq": Out(1), "trace_start": Out(len(UNITS)), "trace_end": Out(len(UNITS)),
    }  # fmt: skip


class SystolicAxi(wiring.Component):
    """``archmodel_systolic`` as it is, with AXI around it.

    aclk, aresetn  the one clock; reset is active low and synchronous, and resets the memory's side too
    m_axi_*        AXI4 manager, data as wide as a beat of the memory port
    s_axi_*        AXI4-Lite subordinate, 32 bits of data: the program and the control registers
    irq            high while an event is kept and enabled
    trace_*        those of the engine
    """

    def __init__(self, hardware: Hardware, address_bits: int = ADDRESS_BITS) -> None:
        self.hardware, self.address_bits = hardware, address_bits
        super().__init__(ports(hardware, address_bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = clock = ClockDomain()
        m.d.comb += [clock.clk.eq(self.aclk), clock.rst.eq(~self.aresetn)]
        engine = wiring.Signature(systolic.ports(self.hardware)).create(path=("engine",))
        m.submodules.master = master = AxiMaster(self.hardware, self.address_bits)
        m.submodules.lite = lite = AxiLite(registers.ADDRESS_BITS)
        m.submodules.control = control = Control(self.hardware, self.address_bits)
        members = engine.signature.members.items()
        ports = {f"{'i' if member.flow == In else 'o'}_{name}": getattr(engine, name) for name, member in members}
        m.submodules.engine = Instance(systolic.TOP, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        _join(m, engine, (master, control))
        _join(m, lite, (control,))
        _join(m, control, (master,))
        _join(m, self, (master, lite, control, engine), outwards=True)
        return m


def _join(m: Module, one: Any, others: tuple[Any, ...], outwards: bool = False) -> None:
    """Wire ports of the same name: an output to an input, or, ``outwards``, a port of the whole to that of its part."""
    for name, member in one.signature.members.items():
        for other in others:
            if name not in other.signature.members:
                continue
            same = other.signature.members[name].flow == member.flow
            if same == outwards:
                driver, driven = (one, other) if (member.flow == In) == outwards else (other, one)
                m.d.comb += getattr(driven, name).eq(getattr(driver, name))


def emit(hardware: Hardware, address_bits: int = ADDRESS_BITS) -> str:
    """Verilog of the engine and of the AXI around it; the top module is TOP.  Raises SpecError for a port that AXI4 has not."""
    axi.check(hardware, address_bits)
    around = verilog.convert(SystolicAxi(hardware, address_bits), TOP)
    return systolic.emit(hardware) + "\n" + around
