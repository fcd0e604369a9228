"""Examples, and what they cost here by level and tensor."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from archmodel.cascade.graph import graph_of
from archmodel.engines.plain.cost import Cost, cost_of
from sims.imports import translate
from sims.imports.result import Imported

EXAMPLES = Path(__file__).parent / "examples"


def example(*names: str) -> Imported:
    return translate([EXAMPLES / f"{name}.yaml" for name in names], names[0])


def cost(imported: Imported) -> Cost:
    assert imported.machine and imported.cascade and imported.mapping
    return cost_of(graph_of(imported.cascade), imported.mapping.trees[0], imported.machine.engines[0].params)


def energies(imported: Imported) -> dict[tuple[str, str], Fraction]:
    """pJ by (level, tensor), and of compute by ("mac", "")."""
    found = cost(imported)
    assert imported.machine
    levels = {level.name: level for level in imported.machine.engines[0].params.levels}
    pj = {(row.level, row.tensor): row.reads * levels[row.level].read_pj + row.writes * levels[row.level].write_pj for row in found.traffic}
    return {**pj, ("mac", ""): dict(found.energy_by)["mac"]}
