"""FlashAttention-4 beside what was measured of it: every cycle comes from evaluate(graph, mapping, machine)."""

from __future__ import annotations

from typing import Any

from ..record import Cell, Chart, Column, Study, Table, error
from .bounds import CASES, busy
from .machines import machine
from .measured import CAUSES, HEADLINE, KERNEL_SHARES, LENGTHS, LINES, LOCKED
from .predicted import NEAR, Point, doubts, near_by_clock, points
from .share import ROW, best, tile_cycles

HEADS = {64: (64, 64), 128: (128, 128), 192: (192, 128)}
"""Head dimensions of Q and K, and of V, by head size."""


def study() -> Study:
    """The study, computed: some seconds."""
    found = tuple(points())
    return Study(
        "fa4", "FlashAttention-4 on B200 and B300",
        "Zadouri et al., FlashAttention-4 (arXiv 2603.05451); measured by its authors and users (Dao-AILab/flash-attention)",
        (_bounds(), _shares(), _gain(), _bands(found), _doubts()), (_share_chart(), _band_chart(found)), _notes(found),
    )  # fmt: skip


def _bounds() -> Table:
    columns = (Column("machine"), Column("pass"), Column("queries x keys x d, f"),
               *(Column(name, "count") for name in ("mma", "exp", "smem")), Column("bound"),
               *(Column(f"{name} paper", "count") for name in ("mma", "exp", "smem")), Column("alu", "count"))  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for case in CASES:
        found, shape = busy(case), case.shape
        tile = f"{shape.rows} x {shape.keys} x {shape.d}, {shape.f}"
        rows.append((case.name, case.way, tile, float(found.mma), float(found.exp), float(found.smem), found.bound, *case.published,
                     float(found.alu)))  # fmt: skip
    return Table("bounds", "Cycles of a tile of 128 queries and 128 keys on one SM", columns, tuple(rows),
                 "every exponential in hardware; b200-pair are two SMs whose tensor cores share instructions, and its tiles are larger: "
                 "cycles are for as much work as above, on each SM")  # fmt: skip


def _shares() -> Table:
    columns = (Column("machine"), Column("head"), Column("causal"), *(Column(name, "number") for name in (
        "best %, no waits", "best %, two tiles", "kernel %")), *(Column(name, "count") for name in (
        "cycles none", "kernel", "best", "no waits")))  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, head, causal, kernel in KERNEL_SHARES:
        sizes = (machine(name), *HEADS[head])
        free, chained = best(*sizes, False), best(*sizes, True)
        each = [tile_cycles(*sizes, emulated, True) for emulated in (0, kernel, chained)]
        shares = [100 * emulated / ROW for emulated in (free, chained, kernel)]
        rows.append((name, str(head), _word(causal), *shares, *each, tile_cycles(*sizes, free, False)))
    return Table("shares", "Exponentials of a row worth computing by polynomial", columns, tuple(rows),
                 "the smallest share that no other beats, in columns of 128: where every unit always finds work, and where two tiles "
                 "ping-pong, each waiting for its own steps; cycles are of a tile of 128 x 128 among two")  # fmt: skip


def _gain() -> Table:
    columns = (Column("head"), Column("b200", "count"), Column("b300", "count"), Column("per cycle", "number"),
               Column("with clock", "number"), Column("measured low", "number"), Column("high", "number"))  # fmt: skip
    own = {(name, head): kernel for name, head, causal, kernel in KERNEL_SHARES if not causal}
    rows = []
    for head, sizes in HEADS.items():
        old, new = machine("b200"), machine("b300")
        cycles = [tile_cycles(whole, *sizes, own[whole.name, head], True) for whole in (old, new)]
        ratio = cycles[0] / cycles[1]
        rows.append((str(head), *cycles, ratio, ratio * new.clock_hz("sm") / old.clock_hz("sm"), *_measured_gain(head)))
    return Table("gain", "What B300's doubled exponentials give, forward", columns, tuple(rows),
                 "cycles of a tile with the kernel's own share of emulated exponentials (none on B300); measured at 16,384 tokens, over "
                 "all runs on B200, clocks included")  # fmt: skip


def _measured_gain(head: int) -> tuple[float | None, float | None]:
    last = [[run[-1] for run in line.runs if run[-1]] for gpu in ("b200", "b300") for line in LINES
            if (line.gpu, line.d, line.causal, line.lengths) == (gpu, head, False, LENGTHS)]  # fmt: skip
    if len(last) < 2:
        return None, None
    slow, (fast,) = last
    return fast / max(slow), fast / min(slow)


def _bands(found: tuple[Point, ...]) -> Table:
    columns = (Column("machine"), Column("pass"), Column("head"), Column("causal"), Column("MHz", "count"), Column("tokens", "count"),
               Column("low", "count"), Column("high", "count"), Column("ours", "count"), Column("error", "error"),
               Column("cause"), Column("ours then", "count"), Column("error then", "error"))  # fmt: skip
    rows = []
    for point in found:
        line = point.line
        mhz = machine(line.gpu, line.mhz).clock_hz("sm") // 10**6
        rows.append((line.gpu, line.way, str(line.d), _word(line.causal), mhz, point.tokens, point.low, point.high, point.ours,
                     point.error, point.cause, point.with_cause, point.error_with_cause))  # fmt: skip
    return Table("bands", "TFLOP/s predicted and measured", columns, tuple(rows),
                 f"error is the distance from the measured band; above {100 * NEAR:.0f} % its cause is named, and counted in the last two "
                 "columns where somebody measured how much it costs")  # fmt: skip


def _doubts() -> Table:
    first, *others = doubts()
    rows = [(said, small, error(small, first[1]), large, error(large, first[2])) for said, small, large in (first, *others)]
    columns = (Column("constant"), Column("head 64", "count"), Column("change", "error"), Column("head 128", "count"),
               Column("of it", "error"))  # fmt: skip
    return Table("doubts", "TFLOP/s if a constant were another", columns, tuple(rows),
                 "b200, forward, 8,192 tokens, nothing masked, shares as in the kernel")  # fmt: skip


def _word(causal: bool) -> str:
    return "yes" if causal else "no"


def _notes(found: tuple[Point, ...]) -> tuple[str, ...]:
    near = sum(not point.cause for point in found)
    then = sum(point.error_with_cause is not None and abs(point.error_with_cause) <= NEAR for point in found)
    top = max(point.ours for point in found if (point.line.gpu, point.line.way, point.line.d) == ("b200", "forward", 128))
    causes = tuple(f"{name}: {said}" for name, (_, said) in CAUSES.items() if any(point.cause == name for point in found))
    guessed, own = near_by_clock()
    return (
        f"{near} of {len(found)} points lie within {100 * NEAR:.0f} % of their band",
        f"{guessed} of them rest on a guess, that those runs were locked to {LOCKED:,} MHz: at {machine('b200').clock_hz('sm') // 10**6:,} "
        f"MHz {own or 'none'} of these would be",
        f"{then} more would be if a cause were counted that was measured on the same kernel in other runs; nobody showed it in these",
        f"the paper's highest figure is {HEADLINE} TFLOP/s, our highest at head size 128 {top:.0f} ({top / HEADLINE - 1:+.1%})",
        "runs of one kernel on one GPU differ by up to 25 % (head size 64 at 16,384 tokens: 706 to 879); no model can be nearer to all",
        *causes,
    )


def _share_chart() -> Chart:
    data = []
    shares = range(0, ROW + 1, 16)
    for number, (name, head) in enumerate((("b200", 64), ("b200", 128), ("b200", 192), ("b300", 64), ("b300", 128))):
        cycles = [tile_cycles(machine(name), *HEADS[head], emulated, True) for emulated in shares]
        data.append({"type": "scatter", "mode": "lines", "name": f"{name}, {head}", "x": [100 * emulated / ROW for emulated in shares],
                     "y": cycles, "line": {"color": f"series:{number}"}})  # fmt: skip
    return Chart("share", "Cycles of a tile over the share of emulated exponentials",
                 "Two tiles ping-pong; the kernel's own shares are 6.25 to 18.75 % on B200 and none on B300.", tuple(data),
                 {"xaxis": {"title": {"text": "emulated, %"}}, "yaxis": {"title": {"text": "cycles"}, "rangemode": "tozero"}})  # fmt: skip


def _band_chart(found: tuple[Point, ...]) -> Chart:
    data: list[dict[str, Any]] = []
    series = [line for line in LINES if line.lengths == LENGTHS]
    for number, line in enumerate(series):
        mine = [point for point in found if point.line is line]
        name = f"{line.gpu}, {line.d}{', causal' if line.causal else ''}"
        tokens, colour = [point.tokens for point in mine], f"series:{number}"
        data.append({"type": "scatter", "mode": "lines", "name": name, "x": tokens, "y": [point.ours for point in mine],
                     "line": {"color": colour}})  # fmt: skip
        spans = [(at, value) for point in mine for at, value in ((point.tokens, point.low), (point.tokens, point.high), (None, None))]
        data.append({"type": "scatter", "mode": "lines+markers", "name": f"{name}, measured", "x": [at for at, _ in spans],
                     "y": [value for _, value in spans], "line": {"color": colour, "width": 1}})  # fmt: skip
    ticks = {"type": "log", "tickvals": list(LENGTHS), "ticktext": [f"{length:,}" for length in LENGTHS]}
    axes = {"xaxis": {"title": {"text": "tokens"}, **ticks}, "yaxis": {"title": {"text": "TFLOP/s"}, "rangemode": "tozero"}}
    note = "Lines over all lengths are ours, upright ones go from the lowest to the highest measured."
    return Chart("bands", "Forward TFLOP/s over the length", note, tuple(data), axes)
