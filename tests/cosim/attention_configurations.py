"""The attention engines on which cycle model and generated hardware are compared."""

from __future__ import annotations

from archmodel.records.engines.attention import Hardware

JOBS = 200
"""Random jobs for each configuration; every second one at a port that stalls."""
LARGEST = 18


def hardware(rows: int, cols: int, known: str, degree: int, latency: int, tiles: int, rescale: str = "fused", *, threshold: int = 0,
             weight_bits: int = 10, buffer_words: int = 0, port: tuple[int, int] = (4, 8), banks: int = 2,
             words: tuple[int, int, int, int, int, int] = (64, 24, 20, 16, 64, 120)) -> Hardware:  # fmt: skip
    """port: bytes of a beat, requests in flight; words: of a bank of Q, K, V, M, O, and of the lanes' state."""
    return Hardware(rows, cols, known, degree, latency, tiles, rescale, threshold, 0 if known == "bf16" else weight_bits, buffer_words,
                    port[0], port[1], banks, *words, slots=1024, program_words=512)  # fmt: skip


CONFIGURATIONS = {
    "int8 4x4": hardware(4, 4, "int8", 3, 1, 4),
    "int8 2x8, one tile in flight": hardware(2, 8, "int8", 1, 4, 1, port=(2, 1)),
    "int8 8x4 split, a threshold, three words": hardware(8, 4, "int8", 6, 3, 6, "split", threshold=3, buffer_words=3, banks=3),
    "int8 8x8, six weight bits, four words": hardware(8, 8, "int8", 7, 1, 16, weight_bits=6, buffer_words=4, port=(8, 12)),
    "int8 4x2 split": hardware(4, 2, "int8", 5, 2, 2, "split", weight_bits=13, port=(1, 3), banks=4, words=(20, 12, 12, 6, 30, 60)),
    "bf16 4x4 split": hardware(4, 4, "bf16", 6, 2, 3, "split", port=(8, 5)),
    "bf16 2x4, a threshold, two words": hardware(2, 4, "bf16", 2, 1, 2, threshold=8, buffer_words=2, banks=4),
    "bf16 4x2": hardware(4, 2, "bf16", 5, 4, 5, port=(2, 255), words=(160, 24, 40, 30, 100, 300)),
    "bf16 2x2 split, one tile in flight": hardware(2, 2, "bf16", 4, 3, 1, "split", threshold=4, port=(1, 2), banks=3),
    "bf16 8x4": hardware(8, 4, "bf16", 6, 1, 8, port=(4, 16)),
}
