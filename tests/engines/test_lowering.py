"""lower: layouts decide the addresses, and what cannot be executed is refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archmodel import SpecError, load_machine, lower, search
from archmodel.records.engines.systolic import decode
from archmodel.records.mapping import Layout, Mapping
from archmodel.workload.gemm import gemm_graph

GRAPH, MACHINE = gemm_graph(40, 48, 64), load_machine("edge-npu")
MAPPING = search(GRAPH, MACHINE)


def bases(mapping: Mapping) -> dict[str, int]:
    """First address of each kind of move: X, Y of the load stream, the result of the store stream."""
    program = lower(GRAPH, mapping, MACHINE, "gemm")
    found = {}
    for name, stream in zip(("load", "store"), (program.streams[0], program.streams[2]), strict=True):
        for at in range(0, len(stream), 32):
            kind, fields = decode(stream[at : at + 32])
            if kind == "move":
                found.setdefault(f"{name} {'XYZP'[fields['buffer']]}", fields["base"])
    return found


def moved(tensor: str, **changes: object) -> Mapping:
    layouts = tuple(replace(x, **changes) if x.tensor == tensor else x for x in MAPPING.layouts)  # type: ignore[arg-type]
    return replace(MAPPING, layouts=layouts)


def test_operands_lie_where_the_layouts_say() -> None:
    at = {layout.tensor: layout.base_bytes // 16 for layout in MAPPING.layouts}
    assert at["a"] == 0
    assert bases(MAPPING)["load X"] == at["a"]
    assert bases(MAPPING)["load Y"] == at["b"]
    assert bases(MAPPING)["store Z"] == at["c"]
    assert bases(moved("b", base_bytes=160_000))["load Y"] == 10_000
    assert bases(MAPPING)["load P"] >= at["c"] + 40 * 48 // 16


REFUSED = {
    "between beats": (moved("a", base_bytes=8), "mapping of gemm: a begins at byte 8, expected a multiple of 16"),
    "negative": (moved("a", base_bytes=-16), "mapping of gemm: a begins at byte -16, expected a multiple of 16"),
    "other lanes": (moved("b", lanes=3),
                    "mapping of gemm: b lies in dram as 3 of n by k, and its dataflow needs dram, 16 of n by k"),
    "no layout": (replace(MAPPING, layouts=()), "mapping of gemm: no layout of a"),
    "too far": (moved("b", base_bytes=1 << 37),
                "lower: operand Y ends at beat 8,589,934,784, and an address has 32 bits; place it lower or split the product"),
}  # fmt: skip


@pytest.mark.parametrize(("mapping", "text"), REFUSED.values(), ids=REFUSED)
def test_a_layout_that_does_not_fit_is_refused(mapping: Mapping, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        lower(GRAPH, mapping, MACHINE, "gemm")
    assert str(caught.value) == text


def test_unknown_einsum_and_engine_without_programs() -> None:
    with pytest.raises(SpecError) as caught:
        lower(GRAPH, MAPPING, MACHINE, "nothing")
    assert str(caught.value) == f"lower: the mapping of {GRAPH.name} has no Einsum 'nothing'"


def test_layouts_of_one_mapping_do_not_overlap() -> None:
    ends = [layout.base_bytes for layout in MAPPING.layouts]
    assert ends == sorted(ends)
    assert isinstance(MAPPING.layouts[0], Layout)
