"""``archmodel compare``: what differs between two results or two machines, and what each difference is made of."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

from .output import check_writable, deliver, dump, wants_json
from .parser import Parser
from .work import add_output

if TYPE_CHECKING:
    from ..compare.comparison import Comparison

EXAMPLES = """examples:
  archmodel run gpt2 edge-npu -o a.json
  archmodel run gpt2 edge-npu --set engines.array.rows=32 -o b.json
  archmodel compare a.json b.json
  archmodel compare edge-npu cloud

Two results: the differing inputs, then the difference in cycles, energy and area by operator and cause.  Two machines:
the differing paths, then peaks, memory and area.  Parts sum exactly to the whole.  The exit code is 0 whether or not
A and B differ: this is a report, no test.
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    for name in "ab":
        parser.add_argument(name, metavar=name.upper(),
                            help="a result that `run -o FILE.json` wrote, or a machine: a preset's name or a YAML file")  # fmt: skip
    add_output(parser, "write the comparison there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    check_writable(given.output)
    a, b = _is_result(given.a), _is_result(given.b)
    if a != b:
        result, machine = (given.a, given.b) if a else (given.b, given.a)
        raise SpecError(f"archmodel compare: {result} is a result and {machine} a machine, expected two results (FILE.json) "
                        "or two machines")  # fmt: skip
    found = _compared_results(given.a, given.b) if a else _compared_machines(given.a, given.b)
    if wants_json(given.output, given.json):
        from ..compare.rows import to_json

        deliver(dump(to_json(found)), given.output)
    else:
        from ..compare.table import text

        deliver(text(found), given.output)
    return 0


def _is_result(name: str) -> bool:
    """By its name; raises SpecError for what is neither."""
    from archmodel.load import list_machines

    from .parser import close_to

    if name in list_machines():
        return False
    path = Path(name)
    if path.is_dir():
        raise SpecError(f"{name}: is a folder, expected a result (FILE.json) or a machine (a preset or FILE.yaml)")
    if not path.exists():
        raise SpecError(f"{name}: neither a file nor a preset, expected a result that `archmodel run -o FILE.json` wrote, or a machine; "
                        + close_to(name, list_machines()))  # fmt: skip
    return path.suffix == ".json"


def _compared_results(a: str, b: str) -> Comparison:
    from ..compare.comparison import compare_results
    from ..report.saved import read_saved

    return compare_results(read_saved(Path(a)), read_saved(Path(b)))


def _compared_machines(a: str, b: str) -> Comparison:
    from archmodel.load import load_machine

    from ..compare.comparison import compare_machines

    return compare_machines(load_machine(a), load_machine(b))
