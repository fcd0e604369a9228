"""evaluate at fidelity rtl where attention runs on an attention engine: confirmed in Verilator, or a mismatch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archmodel import load_cascade, load_machine, search
from archmodel.cascade.graph import graph_of
from archmodel.engines import attention
from archmodel.records.machine import Machine
from sims.cosim.evaluate import Mismatch, evaluate

SETS = [*(f"engines.{name}.{key}=4" for name in ("array", "attention") for key in ("rows", "cols", "port_bytes")),
        "memories.buffer.size=80 KiB", "memories.tiles.size=16 KiB", "engines.attention.degree=3"]  # fmt: skip


@pytest.fixture
def machine() -> Machine:
    return load_machine("edge-attention", sets=SETS)


@pytest.mark.rtl
@pytest.mark.xdist_group("attention rtl")
def test_attention_is_confirmed_and_a_difference_is_a_mismatch(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(load_cascade("one-pass", {"m0": 4, "m1": 5, "p": 22}))
    mapping = search(graph, machine)
    cycle, rtl = (evaluate(graph, mapping, machine, fidelity, seed=2) for fidelity in ("cycle", "rtl"))
    (confirmed,) = (op for op in rtl.ops if op.engine == "attention")
    assert confirmed.provenance == "rtl-confirmed"
    assert [replace(op, provenance="cycle") for op in rtl.ops] == [replace(op, provenance="cycle") for op in cycle.ops]
    assert rtl.notes[-1] == "Programs run in Verilator: 1, seed 2"

    honest = attention.run

    def late(*given: Any, **more: Any) -> Any:
        found = honest(*given, **more)
        return replace(found, cycles=found.cycles + 1)

    monkeypatch.setattr(attention, "run", late)
    with pytest.raises(Mismatch, match="model and hardware differ in: cycles, closed form"):
        evaluate(graph, mapping, machine, "rtl")
