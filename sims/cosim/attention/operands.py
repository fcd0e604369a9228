"""Operands of attention that reach every corner of a format: values of int8, patterns of bf16."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archmodel.records.engines.attention import Hardware
from archmodel.records.formats import BF16

from ..floats import draw

Matrix = npt.NDArray[np.int64]
Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Operands:
    """One head: Q [queries, e], K [keys, e], V [keys, f]."""

    q: Matrix
    k: Matrix
    v: Matrix


KINDS = ("ordinary", "equal", "extreme", "anything", "cancelling", "infinite")
"""Scores spread over a few powers of two; all the same; far apart; of whatever operands, infinities and NaN among them; floating
point also: nearly the same, with values whose sum depends on the order; of many keys -infinity."""


def draw_operands(hardware: Hardware, queries: int, keys: int, e: int, f: int, rng: Rng, kind: str = "") -> Operands:
    """``kind``: one of KINDS, drawn if it is not given."""
    kind = kind or str(rng.choice(KINDS, p=(0.3, 0.1, 0.15, 0.2, 0.15, 0.1)))
    sizes = ((queries, e), (keys, e), (keys, f))
    q, k, v = (_floats if hardware.is_float else _integers)(sizes, kind, rng)
    if kind == "equal":
        k = np.broadcast_to(k[:1], k.shape).copy()
    return Operands(q, k, v)


def _integers(sizes: tuple[tuple[int, int], ...], kind: str, rng: Rng) -> tuple[Matrix, Matrix, Matrix]:
    most = {"ordinary": 12, "extreme": 128}.get(kind, int(rng.integers(1, 129)))
    q, k = (rng.integers(-most, most, size) for size in sizes[:2])
    return q, k, rng.integers(-128, 128, sizes[2])


def _floats(sizes: tuple[tuple[int, int], ...], kind: str, rng: Rng) -> tuple[Matrix, Matrix, Matrix]:
    if kind == "anything":
        q, k, v = (draw(size, BF16, rng) for size in sizes)
        return q, k, v
    spread = {"ordinary": 1.5, "equal": 2.0, "extreme": 12.0, "cancelling": 0.02, "infinite": 1.0}[kind]
    q, k, v = (bf16(rng.standard_normal(size) * s) for size, s in zip(sizes, (spread, spread / sizes[0][1] ** 0.5, 1.0), strict=True))
    if kind == "cancelling":
        q[::2] = 0
        v = bf16(rng.choice(np.array((1.0, 3.0, -5.0, 2.0**24, -(2.0**24), 2.0**25, -(2.0**25))), sizes[2]))
    if kind == "infinite":
        q[: len(q) // 2 + 1] = BF16.largest
        k[rng.random(len(k)) < 0.7] = BF16.largest | 0x8000
        k[rng.random(len(k)) < 0.2] = 0
    return q, k, v


def bf16(values: npt.NDArray[np.float64]) -> Matrix:
    """The nearest patterns."""
    import ml_dtypes

    return values.astype(ml_dtypes.bfloat16).view(np.uint16).astype(np.int64)
