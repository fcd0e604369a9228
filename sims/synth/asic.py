"""An engine's logic through Yosys to a user's standard cells: areas and leakage as rows of a table of costs.

Memories stay black boxes: each is an instance of one wrapper, to be replaced by a macro.  The processing element and the
requantizer, of which an engine has many, are mapped once each, and the rest with these as black boxes too.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from archmodel.cost import Row
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from rtl import pe
from rtl.systolic import TOP, emit

from .synth import SECONDS, synthesised

MOST_BYTES = 1 << 28
"""Of a liberty file, unpacked."""
REQUANTIZER = f"{TOP}_storer_requantizer"
MEMORY = "archmodel_sram"
MAP = "+strash;map,-a;topo"
"""For area, and nothing more: what abc does by default proves equivalences inside the requantizer's 66-bit product without end."""
_CELL = re.compile(r'(?<!\w)cell\s*\(\s*"?([\w.-]+)"?\s*\)')
_LEAKAGE_UNITS = {"1W": 1.0, "1mW": 1e-3, "100uW": 1e-4, "10uW": 1e-5, "1uW": 1e-6, "100nW": 1e-7, "10nW": 1e-8, "1nW": 1e-9,
                  "100pW": 1e-10, "10pW": 1e-11, "1pW": 1e-12}  # fmt: skip


@dataclass(frozen=True)
class Liberty:
    """A library of standard cells: ``area`` in um2 and ``leakage`` in W by cell, leakage None where the file has none."""

    name: str
    text: str
    area: dict[str, float]
    leakage: dict[str, float] | None
    volts: float | None


@dataclass(frozen=True)
class Mapped:
    """The cells of one netlist, black boxes left out."""

    cells: Counter[str]

    def sum(self, each: dict[str, float]) -> float:
        return sum(each[cell] * count for cell, count in self.cells.items())


def read_liberty(path: Path) -> Liberty:
    """A liberty file, plain or gzipped.  Raises SpecError for anything else."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise SpecError(f"--liberty {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MOST_BYTES:
        raise SpecError(f"--liberty {path}: found a file above 256 MiB, expected a library of standard cells")
    text = data.decode("utf-8", "replace")
    parts = _CELL.split(text)
    cells = dict(zip(parts[1::2], parts[2::2], strict=True))
    area = {cell: _number(body, "area") for cell, body in cells.items()}
    missing = next((cell for cell, value in area.items() if value is None), None)
    if not cells or missing:
        raise SpecError(f"--liberty {path}: found {'no area of cell ' + missing if missing else 'no cell'}, expected cells with area")
    if "timing" not in text:
        raise SpecError(f"--liberty {path}: found no timing arcs, expected a library that abc can map to")
    unit = re.search(r'leakage_power_unit\s*:\s*"?(\w+)"?', parts[0])
    watts = _LEAKAGE_UNITS.get(unit[1]) if unit else None
    leaks = {cell: _number(body, "cell_leakage_power") for cell, body in cells.items()}
    leakage = {cell: leak * watts for cell, leak in leaks.items() if leak is not None} if watts else None
    return Liberty(path.name.removesuffix(".gz").removesuffix(".lib"), text, {cell: value or 0.0 for cell, value in area.items()},
                   leakage, _number(parts[0], "nom_voltage"))  # fmt: skip


def _number(text: str, key: str) -> float | None:
    found = re.search(rf'(?<!\w){key}\s*:\s*"?([-+]?[0-9][0-9.]*(?:[eE][-+]?[0-9]+)?)"?\s*;', text)
    return float(found[1]) if found else None


def calibrated(hardware: Hardware, liberty: Liberty, node_nm: int, seconds: float = SECONDS) -> tuple[Row, ...]:
    """Rows of an engine's parts on a library: pe, requantizer, control, and leakage where every cell used states one."""
    if hardware.x_bits != hardware.y_bits:
        raise SpecError(f"operands of {hardware.x_bits} and {hardware.y_bits} bits: a table holds elements of equal widths only; "
                        "synthesise an engine with weight_bits equal to act_bits")  # fmt: skip
    verilog, boxes = emit(hardware), (pe.NAME, f"{REQUANTIZER}*")
    rest = "all of one engine but elements, requantizers, memories"
    parts = {"pe": (_mapped(verilog, pe.NAME, (), liberty, seconds), hardware.x_bits, "one processing element"),
             "requantizer": (_mapped(verilog, f"{REQUANTIZER}0", (), liberty, seconds), 32, "one column's"),
             "control": (_mapped(verilog, TOP, boxes, liberty, seconds), 1, rest)}  # fmt: skip
    rows = [_row(name, "um2", bits, mapped.sum(liberty.area), what, liberty, node_nm) for name, (mapped, bits, what) in parts.items()]
    used = Counter[str]()
    for mapped, _, _ in parts.values():
        used += mapped.cells
    if liberty.leakage is not None and used.keys() <= liberty.leakage.keys():
        density = Mapped(used).sum(liberty.leakage) / Mapped(used).sum(liberty.area)
        if density:
            rows.append(_row("leakage", "w/um2", 1, density, "mean of the cells of these parts", liberty, node_nm))
    return tuple(rows)


def _row(name: str, unit: str, bits: int, value: float, what: str, liberty: Liberty, node_nm: int) -> Row:
    return Row(name, unit, None, bits, None, value, value, value, node_nm, liberty.volts,
               f"{what}: cells of the netlist, mapped for area, without timing constraint", (liberty.name,),
               f"calibrated on {liberty.name}, {node_nm} nm")  # fmt: skip


def _mapped(verilog: str, top: str, boxes: tuple[str, ...], liberty: Liberty, seconds: float) -> Mapped:
    """The cells that ``top`` becomes.  Raises SpecError where something of it has none in the library."""
    script = (
        "read_verilog -sv engine.v", *(f"blackbox {box}" for box in (MEMORY, *boxes)), f"hierarchy -check -top {top}",
        f"synth -flatten -top {top}", "dfflibmap -liberty cells.lib", f"abc -liberty cells.lib -script {MAP}", "opt_clean",
        "delete t:$scopeinfo", "tee -q -o mapped.json stat -json",
    )  # fmt: skip
    done = synthesised(verilog, script, seconds, {"cells.lib": liberty.text})
    found = Counter[str](json.loads((done / "mapped.json").read_text())["design"]["num_cells_by_type"])
    kept = Counter({cell: count for cell, count in found.items() if not _is_box(cell)})
    if unknown := sorted(kept.keys() - liberty.area.keys()):
        raise SpecError(f"--liberty {liberty.name}: it has no cell for {unknown[0]} of {top}; expected flip-flops and gates of every kind")
    return Mapped(kept)


def _is_box(cell: str) -> bool:
    return MEMORY in cell or cell == pe.NAME or cell.startswith(REQUANTIZER)
