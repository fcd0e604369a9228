"""Random attentions on random hardware, small enough for the cycle model."""

from __future__ import annotations

import numpy as np

from archmodel.engines.attention import Attention, Bases, extents
from archmodel.memory.port import Port
from archmodel.records.engines.attention import Hardware
from archmodel.records.mask import Mask

Rng = np.random.Generator


def generator(seed: int) -> Rng:
    return np.random.Generator(np.random.PCG64(seed))


def integers(rng: Rng, low: int, high: int) -> int:
    """From ``low`` up to ``high``, both included."""
    return int(rng.integers(low, high + 1))


def random_hardware(rng: Rng) -> Hardware:
    rows, cols = (int(side) for side in rng.choice((2, 4, 8), 2))
    style = str(rng.choice(("int8", "bf16")))
    return Hardware(
        rows, cols, style, degree=integers(rng, 1, 8), mac_latency=integers(rng, 1, 4), tiles=integers(rng, 1, 8),
        rescale=str(rng.choice(("fused", "split"))), threshold=integers(rng, 0, 2), weight_bits=10 if style == "int8" else 0,
        buffer_words=int(rng.choice((0, 0, 2, 3, 4))), port_bytes=integers(rng, 1, 2), outstanding=integers(rng, 1, 20),
        banks=integers(rng, 2, 4), q_words=integers(rng, 24, 200), k_words=24, v_words=24, m_words=integers(rng, 12, 40),
        o_words=integers(rng, 24, 200), s_words=integers(rng, 26, 200), slots=4096, program_words=4096,
    )  # fmt: skip


def random_mask(rng: Rng) -> Mask:
    """None, causal, a window, a window with a sink, blocks, pages of keys for each query."""
    kind, offset = rng.integers(6), integers(rng, 0, 40)
    if kind == 0:
        return Mask()
    if kind == 1:
        return Mask(causal=True, offset=offset)
    if kind in (2, 3):
        return Mask(causal=bool(rng.integers(2)), offset=offset, window=integers(rng, 1, 30), sink=integers(rng, 1, 9) if kind == 3 else 0)
    pairs = {(integers(rng, 0, 7), integers(rng, 0, 11)) for _ in range(20)}
    return Mask(causal=bool(rng.integers(2)), offset=offset, query_block=integers(rng, 1, 12) if kind == 4 else 1,
                key_block=integers(rng, 1, 12), blocks=tuple(sorted(pairs)))  # fmt: skip


def random_attention(rng: Rng) -> Attention:
    e, f, heads, group = integers(rng, 1, 24), integers(rng, 1, 24), integers(rng, 1, 5), integers(rng, 1, 8)
    return Attention(e, f, integers(rng, 1, 30), integers(rng, 1, 70), heads, group, random_mask(rng))


def random_port(rng: Rng) -> Port:
    latency = integers(rng, 1, 200)
    return Port(latency, integers(rng, 1, min(latency, 6)))


def bases(work: Attention, hardware: Hardware, size: int = 0) -> tuple[Bases, int]:
    """The tensors one behind the other in memory, and where they end."""
    at, end = {}, 0
    for name, beats in extents(work, hardware, size).items():
        at[name.lower()] = end
        end += beats
    return Bases(**at), end
