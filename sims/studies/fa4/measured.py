"""What was measured of FlashAttention-4, as its authors and users published it, in TFLOP/s (a masked half not counted)."""

from __future__ import annotations

from dataclasses import dataclass

LENGTHS = (1024, 2048, 4096, 8192, 16384)
TOKENS = 32768
"""Of all sequences together, in the runs over LENGTHS; the hidden size is 2048."""


@dataclass(frozen=True)
class Line:
    """One kernel over several lengths: every run's TFLOP/s, length by length, None where nobody published one.

    emulated  exponentials of a row of 128 that the kernel computes by polynomial: its own tuning table
    mhz       the clock of the runs where it is known, 0 for the machine's
    """

    gpu: str
    way: str
    d: int
    f: int
    causal: bool
    emulated: int
    mhz: int
    lengths: tuple[int, ...]
    heads: tuple[int, ...]
    runs: tuple[tuple[float | None, ...], ...]
    source: str
    cause: str = ""


P2605 = "Dao-AILab/flash-attention pull request 2605"
P2280 = "Dao-AILab/flash-attention pull request 2280"
P2270 = "Dao-AILab/flash-attention pull request 2270"
P2869 = "Dao-AILab/flash-attention pull request 2869"
LOCKED = 1755
"""MHz that the author of pull request 2605 locks a B200 to where he says it (pull request 2488, issue 2570); there he says only that."""

SPILL, SCHEDULE, SHORT, LONE, UNKNOWN = "spill", "schedule", "short", "lone", "unknown"
CAUSES = {
    SPILL: (1.265, "the non-causal kernel of head size 128 spills registers since cutlass-dsl 4.5: 4.344 ms with, 3.433 ms without "
                   "(pull request 2869, 4,096 tokens); issue 2729 says 25 %.  Which runs of pull request 2605, the very bump to 4.5, have "
                   "it is not said, and at 4,096 tokens they are as fast as those of 2869 without: a possible cause, and no more"),
    SCHEDULE: (1.19, "the kernel of head size 64 is 19 % faster when it also returns the row sums: what the compiler makes of it, not the "
                     "SM (the title of issue 2729; under which masks, it doesn't say)"),
    SHORT: (1.0, "at 1,024 tokens 40 to 150 microseconds more than ours; there cuDNN keeps 85 % of its speed at "
                 "16,384 tokens and FlashAttention-4 64 % (B300, head size 64), so it is the kernel's and no bound of the SM.  "
                 "Nobody published what it is"),
    LONE: (1.0, "the output shares the queries' shared memory and the CTA is not persistent (the kernel's source), which we count; what "
                "else it costs was not published"),
    UNKNOWN: (1.0, "no published measurement says why"),
}  # fmt: skip
"""Why a kernel is slower than the SM allows: the factor where somebody measured it, and what was said."""


def _line(gpu: str, d: int, causal: bool, emulated: int, mhz: int, cause: str, *runs: tuple[float | None, ...]) -> Line:
    heads = tuple(2048 // d * TOKENS // length for length in LENGTHS)
    return Line(gpu, "forward", d, d, causal, emulated, mhz, LENGTHS, heads, runs, P2605, cause)


def _one(way: str, d: int, f: int, causal: bool, emulated: int, tflops: float, source: str, cause: str = "", gpu: str = "b200") -> Line:
    return Line(gpu, way, d, f, causal, emulated, 0, (8192,), (64,), ((tflops,),), source, cause)


LINES = (
    _line("b200", 64, False, 16, LOCKED, SCHEDULE, (702, 733, 749, 758, 762), (657, 682, 695, 701, 706), (623, 758, 827, 868, 878),
          (619, 755, 825, 863, 879)),
    _line("b200", 64, True, 16, LOCKED, SCHEDULE, (423, 579, 713, 792, 834), (425, 580, 713, 794, 836), (388, 565, 701, 802, 853),
          (384, 561, 708, 797, 852)),
    _line("b200", 128, False, 24, LOCKED, SPILL, (1205, 1279, 1328, 1358, 1362), (1196, 1266, 1309, 1357, 1401),
          (975, 1131, 1256, 1289, 1330)),
    _line("b200", 128, True, 16, LOCKED, SHORT, (697, 927, 1090, None, None), (704, 944, 1114, None, None), (660, 899, 1062, None, None)),
    _line("b300", 64, False, 0, 0, SHORT, (784, 989, 1120, 1193, 1225)),
    _line("b300", 64, True, 0, 0, SHORT, (463, 706, 917, 1079, 1176)),
    Line("b200", "forward", 128, 128, False, 24, 1800, (2048, 4096), (512, 512), ((1352, 1281),), P2869, UNKNOWN),
    Line("b200", "forward", 128, 128, True, 16, 1800, (2048, 4096), (512, 512), ((948, 1144),), P2869, SHORT),
    _one("forward", 128, 128, False, 24, 1534.8, P2280),
    _one("forward", 128, 128, True, 16, 1418.1, P2280),
    _one("forward", 192, 128, False, 24, 1555.7, P2270, LONE),
    _one("forward", 192, 128, True, 8, 1494.1, P2270, LONE),
    _one("backward", 128, 128, False, 0, 1247.5, P2280, UNKNOWN),
    _one("backward", 128, 128, True, 0, 1117.9, P2280, UNKNOWN),
    _one("backward", 128, 128, False, 0, 1359.8, P2280, UNKNOWN, "b200-pair"),
    _one("backward", 128, 128, True, 0, 1208.6, P2280, UNKNOWN, "b200-pair"),
    _one("backward", 192, 128, False, 0, 1072.8, P2270, UNKNOWN),
    _one("backward", 192, 128, True, 0, 971.1, P2270, UNKNOWN),
)  # fmt: skip
HEADLINE = 1613
"""The paper's highest forward TFLOP/s on B200; which shape, its figures only show."""
KERNEL_SHARES = (("b200", 64, False, 16), ("b200", 128, False, 24), ("b200", 128, True, 16), ("b200", 192, False, 24),
                 ("b200", 192, True, 8), ("b300", 64, False, 0), ("b300", 128, False, 0), ("b300", 192, False, 0))  # fmt: skip
"""Emulated exponentials of 128 in the kernel's tuning table (flash_attn/cute/flash_fwd_sm100.py), by machine, head size, causal."""
