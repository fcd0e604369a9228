"""The vector engine: closed form, execution with skipping, and execution without agree in every cycle."""

from __future__ import annotations

import numpy as np
import pytest

from archmodel.engines import vector
from archmodel.engines.vector import START, Stream, lane_cycles, price, relayout_stream, run, stream, touched_bits
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.vector import Params
from archmodel.records.graph import Einsum, Graph, Stage, Tensor


def naive(work: Stream, params: Params, port: Port) -> int:
    """Round by round, as the module's text says it."""
    read, write = work.read * port.interval, work.write * port.interval
    now = START + port.latency + read
    for j in range(work.rounds):
        memory = write * (j > 0) + read * (j < work.rounds - 1)
        now += max(work.compute, memory)
    return now + write + port.latency + params.pipeline


def draws(seed: int, count: int, most: int) -> list[tuple[Stream, Params, Port]]:
    """Streams that are bound by either side, mostly short, with ports of every kind."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rounds = int(np.exp(rng.uniform(0, np.log(most + 1))))
        compute, read, write = (int(v) for v in np.exp(rng.uniform(0, 4, 3)))
        interval = int(rng.integers(1, 9))
        port = Port(interval + int(rng.integers(0, 200)), interval)
        work = Stream(min(most, rounds), compute, read * int(rng.integers(0, 2)), write)
        found.append((work, Params(8, 16, pipeline=int(rng.integers(1, 30))), port))
    return found


def test_closed_form_equals_execution() -> None:
    for work, params, port in draws(1, 5000, 3000):
        assert price(work, params, port) == run(work, params, port), (work, port)


def test_skipping_equals_full_execution() -> None:
    for work, params, port in draws(2, 3000, 300):
        assert run(work, params, port) == naive(work, params, port), (work, port)


@pytest.mark.parametrize("rounds", range(1, 9))
def test_every_short_stream(rounds: int) -> None:
    for compute in range(1, 6):
        for read in range(4):
            for write in range(1, 4):
                work, params, port = Stream(rounds, compute, read, write), Params(4, 8), Port(5, 2)
                assert price(work, params, port) == run(work, params, port) == naive(work, params, port), work


def test_a_long_stream_is_skipped() -> None:
    work, params, port = Stream(10**15, 3, 2, 1), Params(4, 8), Port(7, 1)
    assert run(work, params, port) == price(work, params, port) > 3 * 10**15


def test_a_skip_that_is_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: one cycle more at the start of the execution, and it does."""
    work, params, port = draws(3, 1, 30)[0]
    before = run(work, params, port)
    monkeypatch.setattr(vector, "START", START + 1)
    assert run(work, params, port) == before + 1 != naive(work, params, port)


def graph(elements: int, bits: int, operator: str, reduce: str = "none") -> Graph:
    ranks = ("s",) if reduce == "none" else ()
    tensors = (Tensor("in", "activation", ("s",), bits), Tensor("out", "activation", ranks, bits))
    einsum = Einsum("op", "other", "out", ("in",), (("s", elements),), operator, reduce)
    return Graph("g", Stage("g", "prefill", 1, elements, elements, 1, ()), tensors, (einsum,), ())


def test_stream_covers_every_element_and_bit() -> None:
    """Lanes times rounds times copies hold all points, and the beats all bits; one round less would not."""
    rng = np.random.default_rng(4)
    for _ in range(500):
        elements, lanes, copies = (int(v) for v in np.exp(rng.uniform(0, (12, 5, 3))))
        params = Params(lanes, 2 ** int(rng.integers(0, 8)))
        g = graph(elements, int(rng.choice([8, 16, 32])), "relu")
        work = stream(g, g.einsums[0], params, copies)
        assert (work.rounds - 1) * lanes * copies < elements <= work.rounds * lanes * copies
        room = 8 * params.port_bytes * copies * work.rounds
        bits = touched_bits(g, g.einsums[0], "in")
        assert (work.read - 1) * room < bits <= work.read * room
        assert work.write == work.read


def test_more_lanes_are_never_slower() -> None:
    for elements in (1, 100, 4097):
        g = graph(elements, 8, "silu")
        cycles = [price(stream(g, g.einsums[0], Params(lanes, 16), 1), Params(lanes, 16), Port(9, 1)) for lanes in (1, 2, 4, 8, 16)]
        assert cycles == sorted(cycles, reverse=True)


@pytest.mark.parametrize(
    ("operator", "reduce", "cycles"),
    [("copy", "none", 1), ("copy", "add", 1), ("mul", "add", 2), ("exp", "add", 6), ("div", "none", 7), ("silu", "none", 13),
     ("rope", "none", 3), ("square", "add", 2), ("topk", "none", 1), ("rsqrt", "none", 7)],
)  # fmt: skip
def test_lane_cycles(operator: str, reduce: str, cycles: int) -> None:
    g = graph(8, 8, operator, reduce)
    assert lane_cycles(g.einsums[0], Params(4, 8, exp_cycles=5, divide_cycles=7)) == cycles


def test_relayout_reads_and_writes_each_element_once() -> None:
    work = relayout_stream(1000, 8, Params(16, 16), 2)
    assert work == Stream(32, 1, 1, 1)
    assert work.rounds * 16 * 2 >= 1000


def test_unknown_operator() -> None:
    g = graph(8, 8, "sort")
    with pytest.raises(SpecError) as caught:
        lane_cycles(g.einsums[0], Params(4, 8))
    assert str(caught.value) == "einsum op: map 'sort' is no operation of the vector engine"
