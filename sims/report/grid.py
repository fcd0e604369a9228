"""Plain tables: rich draws them in a terminal, and the same text without colour goes into a pipe or a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import StringIO

WIDTH = 100
"""Columns that every table fits in."""


def grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], last_is_total: bool = False) -> str:
    """A table as text.  A column whose name starts with ">" is aligned to the right."""
    from rich import box
    from rich.table import Table

    rule = box.Box("    \n    \n -- \n    \n -- \n -- \n    \n    \n", ascii=True)
    table = Table(title=title, title_justify="left", title_style="bold", box=rule, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", no_wrap=True)
    for number, row in enumerate(rows):
        total = last_is_total and number == len(rows) - 1
        table.add_row(*row, end_section=last_is_total and number == len(rows) - 2, style="bold" if total else "")
    return _drawn(table)


def _drawn(table: object) -> str:
    from rich.console import Console

    colour = _colour()
    out = StringIO()
    console = Console(file=out, width=400, force_terminal=colour, color_system="auto" if colour else None, highlight=False,
                      markup=False, emoji=False)  # fmt: skip
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _colour() -> bool:
    return sys.stdout.isatty()


def lines(pairs: Sequence[tuple[str, str]]) -> str:
    """Headlines: a name, then what is said of it; long text goes on below itself."""
    import textwrap

    wide = max(len(name) for name, _ in pairs) + 2
    text = []
    for name, said in pairs:
        wrapped = textwrap.wrap(said, WIDTH - wide, break_long_words=False, break_on_hyphens=False) or [""]
        text += [f"{name:{wide}}{wrapped[0]}", *(" " * wide + more for more in wrapped[1:])]
    return "\n".join(text) + "\n"
