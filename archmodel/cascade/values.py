"""What a cascade computes, in float64: its equations executed as they stand, recurrences step by step.

Two rules make rows without a visible key 0, and nothing of them NaN: exp(x - y) is 0 where x is minus infinity, whatever y is;
0 / 0 is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archmodel.masks import visible
from archmodel.records.base import SpecError
from archmodel.records.cascade import Cascade
from archmodel.records.equation import Equation, Term

Array = npt.NDArray[np.float64]
MOST_POINTS = 1 << 27
"""Points of all equations together, each at least as many as it has elements to hold."""


def values(cascade: Cascade, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor by name, its axes in the order of its ranks; one that steps along a rank is longer there, by its steps.

    Raises SpecError for an input that is missing or of another shape, and for what is too large to hold.
    """
    held = _Values(cascade)
    for tensor in cascade.inputs:
        shape = tuple(cascade.extent[rank] for rank in tensor.ranks)
        if tensor.name not in inputs or inputs[tensor.name].shape != shape:
            found = f"shape {inputs[tensor.name].shape}" if tensor.name in inputs else "nothing"
            raise SpecError(f"cascade {cascade.name}: input {tensor.name}: found {found}, expected an array of {shape}")
        held.arrays[tensor.name] = np.asarray(inputs[tensor.name], dtype=np.float64)
    for block in cascade.blocks:
        for step in range(cascade.extent[block.rank]) if block.rank else (None,):
            for number in block.order:
                held.compute(cascade.equations[number], {} if step is None else {block.rank: step})
    return held.arrays


class _Values:
    """The tensors so far."""

    def __init__(self, cascade: Cascade) -> None:
        self.cascade = cascade
        self.arrays: dict[str, Array] = {}
        points = sum(math.prod(cascade.extent[rank] for rank in equation.ranks) for equation in cascade.equations)
        if points > MOST_POINTS:
            raise SpecError(f"cascade {cascade.name}: {points:,} points, expected at most {MOST_POINTS:,} to compute values of; "
                            "make its ranks smaller")  # fmt: skip
        for output in (equation.output for equation in cascade.equations):
            self.arrays[output.tensor] = np.full([cascade.extent[i.rank] + i.offset for i in output.indices], np.nan)
        for initial in cascade.initials:
            at = tuple(slice(None) if index.rank else index.offset for index in initial.term.indices)
            self.arrays[initial.term.tensor][at] = float(initial.value)

    def compute(self, equation: Equation, at: Mapping[str, int]) -> None:
        """All points of an equation, or those of one step of a recurrence."""
        ranks = [rank for rank in equation.ranks if rank not in at]
        inputs = [self.read(term, ranks, at) for term in equation.inputs]
        kept = len(ranks) - len([rank for rank in equation.over if rank not in at])
        axes = tuple(range(kept, len(ranks)))
        if equation.map == "mul" and equation.reduce == "add":
            result = _product(inputs, kept)
        else:
            result = self.mapped(equation, inputs, ranks)
            full = np.broadcast_to(result, [self.cascade.extent[rank] for rank in ranks])
            result = _REDUCES[equation.reduce](full, axes)
        place = tuple(_place(index.offset, index.rank, self.cascade.extent, at) for index in equation.output.indices)
        self.arrays[equation.output.tensor][place] = result

    def read(self, term: Term, ranks: list[str], at: Mapping[str, int]) -> Array:
        """The elements that a term stands for, its axes in the order of ``ranks``, of length 1 for those that it lacks."""
        extent = self.cascade.extent
        place: list[slice | int] = []
        running: list[str] = []
        for index in term.indices:
            if index.runs:
                place.append(_place(index.offset, index.rank, extent, at))
                running += [index.rank] if index.rank not in at else []
            else:
                place.append(index.offset + (extent[index.rank] if index.at_end else 0))
        found = self.arrays[term.tensor][tuple(place)]
        order = sorted(range(len(running)), key=lambda axis: ranks.index(running[axis]))
        found = np.transpose(found, order)
        return found.reshape([extent[rank] if rank in running else 1 for rank in ranks])

    def mapped(self, equation: Equation, inputs: list[Array], ranks: list[str]) -> Array:
        if equation.map == "mask":
            return np.where(self.seen(ranks), inputs[0], -np.inf)
        with np.errstate(all="ignore"):
            return _MAPS[equation.map](*inputs)

    def seen(self, ranks: list[str]) -> npt.NDArray[np.bool_]:
        """Which points the mask lets through."""
        masked, extent = self.cascade.masked, self.cascade.extent
        assert masked is not None, "a cascade that masks has a mask"
        queries, keys = (self.cascade.parts(rank) for rank in (masked.queries, masked.keys))
        sizes = [extent[rank] for rank in (*queries, *keys)]
        pairs = visible(masked.mask, *(np.arange(math.prod(extent[rank] for rank in part)) for part in (queries, keys))).reshape(sizes)
        own = [*queries, *keys]
        pairs = np.transpose(pairs, sorted(range(len(own)), key=lambda axis: ranks.index(own[axis])))
        return pairs.reshape([extent[rank] if rank in own else 1 for rank in ranks])


def _place(offset: int, rank: str, extent: Mapping[str, int], at: Mapping[str, int]) -> slice | int:
    return at[rank] + offset if rank in at else slice(offset, offset + extent[rank])


def _product(inputs: list[Array], kept: int) -> Array:
    """The product of arrays of equal dimensions, summed over the axes from ``kept`` on."""
    operands: list[Any] = []
    longest = [max(sizes) for sizes in zip(*(array.shape for array in inputs), strict=True)]
    for array in inputs:  # without the axes of length 1, along which it repeats
        axes = [axis for axis, size in enumerate(array.shape) if size == longest[axis]]
        operands += [array.reshape([array.shape[axis] for axis in axes]), axes]
    return np.asarray(np.einsum(*operands, list(range(kept)), optimize=True))


def _exp(x: Array, y: Array | None = None) -> Array:
    return np.where(np.isneginf(x), 0.0, np.exp(x if y is None else x - y))


def _div(x: Array, y: Array) -> Array:
    return np.where((x == 0) & (y == 0), 0.0, x / y)


def _gelu(x: Array) -> Array:
    return x / 2 * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))


_REDUCES: dict[str, Callable[[Array, tuple[int, ...]], Array]] = {
    "none": lambda array, axes: array, "add": lambda array, axes: array.sum(axes), "max": lambda array, axes: array.max(axes),
}  # fmt: skip
_MAPS: dict[str, Callable[..., Array]] = {
    "copy": lambda x: x, "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": _div, "max": np.maximum, "exp": _exp,
    "square": np.square, "rsqrt": lambda x: 1 / np.sqrt(x), "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)), "gelu": _gelu, "dequantise": np.multiply, "muladd": lambda x, y, z: x * y + z,
}  # fmt: skip
