"""AccelForge's examples imported: every read and write that AccelForge 1.0.467 counts, of every level and tensor, exactly."""

from __future__ import annotations

import pytest

from tests.imports.helpers import cost, example

Reads = dict[tuple[str, str], tuple[int, int]]
K = 1 << 15
"""Bits of a 64 x 64 matrix of bytes."""
WHOLE: Reads = {
    ("MainMemory", "T0"): (K, 0), ("MainMemory", "W0"): (K, 0), ("MainMemory", "T1"): (0, K), ("GlobalBuffer", "T0"): (64 * K, K),
    ("GlobalBuffer", "W0"): (64 * K, K), ("GlobalBuffer", "T1"): (64 * K, 64 * K),
}  # fmt: skip
FUSED: Reads = {
    ("MainMemory", "T0"): (K, 0), ("MainMemory", "W0"): (K, 0), ("MainMemory", "W1"): (K, 0), ("MainMemory", "T2"): (0, K),
    ("GlobalBuffer", "T0"): (64 * K, K), ("GlobalBuffer", "W0"): (64 * K, K), ("GlobalBuffer", "W1"): (64 * K, K),
    ("GlobalBuffer", "T1"): (4_161_536, 64 * K), ("GlobalBuffer", "T2"): (64 * K, 64 * K),
}  # fmt: skip
SPREAD: Reads = {
    ("MainMemory", "T0"): (K, 0), ("MainMemory", "W0"): (64 * K, 0), ("MainMemory", "T1"): (2_064_384, 64 * K),
    ("GlobalBuffer", "T0"): (524_288, K), ("GlobalBuffer", "W0"): (64 * K, 64 * K), ("GlobalBuffer", "T1"): (4_161_536, 4_161_536),
}  # fmt: skip
CASES = {
    "one": (("accelforge-simple", "accelforge-one-matmul", "accelforge-unfused"), WHOLE, 8_814_592, 262_144),
    "fused": (("accelforge-simple", "accelforge-two-matmuls", "accelforge-fused"), FUSED, 17_498_112, 524_288),
    "spread": (("accelforge-at-mac", "accelforge-one-matmul", "accelforge-at-mac-mapping"), SPREAD, 6_291_456, 65_536),
}
"""Files, (reads, writes) in bits, energy and cycles: what evaluate_mapping of AccelForge 1.0.467 returned for these files."""


@pytest.mark.parametrize("case", CASES)
def test_it_counts_what_accelforge_counted(case: str) -> None:
    names, traffic, energy, cycles = CASES[case]
    found = cost(example(*names))
    assert {(row.level, row.tensor): (row.reads, row.writes) for row in found.traffic} == traffic
    assert (found.energy_pj, found.cycles) == (energy, cycles)


def test_a_tensor_without_a_home_stays_between_the_bodies() -> None:
    """AccelForge writes T1's node into both bodies; here it is one above them."""
    imported = example(*CASES["fused"][0])
    assert imported.mapping is not None and "T1" not in {row.tensor for row in cost(imported).traffic if row.level == "MainMemory"}


def test_energies_in_no_unit_are_taken_for_picojoules_and_said_to_be() -> None:
    imported = example(*CASES["one"][0])
    said = [entry.path for entry in imported.entries if entry.said.startswith("taken for pJ")]
    assert imported.machine and imported.machine.engines[0].params.levels[0].read_pj == 1
    assert said == [f"arch.nodes.{node}.actions.{action}.energy" for node, action in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))]
