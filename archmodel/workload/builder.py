"""Builder: collects the Einsums of a stage, written like ``np.einsum`` with one letter a rank.

    b sequence   s new token   d hidden   k kv head   g query head of a kv head   e head dim of q, k   v head dim of v
    p attended position   z latent and rope row of MLA   l query latent   f FFN width   u gate or up   x expert
    j chosen expert of a token   w vocabulary   i pixel of a patch, or bucket of a relative position   c class or pooled

A tensor's kind follows from the end of its name: ``.weight .bias .gain .shift .sink .table`` are weights, ``.cache``
is kv, all others are activations.  A tensor that several Einsums write is written in parts.  A copy from rank s to
rank p is a diagonal: its ``points`` are the copied elements.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..records.graph import Einsum, Graph, Stage, Tensor
from ..records.mask import Mask
from .counts import Counts
from .operators import Bits

WEIGHT_SUFFIXES = (".weight", ".bias", ".gain", ".shift", ".sink", ".table")


class Builder:
    """``add`` one Einsum after another, then ``graph``.  ``sizes`` are the extents that a call does not override."""

    def __init__(self, sizes: dict[str, int], bits: Bits) -> None:
        self._sizes, self._bits = sizes, bits
        self._tensors: dict[str, Tensor] = {}
        self._einsums: list[Einsum] = []

    def add(self, name: str, group: str, operators: str, expression: str, inputs: Iterable[str], output: str,
            at: dict[str, int], repeat: int, points: int | None = None, mask: Mask | None = None) -> str:  # fmt: skip
        """Add ``output = operators(inputs)`` and return ``output``.

        ``operators`` is "map" or "map reduce", ``expression`` e.g. "bsd,df->bsf", ``at`` the extents that differ from
        ``sizes``, ``points`` as in Einsum (a full count becomes None), ``mask`` is over the ranks s and p.
        """
        ranks, reads, writes = _parse(expression)
        extents = tuple((rank, at.get(rank) or self._sizes[rank]) for rank in ranks)
        names = tuple(inputs)
        for tensor, letters in zip((*names, output), (*reads, writes), strict=True):
            self._define(tensor, letters)
        if points == math.prod(extent for _, extent in extents):
            points = None
        operator, _, reduce = operators.partition(" ")
        over = ("s", "p") if mask else ()
        self._einsums.append(Einsum(name, group, output, names, extents, operator, reduce or "none", points, repeat, mask, over))
        return output

    def _define(self, name: str, letters: str) -> None:
        if name not in self._tensors:
            kind = _kind(name)
            self._tensors[name] = Tensor(name, kind, tuple(letters), self._bits.of(kind))

    def graph(self, name: str, stage: Stage, resident: tuple[tuple[str, int], ...]) -> Graph:
        tensors = tuple(self._tensors[key] for key in sorted(self._tensors))
        return Graph(name, stage, tensors, tuple(sorted(self._einsums, key=lambda e: e.name)), resident)


@functools.cache
def _parse(expression: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """(all ranks sorted, ranks of each input, ranks of the output) of "ab,bc->ac"."""
    left, _, output = expression.partition("->")
    inputs = tuple(left.split(","))
    return tuple(sorted(set("".join(inputs) + output))), inputs, output


def _kind(name: str) -> str:
    if name.endswith(WEIGHT_SUFFIXES):
        return "weight"
    return "kv" if name.endswith(".cache") else "activation"


def sizes_of(model: Counts) -> dict[str, int]:
    """The extents that belong to the model; b, s, p and what has a zero size here must come with each Einsum."""
    return {
        "d": model.hidden, "k": model.kv_heads, "g": model.group, "e": model.head_dim, "v": model.value_dim,
        "z": model.kv_lora_rank + model.qk_rope, "l": model.q_lora_rank, "x": model.experts, "j": model.topk,
        "w": model.vocab, "u": 2,
    }  # fmt: skip


@dataclass(frozen=True)
class Sequences:
    """``count`` sequences alike: ``new`` tokens each, behind ``cached`` ones.  ``absorbed`` is for MLA only."""

    new: int
    cached: int
    count: int
    absorbed: bool = False


@dataclass(frozen=True)
class Block:
    """One stack of like layers under construction: where its Einsums go, which sequences pass, how many layers."""

    builder: Builder
    model: Counts
    sequences: tuple[Sequences, ...]
    repeat: int
    prefix: str = ""
    causal: bool = True

    @property
    def tokens(self) -> dict[str, int]:
        """Extents of b and s for what treats all tokens alike."""
        return token_extents(self.sequences)

    def name(self, name: str) -> str:
        return self.prefix + name

    def add(self, name: str, group: str, operators: str, expression: str, inputs: Iterable[str], output: str,
            at: dict[str, int] | None = None, points: int | None = None, repeat: int = 0,
            mask: Mask | None = None) -> str:  # fmt: skip
        """``Builder.add`` over all tokens and layers of the block, unless ``at`` and ``repeat`` say otherwise."""
        return self.builder.add(name, group, operators, expression, inputs, output, self.tokens | (at or {}),
                                repeat or self.repeat, points, mask)  # fmt: skip


def token_extents(sequences: tuple[Sequences, ...], position: str = "new", rank: str = "s") -> dict[str, int]:
    """b and ``rank``: like sequences keep their own b, unlike ones are laid end to end."""
    if len(sequences) == 1:
        return {"b": sequences[0].count, rank: getattr(sequences[0], position)}
    return {"b": 1, rank: sum(getattr(s, position) * s.count for s in sequences)}
