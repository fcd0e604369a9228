"""Cascade: an algorithm as Einsums that feed each other, recurrences included (the notation of FuseMax, MICRO 2024).

Softmax attention in one pass over the keys is a cascade of twelve lines; it says what is computed and in which steps one step
must wait for another, and nothing of loops, buffers or engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .base import SpecError
from .cascade_rules import Fault, axes_of, faults
from .equation import Equation, Initial
from .graph import MAX_EXTENT, Tensor
from .mask import Mask
from .recurrence import Block, blocks

MOST_LINES = 256


@dataclass(frozen=True)
class Masked:
    """Which pairs the operator ``mask`` lets through: by position in the ranks ``queries`` and ``keys``, which may be split ones."""

    queries: str
    keys: str
    mask: Mask


@dataclass(frozen=True)
class Cascade:
    """Equations over named ranks.

    ranks     (name, extent), sorted by name
    splits    (rank, its parts, outermost first), sorted: the parts are ranks of their own, and traverse one rank together
    inputs    tensors that nobody computes, sorted by name
    bits      width of an element of a computed tensor, but for those in ``widths``: (tensor, bits), sorted
    initials  what stands before the first step of a recurrence
    """

    name: str
    ranks: tuple[tuple[str, int], ...]
    splits: tuple[tuple[str, tuple[str, ...]], ...]
    inputs: tuple[Tensor, ...]
    equations: tuple[Equation, ...]
    initials: tuple[Initial, ...] = ()
    bits: int = 16
    widths: tuple[tuple[str, int], ...] = ()
    masked: Masked | None = None
    source: str = ""

    def __post_init__(self) -> None:
        for what, names in (("ranks", [r for r, _ in self.ranks]), ("splits", [s for s, _ in self.splits]),
                            ("inputs", [t.name for t in self.inputs]), ("widths", [w for w, _ in self.widths])):  # fmt: skip
            if names != sorted(set(names)):
                raise SpecError(f"cascade {self.name}: {what} must be sorted by name, each once")
        if not 1 <= len(self.equations) <= MOST_LINES or len(self.initials) > MOST_LINES:
            raise SpecError(f"cascade {self.name}: {len(self.equations)} equations, expected 1 to {MOST_LINES}")
        if max(len(self.ranks), len(self.splits), len(self.inputs)) > MOST_LINES:
            raise SpecError(f"cascade {self.name}: found more than {MOST_LINES} ranks, splits or inputs, expected at most as many")
        for rank, extent in self.ranks:
            if not 1 <= extent <= MAX_EXTENT:
                raise SpecError(f"cascade {self.name}: rank {rank} is {extent}, expected 1 to {MAX_EXTENT}")
        if found := [*split_faults(dict(self.ranks), dict(self.splits)), *self._tensor_faults()]:
            raise SpecError(f"cascade {self.name}: {found[0]}")
        if wrong := faults(self.extent, {t.name: t.ranks for t in self.inputs}, self.equations, self.initials):
            lines: tuple[Equation | Initial, ...] = (*self.equations, *self.initials)
            raise SpecError(f"cascade {self.name}: {lines[wrong[0].line]}: {wrong[0].text}")
        if masks := mask_faults(self.equations, self.masked, self.extent, dict(self.splits)):
            raise SpecError(f"cascade {self.name}: {self.equations[masks[0].line]}: {masks[0].text}")

    def _tensor_faults(self) -> list[str]:
        """Ranks without an extent, and widths of no tensor."""
        found = [f"input {tensor.name} has rank {rank!r}, which has no extent"
                 for tensor in self.inputs for rank in tensor.ranks if rank not in self.extent]  # fmt: skip
        given = {equation.output.tensor for equation in self.equations}
        found += [f"width of {name!r}, which no line gives" for name, _ in self.widths if name not in given]
        return found + [f"{bits} bits, expected 1 to 64" for bits in (self.bits, *(bits for _, bits in self.widths)) if not 1 <= bits <= 64]

    @cached_property
    def extent(self) -> dict[str, int]:
        return dict(self.ranks)

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The ranks of each tensor."""
        return axes_of({tensor.name: tensor.ranks for tensor in self.inputs}, self.equations)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All equations in an order in which each reads what is there already."""
        return tuple(block for block in blocks(self.equations) if isinstance(block, Block))

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Tensors that no line reads, sorted: what the cascade is for."""
        read = {term.tensor for equation in self.equations for term in equation.inputs}
        return tuple(sorted({equation.output.tensor for equation in self.equations} - read))

    def parts(self, rank: str) -> tuple[str, ...]:
        """The parts of a split rank, outermost first; of another the rank itself."""
        return dict(self.splits).get(rank, (rank,))

    def bits_of(self, tensor: str) -> int:
        """Width of one element."""
        own = {item.name: item.bits for item in self.inputs} | dict(self.widths)
        return own.get(tensor, self.bits)


def split_faults(ranks: dict[str, int], splits: dict[str, tuple[str, ...]]) -> list[str]:
    """Splits whose parts are no ranks, or are shared, or which are themselves ranks."""
    found = [f"split {name} has no parts, expected ranks such as [m1, m0]" for name, parts in splits.items() if not parts]
    found += [f"{name} is split, and has an extent too, expected one of both" for name in splits if name in ranks]
    seen: set[str] = set()
    for name, parts in splits.items():
        for part in parts:
            if part not in ranks:
                found.append(f"split {name} has the part {part!r}, which has no extent")
            if part in seen:
                found.append(f"rank {part} is a part twice, expected once")
            seen.add(part)
    return found


def mask_faults(equations: tuple[Equation, ...], masked: Masked | None, ranks: dict[str, int],
                splits: dict[str, tuple[str, ...]]) -> list[Fault]:  # fmt: skip
    """Equations that mask, without a mask or without its ranks."""
    found = []
    for line, equation in enumerate(equations):
        if equation.map == "mask" and masked is None:
            found.append(Fault(line, -1, -1, "found mask(...) in a cascade without a mask, expected the key mask"))
        elif equation.map == "mask" and masked is not None:
            needed = [part for rank in (masked.queries, masked.keys) for part in splits.get(rank, (rank,))]
            if missing := [rank for rank in needed if rank not in equation.output.runs]:
                found.append(Fault(line, 0, -1, f"found a mask of what lacks rank {missing[0]}, expected {', '.join(needed)} in it"))
    if masked is not None and not any(equation.map == "mask" for equation in equations):
        found.append(Fault(0, -1, -1, "found a mask that no line applies, expected mask(...) in one"))
    return found
