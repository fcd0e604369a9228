"""One element or one lane of the attention engine alone, generated and in Verilator, driven pin by pin."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.records.engines.attention import Hardware
from rtl import sram
from rtl.attention import lane, pe
from rtl.verilog import convert

from .build import simulator

Words = npt.NDArray[np.uint64]
PINS = {pe.NAME: (("shift", "control_in", "seen", "x_in", "q_in", "down_in"), ("down_out",)),
        lane.NAME: (("shift", "out_shift", "control_in", "arriving", "wanted"), ("up", "out"))}  # fmt: skip
OPTIMISE = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O2"


def verilog_of(hardware: Hardware, name: str) -> str:
    """The module as the engine has it."""
    component = pe.ProcessingElement(hardware) if name == pe.NAME else lane.Lane(hardware)
    return "\n".join((sram.VERILOG, convert(component, name)))


class Element:
    """The module ``name`` of an engine in a simulator of its own, reset once."""

    def __init__(self, hardware: Hardware, name: str, verilog: str | None = None) -> None:
        self.inputs, self.outputs = PINS[name]
        self._library = ctypes.CDLL(str(simulator(verilog or verilog_of(hardware, name), name, optimise=OPTIMISE)))
        self._library.unit_open.restype = ctypes.c_void_p
        self._library.unit_run.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p]
        self._library.unit_run.restype = None
        self._handle = self._library.unit_open()

    def run(self, **pins: Any) -> dict[str, Words]:
        """Outputs in each cycle, before its edge, of inputs in each cycle; a pin that is not given is 0."""
        cycles = len(pins["control_in"])
        rows = np.zeros((cycles, len(self.inputs)), dtype=np.uint64)
        for name, values in pins.items():
            rows[:, self.inputs.index(name)] = values
        out = np.zeros((cycles, len(self.outputs)), dtype=np.uint64)
        self._library.unit_run(self._handle, cycles, rows.ctypes.data, out.ctypes.data)
        return {name: out[:, index] for index, name in enumerate(self.outputs)}
