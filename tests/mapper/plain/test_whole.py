"""Whole graphs on a plain engine: limits on the sum of all trees, what is said where none was found, sizes that are too large."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from archmodel import evaluate, load_machine, search
from archmodel.records.base import SpecError
from archmodel.records.engines.plain import Axis
from archmodel.records.goal import Goal, Limit
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from mapper.plain.one import front
from mapper.plain.problem import problem
from tests.engines.plain.small import graph_of

TWO = ({"m": 12, "n": 8, "k": 10, "p": 6}, "c[m,n] = mul+add a[m,k] b[k,n]", "d[m,p] = mul+add c[m,n] f[n,p]")


def plain(words: int, registers: int, *axes: Axis, **fields: Any) -> Machine:
    machine = load_machine("plain-a3")
    engine = machine.engines[0]
    dram, buffer, register = engine.params.levels
    levels = (replace(dram, **fields), replace(buffer, words=words, axes=axes), replace(register, words=registers))
    return replace(machine, engines=(replace(engine, params=replace(engine.params, levels=levels)),))


def sums(graph: Graph, machine: Machine) -> list[tuple[float, int]]:
    """Energy and cycles of every pair of choices of the graph's Einsums, each by itself."""
    params = machine.engines[0].params
    parts = [front(problem(graph, einsum, "array", params), Goal("energy", tiles="perfect")) for einsum in graph.einsums]
    return [(sum(one.energy_pj for one in pair), sum(one.cycles for one in pair)) for pair in product(*parts)]


def test_limits_on_the_whole_leave_choices_that_are_best_for_no_operator_alone() -> None:
    graph, machine = graph_of(*TWO), plain(30, 8, Axis("rows", 7, ("k",)))
    energy, cycles = 211_200, 1_056
    assert (energy, cycles) in sums(graph, machine)
    goal = Goal("energy", tiles="perfect", limits=(Limit("energy", energy), Limit("latency", cycles)))
    found = evaluate(graph, search(graph, machine, goal=goal), machine)
    assert found.energy is not None and found.energy.value <= energy and found.cycles <= cycles


def test_what_no_bound_proves_is_not_said_to_be_the_least() -> None:
    goal = Goal("energy", tiles="perfect", limits=(Limit("energy", 165_264), Limit("latency", 350)))
    with pytest.raises(SpecError) as refused:
        search(graph_of(*TWO), plain(40, 3, Axis("rows", 5)), goal=goal)
    first, *least = str(refused.value).splitlines()
    assert first.endswith("together leave no mapping that was found of small on plain-a3")
    assert all("; the least that was found beside the others is " in line for line in least) and len(least) == 2


def test_a_bound_of_nothing_is_no_relative_gap() -> None:
    """Nothing compulsory costs energy here, and ragged tiles of several Einsums have no other bound."""
    proof = search(graph_of(*TWO), plain(64, 8, Axis("rows", 2), read_pj=0, write_pj=0), goal=Goal("energy", tiles="ragged")).certificate
    assert proof is not None and proof.gap > 0


def test_counts_beyond_64_bits_are_exact() -> None:
    extent = 2**20
    graph, machine = graph_of(dict.fromkeys("hmnk", extent), "c[h,m,n] = mul+add a[h,m,k] b[h,k,n]"), plain(131072, 64, Axis("rows", 16))
    mapping = search(graph, machine, goal=Goal("energy", tiles="perfect"))
    found = evaluate(graph, mapping, machine)
    assert mapping.certificate is not None and found.energy is not None
    assert mapping.certificate.value == found.energy.value > extent**4 and found.cycles == extent**4 // 16
