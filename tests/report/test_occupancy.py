"""What the memories hold: activations while somebody needs them, tiles as the mapping cuts them."""

from __future__ import annotations

from archmodel.engines.systolic import hardware_of
from sims.report.occupancy import live, steps, tiles
from sims.report.timeline import timeline

from .saving import decoded, product


def test_one_product_by_hand() -> None:
    found = product(64, 256, 512)
    items = live(found, timeline(found))
    assert {item.tensor: item.bytes for item in items} == {"a": 64 * 512, "c": 64 * 256}
    whole = steps(items)
    assert [size for _, size in whole] == [64 * 512 + 64 * 256, 0]
    assert (whole[0][0], whole[-1][0]) == (0, timeline(found)[-1].end)


def test_an_activation_lives_from_its_writer_to_its_last_reader() -> None:
    found = decoded()
    items = {item.tensor: item for item in live(found, timeline(found))}
    scores = items["attn.scores"]
    assert (scores.first.op.name, scores.last.op.name) == ("attn.qk", "attn.softmax.exp")
    assert scores.bytes == 16 * 32 * 4097
    assert items["x"].last.op.name == "attn.residual", "the residual branch keeps its input"
    assert not [name for name in items if name.endswith((".cache", ".weight"))], "these are resident, and counted there"


def test_a_tensor_written_in_parts_is_whole_where_it_is_read() -> None:
    found = decoded()
    items = {item.tensor: item for item in live(found, timeline(found))}
    combine = next(einsum for einsum in found.graph.einsums if "moe.answers" in einsum.inputs)
    assert items["moe.answers"].bytes == found.graph.elements(combine, "moe.answers")


def test_steps_end_with_nothing_left() -> None:
    found = decoded()
    held = steps(live(found, timeline(found)))
    assert held[-1][1] == 0
    assert all(size > 0 for _, size in held[:-1])
    assert [time for time, _ in held] == sorted({time for time, _ in held})


def test_tiles_fit_the_buffer_and_fill_what_they_should() -> None:
    found = decoded()
    items = tiles(found, timeline(found))
    assert {item.span.op.name for item in items} == {einsum.name for einsum in found.graph.einsums if einsum.is_gemm}
    assert all(0 < item.bytes <= item.size_bytes for item in items)
    small = product(16, 16, 16)
    (item,) = tiles(small, timeline(small))
    hardware = hardware_of(small.machine, small.machine.engine("array"))
    assert dict(item.parts)["X"] == 16 * 16 * hardware.banks
    assert dict(item.parts)["Z"] == 16 * 16 * 4 * hardware.banks


def test_the_bound_keeps_no_tiles() -> None:
    found = decoded("gpt2", fidelity="bound")
    assert tiles(found, timeline(found)) == []
    assert live(found, timeline(found)) == []
