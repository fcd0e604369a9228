"""An explicit schedule of stalls: the same bits drive the cycle model and the simulated memory of the hardware."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from archmodel.records.base import SpecError


@dataclass(frozen=True)
class Stalls:
    """Repeating patterns of equal length, a byte a cycle from the start pulse on, 1 where the port holds still.

    request   no request (and no beat of a write) is accepted
    response  no beat of a read and no response to a write is delivered
    """

    request: bytes
    response: bytes
    _next: dict[str, np.ndarray] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.request) != len(self.response) or not self.request:
            raise SpecError("stalls: expected two patterns of one length")
        if min(self.request) or min(self.response):
            raise SpecError("stalls: a pattern that never lets go; expected at least one free cycle in each")
        for name, pattern in (("request", self.request), ("response", self.response)):
            self._next[name] = _distance(pattern)

    def request_from(self, cycle: int) -> int:
        """The first cycle from ``cycle`` on in which a request is accepted."""
        return cycle + int(self._next["request"][cycle % len(self.request)])

    def response_from(self, cycle: int) -> int:
        """The first cycle from ``cycle`` on in which a response is delivered."""
        return cycle + int(self._next["response"][cycle % len(self.response)])


def _distance(pattern: bytes) -> np.ndarray:
    """Cycles from each position to the next free one."""
    size, free = len(pattern), [i for i, bit in enumerate(pattern) if not bit]
    return np.array([min((f - i) % size for f in free) for i in range(size)])


def random_stalls(seed: int, length: int = 251, request: float = 0.3, response: float = 0.3) -> Stalls:
    """Stalls drawn with the given probabilities; position 0 is free."""
    rng = np.random.Generator(np.random.PCG64(seed))
    draw = [rng.random(length) < p for p in (request, response)]
    return Stalls(*(bytes([0, *map(int, bits[1:])]) for bits in draw))
