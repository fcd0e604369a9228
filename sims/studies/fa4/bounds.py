"""What bounds a tile: the cycles in which each unit is busy with it, and in which shared memory moves its operands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from archmodel.records.result import OpResult

from .graphs import Shape
from .machines import TILES, backward, machine, one_sm, roofline
from .share import FEW, MORE
from .trees import ENGINE, SHARED


@dataclass(frozen=True)
class Case:
    """A tile of a machine, and what the paper says of it: cycles of MMA, exponentials and shared memory, None where nothing."""

    name: str
    way: str
    shape: Shape
    published: tuple[int | None, int | None, int | None] = (None, None, None)


CASES = (
    Case("b200", "forward", Shape(128, 128, 1), (1024, 1024, 768)),
    Case("b200", "forward", Shape(64, 64, 1), (512, 1024, 384)),
    Case("b200", "forward", Shape(192, 128, 1)),
    Case("b300", "forward", Shape(128, 128, 1), (1024, 512, 768)),
    Case("b300", "forward", Shape(64, 64, 1)),
    Case("b200", "backward", Shape(128, 128, 1), (2560, 1024, 3328)),
    Case("b200-pair", "backward", Shape(128, 128, 1, keys=256), (2560, 1024, 2688)),
)


@dataclass(frozen=True)
class Busy:
    """Cycles of one tile of 128 queries and 128 keys on one SM; ``exp`` are the scores' exponentials alone."""

    mma: Fraction
    exp: Fraction
    smem: Fraction
    alu: Fraction

    @property
    def bound(self) -> str:
        """The unit, or units, that take longest."""
        each = {"mma": self.mma, "exp": self.exp, "smem": self.smem, "alu": self.alu}
        return " = ".join(name for name, cycles in each.items() if cycles == max(each.values()))


def busy(case: Case) -> Busy:
    """Of operands that are in shared memory already, every exponential in hardware: eight blocks less four, so without ends."""
    whole = machine(case.name)
    alike = Fraction(case.shape.rows * case.shape.keys, 128 * 128) * (len(TILES) if case.way == "forward" else 1)
    tiles = alike * (MORE - FEW) / (machine("b200").engine(ENGINE).count // whole.engine(ENGINE).count)
    few, more = (_cycles(case, blocks) for blocks in (FEW, MORE))
    return Busy(*((late - early) / tiles for early, late in zip(few, more, strict=True)))


def _cycles(case: Case, blocks: int) -> tuple[Fraction, ...]:
    """Of the tensor core, the scores' exponentials, shared memory and the ALU in a run of so many blocks."""
    sm, shape = one_sm(machine(case.name)), replace(case.shape, blocks=blocks)
    row = roofline(sm, shape, 0) if case.way == "forward" else backward(sm, shape, True)
    moved = Fraction(dict(row.bytes)[SHARED] * sm.clock_hz("sm"), sm.memory(SHARED).bandwidth_bytes_per_second or 1)
    return _of(row, "mma", ""), _of(row, "mufu", "exp"), moved, _of(row, "alu", "")


def _of(row: OpResult, unit: str, einsum: str) -> Fraction:
    return Fraction(sum(cycles for mine, name, cycles in row.busy if mine == unit and name.startswith(einsum)))
