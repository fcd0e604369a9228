"""The hardware configurations on which cycle model and generated hardware are compared."""

from __future__ import annotations

from archmodel.records.engines.systolic import DATAFLOWS, Hardware

ALL = tuple(sorted(DATAFLOWS))
PROGRAMS = 250
"""Random Programs for each configuration; every second one at a port that stalls."""
LARGEST = 18


def _hardware(rows: int, cols: int, flows: tuple[str, ...], x: str, y: str, port_bytes: int, outstanding: int,
              banks: int, words: tuple[int, int, int, int]) -> Hardware:  # fmt: skip
    return Hardware(rows, cols, flows, x, y, port_bytes, outstanding, banks, *words, program_words=512)


CONFIGURATIONS = {
    "ws 2x2": _hardware(2, 2, ("ws",), "int8", "int8", 2, 1, 2, (420, 420, 420, 40)),
    "is 4x2, single buffers": _hardware(4, 2, ("is",), "int8", "int8", 1, 4, 1, (30, 32, 50, 3)),
    "os 2x4": _hardware(2, 4, ("os",), "int8", "int8", 2, 3, 2, (420, 440, 33, 5)),
    "ws 4x4, int4 weights": _hardware(4, 4, ("ws",), "int8", "int4", 2, 8, 2, (40, 40, 64, 3)),
    "is 4x4, int4 weights": _hardware(4, 4, ("is",), "int4", "int8", 2, 5, 2, (36, 40, 60, 3)),
    "os 4x4, int4 weights, single buffers": _hardware(4, 4, ("os",), "int8", "int4", 1, 2, 1, (40, 50, 44, 4)),
    "all 4x4": _hardware(4, 4, ALL, "int8", "int8", 4, 16, 2, (48, 48, 72, 4)),
    "all 4x4, single buffers": _hardware(4, 4, ALL, "int8", "int8", 1, 2, 1, (48, 48, 72, 4)),
    "all 8x4": _hardware(8, 4, ALL, "int8", "int8", 4, 6, 2, (40, 64, 64, 5)),
    "all 4x8": _hardware(4, 8, ALL, "int8", "int8", 2, 255, 2, (480, 300, 480, 12)),
    "all 2x8": _hardware(2, 8, ALL, "int8", "int8", 2, 7, 2, (60, 40, 40, 3)),
    "all 8x8": _hardware(8, 8, ALL, "int8", "int8", 8, 12, 2, (40, 40, 40, 2)),
    "bf16 all 4x4": _hardware(4, 4, ALL, "bf16", "bf16", 8, 8, 2, (48, 48, 72, 4)),
    "e4m3 all 2x4, single buffers": _hardware(2, 4, ALL, "e4m3", "e4m3", 2, 3, 1, (48, 48, 72, 4)),
    "e5m2 ws and os 4x2, e4m3 weights": _hardware(4, 2, ("os", "ws"), "e5m2", "e4m3", 2, 5, 2, (48, 48, 72, 4)),
    "bf16 is 2x4, e5m2 weights": _hardware(2, 4, ("is",), "e5m2", "bf16", 2, 5, 2, (48, 48, 72, 4)),
    "ws and os 16x4, int4 weights": _hardware(16, 4, ("os", "ws"), "int8", "int4", 2, 96, 2, (160, 200, 200, 5)),
}
