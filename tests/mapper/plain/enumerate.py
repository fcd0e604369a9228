"""Every mapping of one Einsum on a plain engine, priced: slow and plain, without a bound, and without a rule of what is better.

The mapspace: at each level every order of the nodes of the tensors that stay there, every set of tensors that go past where the level lets
them; above each node a loop in time over each rank; at a level with axes, below its last node, loops in time, then a loop over each rank
on each axis, then those in time of the next node; each with every tile size (``perfect``: every divisor of what it cuts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from itertools import pairwise, permutations, product
from math import lcm, prod

import numpy as np
import numpy.typing as npt

from archmodel.records.engines.plain import Level, Params
from archmodel.records.graph import Einsum, Graph

from .chains import chains, ended

Ints = npt.NDArray[np.int64]
POINT = "point"


@dataclass(frozen=True)
class Job:
    """One Einsum, by itself or under loops that are there already.

    left     of each rank the sizes that those loops leave, first to last
    homes    tensors that stay at the first level already
    repeat   how often loops over ranks that the Einsum lacks do all of it again
    perfect  whether tiles must divide what they cut
    """

    graph: Graph
    einsum: Einsum
    params: Params
    left: Mapping[str, tuple[int, ...]] = field(hash=False)
    homes: frozenset[str] = frozenset()
    repeat: int = 1
    perfect: bool = False

    @property
    def tensors(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.einsum.inputs, self.einsum.output)))

    def home(self, tensor: str) -> int:
        return 1 if tensor in self.homes else 0

    def words(self, tensor: str, level: Level) -> Fraction:
        return Fraction(self.graph.tensor[tensor].bits, level.word_bits)


def job(graph: Graph, einsum: Einsum, params: Params, perfect: bool = False) -> Job:
    return Job(graph, einsum, params, {rank: (extent,) for rank, extent in einsum.ranks}, perfect=perfect)


@dataclass(frozen=True)
class Prices:
    """Columns of integers: energy, steps, words of the first level, then words read and written by the busiest instance of each level
    with a bandwidth.

    ``energy`` and ``words`` say by what each is multiplied to be whole.
    """

    params: Params
    energy: int
    words: int

    @property
    def bound(self) -> tuple[Level, ...]:
        return tuple(level for level in self.params.levels if (level.bandwidth, level.read_bandwidth, level.write_bandwidth) != (None,) * 3)

    def column(self, level: Level, side: str) -> int | None:
        """Of words that the busiest instance of a level reads or writes; None where nothing bounds them."""
        names = [other.name for other in self.bound]
        return 3 + 2 * names.index(level.name) + (side == "write") if level.name in names else None

    @property
    def columns(self) -> int:
        return 3 + 2 * len(self.bound)


def prices(graph: Graph, params: Params) -> Prices:
    shares = [Fraction(tensor.bits, level.word_bits) for tensor in graph.tensors for level in params.levels]
    words = lcm(*(share.denominator for share in shares))
    pj = [value.denominator for level in params.levels for value in (level.read_pj, level.write_pj)]
    pj += [params.mac_pj.denominator, *(operation.pj.denominator for operation in params.operations)]
    return Prices(params, words * lcm(*pj), words)


def operation(einsum: Einsum, params: Params) -> tuple[Fraction, Fraction]:
    """Cycles and pJ of a point."""
    operator = einsum.map if einsum.reduce == "none" else f"{einsum.map}+{einsum.reduce}"
    found = [known for known in params.operations if known.operator == operator]
    return (found[0].cycles, found[0].pj) if found else (Fraction(1), params.mac_pj)


# --- Arrangements ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrangement:
    """Nodes (tensor, level, loops of each rank above), and the kinds of those loops."""

    nodes: tuple[tuple[str, int, int], ...]
    kinds: tuple[str, ...]


def arrangements(job: Job) -> Iterator[Arrangement]:
    """Every order of every set of nodes."""
    for kept in product(*(_kept(job, place) for place in range(1, len(job.params.levels)))):
        yield _arranged(job, kept)


def _kept(job: Job, place: int) -> Iterator[tuple[str, ...]]:
    """The orders of what stays at a level; what may skip it is left out in each way."""
    level = job.params.levels[place]
    able = [name for name in job.tensors if job.home(name) < place and may_hold(job.graph, level, name)]
    for chosen in product((True, False) if level.bypass else (True,), repeat=len(able)):
        yield from permutations([name for name, keep in zip(able, chosen, strict=True) if keep])


def may_hold(graph: Graph, level: Level, name: str) -> bool:
    return not level.holds or bool({name, graph.tensor[name].kind} & set(level.holds))


def _arranged(job: Job, kept: tuple[tuple[str, ...], ...]) -> Arrangement:
    kinds: list[str] = []
    nodes = []
    for place, level in enumerate(job.params.levels):
        for name in kept[place - 1] if place else ():
            kinds.append("")
            nodes.append((name, place, len(kinds)))
        if level.axes:
            kinds += ["", *(axis.name for axis in level.axes)]
    return Arrangement(tuple(nodes), (*kinds, POINT))


# --- Counting -------------------------------------------------------------------------------------------------------


def rows(job: Job, scale: Prices) -> Ints:
    """Each cost that some mapping has: [costs, columns], no two alike."""
    found = [np.zeros((0, scale.columns), dtype=np.int64)]
    for arrangement in arrangements(job):
        found.append(np.unique(_priced(job, arrangement, scale), axis=0))
    return np.unique(np.concatenate(found), axis=0)


def _priced(job: Job, arrangement: Arrangement, scale: Prices) -> Ints:
    """Of all chains of all ranks."""
    sheet = Sheet(job, arrangement, scale)
    sheet.join()
    sheet.fill()
    kept = sheet.fits()
    return np.stack([np.broadcast_to(column, kept.shape)[kept] for column in sheet.columns], axis=1)


class Sheet:
    """Costs of an arrangement over the grid of its ranks' chains."""

    def __init__(self, job: Job, arrangement: Arrangement, scale: Prices) -> None:
        self.job, self.arrangement, self.scale = job, arrangement, scale
        self.ranks = [rank for rank, _ in job.einsum.ranks]
        limits = tuple((axis.name, axis.size) for level in job.params.levels for axis in level.axes)
        kinds = tuple("" if kind == POINT else kind for kind in arrangement.kinds)
        self.chains = {rank: ended(chains(job.left[rank], kinds[:-1], job.perfect, limits)) for rank in self.ranks}
        self.columns: list[Ints] = []
        self.asked: dict[str, list[Ints]] = {rank: [] for rank in self.ranks}
        self.told: dict[str, Ints] = {}

    def join(self) -> None:
        """Leaves of the chains of a rank that are alike in everything that is asked of them one."""
        self.fill()
        self.fits()
        self.told = {rank: np.unique(np.array(asked), axis=1, return_index=True)[1] for rank, asked in self.asked.items()}

    def grid(self, by_rank: Mapping[str, Ints]) -> Ints:
        """The product over ranks of an array over each one's chains."""
        if not self.told:
            for rank, array in by_rank.items():
                self.asked[rank].append(array)
            return np.ones((1,) * len(self.ranks), dtype=np.int64)
        ones = np.ones(1, dtype=np.int64)
        return reduce(np.multiply.outer, [by_rank[rank][self.told[rank]] if rank in by_rank else ones for rank in self.ranks], np.int64(1))

    def fill(self) -> None:
        self.columns = [np.zeros((1,) * len(self.ranks), dtype=np.int64)] * self.scale.columns
        end = len(self.arrangement.kinds)
        for name in self.job.tensors:
            path = [(self.job.home(name), 0), *((level, at) for tensor, level, at in self.arrangement.nodes if tensor == name), (None, end)]
            for (outer, above), (inner, at) in pairwise(path):
                for _ in range(self.job.einsum.inputs.count(name) if inner is None and name != self.job.einsum.output else 1):
                    self.move(name, outer, above, inner, at)
        points = self.job.repeat * prod(sum(self.job.left[rank]) for rank in self.ranks)
        self.columns[0] = self.columns[0] + int(points * operation(self.job.einsum, self.job.params)[1] * self.scale.energy)
        self.columns[1] = self.job.repeat * self.grid({rank: self.chains[rank].turns(end) for rank in self.ranks})
        self.columns[2] = self.tiles(1)

    def move(self, name: str, outer: int, above: int, inner: int | None, at: int) -> None:
        """Between a residence and the next one inside, or the compute unit."""
        levels = self.job.params.levels
        kinds = {name, self.job.graph.tensor[name].kind}
        alone = frozenset(axis.name for level in levels for axis in level.axes if kinds & set(axis.unicast))
        result = name == self.job.einsum.output
        if result:
            self.charge(name, inner, at, at, "read", frozenset())
            self.charge(name, outer, above, at, "write", frozenset())
        if not result or self.job.einsum.reduce != "none":
            self.charge(name, outer, above, at, "read", alone, again=result)
            self.charge(name, inner, at, at, "write", frozenset(), again=result)

    def charge(self, name: str, level: int | None, above: int, at: int, side: str, alone: frozenset[str], again: bool = False) -> None:
        """Elements that pass at one side; of results that are taken up ``again`` all but the first visits."""
        if level is None:
            return
        own, mine = self.job.graph.tensor[name].ranks, self.job.params.levels[level]
        share = int(self.job.words(name, mine) * self.scale.words)
        others = [rank for rank in self.ranks if rank not in own]
        count = self.grid({rank: self.chains[rank].visits(at, above, alone) for rank in others})
        busy = self.grid({rank: self.chains[rank].visits(at, 0, alone & self.inside(above)) for rank in others})
        if again:
            count = count - self.grid({rank: self.chains[rank].first(at, above, alone) for rank in others})
            busy = busy - self.grid({rank: self.chains[rank].first(at, 0, alone & self.inside(above)) for rank in others})
        elements = self.job.repeat * prod(sum(self.job.left[rank]) for rank in own)
        pj = (mine.read_pj if side == "read" else mine.write_pj) * self.scale.energy / self.scale.words
        self.columns[0] = self.columns[0] + count * (elements * share * int(pj))
        if (column := self.scale.column(mine, side)) is not None:
            through = self.grid({rank: self.chains[rank].passing(above) for rank in own})
            self.columns[column] = self.columns[column] + self.job.repeat * share * busy * through

    def inside(self, above: int) -> frozenset[str]:
        return frozenset(self.arrangement.kinds[above:])

    def tiles(self, place: int) -> Ints:
        """Words that nodes at a level hold in one instance."""
        level = self.job.params.levels[place] if place < len(self.job.params.levels) else None
        total = np.zeros((1,) * len(self.ranks), dtype=np.int64)
        for name, where, at in self.arrangement.nodes if level else ():
            if where == place:
                share = int(self.job.words(name, level) * self.scale.words) * (2 if level.buffering == "double" else 1)
                own = self.job.graph.tensor[name].ranks
                total = total + share * self.grid({rank: self.chains[rank].largest(at) for rank in own})
        return total

    def fits(self) -> npt.NDArray[np.bool_]:
        """Whether tiles have room, and axes instances."""
        able = np.ones([len(self.told[rank]) for rank in self.ranks] if self.told else (1,) * len(self.ranks), dtype=bool)
        for place, level in enumerate(self.job.params.levels):
            if place and level.words is not None:
                able = able & (self.tiles(place) <= level.words * self.scale.words)
            for axis in level.axes:
                able = able & (self.grid({rank: self.chains[rank].wide(axis.name) for rank in self.ranks}) <= axis.size)
                able = able & self.grid({rank: self.allowed(axis.name, rank) for rank in self.ranks}).astype(bool)
        return able

    def allowed(self, axis: str, rank: str) -> Ints:
        record = self.job.params.axis[axis][1]
        reduced = rank not in self.job.graph.tensor[self.job.einsum.output].ranks and self.job.einsum.reduce != "none"
        barred = (record.ranks and rank not in record.ranks) or (reduced and not record.reduces)
        wide = self.chains[rank].wide(axis)
        return (wide == 1).astype(np.int64) if barred else np.ones(len(wide), dtype=np.int64)


# --- What costs amount to -------------------------------------------------------------------------------------------


def energies(found: Ints, scale: Prices) -> list[Fraction]:
    return [Fraction(int(value), scale.energy) for value in found[:, 0]]


def cycles(found: Ints, scale: Prices, each: Fraction) -> list[Fraction]:
    """Of rows whose steps take ``each`` cycles."""
    return [row_cycles(row, scale, each * int(row[1])) for row in found]


def row_cycles(row: Ints, scale: Prices, compute: Fraction) -> Fraction:
    beside, after = [compute], Fraction(0)
    for place, level in enumerate(scale.bound):
        read, written = (Fraction(int(value), scale.words) for value in row[3 + 2 * place : 5 + 2 * place])
        rates = ((read, level.read_bandwidth), (written, level.write_bandwidth), (read + written, level.bandwidth))
        time = max(moved / rate for moved, rate in rates if rate is not None)
        if level.buffering == "single":
            after += time
        else:
            beside.append(time)
    return max(beside) + after
