"""Energies that AccelForge 1.0.467 (https://github.com/Accelergy-Project/accelforge) found with perfect tiles, measured by running it.

The machine is the preset plain-a3, whose energies a word AccelForge was given as energies a bit; ``changes`` are of its buffer, its
registers or its array, and with ``bypass`` tensors may skip buffer and registers.  It fuses where that is better, unless ``apart``.
Figures are pJ: in all, and where known those of DRAM, buffer and registers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from archmodel import load_machine
from archmodel.records.constraints import Constraints, GroupRule
from archmodel.records.graph import Einsum, Graph, Tensor
from archmodel.records.machine import Machine

from .draw import STAGE


@dataclass(frozen=True)
class Case:
    """``sizes``: m, n, k of a product; m, a, b, c of two in a row; h, p, m, e of attention."""

    kind: str
    sizes: tuple[int, ...]
    energy: int
    levels: tuple[int, int, int] | None = None
    changes: tuple[tuple[str, int], ...] = ()
    bypass: bool = False
    apart: bool = False
    cycles: int | None = None

    def __str__(self) -> str:
        extra = [f"{name}{value}" for name, value in self.changes] + ["bypass"] * self.bypass + ["apart"] * self.apart
        return "-".join([self.kind, *map(str, self.sizes), *extra])


SMALL = (("buffer", 700), ("register", 5), ("rows", 8), ("cols", 4))
CASES = (
    Case("gemm", (64, 64, 64), 3928064, (2457600, 147456, 1060864), cycles=2048),
    Case("gemm", (512, 512, 512), 1027080192, (262144000, 34603008, 596115456)),
    Case("gemm", (1, 4096, 4096), 3660857344, (3357081600, 202530816, 84467712)),
    Case("gemm", (100, 300, 70), 22845000, (11600000, 696000, 8449000)),
    Case("gemm", (64, 64, 64), 3256320, (2457600, 0, 536576), bypass=True),
    Case("gemm", (96, 48, 1000), 55953408, (29721600, 1838592, 19785216)),
    Case("gemm", (17, 4096, 512), 643456000, (435097600, 27724800, 144982016)),
    Case("gemm", (2048, 8, 768), 404934656, (319078400, 19697664, 53575680)),
    Case("gemm", (96, 48, 1000), 44242560, (29721600, 552960, 9360000), bypass=True),
    Case("gemm", (512, 512, 512), 667156480, (209715200, 50331648, 272891904), bypass=True),
    Case("gemm", (1, 4096, 4096), 3391426560, (3357081600, 786432, 16781312), bypass=True),
    Case("gemm", (60, 84, 90), 8499600, (4680000, 1172880, 2193120), (("buffer", 3000), ("register", 16), ("rows", 8), ("cols", 4))),
    Case("gemm", (60, 84, 90), 14178240, (8784000, 2274480, 2666160), SMALL),
    Case("gemm", (60, 84, 90), 11398680, (8784000, 1684800, 476280), SMALL, bypass=True),
    Case("gemm", (1000, 1000, 1000), 7346000000, (1600000000, 354000000, 4392000000)),
    Case("gemm", (4096, 4096, 4096), 506135052288, (110729625600, 17716740096, 308969209856)),
    Case("gemm", (720, 1260, 840), 5499748800, (1300320000, 183254400, 3254126400)),
    Case("pair", (256, 128, 512, 128), 221839360, (39321600, 7667712, 141295616)),
    Case("pair", (1024, 256, 1024, 256), 3887071232, (943718400, 146276352, 2260205568)),
    Case("pair", (2048, 2048, 8192, 2048), 505757564928, (111568486400, 20132659200, 305336942592)),
    Case("pair", (60, 30, 42, 24), 3695040, (2462400, 378864, 717696), (("buffer", 900), ("register", 8), ("rows", 4), ("cols", 4))),
    Case("attention", (2, 64, 64, 32), 6361088, (3276800, 393216, 2158592)),
    Case("attention", (8, 1, 4096, 128), 1830383616, (1678131200, 101603328, 42227712)),
    Case("attention", (4, 512, 512, 64), 851050496, (104857600, 42467328, 568459264)),
    Case("attention", (2, 48, 36, 8), 1348992, (768000, 239616, 282624), (("buffer", 600), ("register", 8), ("rows", 4), ("cols", 4))),
    Case("attention", (32, 4096, 4096, 128), 870334857216),
    Case("attention", (32, 4096, 4096, 128), 1252721164288, apart=True),
)  # fmt: skip

LINES = {
    "gemm": ("mnk", (("C", "mn", "mul", ("A", "mk"), ("B", "kn")),)),
    "pair": ("mabc", (("T1", "mb", "mul", ("T0", "ma"), ("W0", "ab")), ("T2", "mc", "mul", ("T1", "mb"), ("W1", "bc")))),
    "attention": ("hpme", (("QK", "hpm", "mul", ("Q", "hpe"), ("K", "hme")), ("S", "hpm", "exp", ("QK", "hpm")),
                           ("AV", "hpf", "mul", ("S", "hpm"), ("V", "hmf")))),
}  # fmt: skip
"""Names of the sizes, then of each Einsum its result, the operator, and what it reads; softmax as one elementwise operation."""


def graph(case: Case) -> Graph:
    names, lines = LINES[case.kind]
    sizes = dict(zip(names, case.sizes, strict=True))
    sizes["f"] = sizes.get("e", 1)
    tensors = {name: Tensor(name, "activation", tuple(ranks), 8)
               for result, own, _, *reads in lines for name, ranks in ((result, own), *reads)}  # fmt: skip
    einsums = tuple(_einsum(result, own, operator, tuple(reads), sizes) for result, own, operator, *reads in lines)
    return Graph(case.kind, STAGE, tuple(tensors[name] for name in sorted(tensors)), einsums, ())


def _einsum(result: str, own: str, operator: str, reads: tuple[tuple[str, str], ...], sizes: dict[str, int]) -> Einsum:
    ranks = {rank for _, names in reads for rank in names} | set(own)
    return Einsum(result, "case", result, tuple(name for name, _ in reads), tuple(sorted((rank, sizes[rank]) for rank in ranks)),
                  operator, "add" if ranks - set(own) else "none")  # fmt: skip


def machine(case: Case) -> Machine:
    base, changes = load_machine("plain-a3"), dict(case.changes)
    (engine,) = base.engines
    home, buffer, register = engine.params.levels
    axes = tuple(replace(axis, size=changes.get(axis.name, axis.size)) for axis in buffer.axes)
    levels = (home, *(replace(level, words=changes.get(level.name, level.words), bypass=case.bypass, axes=axes if level is buffer else ())
                      for level in (buffer, register)))  # fmt: skip
    return replace(base, engines=(replace(engine, params=replace(engine.params, levels=levels)),))


def constraints(case: Case) -> Constraints | None:
    names = tuple(line[0] for line in LINES[case.kind][1])
    return Constraints((GroupRule(names, together=False),)) if case.apart else None
