"""AccelForge's examples imported: every read and write that AccelForge 1.0.467 counts, of every level and tensor, exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from sims.imports import translate
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


def test_attention_of_a_whole_layer_is_read(tmp_path: Path) -> None:
    """Lines of examples/workloads/gpt3_6.7B.yaml: K is made over m and read over p, which one tensor here can't be."""
    (tmp_path / "gpt3.yaml").write_text(
        "workload:\n  rank_sizes: {B: 1, P: 64, M: 64, H: 2, E: 8, F: 8, D: 16}\n  bits_per_value: {All: 8}\n  einsums:\n"
        '  - "V[b, m, h, e] = I[b, m, d] * WV[h, e, d]"\n  - "K[b, m, h, e] = I[b, m, d] * WK[h, e, d]"\n'
        '  - "Q[b, m, h, e] = I[b, m, d] * WQ[h, e, d]"\n  - einsum: "QK[b, m, p, h] = Q[b, m, h, e] * K[b, M: p, h, e]"\n'
        "    renames: {input: Q}\n"
        '  - "S[b, m, p, h] = QK[b, m, p, h]"\n  - "AV[b, m, h, f] = S[b, m, p, h] * V[b, M: p, h, E: f]"\n'
        '  - "R[b, m, d] = I[b, m, d] + I[b, m, d]"\n'
    )
    imported = translate([tmp_path / "gpt3.yaml"])
    assert imported.cascade is not None
    assert [str(line) for line in imported.cascade.equations[3:]] == [
        "QK[b,m,p,h] = sum(e) Q[b,m,h,e] * K_p[b,p,h,e]", "S[b,m,p,h] = QK[b,m,p,h]", "AV[b,m,h,f] = sum(p) S[b,m,p,h] * V_p_f[b,p,h,f]",
        "R[b,m,d] = I[b,m,d] + I[b,m,d]",
    ]  # fmt: skip
    said = {entry.said for entry in imported.entries if entry.status == "approximated"}
    assert said == {f"{name} is read by other names of its ranks, as {apart}: joined through the outermost memory alone"
                    for name, apart in (("K", "K_p"), ("V", "V_p_f"))}  # fmt: skip


def test_energies_of_component_models_are_this_projects_and_said_to_be(tmp_path: Path) -> None:
    """As in examples/arches/eyeriss.yaml, whose energies hwcomponents would estimate."""
    (tmp_path / "arch.yaml").write_text(
        "arch:\n  nodes:\n  - !Memory {name: MainMemory, component_class: LPDDR4, size: inf}\n"
        "  - !Memory {name: GlobalBuffer, component_class: SmartBufferSRAM, size: 1024 * 1024,\n"
        "             actions: [{name: read, bits_per_action: 64}, {name: write, bits_per_action: 64}]}\n"
        "  - !Compute {name: MAC, component_class: IntMAC}\n"
    )
    imported = translate([tmp_path / "arch.yaml"])
    assert imported.machine
    dram, buffer = imported.machine.engines[0].params.levels
    assert (buffer.words, buffer.word_bits) == (1 << 14, 64) and dram.read_pj * 64 > buffer.read_pj > 0
    said = {entry.path: entry.said for entry in imported.entries if entry.status == "approximated"}
    assert said == {
        "arch.nodes.0.component_class": "the energies of lpddr4 at 7 nm by this project's costs",
        "arch.nodes.1.component_class": "the energies of an SRAM of 131,072 bytes at 7 nm by this project's costs",
        "arch.nodes.2.component_class": "a multiply-add of 8 bits at 7 nm by this project's costs",
    }
