"""``archmodel cite``: BibTeX for the tool and for every source that a result rests on."""

from __future__ import annotations

import argparse
from pathlib import Path

from .output import check_writable, deliver, dump, wants_json
from .parser import Parser
from .work import add_output

EXAMPLES = """examples:
  archmodel run gpt2 edge-npu -o a.json
  archmodel cite a.json -o a.bib

The sources are those of the result's own figures, of the scaling model where one was moved to another node, and those
that its machine names.  Each entry's note says what was used of it and how that was checked.
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("result", type=Path, metavar="RESULT", help="a result that `run -o FILE.json` wrote")
    add_output(parser, "write the entries there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    check_writable(given.output)
    from ..report.bibtex import to_bibtex, to_json
    from ..report.citations import citations
    from ..report.saved import read_saved

    entries = citations(read_saved(given.result))
    deliver(dump(to_json(entries)) if wants_json(given.output, given.json) else to_bibtex(entries), given.output)
    return 0
