"""``archmodel machine check``: machines validated, with all findings of all of them at once."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

from .output import check_writable, deliver, dump, wants_json
from .parser import Parser
from .work import MACHINE, add_machine, add_output

if TYPE_CHECKING:
    from ..machines.checked import Checked

EXAMPLES = """examples:
  archmodel machine check my.yaml
  archmodel machine check edge-npu cloud --set memories.dram.latency="200 ns"
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("machines", nargs="+", metavar="MACHINE", help=MACHINE)
    add_machine(parser)
    add_output(parser, "write the answer there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    """0; raises SpecError with every finding after the answer is out."""
    from ..machines.checked import check

    check_writable(given.output)
    checked = [check(name, given.sets) for name in given.machines]
    if wants_json(given.output, given.json):
        deliver(dump([dataclasses.asdict(machine) for machine in checked]), given.output)
    elif any(not machine.findings for machine in checked):
        deliver(_text(checked), given.output)
    if findings := [line for machine in checked for line in machine.findings]:
        raise SpecError("\n".join(findings))
    return 0


def _text(checked: list[Checked]) -> str:
    from ..report.grid import lines

    pairs = []
    for machine in checked:
        pairs.append((machine.name, "wrong, see below" if machine.findings else f"OK: {machine.summary}"))
        pairs += [("", f"warning: {text}") for text in machine.warnings]
    return lines(pairs)
