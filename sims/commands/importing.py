"""``archmodel import``: descriptions of Timeloop, AccelForge and ZigZag as a machine, a graph and a mapping of this project."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from archmodel.records.base import SpecError

from .output import dump, write_whole
from .parser import Parser

EXAMPLES = """examples:
  archmodel import arch.yaml problem.yaml mapping.yaml timeloop-model.ERT.yaml -o conv
  archmodel map conv/graph.yaml conv/machine.yaml --mapping conv/mapping.yaml
  archmodel import tpu_like.yaml gemm.yaml mapping.yaml --json

Each field of the files is translated, approximated or refused, and the folder's import.json lists all of them.
docs/import.md says what each format's fields become, and how the tools count.
"""


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files of one tool: architecture, workload, mapping, energies")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR",
                        help="write machine.yaml, graph.yaml, mapping.yaml and import.json there")  # fmt: skip
    parser.add_argument("--name", default="", metavar="NAME", help="of machine and graph (default: the folder's, else the first file's)")
    parser.add_argument("--all", action="store_true", help="show the translated fields too")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(given: argparse.Namespace) -> int:
    from ..imports import translate
    from ..imports.report import costs, files, plain, text

    if given.output is not None and given.output.exists() and not given.output.is_dir():
        raise SpecError(f"{given.output}: is a file, expected a folder, or a name that is free")
    imported = translate(given.files, _name(given))
    found = costs(imported)
    said = dump(plain(imported, found))
    if given.output is not None:
        given.output.mkdir(exist_ok=True)
        for name, content in {**files(imported), "import.json": said}.items():
            write_whole(given.output / name, content)
            print(f"wrote {given.output / name}", file=sys.stderr)
    sys.stdout.write(said if given.json else text(imported, found, given.all))
    return 0


def _name(given: argparse.Namespace) -> str:
    """A name that machines and graphs may have."""
    if given.name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,99}", given.name):
        raise SpecError(f"--name: found {given.name[:40]!r}, expected letters, digits, _ and -")
    asked = given.name or (given.output.resolve().name if given.output else given.files[0].stem)
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", asked)[:100]
    return plain if re.match(r"[A-Za-z_]", plain) else f"imported-{plain}"
