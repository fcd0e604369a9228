"""``archmodel machine schema``: the JSON Schema of a machine's description."""

from __future__ import annotations

import argparse
from pathlib import Path

from .output import check_writable, deliver, dump
from .parser import Parser

EXAMPLES = """examples:
  archmodel machine schema -o machine.schema.json
An editor with a YAML language server completes and checks a file that begins with
  # yaml-language-server: $schema=machine.schema.json
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there instead of to standard output")


def execute(given: argparse.Namespace) -> int:
    from archmodel.json_schema import machine_schema

    check_writable(given.output)
    deliver(dump(machine_schema()), given.output)
    return 0
