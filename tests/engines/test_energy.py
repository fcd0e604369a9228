"""What a multiply-add of floating point costs, and by which rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import load_machine
from archmodel.cost import default_costs
from archmodel.engines.systolic import hardware_of
from archmodel.engines.systolic.energy import tariff
from archmodel.records.figure import Figure


def mac(x: str, y: str) -> Figure:
    """At 7 nm, where there are rows."""
    machine = replace(load_machine("edge-npu"), node_nm=7)
    engine = machine.engines[0]
    return tariff(machine, engine, replace(hardware_of(machine, engine), x_format=x, y_format=y), default_costs()).mac


def test_bf16_has_a_row_of_its_own() -> None:
    figure = mac("bf16", "bf16")
    assert figure.value == pytest.approx(0.21 + 0.38)
    assert figure.provenance == "published"
    assert "jouppi-2021" in figure.sources


def test_fp8_is_extrapolated_from_fp16() -> None:
    narrow, mixed = mac("e4m3", "e5m2"), mac("bf16", "e4m3")
    assert 0.38 < narrow.value < mixed.value < 0.38 + 0.34
    assert (narrow.provenance, mixed.provenance) == ("extrapolated", "extrapolated")
