"""Problems whose best energy another mapper found: ours is never above it, and no level moves less than it must."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from archmodel import search
from archmodel.engines.plain.cost import Cost, cost_of
from archmodel.records.goal import Goal
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping

from .accelforge import CASES, Case, constraints, graph, machine


def mapped(case: Case, tiles: str = "perfect", objective: str = "energy") -> tuple[Mapping, list[Cost]]:
    """The best mapping, proved, and what the closed forms say of its trees."""
    work, target = graph(case), machine(case)
    mapping = search(work, target, goal=Goal(objective, tiles=tiles, constraints=constraints(case)))
    costs = [cost_of(work, tree, target.engines[0].params) for tree in mapping.trees]
    assert mapping.certificate is not None and mapping.certificate.optimal
    if objective == "energy":
        assert mapping.certificate.value == energy(costs)
    return mapping, costs


def energy(costs: list[Cost]) -> Fraction:
    return sum((cost.energy_pj for cost in costs), Fraction(0))


def by_level(costs: list[Cost]) -> tuple[Fraction, ...]:
    """pJ of DRAM, buffer and registers."""
    return tuple(sum((dict(cost.energy_by)[level] for cost in costs), Fraction(0)) for level in ("dram", "buffer", "register"))


@pytest.mark.parametrize("case", [case for case in CASES if not case.bypass], ids=str)
def test_energy_is_never_above_accelforge(case: Case) -> None:
    _, costs = mapped(case)
    assert energy(costs) <= case.energy
    if energy(costs) == case.energy and case.levels is not None:
        assert by_level(costs) == case.levels
    if case.cycles is not None:
        assert sum(cost.cycles for cost in costs) == case.cycles


def test_where_accelforge_missed_the_best_the_sum_says_so() -> None:
    """512^3: results stay in registers for 128 k; AccelForge's mapping keeps A there for all n and takes C up again 64 times."""
    _, costs = mapped(Case("gemm", (512, 512, 512), 1027080192))
    assert energy(costs) == 1022885888
    assert by_level(costs) == (262144000, 37748736, 588775424)


def test_attention_fused_moves_what_the_published_mapping_moves() -> None:
    """Q and the result once, K and V sixteen times: 34 x 2^24 words; unfused, scores and weights pass DRAM four times."""
    fused = mapped(next(case for case in CASES if case.energy == 870334857216))[1]
    assert (len(fused), energy(fused), by_level(fused)[0]) == (1, 870334857216, 114085068800)
    apart = mapped(next(case for case in CASES if case.apart))[1]
    assert (len(apart), energy(apart), by_level(apart)[0]) == (3, 1252721164288, 489894707200)


@pytest.mark.parametrize("case", [case for case in CASES if case.kind == "gemm" and max(case.sizes) <= 64 and not case.bypass], ids=str)
def test_ragged_tiles_are_never_worse(case: Case) -> None:
    assert energy(mapped(case, "ragged")[1]) <= energy(mapped(case)[1])


def test_imperfect_factors_lose_nothing() -> None:
    """100x300x70: with imperfect factors allowed AccelForge returned 22,965,000, though its perfect ones reach 22,845,000."""
    assert energy(mapped(Case("gemm", (100, 300, 70), 22845000), "ragged")[1]) <= 22845000


@pytest.mark.parametrize("seed", range(12))
def test_no_level_moves_less_than_it_must(seed: int) -> None:
    """Every operand is read and filled at least once on its way in, every result on its way out (ZigZag reported 11,264,000 pJ of DRAM for
    100x300x70, where 11,600,000 are compulsory)."""
    rng = np.random.default_rng(seed)
    sizes = tuple(int(size) for size in np.exp(rng.uniform(0, np.log(120), 3)))
    case = Case("gemm", sizes, 0, changes=(("buffer", int(rng.integers(8, 4000))), ("register", int(rng.integers(3, 40)))))
    _, costs = mapped(case, objective=str(rng.choice(["energy", "latency", "edp"])))
    m, n, k = sizes
    moved = {(row.level, row.tensor): (row.reads, row.writes) for cost in costs for row in cost.traffic}
    for tensor, elements in (("A", m * k), ("B", k * n)):
        assert moved["dram", tensor][0] >= elements and moved["dram", tensor][1] == 0
        assert min(*moved["buffer", tensor], *moved["register", tensor]) >= elements
    assert moved["dram", "C"][1] >= m * n
    assert min(*moved["buffer", "C"], *moved["register", "C"]) >= m * n
    assert all(cost.cycles >= Fraction(m * n * k, machine(case).engines[0].params.instances) for cost in costs)


def test_the_machine_of_the_cases_is_the_preset() -> None:
    target: Machine = machine(CASES[0])
    assert [level.words for level in target.engines[0].params.levels] == [None, 131072, 64]
    assert target.engines[0].params.instances == 256
