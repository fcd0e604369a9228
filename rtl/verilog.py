"""Verilog of a component, each module under a plain name that says where it stands in the hierarchy."""

from __future__ import annotations

import re
from typing import Any

from amaranth.back import verilog

MODULE = re.compile(r"\\(archmodel_\w+(?:\.\w+)+) +")
"""Amaranth names a submodule after its path, with dots, so that the name must be escaped: ``\\archmodel_systolic.x.bank0``."""
TOP = re.compile(r"(?m)^\(\* top = .*\n")
TRIGGER = re.compile(r"(?m)^  reg (\\\$auto\S+ ) = 0;$")
"""Stands in every ``always @*``, so that the block runs once at the start.  Icarus and others that follow SystemVerilog
initialise declarations before any process runs, and only an assignment wakes the block; Verilator needs none, and would
simulate at half the speed."""
WOKEN = r"""`ifdef VERILATOR
  reg \1 = 0;
`else
  reg \1;
  initial \1<= 0;
`endif"""


def convert(component: Any, name: str) -> str:
    """Modules ``name`` and ``name``_<path>: the same names whatever else is emitted, and none marked as the design's top.

    Raises ValueError where two paths would have one name.
    """
    text = verilog.convert(component, name=name, emit_src=False)
    paths = set(MODULE.findall(text))
    if len({path.replace(".", "_") for path in paths}) != len(paths):
        raise ValueError(f"{name}: two submodules whose paths differ only in a dot")
    return TRIGGER.sub(WOKEN, TOP.sub("", MODULE.sub(lambda found: found[1].replace(".", "_") + " ", text)))
