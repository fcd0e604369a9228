"""The engine of units: rates by operator, and what it refuses."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archmodel import evaluate
from archmodel.engines import engine_module
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.engines.units import Params
from archmodel.records.graph import Einsum, Graph, Stage, Tensor
from archmodel.records.machine import Clock, Engine, Machine
from archmodel.records.mapping import Compute, Loop, Mapping, Node

SM = Params(("mma", "mufu", "alu"), (128, 1, 1), (128, 16, 64), ("mma mul+add 4", "mufu exp2 1", "alu max 1/2", "alu convert 2"))


def graph_of(map_: str, reduce: str = "none", repeat: int = 1) -> Graph:
    ranks = (("m", 128), ("n", 100))
    tensors = (Tensor("a", "activation", ("m", "n"), 16), Tensor("z", "activation", ("m",), 16))
    einsum = Einsum("e", "g", "z", ("a",), ranks, map_, reduce, repeat=repeat)
    return Graph("one", Stage("one", "prefill", 1, 1, 1, 1, ()), tensors, (einsum,), ())


def machine_of(params: Params = SM, count: int = 1) -> Machine:
    return Machine("gpu", 4, (Clock("core", 10**9),), (), (Engine("sm", "units", "core", params, count=count),))


def cycles(graph: Graph, tree: Node, machine: Machine) -> int:
    return evaluate(graph, Mapping(graph.name, machine.name, (tree,)), machine).cycles


@pytest.mark.parametrize(("map_", "reduce", "unit", "expected"), [
    ("mul", "add", "mma", Fraction(4, 128 * 128)),
    ("exp2", "none", "mufu", Fraction(1, 16)),
    ("copy", "max", "alu", Fraction(1, 128)),
    ("convert", "max", "alu", Fraction(5, 128)),
])  # fmt: skip
def test_points_take_the_rate_of_their_operators(map_: str, reduce: str, unit: str, expected: Fraction) -> None:
    exact = 12_800 * expected
    graph = graph_of(map_, reduce)
    assert cycles(graph, Compute("e", "sm", unit), machine_of()) == -(-exact.numerator // exact.denominator)


def test_instances_are_dealt_to_copies() -> None:
    assert cycles(graph_of("exp2", repeat=6), Compute("e", "sm", "mufu"), machine_of(count=3)) == 1600


def test_units_are_those_of_the_parameters() -> None:
    machine = machine_of()
    engine = machine.engine("sm")
    found = engine_module(engine).units(machine, engine)
    assert [(unit.name, unit.rows, unit.cols) for unit in found] == [("mma", 128, 128), ("mufu", 1, 16), ("alu", 1, 64)]
    assert found[2].rates == (("max", Fraction(1, 2)), ("convert", Fraction(2)))


def test_parameters_read_back_what_they_print() -> None:
    assert from_plain(Params, to_plain(SM)) == SM


@pytest.mark.parametrize(("line", "found"), [
    ("alu max", "'alu max'"), ("fpu max 1", "'fpu max 1'"), ("alu max 0", "'alu max 0'"), ("alu max 1/0", "'alu max 1/0'"),
    ("alu max 1/", "'alu max 1/'"), ("alu max /2", "'alu max /2'"),
    ("alu max -1", "'alu max -1'"), ("alu max 1/2/3", "'alu max 1/2/3'"), ("alu max 9999999", "'alu max 9999999'"),
])  # fmt: skip
def test_an_operation_that_says_nothing_is_refused(line: str, found: str) -> None:
    with pytest.raises(SpecError) as refusal:
        Params(("alu",), (1,), (64,), (line,))
    assert str(refusal.value) == (f"engine of units: operations: found {found}, expected a unit (alu), an operator and its cycles, "
                                  "such as 'alu max 1/2'")  # fmt: skip


@pytest.mark.parametrize(("wrong", "text"), [
    ({"units": (), "rows": (), "cols": ()}, "engine of units: units are none, expected at least one, each once"),
    ({"units": ("a", "a"), "rows": (1, 1), "cols": (1, 1)}, "engine of units: units are a, a, expected at least one, each once"),
    ({"rows": (1, 1)}, "engine of units: 2 rows, expected one for each of 1 units"),
    ({"cols": (0,)}, "engine of units: cols is 0, expected at least 1"),
    ({"operations": ("a max 1", "a max 2")}, "engine of units: operations have a max twice, expected it once"),
    ({"actions": ("a max add 1", "a max add 2")}, "engine of units: actions have a max add twice, expected it once"),
])  # fmt: skip
def test_parameters_that_do_not_fit_are_refused(wrong: dict[str, tuple[str | int, ...]], text: str) -> None:
    with pytest.raises(SpecError) as refusal:
        Params(**{"units": ("a",), "rows": (1,), "cols": (1,), "operations": ("a max 1",)} | wrong)  # type: ignore[arg-type]
    assert str(refusal.value) == text


@pytest.mark.parametrize(("tree", "text"), [
    (Compute("e", "sm"), "mapping of e: it is on unit none of sm, expected one of mufu"),
    (Compute("e", "sm", "alu"), "mapping of e: it is on unit alu of sm, expected one of mufu"),
    (Loop("m", 16, Compute("e", "sm", "mufu")), "mapping of e: sm takes a compute leaf alone, without loops and storage"),
])  # fmt: skip
def test_a_leaf_on_no_unit_is_refused(tree: Node, text: str) -> None:
    with pytest.raises(SpecError) as refusal:
        cycles(graph_of("exp2"), tree, machine_of())
    assert str(refusal.value) == text


def test_an_operator_of_no_unit_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^mapping of e: no unit of sm \(units\) does tanh$"):
        cycles(graph_of("tanh"), Compute("e", "sm", "mufu"), machine_of())
