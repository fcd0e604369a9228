"""One-pass softmax as the engine computes it, beside float64: the model's arithmetic alone, without Program or time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archmodel import floating
from archmodel.engines.attention.datapath import Datapath
from archmodel.records.engines.attention import Hardware
from archmodel.records.formats import BF16

from .golden import softmax
from .operands import Operands

Matrix = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
ONE_TILE = {"first": 0, "finish": 0, "masked": 1, "swap_q": 0, "swap_kv": 0, "swap_m": 0, "swap_o": 0, "count": 1, "q": 0, "state": 0,
            "o": 0, "pattern": 0}  # fmt: skip


def straight(of: Operands, seen: Bools, hardware: Hardware, shift: int, out_shift: int) -> Matrix:
    """[queries, f] of at most ``cols`` queries, tile of keys after tile; those of which nothing is seen are left out."""
    e, f = of.q.shape[1], of.v.shape[1]
    data = Datapath(hardware)
    data.restart({"e": e, "f": f, "shift": shift, "out_shift": out_shift})
    data.words["Q"][0, :e, : len(of.q)] = of.q.T
    first = 1
    for begin in range(0, len(of.k), hardware.rows):
        mine = slice(begin, begin + hardware.rows)
        if not seen[:, mine].any():
            continue
        size = len(of.k[mine])
        data.words["K"][0, :e, :size], data.words["V"][0, :f, :size] = of.k[mine].T, of.v[mine].T
        pattern = np.zeros((hardware.rows, hardware.cols), dtype=np.int64)
        pattern[:size, : len(of.q)] = seen[:, mine].T
        data.words["M"][0, 0] = pattern.ravel()
        data.execute("exec", "attend", {**ONE_TILE, "first": first}, np.zeros(0, dtype=np.uint8))
        first = 0
    data.execute("exec", "attend", {**ONE_TILE, "first": first, "finish": 1}, np.zeros(0, dtype=np.uint8))
    return data.words["O"][0, :f, : len(of.q)].T


def error(of: Operands, seen: Bools, hardware: Hardware, shift: int = 0) -> float:
    """The largest difference from float64: of int8 in units of the last place of V, of bf16 as a share of the largest |V|."""
    found = straight(of, seen, hardware, shift, hardware.weight_bits + 30)
    if not hardware.is_float:
        exact = softmax(of.q / 2.0**shift, of.k.astype(np.float64), of.v.astype(np.float64), seen)
        return float(np.abs(found - exact).max())
    q, k, v = (floating.floats(part, BF16) for part in (of.q, of.k, of.v))
    return float(np.abs(floating.floats(found, BF16) - softmax(q, k, v, seen)).max() / np.abs(v).max())
