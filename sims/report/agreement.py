"""What a comparison of model and hardware found, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archmodel.records.base import to_plain

from .grid import lines


@dataclass(frozen=True)
class Compared:
    """One Program; ``failures`` is empty where cycles, commands and every bit of memory are equal."""

    name: str
    seed: int
    stalled: bool
    cycles: int
    commands: int
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Agreement:
    """All Programs that ran up to the first difference, whose ``report`` it is; ``wanted`` were to run.

    ``what``: that the hardware computes.
    """

    machine: str
    engine: str
    hardware: Any
    what: str
    scaled_from: str
    gemm: tuple[int, ...] | None
    wanted: int
    compared: tuple[Compared, ...]
    report: str
    waves: str
    build_seconds: float
    run_seconds: float

    @property
    def agree(self) -> bool:
        return len(self.compared) == self.wanted and not any(item.failures for item in self.compared)

    @property
    def cycles(self) -> int:
        return sum(item.cycles for item in self.compared)

    @property
    def label(self) -> str:
        """The array, and what it stands for if it is scaled."""
        size = f"{self.hardware.rows}x{self.hardware.cols}"
        return f"{size}, scaled from {self.scaled_from}" if self.scaled_from else size


def agreement_to_json(found: Agreement) -> dict[str, Any]:
    """The keys of ``sim --json``."""
    return {
        "machine": found.machine, "engine": found.engine, "array": f"{found.hardware.rows}x{found.hardware.cols}",
        "scaled_from": found.scaled_from or None, "gemm": list(found.gemm) if found.gemm else None, "agree": found.agree,
        "programs": len(found.compared), "equal": sum(not item.failures for item in found.compared), "cycles": found.cycles,
        "commands": sum(item.commands for item in found.compared), "waves": found.waves or None,
        "build_seconds": found.build_seconds, "run_seconds": found.run_seconds, "report": found.report,
        "hardware": to_plain(found.hardware), "results": [to_plain(item) for item in found.compared],
    }  # fmt: skip


def agreement_text(found: Agreement) -> str:
    """For people: what ran, what was equal, and at the first difference its report."""
    pairs = [("machine", found.machine), ("array", f"{found.label} ({found.what}), generated, in Verilator")]
    pairs += [_product(item) for item in found.compared if item.name != "random"]
    if drawn := [item for item in found.compared if item.name == "random"]:
        pairs.append(("random", _random(drawn)))
    pairs.append(("verdict", _verdict(found)))
    pairs.append(("took", f"{found.build_seconds:.1f} s to build or find the simulator, {found.run_seconds:.1f} s to run"))
    if found.waves:
        pairs.append(("waves", found.waves))
    return lines(pairs) + (f"\n{found.report}\n" if found.report else "")


def _product(item: Compared) -> tuple[str, str]:
    said = "DIFFERS in " + ", ".join(item.failures) if item.failures else "equal"
    return "product", f"{item.name.removeprefix('product ')}: {said}, {item.cycles:,} cycles, {item.commands:,} commands"


def _random(drawn: list[Compared]) -> str:
    equal = [item for item in drawn if not item.failures]
    cycles, commands = (sum(getattr(item, name) for item in equal) for name in ("cycles", "commands"))
    return (f"{len(equal):,} of {len(drawn):,} Programs equal, seeds {drawn[0].seed} to {drawn[-1].seed}, "
            f"{sum(item.stalled for item in drawn)} with a stalling port: {cycles:,} cycles, {commands:,} commands")  # fmt: skip


def _verdict(found: Agreement) -> str:
    if found.agree:
        return "model and hardware agree: every cycle, start and end of every command, every bit of memory"
    return "model and hardware DIFFER; the first difference is below"
