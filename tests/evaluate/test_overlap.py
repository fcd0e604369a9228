"""Operators side by side: no arbiter of a shared memory takes longer than is counted, and no schedule is taken that operands forbid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest

from archmodel import evaluate, load_machine, load_model, search
from archmodel.cost import default_costs
from archmodel.executing import executed
from archmodel.overlap import Load, flow_of, load_of, together
from archmodel.records.base import SpecError, from_plain, to_plain
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping
from mapper.schedule import scheduled
from sims.report.saved import Saved
from sims.report.timeline import timeline

Phases = list[tuple[bool, int]]
"""What an engine does, one after another: (it moves data, cycles)."""


def run(engines: list[Phases], pick: Callable[[list[int], int], int]) -> int:
    """Cycles until all engines are done; of those that want the memory in a cycle, ``pick`` lets one move."""
    left = [[moves for moves, cycles in phases for _ in range(cycles)] for phases in engines]
    now = 0
    while any(left):
        wanting = [number for number, cycles in enumerate(left) if cycles and cycles[0]]
        chosen = pick(wanting, now) if wanting else None
        for number, cycles in enumerate(left):
            if cycles and (not cycles[0] or number == chosen):
                del cycles[0]
        now += 1
    return now


def test_no_arbiter_of_a_memory_takes_longer_than_is_counted() -> None:
    draw, met = Random(7), 0
    for _ in range(400):
        engines = [[(draw.random() < 0.5, draw.randint(1, 6)) for _ in range(draw.randint(1, 6))] for _ in range(draw.randint(2, 3))]
        loads = [Load(str(number), "dram", Fraction(sum(cycles for _, cycles in phases)),
                      Fraction(sum(cycles for moves, cycles in phases if moves))) for number, phases in enumerate(engines)]  # fmt: skip
        counted = together(loads)
        arbiters: list[Callable[[list[int], int], int]] = [
            lambda wanting, _: wanting[0], lambda wanting, _: wanting[-1], lambda wanting, now: wanting[now % len(wanting)],
            lambda wanting, _: draw.choice(wanting),
        ]  # fmt: skip
        ends = [run(engines, pick) for pick in arbiters]
        assert max(ends) <= counted <= sum(load.seconds for load in loads)
        met += max(ends) == counted
    assert met > 20, "the count is reached: less would be too little"


def test_engines_behind_different_memories_wait_for_nobody() -> None:
    loads = [Load("a", "left", Fraction(10), Fraction(9)), Load("b", "right", Fraction(8), Fraction(8)),
             Load("c", None, Fraction(3), Fraction(0))]  # fmt: skip
    assert together(loads) == 10
    assert together([*loads[:1], replace(loads[1], port="left")]) == 18
    assert together([loads[0], replace(loads[0], seconds=Fraction(4), moving=Fraction(1))]) == 14, "one engine, one after another"


@pytest.fixture(scope="module")
def stage() -> tuple[Graph, Machine, Mapping]:
    graph, machine = load_model("gpt-oss-20b").decode(batch=16, context=512), load_machine("cloud")
    return graph, machine, search(graph, machine)


def test_a_schedule_saves_what_its_steps_hide(stage: tuple[Graph, Machine, Mapping]) -> None:
    graph, machine, mapping = stage
    alone = evaluate(graph, mapping, machine)
    side = scheduled(graph, mapping, machine, default_costs())
    result = evaluate(graph, side, machine)
    assert (replace(side, schedule=()), result.ops[0].cycles) == (mapping, alone.ops[0].cycles)
    took = {op.name: op.cycles for op in alone.ops}
    assert result.cycles == alone.cycles - sum(sum(took[name] for name in step.ops) - step.cycles for step in result.steps) < alone.cycles
    assert result.seconds == pytest.approx(result.cycles / result.clock_hz, rel=1e-12)
    assert evaluate(graph, side, machine, "cycle").cycles == result.cycles
    assert from_plain(Mapping, to_plain(side)) == side
    proof = side.certificate
    assert proof is not None and proof.lower_bound <= proof.value == result.cycles


def test_what_a_machine_draws_anyway_is_drawn_for_the_shorter_time(stage: tuple[Graph, Machine, Mapping]) -> None:
    graph, machine, mapping = stage
    alone = evaluate(graph, mapping, machine)
    result = evaluate(graph, scheduled(graph, mapping, machine, default_costs()), machine)
    watts = sum(figure.value for _, figure in result.static_by)
    assert alone.energy is not None and result.energy is not None
    assert alone.energy.value - result.energy.value == pytest.approx(1e12 * watts * (alone.seconds - result.seconds), rel=1e-6)


@pytest.mark.parametrize(("schedule", "says"), [
    ((("attn.v", "attn.scale"), ("attn.scale", "attn.q")), "step 2 of its schedule has attn.scale again, expected each tree once"),
    ((("attn.v", "nothing"),), "step 1 of its schedule has nothing, expected the first Einsum of a tree"),
    ((("attn.q", "attn.rope_q"),), "has attn.q beside attn.rope_q, which needs it"),
    ((("attn.rope_q", "attn.q"),), "has attn.q beside attn.rope_q, which needs it"),
    ((("attn.scale", "attn.rope_q"),), "has attn.scale before attn.rope_q, which it needs"),
    ((("attn.qk", "attn.softmax.max.window"),), "has attn.qk and attn.softmax.max.window, which are not known to be in the same layers"),
    ((("attn.v", "attn.rope_q"), ("attn.q", "attn.k.bias")), "step 1 of its schedule has attn.rope_q, which needs attn.q of a later step"),
    ((("attn.k.bias", "attn.append_k"),), "has attn.append_k, which needs attn.rope_k, and that needs another of the step"),
])  # fmt: skip
def test_a_schedule_that_operands_forbid_is_refused(schedule: tuple[tuple[str, ...], ...], says: str,
                                                    stage: tuple[Graph, Machine, Mapping]) -> None:  # fmt: skip
    graph, machine, mapping = stage
    with pytest.raises(SpecError) as refused:
        evaluate(graph, replace(mapping, schedule=schedule), machine)
    assert says in str(refused.value)


def test_layers_of_another_kind_never_run_beside(stage: tuple[Graph, Machine, Mapping]) -> None:
    """Windowed and full attention are in different layers, as often; experts of some layers are not in others."""
    graph, _, mapping = stage
    layers = flow_of(executed(graph, mapping), mapping).layers
    assert layers["attn.qk"] != layers["attn.qk.window"] != layers["attn.q"]
    experts = [name for name in layers if name.startswith("experts.")]
    assert experts and all(layers[name] == name for name in experts)
    assert layers["attn.q"] == layers["attn.k"] == layers["attn.append_v"]


def test_attention_that_is_rewritten_still_waits_for_its_keys() -> None:
    graph, machine = load_model("llama-3.1-8b").prefill(64), load_machine("edge-attention")
    mapping = search(graph, machine)
    needs = flow_of(executed(graph, mapping), mapping).needs
    assert mapping.rewrites
    assert {"attn.k", "attn.append_k", "attn.v", "attn.append_v", "attn.q"} <= needs["attn.qk"]


def test_the_timeline_has_no_engine_twice_at_a_time(stage: tuple[Graph, Machine, Mapping]) -> None:
    graph, machine, mapping = stage
    side = scheduled(graph, mapping, machine, default_costs())
    result = evaluate(graph, side, machine)
    spans = timeline(Saved(result, graph, machine, side, "archmodel run"))
    assert {span.op.name for span in spans} == {op.name for op in result.ops}
    by_engine: dict[str, list[tuple[Fraction, Fraction]]] = {}
    for span in spans:
        by_engine.setdefault(span.op.engine, []).append((span.start, span.end))
    for times in by_engine.values():
        assert all(end <= start for (_, end), (start, _) in zip(sorted(times), sorted(times)[1:], strict=False))
    assert float(max(span.end for span in spans)) <= result.seconds * (1 + 1e-12)
    starts, ends = ({span.op.name: getattr(span, end) for span in spans} for end in ("start", "end"))
    for name, needs in flow_of(graph, side).needs.items():
        assert all(ends[need] <= starts[name] for need in needs if need in ends)


def test_an_engine_that_says_nothing_of_its_port_is_taken_to_move_all_the_time(stage: tuple[Graph, Machine, Mapping]) -> None:
    graph, machine, mapping = stage
    op = evaluate(graph, mapping, machine).ops[0]
    silent = load_of(replace(op, port_cycles=0), machine)
    assert silent.moving == silent.seconds
