"""A mapping of the user's own: priced, held against the best one, and given whole as the only one allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel.load import record_from_yaml, record_to_yaml
from archmodel.records.base import from_plain, to_plain
from archmodel.records.mapping import Loop, Mapping, nodes

from .helpers import said

GEMM = ("map", "--gemm", "64,256,512", "edge-npu")


@pytest.fixture
def file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The best mapping with k cut into tiles of half the size."""
    path = tmp_path / "own.yaml"
    assert said(capsys, *GEMM, "-o", str(path)).code == 0
    best: Mapping = record_from_yaml(Mapping, path.read_text())
    tile = next(node.tile for node in nodes(best.trees[0]) if isinstance(node, Loop) and node.rank == "k" and not node.spatial)
    path.write_text(record_to_yaml(from_plain(Mapping, _halved(to_plain(best), tile))))
    return path


def _halved(plain: dict[str, object], tile: int) -> dict[str, object]:
    """Plain data of a mapping in which the loop over k in tiles of ``tile`` has tiles of half the size."""

    def cut(node: object) -> object:
        if isinstance(node, dict):
            found = {key: cut(value) for key, value in node.items()}
            return found | {"tile": tile // 2} if (found.get("rank"), found.get("tile")) == ("k", tile) else found
        return [cut(item) for item in node] if isinstance(node, list) else node

    changed = cut(plain)
    assert isinstance(changed, dict) and changed != plain
    return changed


def test_a_mapping_is_priced_beside_the_best(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, best = said(capsys, *GEMM, "--mapping", str(file), "--json").json, said(capsys, *GEMM, "--json").json
    ran = said(capsys, "run", *GEMM[1:], "--mapping", str(file), "--json").json
    assert (own["cycles"], own["energy_pj"]) == (ran["cycles"], ran["energy_pj"])
    assert own["optimal"] is None and own["cpu_seconds"] is None
    assert own["best"]["cycles"] == best["cycles"] <= own["cycles"]
    [item] = own["differences"]
    assert item["einsums"] == ["gemm"] and item["cycles"] == own["cycles"] - best["cycles"]


def test_the_best_mapping_has_no_difference(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, *GEMM, "-o", str(file)).code == 0
    found = said(capsys, *GEMM, "--mapping", str(file))
    assert found.code == 0 and "The mapper finds nothing better: the best mapping is this one." in found.out


def test_a_mapping_given_whole_leaves_no_other(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = said(capsys, *GEMM, "--mapping", str(file), "--json").json
    fixed = said(capsys, *GEMM, "--constrain", str(file), "--json").json
    assert (fixed["cycles"], fixed["mapping_hash"]) == (own["cycles"], own["mapping_hash"])
    assert (fixed["space"], fixed["evaluated"], fixed["optimal"], fixed["scope"]) == (1, 1, True, "the one mapping that is given")
    words = (*GEMM, "--constrain", str(file), "--limit", f"latency={own['cycles'] - 1}")
    cycles = f"{own['cycles']:,}"
    assert said(capsys, *words).err == (f"archmodel: --limit latency={own['cycles'] - 1}: the mapping has latency {cycles}, "
                                        f"which is above {own['cycles'] - 1:,}\n")  # fmt: skip


def test_what_is_wrong_with_a_mapping_names_its_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "map", "--gemm", "64,256,500", "edge-npu", "--mapping", str(file))
    assert found.code == 2
    assert found.err == (f"archmodel: {file}: mapping: it is of gemm-64x256x512 on edge-npu, expected one of gemm-64x256x500 on edge-npu\n")


