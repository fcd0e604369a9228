"""FuseMax redone: every published point from evaluate, within the bars, and faults in the trees that the bars catch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel.records.mapping import Loop, Parallel, Sequence, Storage
from sims.studies.fusemax import graphs, mappings
from sims.studies.fusemax import points as model
from sims.studies.fusemax.published import (
    ENERGY_WITHOUT_SPURIOUS,
    LENGTHS,
    MEANS,
    MODELS,
    VARIANTS,
    pareto,
    points,
    shape,
)
from sims.studies.fusemax.study import energy_without_spurious, means, study
from sims.studies.record import cells, find_study

ATTENTION = [key for key in points() if key[0] in VARIANTS]
LINEAR = [key for key in points() if key[0].startswith("linear")]


def ids(key: tuple[str, ...]) -> str:
    return "-".join(key)


@pytest.mark.parametrize("key", ATTENTION, ids=ids)
def test_time_cycles_traffic_and_utilisation_are_the_published_ones(key: tuple[str, str, str]) -> None:
    found, said = model.attention(*key), points()[key]
    assert found.seconds == pytest.approx(said.seconds, rel=1e-9)
    assert found.cycles == pytest.approx(said.seconds * 940e6, rel=1e-9)
    assert found.traffic_bytes == pytest.approx(said.traffic_bytes, rel=1e-3 if key[0] == "flat" else 1e-9)
    assert found.utilisation("array") == pytest.approx(said.util_2d, rel=1e-8)
    assert found.utilisation("lanes") == pytest.approx(said.util_1d, rel=1e-8)


@pytest.mark.parametrize("key", LINEAR, ids=ids)
def test_linear_layers_take_the_published_time(key: tuple[str, str, str]) -> None:
    found = model.linear("binding" if key[0] == "linear-fusemax" else "flat", *key[1:])
    assert found.seconds == pytest.approx(points()[key].seconds, rel=1e-9)
    if key[1] != "XLM":  # its mapper cuts weights that exceed the buffer
        assert found.traffic_bytes == points()[key].traffic_bytes


SHORT = {"unfused": (), "flat": ("1K", "4K", "16K"), "cascade": ("1K", "4K", "16K", "64K"), "architecture": ("1K", "4K", "16K", "64K"),
         "binding": ("1K", "4K", "16K", "64K")}  # fmt: skip


@pytest.mark.parametrize("key", [key for key in ATTENTION if key[2] in SHORT[key[0]]], ids=ids)
def test_energy_is_the_published_one_where_the_artifact_counts_what_is_moved(key: tuple[str, str, str]) -> None:
    assert model.attention(*key).energy_pj == pytest.approx(points()[key].energy_pj, rel=2e-3)


@pytest.mark.parametrize("key", [key for key in ATTENTION if key[2] not in SHORT[key[0]] and key[0] != "unfused"], ids=ids)
def test_elsewhere_the_artifacts_extra_reads_explain_it(key: tuple[str, str, str]) -> None:
    plain, said = model.attention(*key).energy_pj, points()[key].energy_pj
    counted = model.attention(*key, model.extra_reads(*key)).energy_pj
    assert abs(counted / said - 1) < 0.01
    if model.extra_reads(*key):
        assert abs(counted / said - 1) < abs(plain / said - 1)


def test_the_means_of_24_points() -> None:
    found = means()
    assert found["attention speed-up", "flat"] == pytest.approx(6.7226, abs=1e-4)
    assert found["end-to-end speed-up", "flat"] == pytest.approx(5.3017, abs=1e-4)
    assert found["attention energy", "flat"] == pytest.approx(0.7875, abs=2e-4)
    assert energy_without_spurious() == pytest.approx(ENERGY_WITHOUT_SPURIOUS, abs=3e-4)
    for what, said in MEANS.items():
        assert found[what] == pytest.approx(said, rel=0.03), what


@pytest.mark.parametrize(("name", "side"), list(pareto()), ids=str)
def test_arrays_of_other_sizes(name: str, side: int) -> None:
    found, said = model.array_of(name, side), pareto()[name, side]
    assert found.seconds == pytest.approx(said["seconds"], rel=1e-9)
    assert found.traffic_bytes == said["traffic_bytes"]
    assert found.utilisation("array") * found.seconds == pytest.approx(said["seconds_2d"], rel=1e-9)


def test_groups_of_queries_are_the_papers() -> None:
    fusemax = [model.fusemax_group(shape("BERT", length)) for length in LENGTHS]
    assert fusemax == [4, 16, 64, 128, 128, 128]
    assert [model.fusemax_group(shape("XLM", length)) for length in LENGTHS] == [4, 16, 64, 64, 64, 64]
    assert [model.cascade_group(shape(name, length)) for name in MODELS for length in LENGTHS] == 4 * [4, 16, 32, 32, 32, 32]


def seconds(body: object) -> float:
    graph, on = graphs.one_pass(shape("BERT", "1K"), 256), model.machine("fusemax")
    return model.found(graph, mappings.one_pass(graph, on, body, 4, 256), on).seconds  # type: ignore[arg-type]


def test_a_tile_too_young_is_a_fault_that_the_bar_catches() -> None:
    """+Binding whose running maximum wants the tile that is just made: 256 cycles a tile more."""
    said = points()["binding", "BERT", "1K"].seconds
    assert seconds(mappings.binding()) == pytest.approx(said, rel=1e-9)
    young = Sequence((
        Parallel((mappings.rows(mappings.array("QK", 1), mappings.array("LM", 1)),
                  Sequence((mappings.lanes("RD", 2), mappings.lanes("RNV", 2), mappings.lanes("AV", 2))))),
        mappings.binding().bodies[1],  # type: ignore[union-attr]
    ))  # fmt: skip
    assert seconds(young) > 2 * said


def test_a_tensor_that_stays_nowhere_is_a_fault_that_the_bar_catches() -> None:
    graph, on = graphs.one_pass(shape("BERT", "16K"), 256), model.machine("fusemax")
    mapping = mappings.one_pass(graph, on, mappings.binding(), 64, 256)
    tree = mapping.trees[0]
    bare = without(tree, "K")
    found = model.found(graph, type(mapping)(mapping.graph, mapping.machine, (bare,)), on)  # type: ignore[arg-type]
    assert found.traffic_bytes > 10 * points()["binding", "BERT", "16K"].traffic_bytes


def without(node: object, tensor: str) -> object:
    if isinstance(node, Storage):
        return without(node.body, tensor) if node.tensor == tensor else Storage(node.tensor, node.level, without(node.body, tensor))  # type: ignore[arg-type]
    if isinstance(node, Loop):
        return Loop(node.rank, node.tile, without(node.body, tensor), node.spatial)  # type: ignore[arg-type]
    return node


def test_every_point_stands_in_the_tables_and_every_figure_is_drawn() -> None:
    made = find_study("fusemax")
    assert made == study()
    for name in ("latency", "traffic", "energy", "utilisation", "end-to-end"):
        assert len(made.table(name).rows) == len(VARIANTS) * len(MODELS) * len(LENGTHS)
    assert [chart.name for chart in made.charts] == ["fig6a", "fig6b", "fig7", "fig8", "fig9", "fig10", "fig11", "fig12"]
    missing = [row for row in cells(made.table("latency")) if row[3] == "-"]
    assert len(missing) == 5 * 24 - len(ATTENTION) and all(row[5] == "-" for row in missing)


@pytest.mark.parametrize("name", ["BERT", "XLM"])
def test_hardware_takes_longer_than_published_and_less_so_the_longer_it_runs(name: str) -> None:
    """The steady state is the claimed one: 138 cycles a tile at 64 elements a head, 266 at 128."""
    more = [model.hardware(name, length).cycles / model.attention("binding", name, length).cycles - 1 for length in LENGTHS]
    assert more == sorted(more, reverse=True) and 0 < more[-1] < 2e-4 and 0.1 < more[0] < 0.13
    steady = model.hardware(name, "1M").cycles / ((LENGTHS["1M"] // 256) ** 2 * graphs.BATCH * MODELS[name][1])
    assert steady == pytest.approx({"BERT": 138, "XLM": 266}[name], rel=3e-4)


@pytest.mark.parametrize("variant", ["architecture", "binding"])
@pytest.mark.parametrize("name", ["BERT", "XLM"])
def test_the_attention_engine_under_the_same_trees_counts_the_same(variant: str, name: str) -> None:
    """The bindings are mappings: +Architecture and +Binding of the engine that has hardware, counted as published."""
    on = model.machine("hardware")
    plain = replace(on, convention="published")
    graph, body = graphs.one_pass(shape(name, "1K"), 256), getattr(mappings, variant)()
    found = model.found(graph, mappings.one_pass(graph, plain, body, 4, 256), plain)
    said = points()[variant, name, "1K"]
    assert found.seconds == pytest.approx(said.seconds, rel=1e-9)
    assert found.traffic_bytes == said.traffic_bytes
    assert found.energy_pj == pytest.approx(said.energy_pj, rel=1e-3)
