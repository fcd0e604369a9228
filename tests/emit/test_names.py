"""Names of the emitted Verilog: plain, and the same whatever else is emitted."""

from __future__ import annotations

import re

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from archmodel.load import load_machine
from rtl import verilog
from rtl.emit import emit

REGISTER = re.compile(r"(?m)^\s*(?:always @\(posedge \w+\)\s*)?(\S+) <= ")


def test_every_module_has_a_plain_name_of_ours() -> None:
    names = re.findall(r"(?m)^module (\S+?)\s*[#(]", emit(load_machine("ecp5-tiny")))
    assert len(set(names)) == len(names) > 40
    assert all(re.fullmatch(r"archmodel_\w+", name) for name in names)
    assert {"archmodel_sram", "archmodel_pe", "archmodel_systolic", "archmodel_systolic_executor_array"} <= {*names}


def test_no_register_has_a_number_for_a_name() -> None:
    """Amaranth tells namesakes apart by a number that shifts with every change elsewhere."""
    registers = REGISTER.findall(emit(load_machine("edge-npu")))
    assert len(registers) > 300
    assert not [name for name in registers if "$" in name or "\\" in name]


def test_no_module_claims_to_be_the_top() -> None:
    """A synthesiser would take the first of them, which is one processing element."""
    assert "(* top" not in emit(load_machine("ecp5-tiny"))


class _Pair(wiring.Component):
    def __init__(self, *names: str) -> None:
        self.names = names
        super().__init__({"o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m, state = Module(), Signal()
        m.d.sync += state.eq(~state)
        m.d.comb += self.o.eq(state)
        for name in self.names:
            inner = m.submodules[name] = _Pair(*(("b_c",) if name == "a" else ("c",) if name == "a_b" else ()))
            m.d.comb += Signal(name=f"keep_{name}").eq(inner.o)
        return m


def test_two_paths_that_would_share_a_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two submodules whose paths differ only in a dot"):
        verilog.convert(_Pair("a", "a_b"), "archmodel_t")
