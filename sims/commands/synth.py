"""``archmodel synth``: the machine's array through Yosys, as an FPGA's resources or as a table of costs on standard cells."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

from .output import check_writable, deliver
from .parser import Parser, one_of
from .work import add_machine, machine_of

if TYPE_CHECKING:
    from archmodel.records.engines.systolic import Hardware
    from archmodel.records.machine import Machine

EXAMPLES = """examples:
  archmodel synth ecp5-tiny
  archmodel synth ecp5-tiny --set node="130 nm" --liberty sky130_fd_sc_hd__tt_025C_1v80.lib.gz -o sky130.yaml
  archmodel run --gemm 64,64,64 ecp5-tiny --costs sky130.yaml
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("machine", metavar="MACHINE",
                        help="a machine of `list machines` or a YAML file; with --liberty, at the library's node")  # fmt: skip
    parser.add_argument("--target", type=one_of("ecp5"), metavar="T", help="an FPGA whose resources are printed: ecp5, the default")
    parser.add_argument("--liberty", type=Path, metavar="FILE",
                        help="standard cells to map to instead, with timing; prints rows that --costs reads")  # fmt: skip
    add_machine(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the answer there")


def execute(given: argparse.Namespace) -> int:
    if given.target and given.liberty:
        raise SpecError("--target and --liberty: an FPGA's resources or areas of standard cells; leave one of them out")
    check_writable(given.output)
    machine = machine_of(given.machine, given.sets)
    hardware = _hardware(machine)
    deliver(_resources(hardware) if given.liberty is None else _table(hardware, machine, given.liberty), given.output)
    return 0


def _hardware(machine: Machine) -> Hardware:
    from archmodel.engines.systolic import hardware_of

    engine = machine.engine_of_type("systolic")
    if engine is None:
        raise SpecError(f"machine {machine.name}: no systolic engine, and only that has RTL")
    return hardware_of(machine, engine)


def _resources(hardware: Hardware) -> str:
    from rtl.systolic import TOP, emit

    from ..synth.synth import synth_ecp5

    made = synth_ecp5(emit(hardware), TOP)
    other = "".join(f", {count} {name}" for name, count in made.resources.other)
    return f"{hardware.rows}x{hardware.cols} on ECP5: {made.resources}{other}; {made.registers} bits of registers before mapping\n"


def _table(hardware: Hardware, machine: Machine, liberty: Path) -> str:
    from archmodel.load import costs_to_yaml

    from ..synth.asic import calibrated, read_liberty

    rows = calibrated(hardware, read_liberty(liberty), machine.node_nm)
    return (f"# {hardware.rows}x{hardware.cols} systolic engine of {machine.name} on {liberty.name} at {machine.node_nm} nm.\n"
            "# Memories are not in it: they stay black boxes.  Made by archmodel synth; read by run and map --costs.\n"
            + costs_to_yaml(rows))  # fmt: skip
