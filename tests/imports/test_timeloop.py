"""Timeloop's tutorial imported, and its reference output beside ours: equal to the last digit printed, but for windows."""

from __future__ import annotations

import pytest

from tests.imports.helpers import cost, energies, example

TWO = {
    ("MainMemory", "Weights"): "520.24", ("MainMemory", "Outputs"): "1976.21", ("Buffer", "Weights"): "694.64",
    ("Buffer", "Outputs"): "1089.64", ("mac", ""): "1297.92",
}  # fmt: skip
"""pJ of each level and tensor in 02-model-conv1d+oc-2level, no-tiling: its timeloop-model.stats.txt."""
THREE = {
    ("MainMemory", "Weights"): "6144.00", ("MainMemory", "Outputs"): "32768.00", ("GlobalBuffer", "Weights"): "890.78",
    ("GlobalBuffer", "Outputs"): "1976.21", ("RegisterFile", "Weights"): "694.64", ("RegisterFile", "Outputs"): "1089.64",
    ("mac", ""): "1297.92",
}  # fmt: skip
"""03-model-conv1d+oc-3level, no-bypass."""
SPATIAL = {
    ("MainMemory", "Weights"): "196608.00", ("MainMemory", "Outputs"): "32768.00", ("GlobalBuffer", "Weights"): "28504.84",
    ("GlobalBuffer", "Outputs"): "107632.27", ("RegisterFile", "Weights"): "22228.62", ("RegisterFile", "Outputs"): "41842.11",
    ("mac", ""): "41533.44",
}  # fmt: skip
"""04-model-conv1d+oc-3levelspatial, cp: sixteen processing elements, a sum over them, partial sums that come back."""
INPUTS = {
    "two": {"MainMemory": "3121.42", "Buffer": "898.95"},
    "three": {"MainMemory": "2048.00", "GlobalBuffer": "1653.34", "RegisterFile": "776.37"},
    "spatial": {"MainMemory": "36864.00", "GlobalBuffer": "102355.70", "RegisterFile": "28766.45"},
}
"""pJ of the inputs, whose windows overlap there."""
CASES = {
    "two": (("timeloop-conv1d-2level", "timeloop-conv1d-2level.ert"), TWO, 1536),
    "three": (("timeloop-conv1d-3level", "timeloop-conv1d-3level.ert"), THREE, 1536),
    "spatial": (("timeloop-conv1d-spatial", "timeloop-conv1d-3level.ert"), SPATIAL, 3072),
}


@pytest.mark.parametrize("case", CASES)
def test_it_costs_what_timeloop_printed(case: str) -> None:
    names, printed, cycles = CASES[case]
    imported = example(*names)
    ours = energies(imported)
    assert {key: f"{float(ours[key]):.2f}" for key in printed} == printed
    assert cost(imported).cycles == cycles


@pytest.mark.parametrize("case", CASES)
def test_windows_are_unrolled_and_said_to_be(case: str) -> None:
    """The inputs alone differ: each window is a copy, so never less than Timeloop's, whose windows share."""
    imported = example(*CASES[case][0])
    ours = energies(imported)
    inputs = {key for key in ours if key[1] == "Inputs"}
    assert inputs == set(ours) - set(CASES[case][1])
    assert all(ours[level, "Inputs"] > float(pj) for level, pj in INPUTS[case].items())
    said = [entry for entry in imported.entries if entry.said.startswith("windows are unrolled: Inputs")]
    assert said and {entry.status for entry in said} == {"approximated"}


def test_without_an_ert_energies_are_this_projects_and_said_to_be() -> None:
    """Traffic and cycles stay as they are."""
    imported, priced = example("timeloop-conv1d-3level"), example(*CASES["three"][0])
    assert cost(imported).traffic == cost(priced).traffic and cost(imported).cycles == cost(priced).cycles
    said = {entry.path: entry.said for entry in imported.entries if entry.said.startswith("without an ERT")}
    assert said == {
        "architecture.nodes.1.class": "without an ERT the energies of lpddr4 at 40 nm by this project's costs",
        "architecture.nodes.2.class": "without an ERT the energies of an SRAM of 262,144 bytes at 40 nm by this project's costs",
        "architecture.nodes.3.class": "without an ERT the energies of registers at 40 nm by this project's costs",
        "architecture.nodes.4.class": "without an ERT a multiply-add of 8 bits at 40 nm by this project's costs",
    }
    assert imported.machine
    dram, buffer, register = imported.machine.engines[0].params.levels
    assert dram.read_pj > buffer.read_pj > register.read_pj > 0 and imported.machine.engines[0].params.mac_pj > 0
