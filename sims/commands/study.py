"""``archmodel study``: a published result redone by our models, with what differs."""

from __future__ import annotations

import argparse

from .output import check_writable, deliver, dump, wants_json, write_whole
from .parser import Parser
from .work import add_output

EXAMPLES = """examples:
  archmodel study fusemax
  archmodel study fusemax --json
  archmodel study fa4 -o fa4.html
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("name", metavar="NAME", help="of a study; `archmodel list studies` has them")
    add_output(parser, "write the study there: a name that ends in .html gets a page with the paper's figures, one in .json JSON")


def execute(given: argparse.Namespace) -> int:
    drawn = given.output is not None and given.output.suffix == ".html" and not given.json
    check_writable(given.output)
    if drawn:
        from ..report.html.page import check_libraries

        check_libraries()
    from ..studies.record import find_study, plain, text

    study = find_study(given.name)
    if drawn:
        from ..studies.page import page

        write_whole(given.output, page(study))
        print(f"wrote {given.output}")
    else:
        deliver(dump(plain(study)) if wants_json(given.output, given.json) else text(study), given.output)
    return 0
