from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archmodel.memory.port import Port, port_of
from archmodel.records.base import SpecError
from archmodel.records.engines import vector
from archmodel.records.machine import Clock, Engine, Machine, Memory


def machine(*, hz: int = 10**9, rate: int | None = 16 * 10**9, latency: int = 100_000, port: str | None = "dram",
            port_bytes: int = 16, count: int = 1) -> Machine:  # fmt: skip
    params = vector.Params(lanes=4, port_bytes=port_bytes)
    return Machine("m", 16, (Clock("core", hz),), (Memory("dram", "ddr3", 1 << 30, rate, latency),),
                   (Engine("v", "vector", "core", params, port=port, count=count),))  # fmt: skip


def port(**given_: Any) -> Port:
    made = machine(**given_)
    return port_of(made, made.engine("v"))


def test_a_memory_as_wide_as_the_port_moves_a_beat_a_cycle() -> None:
    assert port() == Port(latency=100, interval=1)


def test_both_figures_round_up() -> None:
    assert port(latency=100_001, rate=15_999_999_999) == Port(latency=101, interval=2)


def test_latency_is_at_least_a_cycle() -> None:
    assert port(latency=0).latency == 1


def test_copies_share_the_memory() -> None:
    assert port(count=3).interval == 3


def test_the_docstring_s_example() -> None:
    assert port(hz=700_000_000, port_bytes=256, rate=34 * 10**9).interval == 6


@given(
    st.integers(1, 4 * 10**9),
    st.integers(40_000, 4 * 10**12),
    st.integers(0, 10**7),
    st.integers(1, 64),
    st.integers(1, 256),
)
def test_a_port_is_never_faster_than_its_memory_and_at_most_a_cycle_slower(
    hz: int, rate: int, latency: int, count: int, port_bytes: int
) -> None:
    got = port(hz=hz, rate=rate, latency=latency, count=count, port_bytes=port_bytes)
    beat = Fraction(port_bytes * count * hz, rate)
    delay = Fraction(latency * hz, 10**12)
    assert beat <= got.interval < beat + 1
    assert delay <= got.latency
    assert got.latency < delay + 1 or got.latency == got.interval


def test_an_engine_without_a_port() -> None:
    with pytest.raises(SpecError) as error:
        port(port=None)
    assert str(error.value) == "machine m: engine v has no port, expected the name of a memory"


def test_a_memory_without_a_bandwidth() -> None:
    with pytest.raises(SpecError) as error:
        port(rate=None)
    assert str(error.value) == "machine m: memory dram has no bandwidth, and the port of v needs it"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"rate": 1}, ("port: interval 16000000000 cycles, expected at most 2147483648: "
                       "the memory's bandwidth is too low for the port's width and clock")),
        ({"hz": 10**12, "latency": 10**12}, ("port: latency 1000000000000 cycles, expected at most 2147483648: "
                                             "the memory's latency is too long for the clock")),
    ],
)  # fmt: skip
def test_a_port_of_too_many_cycles(given_: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError) as error:
        port(**given_)
    assert str(error.value) == f"machine m: engine v behind memory dram: {message}"


def test_the_slowest_port() -> None:
    assert Port(1 << 31, 1 << 31).interval == 1 << 31


def test_a_port_without_cycles() -> None:
    with pytest.raises(SpecError, match="latency 0 and interval 1, expected 1 <= interval <= latency"):
        Port(0, 1)
