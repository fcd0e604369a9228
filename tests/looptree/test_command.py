"""A user's own tree on a machine that counts as published: run, saved, reported, compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel.load import record_to_yaml
from archmodel.records.mapping import Compute, Loop, Mapping
from archmodel.workload.gemm import gemm_graph
from sims.cli import main

MACHINE = """
name: plain
convention: published
node: 45 nm
clocks: {core: 1 GHz}
memories: {dram: {technology: hbm2e, size: 1 GiB, bandwidth: 100 GB/s}}
engines:
  chip: {type: units, clock: core, port: dram, units: [array], rows: [8], cols: [16], operations: [array mul+add 1]}
"""


def test_a_tree_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.yaml").write_text(MACHINE)
    graph = gemm_graph(64, 32, 16)
    (einsum,) = graph.einsums
    ranks = graph.gemm(einsum)
    (m,), (n,) = ranks.rank_m, ranks.rank_n
    tree = Loop(m, 8, Loop(n, 16, Loop(m, 1, Loop(n, 1, Compute(einsum.name, "chip"), "cols"), "rows")))
    (tmp_path / "tree.yaml").write_text(record_to_yaml(Mapping(graph.name, "plain", (tree,))))
    run = ["run", "--gemm", "64,32,16", str(tmp_path / "plain.yaml"), "--mapping", str(tmp_path / "tree.yaml")]
    assert main(run) == 0
    printed = capsys.readouterr().out
    assert " 256 " in printed and "closed form" in printed  # 64 x 32 x 16 points on 8 x 16 lanes
    saved, page = tmp_path / "r.json", tmp_path / "r.html"
    assert main([*run, "-o", str(saved)]) == 0
    assert main(["report", str(saved), "-o", str(page)]) == 0
    assert main(["compare", str(saved), str(saved)]) == 0
    assert main([*run, "--fidelity", "cycle"]) == 2
    assert "plain counts as published, which is analytic alone" in capsys.readouterr().err
