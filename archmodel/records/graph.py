"""Graph: the work, as Einsums over named ranks.

An Einsum has one operator for map and one for reduce (the notation of TeAAL, MICRO 2023, and FuseMax, MICRO 2024), so
a softmax is a cascade of four Einsums and a top-k gate is one.  ``repeat`` merges identical instances (the layers of a
model, experts that received equally many tokens): each instance has tensors of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .base import SpecError
from .mask import Mask

TENSOR_KINDS = ("weight", "activation", "kv")
MAX_EXTENT = 1 << 40
"""Of a rank: the longest context times the widest model is far below it, and sizes of tiles stay within 64 bits."""
ROUTINGS = ("uniform", "balanced", "worst", "expected")


@dataclass(frozen=True)
class Tensor:
    """``ranks`` name the axes, slowest first; ``bits`` is the width of one element."""

    name: str
    kind: str
    ranks: tuple[str, ...]
    bits: int

    def __post_init__(self) -> None:
        if self.kind not in TENSOR_KINDS:
            raise SpecError(f"tensor {self.name}: kind {self.kind!r}, expected one of {', '.join(TENSOR_KINDS)}")
        if len(set(self.ranks)) != len(self.ranks):
            raise SpecError(f"tensor {self.name}: a rank appears twice")
        if self.bits < 1:
            raise SpecError(f"tensor {self.name}: {self.bits} bits, expected at least 1")


@dataclass(frozen=True)
class Gemm:
    """A multiply-add Einsum seen as ``batch`` products C[m,n] += A[m,k] B[k,n]; ``a`` and ``b`` are tensor names."""

    batch: int
    m: int
    n: int
    k: int
    a: str
    b: str
    rank_m: tuple[str, ...]
    rank_n: tuple[str, ...]
    rank_k: tuple[str, ...]


@dataclass(frozen=True)
class Einsum:
    """``output[...] = reduce over the other ranks of map(inputs)``.

    ranks   (name, extent) of every rank of the iteration space, sorted by name
    points  iteration points that count as work; None means all of them.  A causal mask makes it smaller.
    mask    which pairs of a query and a key those are, by position in the ranks that ``mask_ranks`` names: (query, key); where
            the key rank is split, its parts outermost first, such as "p1.p0"
    repeat  identical instances of this Einsum in the stage
    group   the operator group under which tables show it
    """

    name: str
    group: str
    output: str
    inputs: tuple[str, ...]
    ranks: tuple[tuple[str, int], ...]
    map: str
    reduce: str = "none"
    points: int | None = None
    repeat: int = 1
    mask: Mask | None = None
    mask_ranks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if list(self.ranks) != sorted(self.ranks):
            raise SpecError(f"einsum {self.name}: ranks must be sorted by name")
        if len(dict(self.ranks)) != len(self.ranks):
            raise SpecError(f"einsum {self.name}: a rank appears twice")
        for rank, extent in self.ranks:
            if not 1 <= extent <= MAX_EXTENT:
                limit = "least 1" if extent < 1 else f"most {MAX_EXTENT}"
                raise SpecError(f"einsum {self.name}: rank {rank} is {extent}, expected at {limit}")
        if self.repeat < 1:
            raise SpecError(f"einsum {self.name}: repeat is {self.repeat}, expected at least 1")
        if self.points is not None and not 0 < self.points <= self.volume:
            raise SpecError(f"einsum {self.name}: {self.points} points, expected 1 to {self.volume}")
        if len(self.mask_ranks) != (2 if self.mask else 0):
            raise SpecError(f"einsum {self.name}: a mask over {len(self.mask_ranks)} ranks, expected one of queries and one of keys")
        named = {part for name in self.mask_ranks for part in name.split(".")}
        if missing := named - {rank for rank, _ in self.ranks}:
            raise SpecError(f"einsum {self.name}: its mask is over rank {min(missing)}, which it lacks")

    @property
    def volume(self) -> int:
        """Points of the full iteration space of one instance."""
        volume = 1
        for _, extent in self.ranks:
            volume *= extent
        return volume

    @property
    def work(self) -> int:
        """Points of one instance that count as work (``points``, or the full space)."""
        return self.volume if self.points is None else self.points

    @property
    def is_gemm(self) -> bool:
        return self.map == "mul" and self.reduce == "add" and len(self.inputs) == 2


@dataclass(frozen=True)
class Stage:
    """What a graph is a stage of.  ``tokens`` enter it, ``emitted`` leave the model's head.

    ``sequences`` holds one (new tokens, cached tokens) pair a sequence, equal ones merged as (new, cached, count).
    ``loads`` holds the integer tokens per expert of every MoE layer; empty for a dense model.
    """

    model: str
    kind: str
    batch: int
    context: int
    tokens: int
    emitted: int
    sequences: tuple[tuple[int, int, int], ...]
    routing: str = "none"
    seed: int = 0
    loads: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Graph:
    """Einsums and tensors of one stage, each sorted by name; ``resident`` holds (kind, bytes) that must stay in memory."""

    name: str
    stage: Stage
    tensors: tuple[Tensor, ...]
    einsums: tuple[Einsum, ...]
    resident: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        for what, names in (("tensor", [t.name for t in self.tensors]), ("einsum", [e.name for e in self.einsums])):
            if len(set(names)) != len(names):
                raise SpecError(f"graph {self.name}: a {what} name appears twice")
        if [t.name for t in self.tensors] != sorted(t.name for t in self.tensors):
            raise SpecError(f"graph {self.name}: tensors must be sorted by name")
        for einsum in self.einsums:
            for name in (einsum.output, *einsum.inputs):
                if name not in self.tensor:
                    raise SpecError(f"einsum {einsum.name}: tensor {name!r} is not defined")
                if missing := set(self.tensor[name].ranks) - {rank for rank, _ in einsum.ranks}:
                    raise SpecError(f"einsum {einsum.name}: tensor {name} has rank {sorted(missing)[0]!r}, which it lacks")

    @cached_property
    def tensor(self) -> dict[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}

    def elements(self, einsum: Einsum, tensor: str) -> int:
        """Elements of ``tensor`` that one instance of ``einsum`` touches."""
        extents, count = dict(einsum.ranks), 1
        for rank in self.tensor[tensor].ranks:
            count *= extents[rank]
        return count

    def gemm(self, einsum: Einsum) -> Gemm:
        """``einsum`` by the roles of its ranks: shared by all three tensors (batch), by A and C (m), B and C (n), A and B (k)."""
        first, second = einsum.inputs
        a, b, c = (set(self.tensor[t].ranks) for t in (first, second, einsum.output))
        extents = dict(einsum.ranks)
        roles: dict[str, list[str]] = {"batch": [], "m": [], "n": [], "k": []}
        for rank in extents:
            key = (rank in a, rank in b, rank in c)
            role = {(1, 1, 1): "batch", (1, 0, 1): "m", (0, 1, 1): "n", (1, 1, 0): "k"}.get(tuple(map(int, key)))  # type: ignore[arg-type]
            if role is None:
                raise SpecError(f"einsum {einsum.name}: rank {rank} makes it no matrix product")
            roles[role].append(rank)
        size = {role: _product(extents[r] for r in ranks) for role, ranks in roles.items()}
        return Gemm(size["batch"], size["m"], size["n"], size["k"], first, second,
                    tuple(roles["m"]), tuple(roles["n"]), tuple(roles["k"]))  # fmt: skip


def _product(values: object) -> int:
    result = 1
    for value in values:  # type: ignore[attr-defined]
        result *= value
    return result
