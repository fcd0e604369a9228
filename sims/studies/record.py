"""Study: tables of what was published beside what our models say, and the paper's figures redrawn."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sims.studies
from archmodel.records.base import SpecError
from archmodel.schema import choice

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """``form`` is how a cell is printed: text, count (whole), number (four digits), error (a difference in per cent)."""

    name: str
    form: str = "text"


@dataclass(frozen=True)
class Table:
    """``rows`` hold plain values as they are, None where there is none; ``note`` says what stands in it."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def records(self) -> list[dict[str, Cell]]:
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Chart:
    """A figure of the paper, redrawn: traces and layout as plain data for plotly.js; ``series:N`` is a colour."""

    name: str
    title: str
    note: str
    data: tuple[dict[str, Any], ...]
    layout: dict[str, Any]


@dataclass(frozen=True)
class Study:
    """``source`` is what is redone; ``notes`` say what differs, and why."""

    name: str
    title: str
    source: str
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)


@cache
def studies() -> dict[str, str]:
    """Every study by name, with the first line of its docstring."""
    names = sorted(found.name for found in pkgutil.iter_modules(sims.studies.__path__) if found.ispkg)
    return {name: (importlib.import_module(f"sims.studies.{name}").__doc__ or "").partition("\n")[0] for name in names}


def find_study(name: str) -> Study:
    """The study of a name, computed.  Raises SpecError, which names the closest, for one that isn't there."""
    if name not in studies():
        raise SpecError(f"study: found {name!r}, expected {choice(name, studies())}")
    found: Study = importlib.import_module(f"sims.studies.{name}.study").study()
    return found


def plain(study: Study) -> dict[str, Any]:
    """For JSON: every table as a list of rows, each a mapping of columns to values."""
    return {"study": study.name, "title": study.title, "source": study.source,
            "tables": {table.name: table.records() for table in study.tables}, "notes": list(study.notes)}  # fmt: skip


def text(study: Study) -> str:
    """All tables and notes, for a terminal."""
    from ..report.grid import grid, lines

    parts = [f"{study.title}\n\n{lines([('source', study.source)])}"]
    for table in study.tables:
        parts.append(grid(table.title, headings(table), cells(table)) + (lines([("", table.note)]) if table.note else ""))
    return "\n".join(parts) + "\n" + "\n".join(lines([("note", note)]) for note in study.notes)


def headings(table: Table) -> list[str]:
    return [("" if column.form == "text" else ">") + column.name for column in table.columns]


def cells(table: Table) -> list[list[str]]:
    forms = [column.form for column in table.columns]
    return [[shown(cell, form) for cell, form in zip(row, forms, strict=True)] for row in table.rows]


def shown(cell: Cell, form: str) -> str:
    """A cell as it is printed; an error below 0.00005 % is none."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    if form == "error":
        return "0" if abs(cell) < 5e-7 else f"{100 * cell:+.{2 if abs(cell) >= 1e-4 else 4}f} %"
    return f"{cell:,.0f}" if form == "count" else f"{cell:.4g}"


def error(ours: float, published: float | None) -> float | None:
    """The relative difference from what was published, None where nothing was."""
    return None if published is None else ours / published - 1


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)
