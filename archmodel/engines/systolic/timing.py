"""How long one command takes: by formula at a port of constant timing, beat by beat under a schedule of stalls."""

from __future__ import annotations

from archmodel.engines.moves import stalled_load, stalled_store
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.commands import MIN_CYCLES, SYNC
from archmodel.records.engines.systolic import BUFFERS, Hardware

from .closed_form import Folds, exec_cycles, load_cycles, store_cycles


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
        walk = stalled_load if unit == "load" else stalled_store
        return max(MIN_CYCLES, walk(start, words, beats, self.hardware, self.port, self.stalls) - start)
