"""One-pass softmax by its definition, query by query: no arithmetic, buffer, tile or command of the model.

Keys come in tiles of the array's rows; of a tile of queries that sees nothing of one, that tile is left out.  The golden of
floating point computes with exact integers (``sims.cosim.floats``), that of int8 with Python's division and fractions.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from archmodel.records.engines.attention import Hardware
from archmodel.records.exponential import DOWN, UP
from archmodel.records.formats import BF16, FP32

from ..floats import Exact, add, exact, exact_product, length, multiply_add, nearest
from ..jobs import requantise

Matrix = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
MINUS = 1 << 31
NOTHING = FP32.infinity | MINUS


class Numbers(Protocol):
    """The operations in one format; a score, a maximum, a sum is a pattern or an int32."""

    nothing: int

    def dot(self, q: Matrix, k: Matrix) -> Matrix:
        """[queries, keys] of q [queries, e] and k [keys, e], added up from e = 0 on."""

    def rank(self, score: Matrix) -> Matrix:
        """Integers in the order of scores."""

    def raised(self, running: Matrix) -> Matrix:
        """What a maximum must exceed to be followed."""

    def exponential(self, score: Matrix, maximum: Matrix) -> Matrix:
        """2^(score - maximum) as a weight."""

    def factor(self, score: Matrix, maximum: Matrix) -> Matrix:
        """The same as what sums are multiplied by."""

    def plus(self, total: Matrix, weight: Matrix) -> Matrix: ...

    def plus_value(self, total: Matrix, weight: Matrix, value: Matrix) -> Matrix: ...

    def rescaled(self, total: Matrix, factor: Matrix, more: Matrix) -> Matrix: ...

    def divided(self, total: Matrix, by: Matrix) -> Matrix: ...


def golden(q: Matrix, k: Matrix, v: Matrix, seen: Bools, hardware: Hardware, shift: int, out_shift: int) -> Matrix:
    """[queries, f] of q [queries, e], k [keys, e], v [keys, f] and which pairs are seen; queries as they are packed."""
    numbers: Numbers = _Float(hardware) if hardware.is_float else _Fixed(hardware, shift, out_shift)
    running = np.full(len(q), numbers.nothing, dtype=np.int64)
    total, values = np.zeros(len(q), dtype=np.int64), np.zeros((len(q), v.shape[1]), dtype=np.int64)
    for begin in range(0, len(k), hardware.rows):
        mine = slice(begin, begin + hardware.rows)
        score = numbers.dot(q, k[mine])
        here: Bools = np.asarray(seen[:, mine] & (score != numbers.nothing))
        order = np.where(here, numbers.rank(score), numbers.rank(np.array(numbers.nothing)))
        best = np.take_along_axis(np.where(here, score, numbers.nothing), order.argmax(axis=1)[:, None], axis=1)[:, 0]
        top = np.where(numbers.rank(best) > numbers.rank(numbers.raised(running)), best, running)
        weight = np.where(here, numbers.exponential(score, top[:, None]), 0)
        factor = np.where(running == numbers.nothing, 0, numbers.factor(running, top))
        part, parts = np.zeros_like(total), np.zeros_like(values)
        for row in range(hardware.rows):
            inside = row < weight.shape[1]
            share = weight[:, row] if inside else np.zeros_like(total)
            value = np.where(here[:, row, None], v[begin + row], 0) if inside else np.zeros_like(values)
            part, parts = numbers.plus(part, share), numbers.plus_value(parts, share[:, None], value)
        visited = _visited(seen[:, mine], hardware.cols)
        total = np.where(visited, numbers.rescaled(total, factor, part), total)
        values = np.where(visited[:, None], numbers.rescaled(values, factor[:, None], parts), values)
        running = np.where(visited, top, running)
    return numbers.divided(values, total[:, None])


def _visited(seen: Bools, cols: int) -> Bools:
    """[queries]: whether any query of a query's tile sees any key."""
    any_key: Bools = np.logical_or.reduce(seen, axis=1)
    return np.concatenate([np.full(len(part), part.any()) for part in (any_key[at : at + cols] for at in range(0, len(seen), cols))])


# --- int8 -------------------------------------------------------------------------------------------------------------


class _Fixed:
    nothing = -MINUS

    def __init__(self, hardware: Hardware, shift: int, out_shift: int) -> None:
        self.hardware, self.shift, self.out_shift = hardware, shift, out_shift

    def dot(self, q: Matrix, k: Matrix) -> Matrix:
        return q @ k.T

    def rank(self, score: Matrix) -> Matrix:
        return score

    def raised(self, running: Matrix) -> Matrix:
        return running + self.hardware.threshold * 2**self.shift

    def _power(self, score: Matrix, maximum: Matrix, bits: int) -> Matrix:
        distance = np.maximum(maximum - score, -self.hardware.threshold * 2**self.shift)
        n, rest = np.divmod(distance, 2**self.shift)
        f = rest * 2**16 // 2**self.shift
        first, *others = DOWN[self.hardware.degree]
        p = np.full_like(f, first // 2**14)
        for c in others:
            p = (p * f + 4 * c + 2**15) // 2**16
        n = np.minimum(n, 30)
        return (2 ** (bits + 1) * p + 2 ** (n + 16)) // 2 ** (n + 17)

    def exponential(self, score: Matrix, maximum: Matrix) -> Matrix:
        return self._power(score, maximum, self.hardware.weight_bits)

    def factor(self, score: Matrix, maximum: Matrix) -> Matrix:
        return self._power(score, maximum, 16)

    def plus(self, total: Matrix, weight: Matrix) -> Matrix:
        return total + weight

    def plus_value(self, total: Matrix, weight: Matrix, value: Matrix) -> Matrix:
        return total + weight * value

    def rescaled(self, total: Matrix, factor: Matrix, more: Matrix) -> Matrix:
        return (2 * total * factor + 2**16) // 2**17 + more

    def divided(self, total: Matrix, by: Matrix) -> Matrix:
        inverse = np.where(by == 0, 0, np.minimum(2 ** (self.hardware.weight_bits + 30) // np.maximum(by, 1), 2**31 - 1))
        return requantise(total, np.zeros_like(total), inverse, np.full_like(total, self.out_shift))


# --- bf16 -------------------------------------------------------------------------------------------------------------


class _Float:
    nothing = NOTHING

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        power = np.full(256, -8)
        no = np.zeros(256, dtype=np.bool_)
        self.fractions = nearest(Exact(no, np.arange(256), power, no, no), BF16)

    def dot(self, q: Matrix, k: Matrix) -> Matrix:
        total = np.zeros((len(q), len(k)), dtype=np.int64)
        for e in range(q.shape[1]):
            total = multiply_add(k[None, :, e], q[:, e, None], total, BF16, BF16)
        return total

    def rank(self, score: Matrix) -> Matrix:
        return np.where(score & MINUS, ~(score & MINUS - 1), score)

    def raised(self, running: Matrix) -> Matrix:
        threshold = nearest(Exact(*(np.array([part]) for part in (False, self.hardware.threshold, 0, False, False))), FP32)
        return add(running, np.broadcast_to(threshold, running.shape)) if self.hardware.threshold else running

    def exponential(self, score: Matrix, maximum: Matrix) -> Matrix:
        difference = exact(add(score, np.broadcast_to(maximum ^ MINUS, score.shape)), FP32)
        steps = _to_steps(difference)
        p = self._polynomial(self.fractions[steps & 255])
        number = exact(nearest(exact(p, FP32), BF16), BF16)
        number = number._replace(power=number.power + (steps >> 8))
        tiny = number.power + length(number.size) - 1 < BF16.least_exponent
        return np.where(difference.nan, BF16.nan, np.where(tiny, 0, nearest(number, BF16)))

    factor = exponential

    def _polynomial(self, f: Matrix) -> Matrix:
        first, *others = UP[self.hardware.degree]
        p = np.full_like(f, first)
        for c in others:
            p = multiply_add(nearest(exact(p, FP32), BF16), f, np.full_like(f, c), BF16, BF16)
        return p

    def plus(self, total: Matrix, weight: Matrix) -> Matrix:
        return add(total, weight << 16)

    def plus_value(self, total: Matrix, weight: Matrix, value: Matrix) -> Matrix:
        return multiply_add(weight, value, total, BF16, BF16)

    def rescaled(self, total: Matrix, factor: Matrix, more: Matrix) -> Matrix:
        if self.hardware.rescale == "fused":
            return multiply_add(total, factor << 16, more, FP32, FP32)
        return add(multiply_add(total, factor << 16, np.zeros_like(total), FP32, FP32), more)

    def divided(self, total: Matrix, by: Matrix) -> Matrix:
        number = exact(by, FP32)
        size, rest = np.divmod(1 << 60, np.maximum(number.size, 1))
        inverse = nearest(Exact(number.negative, np.where(number.infinite, 0, size | (rest > 0)), -60 - number.power, number.nan,
                                np.zeros_like(number.nan)), FP32)  # fmt: skip
        inverse = np.where((by & FP32.infinity) == 0, 0, inverse)
        product = nearest(exact_product(exact(total, FP32), exact(inverse, FP32)), FP32)
        return nearest(exact(product, FP32), BF16)


def _to_steps(number: Exact) -> Matrix:
    """The nearest whole number of 2^-8 (half up), from -2^15 to 2^15 - 1; 0 of what is no number."""
    signed = np.where(number.negative, -number.size, number.size)
    right = np.clip(-(number.power + 9), -20, 40)
    up = signed << np.maximum(-right, 0)
    half = (np.where(right > 0, signed, up) + (np.int64(1) << np.maximum(right, 0))) >> np.maximum(right, 0) + 1
    finite = np.clip(half, -(1 << 15), (1 << 15) - 1)
    ends = np.where(number.negative, -(1 << 15), (1 << 15) - 1)
    return np.where(number.nan, 0, np.where(number.infinite, ends, finite))


def softmax(q: npt.NDArray[np.float64], k: npt.NDArray[np.float64], v: npt.NDArray[np.float64], seen: Bools) -> npt.NDArray[np.float64]:
    """[queries, f] in float64, three passes, of operands whose scores are in powers of two; 0 where nothing is seen."""
    score = np.where(seen, q @ k.T, -np.inf)
    top = score.max(axis=1, keepdims=True)
    weight = np.where(seen, 2 ** (score - np.where(np.isfinite(top), top, 0)), 0)
    total = weight.sum(axis=1, keepdims=True)
    return (weight @ v) / np.where(total > 0, total, 1)
