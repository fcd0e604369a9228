"""ZigZag's accelerators imported with a mapping that ZigZag found: its energy of every memory and operand, exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archmodel.records.base import SpecError
from sims.imports import translate
from tests.imports.helpers import EXAMPLES, cost, energies, example

Pj = dict[tuple[str, str], str]
DRAM: Pj = {("dram", "I"): "22937600", ("dram", "W"): "22937600", ("dram", "O"): "24576000", ("mac", ""): "5368709.12"}
TPU: Pj = {**DRAM, ("sram_2MB", "I"): "7205847.04", ("sram_2MB", "O"): "813629.44", ("rf_2B", "O"): "5813305.344",
           ("rf_128B", "W"): "12775587.84"}  # fmt: skip
EDGE: Pj = {**DRAM, ("sram_2MB", "I"): "27660943.36", ("sram_2MB", "O"): "813629.44", ("sram_32KB", "W"): "48237813.76",
            ("rf_2B", "O"): "676331.52", ("rf_1B", "W"): "2684354.56"}  # fmt: skip
ASCEND: Pj = {**DRAM, ("sram_1MB_A", "I"): "8051097.6", ("sram_1MB_A", "O"): "661094.4", ("sram_1MB_W", "W"): "661094.4",
              ("sram_256KB_O", "O"): "344064", ("rf_64KB_I", "I"): "7507804.16", ("rf_64KB_W", "W"): "26408878.08",
              ("rf_2B", "O"): "340787.2", ("rf_1B", "W"): "2684354.56"}  # fmt: skip
CASES = {"tpu": (TPU, "102428278.784"), "edge-tpu": (EDGE, "155892981.76"), "ascend": (ASCEND, "122479083.52")}
"""pJ of each memory and operand, and in all: mem_energy_breakdown, mac_energy and the energy that ZigZag 3.9.1 returned."""


@pytest.mark.parametrize("case", CASES)
def test_it_costs_what_zigzag_computed(case: str) -> None:
    printed, total = CASES[case]
    imported = example(f"zigzag-{case}", "zigzag-gemm", f"zigzag-{case}-mapping")
    assert energies(imported) == {key: Fraction(pj) for key, pj in printed.items()}
    assert cost(imported).energy_pj == Fraction(total)


@pytest.mark.parametrize("case", CASES)
def test_loops_stand_in_the_memories_where_zigzag_put_them(case: str) -> None:
    """Every rank's loops multiply to its extent, and all tiles fit: the tree is legal, and busy for ZigZag's ideal cycles."""
    imported = example(f"zigzag-{case}", "zigzag-gemm", f"zigzag-{case}-mapping")
    instances = {"tpu": 32 * 32, "edge-tpu": 8 * 8, "ascend": 16 * 16}[case]
    assert cost(imported).compute == 512**3 // instances


def test_a_machine_alone_has_all_its_axes() -> None:
    imported = example("zigzag-tpu")
    assert imported.machine and imported.cascade is None and imported.mapping is None
    assert {name: axis.size for name, (_, axis) in imported.machine.engines[0].params.axis.items()} == {"D1": 32, "D2": 32}


def test_an_order_of_some_loops_is_no_mapping() -> None:
    imported = example("zigzag-tpu", "zigzag-gemm", "zigzag-open-mapping")
    assert imported.mapping is None and imported.cascade is not None
    said = {entry.said for entry in imported.entries if entry.path.startswith("0.temporal_ordering")}
    assert said == {"an order of some loops only, from which ZigZag would search, is no mapping"}


def test_loops_that_are_not_the_layers_are_refused() -> None:
    with pytest.raises(SpecError, match=r"zigzag-tpu-mapping\.yaml:2:3: 0: found loops over b of 512 in all, expected its size 256"):
        translate([EXAMPLES / f"{name}.yaml" for name in ("zigzag-tpu", "zigzag-gemm-256", "zigzag-tpu-mapping")])
