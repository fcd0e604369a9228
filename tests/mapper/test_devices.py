"""How a stage is split among devices: the best of all splits, told apart by price or by bound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.fitting import missing, refusal_of, shown, splits_of
from archmodel.records.base import SpecError
from archmodel.records.goal import Goal
from archmodel.records.machine import Fabric, Machine
from archmodel.records.mapping import Split


def joined(devices: int, topology: str = "ring") -> Machine:
    return replace(load_machine("cloud"), fabric=Fabric(devices, topology, 150 * 10**9, 2_500_000))


@pytest.mark.parametrize("topology", ("ring", "mesh"))
def test_the_split_found_is_the_fastest_of_all(topology: str) -> None:
    graph, machine = load_model("mixtral-8x7b").decode(batch=8, context=512), joined(4, topology)
    mapping = search(graph, machine)
    able = [split for split in splits_of(4) if not refusal_of(graph, split, machine.fabric) and not missing(graph, split, machine)]
    every = {split: evaluate(graph, search(graph, machine, goal=Goal(split=split)), machine).seconds for split in able}
    assert every[mapping.split] == min(every.values())
    proof = mapping.certificate
    assert proof is not None
    assert {choice.way for choice in proof.choices if choice.block == "devices"} == {shown(split) for split in splits_of(4)}
    assert [choice.way for choice in proof.choices if choice.block == "devices" and choice.chosen] == [shown(mapping.split)]


def test_what_fits_no_device_says_what_would() -> None:
    with pytest.raises(SpecError, match=r"bytes are missing: .*the fewest devices that fit are \d+, split .*under the best split, "):
        search(load_model("llama-3.1-405b").decode(batch=2, context=64), joined(2))


def test_splits_that_all_fail_are_named() -> None:
    with pytest.raises(SpecError, match=r"llama-3\.1-8b cannot be split over 3 devices: split tensor=3: .*; split data=3"):
        search(load_model("llama-3.1-8b").decode(batch=4, context=64), joined(3))


def test_energy_over_links_needs_their_price() -> None:
    graph = load_model("llama-3.1-8b").decode(batch=4, context=64)
    with pytest.raises(SpecError, match="--objective energy: the links between devices are not priced"):
        search(graph, joined(2), goal=Goal("energy"))
    assert search(graph, joined(2), goal=Goal("energy", split=Split(2))).split == Split(2)


def test_one_device_of_a_fabric_is_the_machine_alone() -> None:
    graph = load_model("llama-3.1-8b").decode(batch=1, context=64)
    one, alone = joined(1), replace(load_machine("cloud"), fabric=None)
    assert evaluate(graph, search(graph, one), one).cycles == evaluate(graph, search(graph, alone), alone).cycles
