"""Softmax attention in float64, written without Einsums, and random inputs for the shipped cascades."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archmodel.masks import visible
from archmodel.records.cascade import Cascade

Array = npt.NDArray[np.float64]
SMALL = {"e": 5, "f": 6, "m": 24, "m1": 4, "m0": 6, "p": 9, "h": 3, "g": 2, "n": 4, "r": 3, "z": 7}


def small(cascade_ranks: dict[str, int]) -> dict[str, int]:
    """Extents of tests: all different, but where ranks belong together."""
    return {rank: SMALL[rank] for rank in cascade_ranks}


def softmax_attention(q: Array, k: Array, v: Array, seen: npt.NDArray[np.bool_] | None = None) -> Array:
    """[f, p] of one head, query by query; a query that sees no key gets 0."""
    result = np.zeros((v.shape[0], q.shape[1]))
    for p in range(q.shape[1]):
        keys = np.arange(k.shape[1]) if seen is None else np.flatnonzero(seen[p])
        if len(keys):
            scores = np.array([float(np.dot(q[:, p], k[:, m])) for m in keys])
            weights = np.exp(scores - scores.max())
            result[:, p] = (v[:, keys] * weights).sum(axis=1) / weights.sum()
    return result


def draw(cascade: Cascade, seed: int, scale: float = 1.0) -> dict[str, Array]:
    """A random array for every input; those of a few bits are whole numbers of that many."""
    random = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for tensor in cascade.inputs:
        shape = [cascade.extent[rank] for rank in tensor.ranks]
        if tensor.bits < 8:
            found[tensor.name] = random.integers(0, 1 << tensor.bits, shape).astype(np.float64)
        else:
            found[tensor.name] = random.normal(0, scale, shape)
    return found


def merged(array: Array, keys: int) -> Array:
    """The last two axes, m1 and m0, as one, where there are as many axes as that needs."""
    return array.reshape(*array.shape[:-2], keys) if array.shape[-1] != keys else array


def seen_by(cascade: Cascade) -> npt.NDArray[np.bool_] | None:
    if cascade.masked is None:
        return None
    extent = cascade.extent
    return visible(cascade.masked.mask, np.arange(extent["p"]), np.arange(extent["m1"] * extent["m0"]))
