"""``archmodel machine init``: a commented description to begin one's own machine from."""

from __future__ import annotations

import argparse
from pathlib import Path

from archmodel.records.base import SpecError

from .output import check_writable, deliver
from .parser import Parser

EXAMPLES = """examples:
  archmodel machine init -o my.yaml
  archmodel machine init --base cloud -o big.yaml
"""


def add_arguments(parser: Parser) -> None:
    from archmodel.load import list_machines

    from .parser import one_of

    parser.epilog = EXAMPLES
    parser.add_argument("--base", type=one_of(*list_machines()), default="edge-npu", metavar="PRESET",
                        help="the preset that it is laid over (default edge-npu)")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there, unless something is there already")


def execute(given: argparse.Namespace) -> int:
    from ..machines.starter import starter

    check_writable(given.output)
    if given.output is not None and given.output.exists():
        raise SpecError(f"{given.output}: exists already, and init overwrites nothing; name another file, or remove this one first")
    deliver(starter(given.base), given.output)
    return 0
