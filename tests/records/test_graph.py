"""A graph says of itself what doesn't fit."""

from __future__ import annotations

import pytest

from archmodel.records.base import SpecError
from archmodel.records.graph import Einsum, Tensor


def test_a_rank_twice() -> None:
    with pytest.raises(SpecError, match=r"^tensor a: a rank appears twice$"):
        Tensor("a", "weight", ("m", "k", "m"), 8)
    with pytest.raises(SpecError, match=r"^einsum e: a rank appears twice$"):
        Einsum("e", "g", "c", ("a", "b"), (("m", 2), ("m", 3)), "mul", "add")


def test_ranks_out_of_order() -> None:
    with pytest.raises(SpecError, match=r"^einsum e: ranks must be sorted by name$"):
        Einsum("e", "g", "c", ("a", "b"), (("n", 2), ("m", 3)), "mul", "add")
