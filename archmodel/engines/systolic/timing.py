"""How long one command takes: by formula at a port of constant timing, beat by beat under a schedule of stalls."""

from __future__ import annotations

from collections import deque

from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.commands import MIN_CYCLES, SYNC
from archmodel.records.engines.systolic import BUFFERS, Hardware

from .closed_form import Folds, exec_cycles, load_cycles, store_cycles

STORE_FILL = 4
"""From the issue of a store to its first beat: read of Z, multiplication, rounding, output register."""


class Timing:
    def __init__(self, hardware: Hardware, port: Port, stalls: Stalls | None) -> None:
        self.hardware, self.port, self.stalls = hardware, port, stalls

    def cycles(self, unit: str, name: str, fields: dict[str, int], start: int) -> int:
        """Cycles from the start of a command to the cycle in which its token is visible."""
        if name == "sync":
            return SYNC
        if name == "exec":
            return int(exec_cycles(Folds(fields["outer"], fields["inner"], fields["t"]), self.hardware))
        words = fields["outer"] * fields["inner"]
        buffer = "Q" if fields["requantise"] else BUFFERS[fields["buffer"]]
        beats = self.hardware.beats(buffer)
        if self.stalls is None:
            formula = load_cycles if unit == "load" else store_cycles
            return int(formula(words, beats, self.hardware, self.port))
        walk = self._stalled_load if unit == "load" else self._stalled_store
        return max(MIN_CYCLES, walk(start, words, beats, self.stalls) - start)

    def _stalled_load(self, start: int, words: int, beats: int, stalls: Stalls) -> int:
        """End of a load: each word is one request; its beats come in order, at the earliest after the latency."""
        request, beat = start, -self.port.interval
        ends: deque[int] = deque(maxlen=self.hardware.outstanding)
        for _ in range(words):
            slot = ends[0] + 1 if len(ends) == self.hardware.outstanding else 0
            request = stalls.request_from(max(request + 1, slot))
            for _ in range(beats):
                beat = stalls.response_from(max(request + self.port.latency, beat + self.port.interval))
            ends.append(beat)
        return beat + 1

    def _stalled_store(self, start: int, words: int, beats: int, stalls: Stalls) -> int:
        """End of a store: beats leave when accepted; a response follows the last beat of each word."""
        beat, response = start + STORE_FILL - self.port.interval, 0
        ends: deque[int] = deque(maxlen=self.hardware.outstanding)
        for _ in range(words):
            slot = ends[0] + 1 if len(ends) == self.hardware.outstanding else 0
            beat = stalls.request_from(max(beat + self.port.interval, slot))
            for _ in range(beats - 1):
                beat = stalls.request_from(beat + self.port.interval)
            response = stalls.response_from(max(beat + self.port.latency, response + 1))
            ends.append(response)
        return response + 1
