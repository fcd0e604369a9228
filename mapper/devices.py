"""Search over devices: how a stage is split among identical ones, and the mapping of the share of one.

All splits of a number of devices are few, so each that the model, the links and the memory allow is mapped and priced as a whole,
collectives included, unless a bound of it is above the best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from archmodel.bound import bound_seconds
from archmodel.communication import check_split, devices_of, exchanged
from archmodel.cost import Costs, default_costs
from archmodel.evaluation import evaluate
from archmodel.executing import executed
from archmodel.fitting import capacity, missing, needed, refusal_of, shown, splits_of
from archmodel.legality import refuse_devices, refuse_overflow
from archmodel.overlap import flow_of
from archmodel.records.base import SpecError
from archmodel.records.goal import FASTEST, Goal
from archmodel.records.graph import Graph
from archmodel.records.machine import Machine
from archmodel.records.mapping import DEVICES, Certificate, Choice, Mapping, Split
from archmodel.records.result import Result
from archmodel.sharding import sharded

from .placement import Binding, order, rebound
from .schedule import scheduled
from .search import Search, engines_of
from .search import search as search_device


def search(graph: Graph, machine: Machine, costs: Costs | None = None, goal: Goal = FASTEST) -> Mapping:
    """The best mapping by ``goal``, of one device or of what each of several executes; the split is searched if it has none.

    Raises SpecError when the stage cannot be split so, or fits no device, as well as when a device's share can't be mapped.
    """
    split = goal.split
    if split is not None:
        check_split(machine, split)
    costs = costs or default_costs()
    if goal.overlap and machine.convention == "published":
        raise SpecError(f"machine {machine.name}: --overlap is of machines that count as hardware; in published counts only trees overlap")
    if devices_of(machine.fabric) == 1:
        return _of_one(graph, Split(), machine, costs, goal)
    refuse_devices(machine)
    if split is not None:
        if why := refusal_of(graph, split, machine.fabric):
            raise SpecError(why)
        refuse_overflow(graph, machine, split)
        return _proved(graph, machine, costs, [_mapped(graph, split, machine, costs, goal)], (), goal)
    return _best(graph, machine, costs, goal)


@dataclass(frozen=True)
class _Way:
    """A split that was mapped."""

    split: Split
    mapping: Mapping
    result: Result

    def order(self, goal: Goal) -> tuple[float, ...]:
        return order(self.result, goal)


def _best(graph: Graph, machine: Machine, costs: Costs, goal: Goal) -> Mapping:
    if goal.objective != "latency" and not costs.has("link", "pj"):
        raise SpecError(f"--objective {goal.objective}: the links between devices are not priced, so no split can be compared by energy; "
                        "give a row of action link in --costs FILE, or --split")  # fmt: skip
    able, refused = [], []
    for split in splits_of(devices_of(machine.fabric)):
        why = refusal_of(graph, split, machine.fabric)
        short = 0 if why else missing(graph, split, machine)
        if why or short:
            refused.append(Choice(DEVICES, shown(split), why=why or f"{short:,} bytes are missing on each device"))
        else:
            able.append((_floor(graph, split, machine, costs), split))
    if not able:
        raise SpecError(_nothing(graph, machine, refused))
    found: list[_Way] = []
    for floor, split in sorted(able, key=lambda item: item[0]):
        if goal.objective == "latency" and found and floor > min(way.result.seconds for way in found):
            refused.append(Choice(DEVICES, shown(split), why=f"its bound of {floor:.4g} s is above the best"))
        else:
            found.append(_mapped(graph, split, machine, costs, goal))
    return _proved(graph, machine, costs, found, tuple(refused), goal)


def _floor(graph: Graph, split: Split, machine: Machine, costs: Costs) -> float:
    """Seconds below which no mapping of a split comes: the share's roofline and all collectives."""
    alone = replace(machine, fabric=None)
    return bound_seconds(sharded(graph, split), alone) + sum(op.seconds for op in exchanged(graph, split, machine, costs))


def _mapped(graph: Graph, split: Split, machine: Machine, costs: Costs, goal: Goal) -> _Way:
    mapping = _of_one(graph, split, machine, costs, goal)
    return _Way(split, mapping, evaluate(graph, mapping, machine, costs=costs))


def _of_one(graph: Graph, split: Split, machine: Machine, costs: Costs, goal: Goal) -> Mapping:
    """The mapping of one device's share; where they overlap, also on engines that are slower alone, where that hides more."""
    share, one, searchers = sharded(graph, split), replace(machine, fabric=None), dict[str, Search]()

    def alone(bound: Binding) -> Mapping:
        return replace(search_device(share, one, costs, goal, bound, searchers), split=split)

    def again(bound: Binding) -> Mapping:
        return scheduled(graph, alone(bound), machine, costs)

    first = alone({})
    if not goal.overlap:
        return first
    best = scheduled(graph, first, machine, costs)
    flow = flow_of(executed(graph, best), best)
    able = {einsum.name: tuple(engine.name for engine in engines_of(share, einsum, one, goal))
            for einsum in share.einsums if flow.independent(einsum.name)}  # fmt: skip
    best = rebound(best, {name: engines for name, engines in able.items() if len(engines) > 1}, again)
    return best if best.schedule else first


def _proved(graph: Graph, machine: Machine, costs: Costs, ways: list[_Way], refused: tuple[Choice, ...], goal: Goal) -> Mapping:
    """The best way, with a certificate over all of them."""
    best = min(ways, key=lambda way: way.order(goal))
    proof = best.mapping.certificate
    assert proof is not None, "what is mapped has a certificate"
    exchange = sum(op.cycles for op in exchanged(graph, best.split, machine, costs))
    added = exchange if proof.objective.startswith(("cycles", "latency")) and not best.mapping.schedule else 0
    choices = [_choice(way, best, machine, goal) for way in ways] if len(ways) + len(refused) > 1 else []
    whole = replace(
        proof, value=proof.value + added, lower_bound=proof.lower_bound + added, choices=(*proof.choices, *choices, *refused),
        space=sum(_proof(way).space for way in ways), evaluated=sum(_proof(way).evaluated for way in ways),
        nodes=sum(_proof(way).nodes for way in ways),
    )  # fmt: skip
    return replace(best.mapping, certificate=whole)


def _proof(way: _Way) -> Certificate:
    assert way.mapping.certificate is not None, "what is mapped has a certificate"
    return way.mapping.certificate


def _choice(way: _Way, best: _Way, machine: Machine, goal: Goal) -> Choice:
    moved = sum(size for op in way.result.ops for memory, size in op.bytes if memory in {engine.port for engine in machine.engines})
    energy = way.result.energy.value if way.result.energy else None
    why = ""
    if way is not best:
        first, other = best.order(goal)[0], way.order(goal)[0]
        why = f"{other / first - 1:.1%} more {goal.objective}" if other > first else "equal, and takes more of what decides a tie"
    return Choice(DEVICES, shown(way.split), "", way is best, way.result.cycles, moved, energy, why)


def _nothing(graph: Graph, machine: Machine, refused: list[Choice]) -> str:
    """Why no split works: the bytes missing under the best one that the model allows, else each refusal."""
    devices = devices_of(machine.fabric)
    allowed = [split for split in splits_of(devices) if not refusal_of(graph, split, machine.fabric)]
    if not allowed:
        reasons = "; ".join(dict.fromkeys(item.why for item in refused))
        return f"machine {machine.name}: {graph.stage.model} cannot be split over {devices} devices: {reasons}"
    split = min(allowed, key=lambda item: missing(graph, item, machine))
    try:
        refuse_overflow(graph, machine, split)
    except SpecError as error:
        return f"{error} (under the best split, {shown(split)})"
    raise AssertionError(f"{needed(graph)} bytes fit {capacity(machine)}")
