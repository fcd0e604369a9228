"""Faults planted in the counts and in the search: the walk and the enumeration see each of them."""

from __future__ import annotations

import pytest

from archmodel.engines.plain import counts, tree
from mapper.plain import space

from .problems import small
from .test_counts import differences, drawn
from .test_exhaustive import difference

COUNTS = {
    "first visits are read": (counts.Passing, "all", lambda self, once=frozenset(): self._product(False, frozenset())),
    "all tiles are whole": (counts, "visited", lambda extent, chain, sizes: extent if sizes else
                            max([1, *(-(-extent // tile) for tile, whole in chain if whole)])),
    "tiles live in every body": (tree, "_in_turn", lambda node, place, above, einsums: above),
}  # fmt: skip


@pytest.mark.parametrize("fault", COUNTS)
def test_a_fault_in_the_counts_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*COUNTS[fault])
    assert any(differences(*drawn(seed)) for seed in range(60))


ORDERS, BITS = space.orders, space.Space.bits
SEARCH = {
    "one order of residences is tried": (space, "orders", lambda *given: list(ORDERS(*given))[:1]),
    "a level holds a word less": (space.Space, "bits", lambda self, level: BITS(self, level) - self.problem.params.levels[level].word_bits),
}


@pytest.mark.parametrize("fault", SEARCH)
def test_a_fault_in_the_search_is_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*SEARCH[fault])
    assert any(difference(small(seed, 1)) for seed in range(60))
