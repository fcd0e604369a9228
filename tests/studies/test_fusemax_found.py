"""What the mapper finds on FuseMax's machine is at least as good as the paper's binding, at every published point."""

from __future__ import annotations

import pytest

from archmodel import search
from sims.studies.fusemax import graphs
from sims.studies.fusemax import points as model
from sims.studies.fusemax.published import LENGTHS, MODELS, shape


@pytest.mark.parametrize("name", MODELS)
def test_no_slower_no_more_energy_no_more_traffic_of_the_papers_cascade(name: str) -> None:
    on = model.machine("fusemax")
    for length in LENGTHS:
        graph, binding = graphs.one_pass(shape(name, length), 256), model.attention("binding", name, length)
        found = model.found(graph, search(graph, on, model.costs()), on)
        assert found.cycles <= binding.cycles and found.traffic_bytes <= binding.traffic_bytes, length
        assert found.energy_pj <= binding.energy_pj * (1 + 1e-12), length


@pytest.mark.parametrize("name", MODELS)
def test_no_slower_from_three_passes_which_the_mapper_rewrites_itself(name: str) -> None:
    """Its sums are fp32, the paper's bf16, so that energies don't compare; XLM at 1K is faster in rows than in the paper's one pass."""
    on, faster = model.machine("fusemax"), []
    for length in LENGTHS:
        graph = graphs.three_pass(shape(name, length))
        found = model.found(graph, search(graph, on, model.costs()), on)
        binding = model.attention("binding", name, length)
        assert found.cycles <= binding.cycles, length
        faster += [length] * (found.cycles < binding.cycles)
    assert faster == (["1K"] if name == "XLM" else [])
