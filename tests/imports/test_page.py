"""The table of docs/import.md, written from the examples: ``python -m tests.imports.test_page`` writes it again."""

from __future__ import annotations

from pathlib import Path

from archmodel.engines.plain.cost import Cost
from tests.imports import test_accelforge, test_timeloop, test_zigzag
from tests.imports.helpers import cost, energies, example

PAGE = Path(__file__).resolve().parents[2] / "docs" / "import.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
TIMELOOP = {
    "two": "02-model-conv1d+oc-2level, no-tiling", "three": "03-model-conv1d+oc-3level, no-bypass",
    "spatial": "04-model-conv1d+oc-3levelspatial, cp",
}  # fmt: skip
ACCELFORGE = {
    "one": "simple.yaml, one matmul of 64, unfused", "fused": "simple.yaml, two matmuls of 64, fused",
    "spread": "fanout_variations/at_mac.yaml, one matmul of 64",
}  # fmt: skip
ZIGZAG = {"tpu": 163904, "edge-tpu": 2129922, "ascend": 524363}
"""Its cycles."""


def rows() -> list[tuple[str, ...]]:
    """Tool, example, pJ there and here, cycles there and here, what differs."""
    found = []
    for case, said in TIMELOOP.items():
        names, printed, cycles = test_timeloop.CASES[case]
        imported = example(*names)
        inputs = float(sum(pj for (_, tensor), pj in energies(imported).items() if tensor == "Inputs"))
        there = sum(map(float, test_timeloop.INPUTS[case].values()))
        why = f"inputs, whose windows are unrolled: {there:,.2f} there, {inputs:,.2f} here; all else is equal"
        found.append(_row("Timeloop", said, sum(map(float, printed.values())) + there, cycles, cost(imported), 2, why))
    for case, said in ACCELFORGE.items():
        names, _, energy, cycles = test_accelforge.CASES[case]
        found.append(_row("AccelForge", said, energy, cycles, cost(example(*names)), 0, "nothing"))
    for case, cycles in ZIGZAG.items():
        mine = cost(example(f"zigzag-{case}", "zigzag-gemm", f"zigzag-{case}-mapping"))
        said, energy = f"{case.replace('-', '_')}_like.yaml, a product of 512", float(test_zigzag.CASES[case][1])
        found.append(_row("ZigZag", said, energy, cycles, mine, 3, "cycles: first tiles and stalls"))
    return found


def _row(tool: str, said: str, energy: float, cycles: int, mine: Cost, digits: int, why: str) -> tuple[str, ...]:
    return (tool, said, f"{energy:,.{digits}f}", f"{float(mine.energy_pj):,.{digits}f}", f"{cycles:,}", f"{int(mine.cycles):,}", why)


def table() -> str:
    head = "| tool | example | pJ there | pJ here | cycles there | here | what differs |\n|---|---|--:|--:|--:|--:|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def test_the_page_has_the_table_of_the_examples() -> None:
    assert PAGE.read_text().partition(BEGIN)[2].partition(END)[0] == table(), "write it again: python -m tests.imports.test_page"


def test_all_but_windows_and_stalls_is_equal() -> None:
    """Three examples of each tool; what differs is energy of Timeloop's inputs alone, and ZigZag's cycles."""
    found = rows()
    assert {row[0]: [other[0] for other in found].count(row[0]) for row in found} == {"Timeloop": 3, "AccelForge": 3, "ZigZag": 3}
    assert all(row[2] == row[3] for row in found if row[0] != "Timeloop")
    assert all(row[4] == row[5] for row in found if row[0] != "ZigZag")


if __name__ == "__main__":
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1])
