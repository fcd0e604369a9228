"""The search against enumeration: on small random problems it finds what is least of all mappings, and a walk says that it costs so.

``make map-exhaustive`` draws ten times as many.
"""

from __future__ import annotations

import os
from fractions import Fraction
from math import ceil

import pytest

from archmodel import search
from archmodel.records.base import SpecError
from archmodel.records.mapping import Mapping

from .fused import Cost
from .problems import Small, best, key, small
from .walk import cycles, energy_pj, walk

PROBLEMS = int(os.environ.get("MAP_PROBLEMS", "100"))
"""Of one Einsum, of two and of three."""
PARTS = 4


def found(problem: Small) -> Mapping | None:
    """The mapping that the search returns; None where it says that nothing fits."""
    try:
        return search(problem.graph, problem.machine, goal=problem.goal)
    except SpecError as error:
        assert "fits" in str(error) or "limit" in str(error), f"{error}\n{problem}"
        return None


def walked(problem: Small, mapping: Mapping) -> Cost:
    """What its trees cost, one after another, each in whole cycles."""
    walks = [walk(tree, problem.graph, problem.params) for tree in mapping.trees]
    return sum(map(energy_pj, walks), Fraction(0)), sum(ceil(cycles(done)) for done in walks)


def difference(problem: Small) -> str | None:
    """What the search and the enumeration disagree on, if anything."""
    mapping, least = found(problem), best(problem)
    if mapping is None or least is None:
        return None if mapping is least else f"found {mapping and walked(problem, mapping)}, enumerated {least}\n{problem}"
    cost, certificate = walked(problem, mapping), mapping.certificate
    if key(cost, problem.goal.objective) != key(least, problem.goal.objective):
        return f"found {cost}, enumerated {least}\n{problem}\n{mapping.trees}"
    if certificate is None or not certificate.optimal or certificate.value != key(least, problem.goal.objective)[0]:
        return f"certified {certificate}, enumerated {least}\n{problem}"
    return None


@pytest.mark.parametrize("part", range(PARTS))
def test_the_best_of_all_mappings_of_one_einsum_is_found(part: int) -> None:
    wrong = [text for seed in range(part, PROBLEMS, PARTS) if (text := difference(small(seed, 1)))]
    assert not wrong, f"{len(wrong)} problems differ, the first: {wrong[0]}"
