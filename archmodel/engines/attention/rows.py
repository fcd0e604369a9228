"""Rows of a Result: the one-pass attentions of a stage on an attention engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from archmodel.cost import Costs
from archmodel.engines import Work
from archmodel.memory.port import Port, port_of
from archmodel.onepass import OnePass, one_pass_of
from archmodel.records.base import SpecError
from archmodel.records.engines.attention import Hardware, resolve
from archmodel.records.figure import Figure, by_cause
from archmodel.records.formats import format_of
from archmodel.records.graph import Einsum, Graph
from archmodel.records.machine import Engine, Machine
from archmodel.records.mapping import Node
from archmodel.records.result import Moved, OpResult

from . import energy
from .arithmetic import RECIPROCAL_POWER
from .closed_form import price
from .cycle import run
from .energy import Actions, counts, word_bits
from .lower import Bases, lower
from .tiling import Attention, blocks, query_tiles
from .tree import Placement, from_tree, group, instances, queries, turned

BOUND_BY = {"compute": "array", "fill and padding": "overhead", "memory": "memory"}
"""What a row says it is bound by, after the cause of most of its cycles."""


def hardware_of(machine: Machine, engine: Engine) -> Hardware:
    """The hardware of one copy, its buffer's depths worked out."""
    return resolve(engine.params, machine.memory(engine.buffer or "").size_bytes)


def tile_keys(engine: Engine) -> int:
    """Keys of one tile: the rows of the array."""
    rows: int = engine.params.rows
    return rows


def element_bits(engine: Engine) -> int:
    """Width of a key's and a value's elements."""
    return format_of(engine.params.format).bits


def supports(graph: Graph, einsum: Einsum, engine: Engine) -> str | None:
    """Why the engine cannot execute an Einsum, or None if it can: steps of a one-pass attention in its format, a tile at a time.

    A graph knows widths, no formats: what 16 bits mean is the engine's choice.
    """
    found = one_pass_of(graph, einsum)
    if found is None:
        return f"{einsum.name} is no step of a one-pass attention, the work of {engine.name} (attention)"
    params = engine.params
    if found.size(found.inner) != params.rows:
        return f"{found.name} takes {found.size(found.inner)} keys at a time, and {engine.name} has {params.rows} rows of them"
    wide = format_of(params.format).bits
    operands = (("queries", found.query), ("keys", found.key), ("values", found.value), ("results", found.steps["AV"].output))
    for what, name in operands:
        if (bits := graph.tensor[name].bits) != wide:
            return f"{name} has {bits} bits and {engine.name} takes {what} of {wide} ({params.format})"
    return None


def ideal_cycles(einsum: Einsum, engine: Engine) -> float:
    """Every PE busy with a product that counts; what else a tile needs is not counted."""
    return einsum.work / (engine.params.rows * engine.params.cols * engine.count) if einsum.is_gemm else 0.0


def area(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    return energy.area(machine, hardware_of(machine, engine), costs)


def static(machine: Machine, engine: Engine, costs: Costs) -> tuple[tuple[str, Figure], ...]:
    return energy.static(machine, hardware_of(machine, engine), costs)


def relayouts(graph: Graph, einsum: Einsum, tree: Node, engine: Engine) -> tuple[str, ...]:
    """Tensors whose layout must change for a tree."""
    del tree, engine
    return turned(graph, whole(graph, einsum))


def whole(graph: Graph, einsum: Einsum) -> OnePass:
    """The attention that an Einsum is a step of.  Raises SpecError."""
    found = one_pass_of(graph, einsum)
    if found is None:
        raise SpecError(f"mapping of {einsum.name}: it is no step of a one-pass attention")
    return found


def evaluate(work: Work) -> dict[str, OpResult]:
    """A row for each attention.  At fidelity cycle each distinct Program runs in the cycle model."""
    hardware, port = hardware_of(work.machine, work.engine), port_of(work.machine, work.engine)
    return {einsum.name: _row(work, einsum, hardware, port) for einsum in work.einsums}


def traffic(work: Work) -> dict[str, tuple[Moved, ...]]:
    """Bytes of each operand, and of what the engine keeps, at the memory port and in the buffers: what ``evaluate`` adds up."""
    hardware, port = hardware_of(work.machine, work.engine), port_of(work.machine, work.engine)
    return {einsum.name: _moved(work, einsum, hardware, port) for einsum in work.einsums}


def _moved(work: Work, einsum: Einsum, hardware: Hardware, port: Port) -> tuple[Moved, ...]:
    found, engine, bits = whole(work.graph, einsum), work.engine, word_bits(hardware)
    names = {"Q": found.query, "K": found.key, "V": found.value, "M": f"mask of {found.name}", "O": found.steps["AV"].output,
             "S": f"state of {found.name}"}  # fmt: skip
    every = [(part, copies * einsum.repeat) for parts, copies in _dealt(work, einsum, found, hardware, port) for part in parts]
    moved: dict[tuple[str, str], list[Fraction]] = {}
    for part, times in every:
        job, done = part.job, part.done
        reads, writes = done.reads(job.e, job.f), done.writes(job.f)
        for name, tensor in names.items():
            beats = hardware.beats(name) * hardware.port_bytes * times if name != "S" else 0
            outer = moved.setdefault((engine.port or "", tensor), [Fraction(0), Fraction(0)])
            inner = moved.setdefault((engine.buffer or "", tensor), [Fraction(0), Fraction(0)])
            outer[0] += done.filled.get(name, 0) * beats
            outer[1] += done.drained * beats if name == "O" else 0
            inner[0] += Fraction(reads[name] * bits[name] * times, 8)
            inner[1] += Fraction(writes[name] * bits[name] * times, 8)
    rows = [Moved(level, tensor, sides[0], sides[1]) for (level, tensor), sides in moved.items() if any(sides)]
    return tuple(sorted(rows, key=lambda row: row.level != engine.port))


def _dealt(work: Work, einsum: Einsum, found: OnePass, hardware: Hardware, port: Port) -> list[tuple[list[_Part], int]]:
    """The Programs of one copy, and how many copies run just those.  Raises SpecError for what the engine cannot execute."""
    try:
        placed = from_tree(found, work.trees[einsum.name], work.engine, hardware)
        return [([_part(one, pass_size(one, placed, hardware), hardware, port, work.fidelity) for one in ones], copies)
                for ones, copies in slices(found, placed, work.engine, hardware)]  # fmt: skip
    except SpecError as error:
        raise SpecError(str(error) if str(error).startswith("mapping of") else f"mapping of {einsum.name}: {error}") from None


def _row(work: Work, einsum: Einsum, hardware: Hardware, port: Port) -> OpResult:
    engine, found = work.engine, whole(work.graph, einsum)
    dealt = _dealt(work, einsum, found, hardware, port)
    slowest = max((parts for parts, _ in dealt), key=lambda parts: sum(part.cycles for part in parts))
    every = [(part, copies * einsum.repeat) for parts, copies in dealt for part in parts]
    steps = [step for step in found.steps.values() if step.is_gemm]
    ideal = sum(ideal_cycles(step, engine) for step in steps) * einsum.repeat
    total = sum(part.cycles for part in slowest) * einsum.repeat
    array = min(total, sum(part.array for part in slowest) * einsum.repeat)
    compute = min(array, -int(-ideal // 1))
    rows = [(cause, figure, count * times) for part, times in every
            for cause, figure, count in counts(part.done, hardware, part.job.e, part.job.f, work.machine, engine, work.costs)]  # fmt: skip
    moved = sum((part.done.read + part.done.written) * times for part, times in every)
    inside = sum(part.done.buffer_bytes(hardware, part.job.e, part.job.f) * times for part, times in every)
    causes = (("compute", compute), ("fill and padding", array - compute), ("memory", total - array))
    return OpResult(
        einsum.name, einsum.group, engine.name, work.machine.clock_hz(engine.clock), total, sum(s.work for s in steps) * einsum.repeat,
        ((engine.port or "", moved), (engine.buffer or "", inside)), ideal, BOUND_BY[max(causes, key=lambda cause: cause[1])[0]],
        "rtl-covered", causes, by_cause(rows), einsum.repeat, sum(part.port for part in slowest) * einsum.repeat,
    )  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """What one Program does and how long it takes: ``array`` cycles of its tiles alone, ``port`` cycles of its moves."""

    job: Attention
    done: Actions
    cycles: int
    array: int
    port: int


@lru_cache(maxsize=1024)
def _part(one: Attention, size: int, hardware: Hardware, port: Port, fidelity: str) -> _Part:
    """Raises SpecError for what the engine cannot execute, too long a Program included."""
    code, cost = lower(one, hardware, Bases(0, 0, 0, 0, 0), size), priced(one, hardware, port, size)
    cycles = run(code, hardware, port).cycles if fidelity == "cycle" else cost.cycles
    masked = sum(rows.count * beside.count for block in blocks(one, hardware, size) for rows in block.rows for beside in rows.runs
                 if beside.pattern is not None)  # fmt: skip
    done = Actions(cost.tiles - cost.finishing, masked * one.heads, cost.finishing, cost.filled, cost.stored, cost.read_bytes,
                   cost.write_bytes)  # fmt: skip
    return _Part(one, done, cycles, (cost.tiles + cost.stages - 1) * cost.period, cost.port_cycles)


priced = lru_cache(maxsize=1024)(price)
"""The closed form, each attention once."""


def least_cycles(found: OnePass, placed: Placement, engine: Engine, hardware: Hardware, port: Port) -> int:
    """Cycles of one instance of a placement, whether or not its Programs fit the sequencers; shorter Programs take no fewer."""
    return max(sum(priced(one, hardware, port, pass_size(one, placed, hardware)).cycles for one in ones)
               for ones, _ in slices(found, placed, engine, hardware))  # fmt: skip


def pass_size(one: Attention, placed: Placement, hardware: Hardware) -> int:
    """Tiles of queries that a pass over the keys serves: the last Program may have fewer than the placement's."""
    return min(placed.tiles, query_tiles(one, hardware))


def job(found: OnePass, hardware: Hardware, heads: int, first: int = 0, count: int = 0) -> Attention:
    """What one copy computes: ``heads`` instances, of each ``count`` queries (0: all) from query ``first`` on.

    Integers: scores as they are, results in the units of the values.
    """
    each = group(found)
    shift = 0 if hardware.is_float else hardware.weight_bits + RECIPROCAL_POWER
    mask = replace(found.mask, offset=found.mask.offset + first // each)
    return Attention(found.size(found.e), found.value_width, (count or queries(found)) // each, found.keys, heads, each, mask, 0, shift)


def slices(found: OnePass, placed: Placement, engine: Engine, hardware: Hardware) -> list[tuple[tuple[Attention, ...], int]]:
    """What copies run side by side: the attentions of one copy, a Program each, one after another, and how many copies do just that."""
    total, whole_rank = instances(found), queries(found)

    def programs(heads: int, begin: int, end: int) -> tuple[Attention, ...]:
        return tuple(job(found, hardware, heads, at, min(placed.stretch, end - at)) for at in range(begin, end, placed.stretch))

    if placed.split == "batch":
        rounds = -(-total // engine.count)
        full, rest = divmod(total, rounds)
        return [(programs(heads, 0, whole_rank), copies) for heads, copies in ((rounds, full), (rest, 1)) if heads]
    starts = range(0, whole_rank, placed.piece)
    return [(programs(total, at, min(at + placed.piece, whole_rank)), 1) for at in starts]
