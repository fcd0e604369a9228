"""The memory port of an engine, in cycles of the engine's clock."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.base import SpecError


@dataclass(frozen=True)
class Port:
    """latency   cycles from an accepted request to its first beat (or from a write's last beat to its response)
    interval  cycles between beats
    """

    latency: int
    interval: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.interval <= self.latency:
            raise SpecError(f"port: latency {self.latency} and interval {self.interval}, expected 1 <= interval <= latency")
