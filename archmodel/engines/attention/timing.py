"""How long one command takes: moves by formula or beat by beat, tiles in periods of the schedule."""

from __future__ import annotations

from archmodel.engines.moves import load_cycles, stalled_load, stalled_store, store_cycles
from archmodel.engines.sequencing import Fields
from archmodel.memory.port import Port
from archmodel.memory.stalls import Stalls
from archmodel.records.commands import MIN_CYCLES, SYNC
from archmodel.records.engines.attention import BUFFERS, Hardware


def attend_cycles(count: int, period: int, stages: int) -> int:
    """Cycles of one attend: its last tile enters ``count`` - 1 periods after the first and stays for ``stages``."""
    return (count - 1 + stages) * period


class Timing:
    def __init__(self, hardware: Hardware, period: int, stages: int, port: Port, stalls: Stalls | None) -> None:
        self.hardware, self.period, self.stages, self.port, self.stalls = hardware, period, stages, port, stalls

    def cycles(self, unit: str, name: str, fields: Fields, start: int) -> int:
        """Cycles from the start of a command to the cycle in which its token is visible."""
        if name == "sync":
            return SYNC
        if name == "attend":
            return attend_cycles(fields["count"], self.period, self.stages)
        words = fields["outer"] * fields["inner"]
        beats = self.hardware.beats(BUFFERS[fields["buffer"]] if unit == "load" else "O")
        if self.stalls is None:
            formula = load_cycles if unit == "load" else store_cycles
            return int(formula(words, beats, self.hardware, self.port))
        walk = stalled_load if unit == "load" else stalled_store
        return max(MIN_CYCLES, walk(start, words, beats, self.hardware, self.port, self.stalls) - start)
