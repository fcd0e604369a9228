"""When each operator runs: one after another or in steps, in an order that their tensors allow; and the same as a trace for Perfetto."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

from archmodel.overlap import flow_of
from archmodel.records.graph import Einsum, Graph
from archmodel.records.result import OpResult
from archmodel.workload.operators import GROUPS

from .rows import bytes_by_memory
from .saved import Saved
from .table import title


@dataclass(frozen=True)
class Span:
    """An operator with all its instances, from ``start`` to ``end`` in seconds of the stage."""

    op: OpResult
    start: Fraction
    end: Fraction


def timeline(saved: Saved) -> tuple[Span, ...]:
    """The stage from its first operator to its last; what belongs to a step begins with it, and nothing else overlaps.

    An operator of a step is drawn as long as it takes alone; the step ends when all are done, however they shared a memory.
    """
    at, found = Fraction(0), []
    for ops, cycles in _steps(saved):
        engines: dict[str, Fraction] = {}
        for op in ops:
            start = engines.get(op.engine, at)
            engines[op.engine] = start + Fraction(op.cycles, op.clock_hz)
            found.append(Span(op, start, engines[op.engine]))
        at = max(engines.values()) if cycles is None else at + Fraction(cycles, saved.result.clock_hz)
    return tuple(found)


def _steps(saved: Saved) -> Iterator[tuple[list[OpResult], int | None]]:
    """Operators in an order that their operands allow, those of a step together with its cycles."""
    rows = {op.name: op for op in saved.result.ops}
    waiting = [op.name for op in ordered(saved)]
    if saved.mapping is None or not saved.result.steps:
        yield from (([rows[name]], None) for name in waiting)
        return
    step_of = {name: step for step in saved.result.steps for name in step.ops}
    flow, done = flow_of(saved.executed, saved.mapping), set[str]()

    def able(name: str) -> bool:
        names = step_of[name].ops if name in step_of else (name,)
        ready = all(not (flow.needs.get(one, frozenset()) & flow.engines.keys()) - done - set(names) for one in names)
        return ready and (name in flow.engines or name == waiting[0])

    while waiting:
        first = next(filter(able, waiting), waiting[0])
        step = step_of.get(first)
        names = step.ops if step else (first,)
        yield [rows[name] for name in names], step.cycles if step else None
        done |= set(names)
        waiting = [name for name in waiting if name not in names]


def causes(span: Span) -> list[tuple[str, Fraction, Fraction]]:
    """(cause, start, end) of an operator's cycles, one cause after another: shares of its time, no schedule inside it."""
    hz = span.op.clock_hz
    ends = list(accumulate((Fraction(cycles, hz) for _, cycles in span.op.causes), initial=span.start))
    return [(cause, start, end) for (cause, _), start, end in zip(span.op.causes, ends, ends[1:], strict=False) if end > start]


def ordered(saved: Saved) -> list[OpResult]:
    """The operators of a result, each behind those whose output it reads; a change of layout stands at its operator."""
    rows = {op.name: op for op in saved.result.ops}
    einsums = {einsum.name: einsum for einsum in saved.executed.einsums}
    extra = [op for op in saved.result.ops if op.name not in einsums]
    before: dict[str, list[OpResult]] = {}
    after: dict[str, list[OpResult]] = {}
    relayouts = saved.mapping.relayouts if saved.mapping else ()
    for turn, op in zip(relayouts, extra, strict=False):
        (after if turn.tensor == einsums[turn.einsum].output else before).setdefault(turn.einsum, []).append(op)
    found = []
    for name in execution_order(saved.executed):
        found += [*before.get(name, ()), *([rows[name]] if name in rows else []), *after.get(name, ())]
    return found + extra[len(relayouts) :]


def execution_order(graph: Graph) -> list[str]:
    """Names of the Einsums, writers of a tensor before its readers, else by group as a model runs and then by name.

    Those whose tensors go in a circle (a recurrence) stand together, where the first of them can.
    """
    import networkx as nx

    place = {group: number for number, group in enumerate(GROUPS)}
    einsums = {einsum.name: einsum for einsum in graph.einsums}
    flow: nx.DiGraph[str] = nx.DiGraph()
    flow.add_nodes_from(einsums)
    writers = writers_of(graph)
    flow.add_edges_from((writer.name, einsum.name) for einsum in graph.einsums for tensor in einsum.inputs
                        for writer in writers.get(tensor, ()) if writer is not einsum)  # fmt: skip

    def key(name: str) -> tuple[int, str]:
        return place.get(einsums[name].group, len(place)), name

    circles = nx.condensation(flow)
    members = {number: sorted(circles.nodes[number]["members"], key=key) for number in circles}
    order = nx.lexicographical_topological_sort(circles, key=lambda number: key(members[number][0]))
    return [name for number in order for name in members[number]]


def writers_of(graph: Graph) -> dict[str, list[Einsum]]:
    """The Einsums that write each tensor; one in parts has several."""
    found: dict[str, list[Einsum]] = {}
    for einsum in graph.einsums:
        found.setdefault(einsum.output, []).append(einsum)
    return found


def chrome_trace(results: Sequence[Saved]) -> dict[str, Any]:
    """Trace events in the JSON that Perfetto and chrome://tracing open: a process a result, a thread an engine.

    An operator is a complete event ("X") with all its instances; its causes are events inside it.  Times are whole nanoseconds,
    written in microseconds as the format wants them.
    """
    events: list[dict[str, Any]] = []
    for process, saved in enumerate(results, 1):
        spans = timeline(saved)
        engines = list(dict.fromkeys(span.op.engine for span in spans))
        events.append(_name("process_name", title(saved.result), process, 0))
        events += [_name("thread_name", engine, process, thread) for thread, engine in enumerate(engines, 1)]
        for span in spans:
            thread = engines.index(span.op.engine) + 1
            events.append(_event(span.op.name, span.op.group, span.start, span.end, process, thread) | {"args": _arguments(span.op)})
            events += [_event(cause, "cause", start, end, process, thread) for cause, start, end in causes(span)]
    version = results[0].result.version if results else ""
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"generator": f"archmodel {version}"}}


def _name(kind: str, name: str, process: int, thread: int) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _event(name: str, category: str, start: Fraction, end: Fraction, process: int, thread: int) -> dict[str, Any]:
    # Rounding both ends keeps what is inside an event inside it.
    first, last = round(start * 10**9), round(end * 10**9)
    return {"ph": "X", "name": name, "cat": category, "ts": first / 1000, "dur": (last - first) / 1000, "pid": process, "tid": thread}


def _arguments(op: OpResult) -> dict[str, Any]:
    return {"instances": op.repeat, "cycles": op.cycles, "clock_hz": op.clock_hz, "macs": op.macs, "bytes": bytes_by_memory([op]),
            "bound_by": op.bound_by, "provenance": op.provenance}  # fmt: skip
