"""One matrix product as a Graph."""

from __future__ import annotations

import pytest

from archmodel.records.base import SpecError
from archmodel.workload.gemm import LARGEST, gemm_graph
from archmodel.workload.operators import Bits


def test_roles_and_widths_of_the_operands() -> None:
    graph = gemm_graph(3, 5, 7, Bits(weight=4))
    [einsum] = graph.einsums
    gemm = graph.gemm(einsum)
    assert (gemm.batch, gemm.m, gemm.n, gemm.k, gemm.a, gemm.b) == (1, 3, 5, 7, "a", "b")
    assert einsum.work == 3 * 5 * 7
    assert {t.name: (t.kind, t.bits) for t in graph.tensors} == {"a": ("activation", 8), "b": ("weight", 4), "c": ("activation", 8)}
    assert graph.resident == (("weight", 18), ("activation", 36))
    assert (graph.stage.kind, graph.stage.tokens) == ("gemm", 3)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, -1, 1), (1, 1, LARGEST + 1), (True, 1, 1)])
def test_sizes_outside_the_range_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(SpecError, match=r"gemm .*, expected an integer from 1 to 1048576"):
        gemm_graph(*sizes)
