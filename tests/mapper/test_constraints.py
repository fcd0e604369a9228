"""Constraints that cannot be: names that aren't there, rules that no engine heeds, and pairs that contradict each other, by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from archmodel import load_machine, load_model
from archmodel.load import load_constraints, machine_from_yaml
from archmodel.records.base import SpecError
from archmodel.records.constraints import Constraints
from archmodel.records.graph import Einsum, Graph, Stage, Tensor
from archmodel.records.machine import Machine
from archmodel.workload.gemm import gemm_graph
from mapper.constraints import check

GRAPH = gemm_graph(64, 48, 32)
BYPASS = "base: plain-a3\nengines: {array: {levels: {register: {bypass: true}}}}"


def file_of(folder: Path, text: str) -> Constraints:
    path = folder / "c.yaml"
    path.write_text(text)
    return load_constraints(path)[0]


def refusal(folder: Path, text: str, machine: Machine | None = None, graph: Graph = GRAPH) -> str:
    """What is said of a file, without the folder that it lies in."""
    with pytest.raises(SpecError) as error:
        check(file_of(folder, text), graph, machine or load_machine("plain-a3"))
    return str(error.value).replace(f"{folder}/", "")


def of(rules: str) -> str:
    """Rules on the product, from line 3 on."""
    return "einsums:\n  gemm:\n" + "".join(f"    {line}\n" for line in rules.splitlines())


NAMES = {
    "tiles: {bufer: {m: 4}}": "c.yaml:3: no level 'bufer' of its engines, expected buffer",
    "tiles: {buffer: {q: 4}}": "c.yaml:3: no rank 'q' of gemm, expected one of k, m, n",
    "tiles: {buffer: {x: {m: 4}}}": "c.yaml:3: no tensor 'x' of gemm, expected one of a, b, c",
    "order: {buffer: [d]}": "c.yaml:3: no tensor or rank 'd' of gemm, expected one of a, b, c, k, m, n",
    "spatial: {row: [m]}": "c.yaml:3: no axis 'row' of its engines, expected rows",
    "spatial: {rows: [q]}": "c.yaml:3: no rank 'q' of gemm, expected one of k, m, n",
    "engine: aray": "c.yaml:3: no engine 'aray' of plain-a3, expected array",
    "keep: {a: register, b: regster}": "c.yaml:3: no level 'regster' of its engines, expected register",
}


@pytest.mark.parametrize("rules", NAMES)
def test_names_that_are_not_there(rules: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, of(rules)) == NAMES[rules]


def test_einsums_that_are_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path, "einsums:\n  gem: {engine: array}") == "c.yaml:2: no Einsum 'gem' of gemm-64x48x32, expected gemm"
    assert refusal(tmp_path, "fuse: [[gemm, av]]") == "c.yaml:1: no Einsum 'av' of gemm-64x48x32, expected one of gemm"
    tree = "trees: [{kind: Compute, einsum: gemm, engine: vector}]"
    assert refusal(tmp_path, tree) == "c.yaml:1: no engine 'vector' of plain-a3, expected one of array"


CANNOT = {
    "tiles: {buffer: {m: {min: 65}}}": "c.yaml:3: no tile of m, which is 64, is as it says",
    "tiles: {buffer: {n: [49, 50]}}": "c.yaml:3: no tile of n, which is 48, is as it says",
    "spatial: {rows: {m: 8, n: 4}}": "c.yaml:3: 32 pieces side by side on rows, which has 16",
    "spatial: {rows: {m: 8, not: m}}": "c.yaml:3: rank m is counted and forbidden on rows",
    "bypass: {a: dram}": "c.yaml:3: bypass of dram: it is the outermost level, which holds everything",
    "bypass: {a: buffer}": "c.yaml:3: bypass of buffer: the machine lets no tensor past it (bypass: false)",
}


@pytest.mark.parametrize("rules", CANNOT)
def test_rules_that_cannot_hold(rules: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, of(rules)) == CANNOT[rules]


SMALLER = "a tile of k of at most 8 at buffer holds none of at least 16 at register"
PAIRS = {
    "tiles: {buffer: {m: [16, 32]}}\n---\ntiles: {buffer: {m: 8}}": "no tile of m at buffer is as both say",
    "tiles: {buffer: {m: {multiple: 8}}}\n---\ntiles: {buffer: {a: {m: {min: 9, max: 15}}}}": "no tile of m at buffer is as both say",
    "tiles: {buffer: {k: {max: 8}}}\n---\ntiles: {register: {a: {k: 16}}}": SMALLER,
    "order: {buffer: [a, b]}\n---\norder: {buffer: [[b], [c]]}": "no order at buffer is as both say",
    "spatial: {rows: {m: 8}}\n---\nspatial: {rows: {m: 4}}": "8 and 4 pieces of m on rows",
    "spatial: {rows: {m: 8}}\n---\nspatial: {rows: {not: m}}": "8 pieces of m on rows, where it may not stand",
    "keep: {a: register}\n---\nbypass: {a: register}": "a is held at register and goes past it",
    "bypass: {a: register}\n---\ntiles: {register: {a: {m: 2}}}": "a tile of a at register, which it goes past",
}


@pytest.mark.parametrize("pair", PAIRS)
def test_pairs_that_contradict_each_other_are_named_by_line(pair: str, tmp_path: Path) -> None:
    first, second = pair.split("\n---\n")
    text = f'einsums:\n  gemm:\n    {first}\n  "*":\n    {second}\n'
    said = refusal(tmp_path, text, machine_from_yaml(BYPASS))
    assert said == f"c.yaml:3 and c.yaml:5 contradict each other for gemm: {PAIRS[pair]}"


def test_groups_that_contradict_each_other(tmp_path: Path) -> None:
    line = Tensor("x", "activation", ("m",), 8), Tensor("y", "activation", ("m",), 8), Tensor("z", "activation", ("m",), 8)
    ops = Einsum("one", "g", "y", ("x",), (("m", 8),), "exp"), Einsum("two", "g", "z", ("y",), (("m", 8),), "exp")
    graph = Graph("pair", Stage("pair", "cascade", 1, 0, 1, 1, ((1, 0, 1),)), line, ops, ())
    said = refusal(tmp_path, "fuse: [[one, two]]\napart: [[two, one]]\n", graph=graph)
    assert said == "c.yaml:1 and c.yaml:2 contradict each other for one: one and two stay together and apart"


def test_trees_are_given_for_all_or_none(tmp_path: Path) -> None:
    graph = load_model("gpt2").decode(batch=1, context=4)
    said = refusal(tmp_path, "trees: [{kind: Compute, einsum: ffn.up, engine: array}]\n", graph=graph)
    assert said.startswith("c.yaml:1: trees: found none of attn.append_k, ") and said.endswith(", expected one for every Einsum")


def test_what_can_be_is_let_pass(tmp_path: Path) -> None:
    rules = ("tiles: {buffer: {m: {multiple: 7}, k: [8, 16], c: {n: 48}}, register: {k: {max: 8}}}",
             "order: {buffer: [[a], [b, c]], register: {not: [c]}}", "spatial: {rows: {m: 8, k: 2}, cols: {not: [k]}}",
             "engine: array")  # fmt: skip
    for rule in rules:
        check(file_of(tmp_path, of(rule)), GRAPH, load_machine("plain-a3"))
    check(file_of(tmp_path, of("\n".join(rules))), GRAPH, load_machine("plain-a3"))
    check(None, GRAPH, load_machine("plain-a3"))


def test_rules_that_no_engine_heeds(tmp_path: Path) -> None:
    said = refusal(tmp_path, of("keep: {a: buffer}"), load_machine("edge-npu"))
    assert said == "c.yaml:3: keep and bypass: array leaves no such choice"
    said = refusal(tmp_path, of("engine: vector"), load_machine("edge-npu"))
    assert said == "c.yaml:3: engine vector for gemm: a matrix product is no work for vector (vector)"
