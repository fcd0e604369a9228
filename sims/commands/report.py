"""``archmodel report``: results that ``run -o NAME.json`` wrote, as one HTML page and as a trace for Perfetto."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from archmodel.records.base import SpecError

from .output import check_writable, deliver
from .parser import Parser

EXAMPLES = """examples:
  archmodel run llama-3.1-8b cloud --batch 16 -o decode.json
  archmodel report decode.json -o decode.html
  archmodel report prefill.json decode.json -o both.html --trace both.trace.json
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT", help="a file of run -o NAME.json; several share the page")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="write the page there; it opens without a network")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write the timeline there too, as a trace that Perfetto opens")


def execute(given: argparse.Namespace) -> int:
    from ..report.html.page import check_libraries

    check_libraries()
    _check_places(given)
    from ..report.html.page import page
    from ..report.saved import read_saved
    from ..report.timeline import chrome_trace

    results = [read_saved(path) for path in given.results]
    text = page(results)
    deliver(text, given.output)
    if given.trace is not None:
        deliver(json.dumps(chrome_trace(results), allow_nan=False) + "\n", given.trace)
    return 0


def _check_places(given: argparse.Namespace) -> None:
    """Raises SpecError for a place that cannot be written, or that would cost the user a file of results."""
    outputs = [path for path in (given.output, given.trace) if path is not None]
    for path in outputs:
        check_writable(path)
        if path.resolve() in [result.resolve() for result in given.results]:
            raise SpecError(f"{path}: is the result to report on; name another file to write")
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise SpecError(f"{given.trace}: -o and --trace name the same file; name two")
