"""What the tests of the mapper share: random hardware and shapes, and mapspaces built without the mapper."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import gcd, prod

import numpy as np

from archmodel import load_machine
from archmodel.engines.systolic import price
from archmodel.engines.systolic.closed_form import Batch, batch, join
from archmodel.engines.systolic.energy import energy_pj
from archmodel.engines.systolic.tiling import RANKS, Tiling, fits, quantum
from archmodel.engines.systolic.tree import relayouts
from archmodel.memory.port import Port
from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware
from archmodel.records.graph import Einsum, Gemm, Graph, Stage, Tensor
from archmodel.records.machine import Machine
from archmodel.records.mapping import Mapping, Node, Relayout
from mapper.cheapest import Search
from mapper.pricing import Share, Target, Task, Turn, target
from mapper.space import FREE, Rules

FLOWS = (("ws",), ("is",), ("os",), ("ws", "os"), ("is", "os", "ws"))


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def integers(rng: np.random.Generator, count: int, most: int) -> list[int]:
    """Log-uniform, 1 to ``most``."""
    return [int(v) for v in np.exp(rng.uniform(0, np.log(most + 1), count))]


def random_hardware(rng: np.random.Generator, largest: int = 16) -> Hardware:
    """Buffers from one fold's size to a few dozen; every port width that divides the words."""
    rows, cols = (2 * int(v) for v in rng.integers(1, largest // 2 + 1, 2))
    flows = FLOWS[rng.integers(len(FLOWS))]
    y_bits = 8 if "is" in flows else int(rng.choice([4, 8]))
    whole = gcd(rows, y_bits * cols // 8, cols)
    port_bytes = int(rng.choice([d for d in range(1, whole + 1) if whole % d == 0]))
    x_words, y_words, z_words = (rows * size for size in integers(rng, 3, 40))
    return Hardware(rows, cols, tuple(sorted(flows)), "int8", f"int{y_bits}", port_bytes, int(rng.integers(1, 33)), int(rng.integers(1, 3)),
                    x_words, y_words, z_words, integers(rng, 1, 8)[0], 512)  # fmt: skip


def random_port(rng: np.random.Generator) -> Port:
    interval = int(rng.integers(1, 7))
    return Port(interval + int(rng.integers(0, 120)), interval)


def aim(hardware: Hardware, port: Port) -> Target:
    """A Target with this hardware and port, energies as on the edge preset."""
    machine = load_machine("edge-npu")
    engine = machine.engine_of_type("systolic")
    assert engine is not None
    return replace(target(machine, engine), hardware=hardware, port=port)


def searched(shape: dict[str, int], requantise: bool, where: Target, rounds: int = 1, turns: dict[str, int] | None = None,
             objective: str = "latency", rules: Rules = FREE) -> Search:  # fmt: skip
    """The search of one product on one copy."""
    share = Share("", shape, rounds, rounds)
    found = Search(objective)
    found.run(Task(where, share, {flow: Turn(cycles) for flow, cycles in (turns or {}).items()}, requantise, where.hardware, rules))
    return found


def multiples(extent: int, grain: int) -> list[int]:
    """Every legal tile of a rank: multiples of ``grain`` below it, and the whole rank."""
    return [*range(grain, extent, grain), extent]


def smallest(extent: int, grain: int) -> list[int]:
    """Of the legal tiles with equally many trips the smallest, by trying all."""
    by_trips: dict[int, int] = {}
    for tile in multiples(extent, grain):
        trips = -(-extent // tile)
        by_trips[trips] = min(tile, by_trips.get(trips, tile))
    return sorted(by_trips.values())


def every_mapping(sizes: dict[str, int], requantise: bool, hardware: Hardware, cuts: bool = False) -> Batch:
    """Dataflow x tile x order, all six of them, that fit: with each legal tile, or the smallest for its trips."""
    parts = []
    choose = smallest if cuts else multiples
    for flow in hardware.dataflows:
        tiles = [np.array(choose(sizes[rank], quantum(flow, rank, hardware))) for rank in RANKS]
        m, n, k = (axis.ravel() for axis in np.meshgrid(*tiles, indexing="ij"))
        kept = np.flatnonzero(fits(Tiling(*(sizes[rank] for rank in RANKS), m, n, k, flow, ("m", "n", "k"), requantise), hardware))
        for order in permutations(RANKS):
            one = Tiling(*(sizes[rank] for rank in RANKS), m[kept], n[kept], k[kept], flow, order, requantise)  # type: ignore[arg-type]
            parts.append(batch(one))
    return join(parts)


def distinct_orders(work: Batch) -> int:
    """How many mappings are left when those that differ in where a loop of one trip stands are one."""
    several = (-(-work.extent // work.tile) > 1).sum(axis=0)
    return round(sum(1 / {0: 6, 1: 6, 2: 3, 3: 1}[count] for count in several.tolist()))


def costs_of(work: Batch, where: Target, rounds: int = 1, turns: dict[str, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Picojoules and cycles of all of ``work``, priced."""
    extra = np.array([(turns or {}).get("os" if o else "is" if i else "ws", 0) for o, i in zip(work.output, work.n_is_i, strict=True)])
    cost = price(work, where.hardware, where.port)
    cycles = cost.cycles * rounds + extra
    return energy_pj(cost, where.hardware, where.prices) * rounds + where.static_pj * cycles, cycles


def best_of(work: Batch, where: Target, rounds: int = 1, turns: dict[str, int] | None = None,
            objective: str = "latency") -> tuple[int, float]:  # fmt: skip
    """(cycles, energy) of the best of ``work``."""
    energy, cycles = costs_of(work, where, rounds, turns)
    at = np.lexsort({"latency": (energy, cycles), "energy": (cycles, energy), "edp": (energy, energy * cycles)}[objective])[0]
    return int(cycles[at]), float(energy[at])


def gemm_graph(*gemms: tuple[int, int, int, int], bits: int = 8, kind: str = "weight", repeat: int = 1) -> Graph:
    """A graph of matrix products (batch, m, n, k), each with tensors of its own."""
    tensors, einsums = [], []
    for number, (copies, m, n, k) in enumerate(gemms):
        b = ("b",) if copies > 1 else ()
        a, w, c = f"a{number:02}", f"b{number:02}", f"c{number:02}"
        tensors += [Tensor(a, "activation", (*b, "m", "k"), 8), Tensor(w, kind, (*b, "k", "n"), 8),
                    Tensor(c, "activation", (*b, "m", "n"), bits)]  # fmt: skip
        ranks = (*((("b", copies),) if copies > 1 else ()), ("k", k), ("m", m), ("n", n))
        einsums.append(Einsum(f"g{number:02}", "linear", c, (a, w), ranks, "mul", "add", repeat=repeat))
    stage = Stage("gemms", "prefill", 1, 1, 1, 1, ())
    size = sum(prod(extent for _, extent in einsum.ranks if _ != "m") for einsum in einsums)
    return Graph("gemms", stage, tuple(sorted(tensors, key=lambda t: t.name)), tuple(einsums), (("weights", size),))


def mapped(graph: Graph, tree: Node, machine: Machine) -> Mapping:
    """A mapping of one product by hand, with the changes of layout that its tree needs."""
    (einsum,) = graph.einsums
    try:
        tensors = relayouts(graph, einsum, tree, machine.engine("array"))
    except SpecError:  # a tree that means no dataflow; evaluate says so itself
        tensors = ()
    turns = tuple(Relayout(einsum.name, tensor, "vector") for tensor in tensors)
    return Mapping("gemms", machine.name, (tree,), relayouts=turns)


def edge(*sets: str) -> Machine:
    """The edge preset with changes."""
    return load_machine("edge-npu", sets=sets)


def gemm_of(graph: Graph) -> Gemm:
    return graph.gemm(graph.einsums[0])
