"""``archmodel import``: what it prints and writes, what runs from there, and what it refuses."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from sims.cli import main
from tests.imports.helpers import EXAMPLES

THREE = ("timeloop-conv1d-3level", "timeloop-conv1d-3level.ert")
FUSED = ("accelforge-simple", "accelforge-two-matmuls", "accelforge-fused")
TPU = ("zigzag-tpu", "zigzag-gemm", "zigzag-tpu-mapping")


def paths(*names: str) -> list[str]:
    return [str(EXAMPLES / f"{name}.yaml") for name in names]


def test_it_accounts_for_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", *paths(*THREE)]) == 0
    out = capsys.readouterr().out
    assert "format    timeloop\nfields    92: 82 translated, 2 approximated, 8 refused\ncounting  timeloop\n" in out
    assert "mapping   53,261.03 pJ, 1,536 cycles, counted here" in out
    assert "projection.0.1.0): windows are unrolled: Inputs has an element for each of r, p\n" in out
    assert "\nrefused       " in out and "\ntranslated" not in out
    assert main(["import", *paths(*THREE), "--all"]) == 0
    assert "\ntranslated    " in capsys.readouterr().out


@pytest.mark.parametrize("names", [THREE, FUSED, TPU])
def test_what_it_writes_runs_at_once(names: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder's graph and mapping on its machine cost what the import said, to the last digit."""
    folder = tmp_path / "out"
    assert main(["import", *paths(*names), "-o", str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in folder.iterdir()) == ["graph.yaml", "import.json", "machine.yaml", "mapping.yaml"]
    assert json.loads((folder / "import.json").read_text()) == said
    graph, machine, mapping = (str(folder / f"{name}.yaml") for name in ("graph", "machine", "mapping"))
    assert main(["run", graph, machine, "--mapping", mapping, "--json"]) == 0
    ran = json.loads(capsys.readouterr().out)
    assert ran["energy_pj"] == pytest.approx(said["energy_pj"], rel=1e-12)
    assert ran["cycles"] == said["cycles"]


def test_the_machine_is_searched_as_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "one"
    assert main(["import", *paths("accelforge-simple", "accelforge-one-matmul"), "-o", str(folder)]) == 0
    capsys.readouterr()
    graph, machine = str(folder / "graph.yaml"), str(folder / "machine.yaml")
    assert main(["map", graph, machine, "--objective", "energy", "--tiles", "perfect", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["optimal"] and found["energy_pj"] <= 8_814_592


def test_names_are_the_folders_or_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", *paths("zigzag-tpu"), "-o", str(tmp_path / "my.tpu")]) == 0
    assert (tmp_path / "my.tpu" / "machine.yaml").read_text().startswith("name: my-tpu\n")
    assert main(["import", *paths("zigzag-tpu"), "--name", "a b"]) == 2
    assert "--name: found 'a b', expected letters, digits, _ and -" in capsys.readouterr().err


def refused(files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error; nothing is written."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    folder = tmp_path / "out"
    assert main(["import", *(str(tmp_path / name) for name in files), "-o", str(folder)]) == 2
    captured = capsys.readouterr()
    assert not folder.exists() and not captured.out and len(captured.err.splitlines()) == 1
    return captured.err.replace(f"{tmp_path}/", "")


MEMORY = "actions: [{name: read, energy: 1}, {name: write, energy: 1}]}"
ARCH = f"arch: {{nodes: [!Memory {{name: M, {MEMORY}, !Compute {{name: C, actions: [{{name: compute, energy: 1}}]}}]}}\n"
WORK = "workload: {rank_sizes: {M: 4, N: 4, K: 4}, einsums: ['Z[m,n] = A[m,k] * B[k,n]']}\n"
BAD: dict[str, tuple[dict[str, str], str]] = {
    "a template that computes": (
        {"a.yaml": "arch:\n  {% for i in range(9) %}\n  x: 1\n  {% endfor %}\n"},
        "a.yaml:2:3: found '{% for i in range(9) %}', expected plain YAML, {% set NAME = VALUE %} or {{NAME}} of a value set before; "
        "a template that computes is not executed: render it first"),
    "a variable that nothing sets": ({"a.yaml": "arch: {{x}}\n"}, "a.yaml:1:7: found '{{x}}', expected plain YAML"),
    "an alias bomb": (
        {"a.yaml": "a: &a [1,1,1,1,1,1,1,1]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 8)}]\n" for a, b in pairwise("abcdefgh"))},
        "found more than 50000 nodes or 64 levels, expected a description"),
    "an alias of itself": ({"a.yaml": "arch: &a [*a]\n"}, "a.yaml:1:11: found the alias 'a' of nothing before it, expected an anchor"),
    "neither format": ({"a.yaml": "clock: 1\n"}, "a.yaml: found no key of timeloop, accelforge, zigzag, expected an architecture"),
    "two formats": ({"a.yaml": ARCH, "b.yaml": "problem: {}\n"}, "found a.yaml: accelforge, b.yaml: timeloop, expected files of one of"),
    "one key in two files": (
        {"a.yaml": ARCH, "b.yaml": ARCH}, "b.yaml:1:7: arch: found it again, expected it in one file (first at a.yaml:1:1)"),
    "a number beyond any": (
        {"a.yaml": ARCH.replace("energy: 1}", "energy: 1e999999999}", 1)},
        "a.yaml:1:65: arch.nodes.0.actions.0.energy: found '1e999999999', expected a number, or numbers with * and /"),
    "energies that a model would estimate": (
        {"a.yaml": ARCH.replace(", energy: 1", "")},
        "arch.nodes.0: found no energy of read, expected actions with an energy each, or a component_class"),
    "an ERT without a level": (
        {"a.yaml": "architecture: {nodes: [!Component {name: M, class: SRAM}, !Component {name: C, class: mac}]}\nERT: {tables: []}\n"},
        "a.yaml:1:15: architecture: found no energy of M: read, expected it in the ERT"),
    "a mapping alone": ({"a.yaml": "mapping: {nodes: []}\n"}, "found a mapping alone, expected its arch and workload beside it"),
    "a level that isn't": (
        {"a.yaml": ARCH, "b.yaml": WORK, "c.yaml": "mapping: {nodes: [!Storage {tensors: [A], component: L2}, !Compute {einsum: Z}]}\n"},
        "c.yaml:1:54: mapping.nodes.0.component: found 'L2', expected one of M"),
    "a mapping too deep": (
        {"a.yaml": ARCH, "b.yaml": WORK,
         "c.yaml": "mapping: {nodes: [" + "!Temporal {rank_variable: m, tile_shape: 1}, " * 2000 + "!Compute {einsum: Z}]}\n"},
        "mapping.nodes.127: found more than 128 nodes on one path, expected fewer"),
    "a rank without an extent": (
        {"b.yaml": WORK.replace("K: 4", "L: 4")}, "found rank k of A without an extent, expected one in rank_sizes"),
    "a mapping that the machine refuses": (
        {"a.yaml": ARCH.replace("!Compute", f"!Memory {{name: R, size: 8, tensors: {{keep: All}}, {MEMORY}, !Compute"),
         "b.yaml": WORK, "c.yaml": "mapping: {nodes: [!Compute {einsum: Z}]}\n"},
        "archmodel import: the mapping is no legal one here: mapping of Z: A skips R, which it may not"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_one_line_says_where_and_what(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, said = BAD[case]
    assert said in refused(files, tmp_path, capsys)


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert main(["import", *paths("zigzag-tpu"), "-o", str(tmp_path / "out")]) == 2
    assert "is a file, expected a folder, or a name that is free" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"
