"""How long a load or a store takes, whatever the engine: by formula at a port of constant timing, beat by beat where it stalls."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import numpy as np

from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.commands import MIN_CYCLES

STORE_FILL = 4
"""From the issue of a store to its first beat: read of the buffer, multiplication, rounding, output register."""
Ints = Any
"""An int, or an array of them."""


class Requests(Protocol):
    """Hardware with so many requests in flight at its port."""

    @property
    def outstanding(self) -> int: ...


def _transfer(words: Ints, beats: Ints, hardware: Requests, port: Port) -> Ints:
    """Cycles from the first request to the last response of ``words`` requests of ``beats`` beats each.

    A request goes out when one of the ``outstanding`` slots is free; data come ``latency`` cycles later at the
    earliest, one beat every ``interval`` cycles.  So the pattern repeats every ``outstanding`` requests.
    """
    data = beats * port.interval
    group = np.maximum(hardware.outstanding * data, port.latency + 1 + data - port.interval)
    full = (words - 1) // hardware.outstanding
    rest = words - 1 - full * hardware.outstanding
    return port.latency + full * group + rest * data + data - port.interval


def load_cycles(words: Ints, beats: Ints, hardware: Requests, port: Port) -> Ints:
    """Cycles of one load command."""
    return np.maximum(MIN_CYCLES, 2 + _transfer(words, beats, hardware, port))


def store_cycles(words: Ints, beats: Ints, hardware: Requests, port: Port) -> Ints:
    """Cycles of one store command: three more, for the read of the buffer, the multiplication and the rounding."""
    return np.maximum(MIN_CYCLES, 5 + _transfer(words, beats, hardware, port))


def stalled_load(start: int, words: int, beats: int, hardware: Requests, port: Port, stalls: Stalls) -> int:
    """End of a load: each word is one request; its beats come in order, at the earliest after the latency."""
    request, beat = start, -port.interval
    ends: deque[int] = deque(maxlen=hardware.outstanding)
    for _ in range(words):
        slot = ends[0] + 1 if len(ends) == hardware.outstanding else 0
        request = stalls.request_from(max(request + 1, slot))
        for _ in range(beats):
            beat = stalls.response_from(max(request + port.latency, beat + port.interval))
        ends.append(beat)
    return beat + 1


def stalled_store(start: int, words: int, beats: int, hardware: Requests, port: Port, stalls: Stalls) -> int:
    """End of a store: beats leave when accepted; a response follows the last beat of each word."""
    beat, response = start + STORE_FILL - port.interval, 0
    ends: deque[int] = deque(maxlen=hardware.outstanding)
    for _ in range(words):
        slot = ends[0] + 1 if len(ends) == hardware.outstanding else 0
        beat = stalls.request_from(max(beat + port.interval, slot))
        for _ in range(beats - 1):
            beat = stalls.request_from(beat + port.interval)
        response = stalls.response_from(max(beat + port.latency, response + 1))
        ends.append(response)
    return response + 1
