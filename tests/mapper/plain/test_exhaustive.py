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
from .problems import Small, best, fusable, key, small
from .walk import cycles, energy_pj, walk

PROBLEMS = int(os.environ.get("MAP_PROBLEMS", "100"))
"""Of one Einsum, of two fused ones and of three."""
PARTS = 4


def found(problem: Small) -> Mapping | None:
    """The mapping that the search returns; None where it says that nothing fits."""
    try:
        return search(problem.graph, problem.machine, goal=problem.goal)
    except SpecError as error:
        assert "fit" in str(error) or str(error).startswith(("limit", "the limit")), f"{error}\n{problem}"
        return None


def proves(mapping: Mapping) -> bool:
    return mapping.certificate is not None and mapping.certificate.optimal


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


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("count", [2, 3], ids=["two", "three"])
def test_the_best_of_all_fused_mappings_is_found(count: int, part: int) -> None:
    """Perfect tiles, energy or latency, where groups are searched exactly; most of these optima are fused."""
    problems = [fusable(seed, count) for seed in range(part, PROBLEMS, PARTS)]
    proved = [problem for problem in problems if (mapping := found(problem)) is None or proves(mapping)]
    assert len(proved) >= 0.9 * len(problems), "a group with a body that has no exact table is not searched, and its certificate says so"
    wrong = [text for problem in proved if (text := difference(problem))]
    assert not wrong, f"{len(wrong)} problems differ, the first: {wrong[0]}"


def claim(problem: Small) -> str | None:
    """What a certificate of several Einsums claims and enumeration denies: in its own scope, nothing is below its bound."""
    mapping, least = found(problem), best(problem)
    if mapping is None or least is None:
        return None if mapping is least else f"found {mapping and walked(problem, mapping)}, enumerated {least}\n{problem}"
    certificate, cost = mapping.certificate, key(walked(problem, mapping), problem.goal.objective)
    assert certificate is not None
    alone = best(problem, alone=True) if certificate.scope.startswith("one Einsum a tree") else least
    assert alone is not None
    bound = key(alone, problem.goal.objective)[0]
    if certificate.value != cost[0] or cost < key(least, problem.goal.objective) or certificate.lower_bound > bound:
        return f"certified {certificate}, it costs {cost}, enumerated {least} and {alone}\n{problem}"
    return None


@pytest.mark.parametrize("count", [2, 3], ids=["two", "three"])
def test_no_certificate_claims_more_than_enumeration_finds(count: int) -> None:
    """Of problems of any kind: ragged tiles, bypass, bandwidths, limits, products of energy and cycles."""
    wrong = [text for seed in range(PROBLEMS // 4) if (text := claim(small(seed, count)))]
    assert not wrong, f"{len(wrong)} problems differ, the first: {wrong[0]}"
