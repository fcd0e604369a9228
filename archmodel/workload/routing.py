"""Routing: how many tokens each expert of each MoE layer receives.  Integers always; every law is reproducible."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..records.base import SpecError
from ..records.graph import ROUTINGS

if TYPE_CHECKING:
    from numpy.random import Generator

Loads = tuple[tuple[int, ...], ...]
_CHUNK = 1 << 18


def expert_loads(routing: str, layers: int, experts: int, topk: int, tokens: int, seed: int = 0) -> Loads:
    """Tokens per expert, one tuple a layer, each summing to ``tokens * topk``.

    uniform   every token draws ``topk`` distinct experts uniformly, by numpy's PCG64 from ``seed``, layer by layer
    balanced  as equal as integers allow
    worst     all tokens choose the same experts
    expected  as many experts as a uniform draw is expected to touch (rounded up) share the tokens equally; this is a
              mean and no possible draw, so it serves the fidelity ``bound`` only
    """
    if routing not in ROUTINGS:
        raise SpecError(f"routing {routing!r}: unknown, expected one of {', '.join(ROUTINGS)}")
    if type(seed) is not int or seed < 0:
        raise SpecError(f"seed {seed!r}: expected an integer of at least 0")
    if routing == "uniform":
        return _uniform(layers, experts, topk, tokens, seed)
    used = {"balanced": experts, "worst": topk, "expected": _expected(experts, topk, tokens)}[routing]
    return (_share(experts, used, tokens * topk),) * layers


def expected_distinct(experts: int, topk: int, tokens: int) -> float:
    """Mean number of experts that at least one of ``tokens`` uniform draws touches: E (1 - (1 - k/E)^tokens)."""
    return experts * (1.0 - (1.0 - topk / experts) ** tokens)


def _share(experts: int, used: int, total: int) -> tuple[int, ...]:
    """``total`` tokens over the first ``used`` experts, as equal as integers allow."""
    each, more = divmod(total, used)
    return tuple(each + (i < more) for i in range(used)) + (0,) * (experts - used)


def _expected(experts: int, topk: int, tokens: int) -> int:
    return math.ceil(expected_distinct(experts, topk, tokens) - 1e-9)


def _uniform(layers: int, experts: int, topk: int, tokens: int, seed: int) -> Loads:
    from numpy.random import PCG64, Generator

    generator = Generator(PCG64(seed))
    return tuple(_draw(generator, experts, topk, tokens) for _ in range(layers))


def _draw(generator: Generator, experts: int, topk: int, tokens: int) -> tuple[int, ...]:
    """Floyd's sampling without replacement (CACM 30(9), 1987) for all tokens at once, in chunks of bounded size."""
    import numpy as np

    loads = np.zeros(experts, dtype=np.int64)
    for start in range(0, tokens, _CHUNK):
        chosen = np.empty((topk, min(_CHUNK, tokens - start)), dtype=np.int32)
        for row in range(topk):
            last = experts - topk + row
            pick = generator.integers(0, last + 1, size=chosen.shape[1], dtype=np.int32)
            taken = (chosen[:row] == pick).any(axis=0)
            chosen[row] = np.where(taken, last, pick)
        loads += np.bincount(chosen.ravel(), minlength=experts)
    return tuple(loads.tolist())
