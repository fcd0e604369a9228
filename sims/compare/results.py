"""Two Results: the differences in cycles, time, energy and area, by operator and cause."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from archmodel.records.base import SpecError
from archmodel.records.figure import weakest
from archmodel.records.result import OpResult, Result

from .exact import NOTHING, Amount, Part, Quantity, added, counted, gathered, paired, summed
from .machines import by_engine

ONLY = ("only in A", "only in B")
"""The cause of the whole difference where an operator is in one of both: a name that A and B share is the same work."""
CLOCKS = ("cycles", "clock")

Causes = dict[str, Amount]


def quantities(a: Result, b: Result) -> tuple[Quantity, ...]:
    """Cycles (of each result's own clock), seconds, energy and area.  Raises SpecError for a result that no run wrote."""
    for side, result in zip("AB", (a, b), strict=True):
        check(side, result)
    return (
        Quantity("cycles", "cycles", _by_operator(a, b, cycles)), Quantity("time", "s", _by_operator(a, b, seconds)),
        _energy(a, b), Quantity("area", "um2", paired(by_engine(a.area_by), by_engine(b.area_by))),
    )  # fmt: skip


def check(side: str, result: Result) -> None:
    """Raises SpecError for an operator that appears twice: by its name it has one partner on the other side; or time is shared."""
    if result.steps:
        raise SpecError(f"{side}: operators run side by side, and their differences don't add up; run it again without --overlap")
    names = [op.name for op in result.ops]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise SpecError(f"{side}: operator {twice[0]} appears twice, expected a result that `archmodel run` wrote")


def cycles(result: Result, op: OpResult) -> Causes:
    """Cycles of the result's clock; those of an engine with another clock are counted by their time."""
    return gathered([(cause, counted(Fraction(count * result.clock_hz, op.clock_hz), op.provenance)) for cause, count in op.causes])


def seconds(_result: Result, op: OpResult) -> Causes:
    # A clock is the machine file's own figure, not a measured one.
    trust = weakest((op.provenance, "published"))
    return gathered([(cause, counted(Fraction(count, op.clock_hz), trust)) for cause, count in op.causes])


def energy(_result: Result, op: OpResult) -> Causes:
    return summed(op.energy_by)


def _energy(a: Result, b: Result) -> Quantity:
    why = [f"{side} {_unpriced(result)}" for side, result in zip("AB", (a, b), strict=True) if result.energy is None]
    return Quantity("energy", "pJ", () if why else _by_operator(a, b, energy), " and ".join(why))


def _unpriced(result: Result) -> str:
    if result.fidelity == "bound":
        return "is at fidelity bound, which prices no energy"
    names = [op.name for op in result.ops if op.energy is None]
    return f"has no energy of {names[0]}" + (f" and {len(names) - 1} more operators" if len(names) > 1 else "")


def _by_operator(a: Result, b: Result, causes: Callable[[Result, OpResult], Causes]) -> tuple[Part, ...]:
    ops = [{op.name: op for op in result.ops} for result in (a, b)]
    parts: list[Part] = []
    for name in dict.fromkeys([*ops[0], *ops[1]]):
        one, other = (side.get(name) for side in ops)
        if one and other:
            group = "/".join(sorted({one.group, other.group}))
            mine, others = ({(name, group, cause): value for cause, value in causes(result, op).items()}
                            for result, op in ((a, one), (b, other)))  # fmt: skip
            parts += paired(mine, others)
        elif one:
            parts.append(Part(name, one.group, ONLY[0], added(causes(a, one).values()), NOTHING))
        elif other:
            parts.append(Part(name, other.group, ONLY[1], NOTHING, added(causes(b, other).values())))
    return tuple(parts)


def by_factor(a: Result, b: Result) -> dict[str, Fraction]:
    """The difference in seconds by what of time = cycles / clock changed, each at the mean of the other in A and in B.

    With c cycles and p seconds a cycle, cB pB - cA pA = (cB - cA) (pA + pB)/2 + (pB - pA) (cA + cB)/2, exactly.
    """
    ops = [{op.name: op for op in result.ops} for result in (a, b)]
    found = dict.fromkeys((*CLOCKS, *ONLY), Fraction(0))
    for name in dict.fromkeys([*ops[0], *ops[1]]):
        one, other = (side.get(name) for side in ops)
        if one and other:
            period = Fraction(1, one.clock_hz), Fraction(1, other.clock_hz)
            found["cycles"] += (other.cycles - one.cycles) * (period[0] + period[1]) / 2
            found["clock"] += (period[1] - period[0]) * (one.cycles + other.cycles) / 2
        elif one:
            found[ONLY[0]] -= Fraction(one.cycles, one.clock_hz)
        elif other:
            found[ONLY[1]] += Fraction(other.cycles, other.clock_hz)
    return found
