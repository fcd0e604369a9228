"""``archmodel machine show``: a machine fully resolved, each value with where it was written."""

from __future__ import annotations

import argparse

from .output import check_writable, deliver, dump, wants_json
from .parser import Parser
from .work import MACHINE, add_machine, add_output

EXAMPLES = """examples:
  archmodel machine show edge-npu
  archmodel machine show my.yaml --set engines.array.rows=32 --json
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("machine", metavar="MACHINE", help=MACHINE)
    add_machine(parser)
    add_output(parser, "write the answer there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    from archmodel.load import load_located

    from ..machines.shown import table, to_json

    check_writable(given.output)
    machine, tree = load_located(given.machine, given.sets)
    deliver(dump(to_json(machine, tree)) if wants_json(given.output, given.json) else table(machine, tree), given.output)
    return 0
