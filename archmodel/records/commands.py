"""Commands: what the sequencers of all engines have in common.

Three units, each with a sequencer of its own: load (memory to buffers), exec (the arrays), store (results to memory).  A
command names the units whose token it waits for and the units that get one when it ends.  Instructions of the sequencer:
LOOP repeats what stands up to its END; in round i every address register is its value at the loop's entry plus i times the
loop's increment, and at the exit it is what it was at the entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from .base import SpecError
from .program import Layout, pack, unpack

UNITS = ("load", "exec", "store")
LOAD, EXEC, STORE = (1 << index for index in range(3))
"""Bit of a unit in a wait or signal mask."""

ADDRESS_REGISTERS = 4
LOOP_DEPTH = 4
MIN_CYCLES = 16
"""Shortest move or exec.  Six LOOP and END instructions (two cycles each) hide behind it, so they never cost time."""
ISSUE = 3
"""Cycles from one issue to the next of a sequencer: fetch, decode, issue."""
CONTROL = 2
"""Cycles of a LOOP or END: fetch, decode."""
SYNC = 1
"""Cycles of a sync command."""
MOST_TOKENS = 255
"""The sequencers count tokens in 8 bits."""

ADDRESS_BITS = 20
"""Of a word in a buffer."""
HEAD: Layout = (("opcode", 4), ("wait", 3), ("signal", 3))
OPCODES = {"halt": 0, "loop": 1, "end": 2, "sync": 3, "move": 4}
LAYOUTS: dict[str, Layout] = {
    "halt": HEAD,
    "end": HEAD,
    "sync": HEAD,
    "loop": (*HEAD, ("reserved", 22), ("count", 32), *((f"step{r}", 32) for r in range(ADDRESS_REGISTERS))),
    # load: words of `buffer`; store: words of the result, raw or requantised with the parameter words from `params` on.
    # Word (o, i) lies at memory beat base + AR + o*stride + i*(beats of a word) and at buffer word sram + o*pitch + i.
    # swap: afterwards this unit goes on with the buffer's next bank; turn_z: so does a load with Z, which it didn't fill.
    "move": (*HEAD, ("buffer", 2), ("swap", 1), ("requantise", 1), ("broadcast", 1), ("register", 2), ("turn_z", 1),
             ("inner", ADDRESS_BITS), ("outer", ADDRESS_BITS), ("sram", ADDRESS_BITS), ("pitch", ADDRESS_BITS),
             ("base", 32), ("stride", 32), ("params", ADDRESS_BITS)),
}  # fmt: skip


class Isa:
    """The instructions of one engine: the shared ones, and ``own``, whose opcodes follow in their order."""

    def __init__(self, version: int, own: Mapping[str, Layout]) -> None:
        self.version = version
        self.layouts: dict[str, Layout] = {**LAYOUTS, **own}
        self.opcodes = {**OPCODES, **{name: len(OPCODES) + index for index, name in enumerate(own)}}
        self._names = {code: name for name, code in self.opcodes.items()}

    def instruction(self, name: str, **fields: int) -> bytes:
        """The 32 bytes of one instruction; fields that are not given are 0."""
        layout = self.layouts[name]
        if unknown := fields.keys() - {field for field, _ in layout}:
            raise SpecError(f"program: {name} has no field {sorted(unknown)[0]!r}")
        return pack(layout, {**{field: 0 for field, _ in layout}, **fields, "opcode": self.opcodes[name]})

    def decode(self, data: bytes) -> tuple[str, dict[str, int]]:
        """(name, fields) of one instruction.  Raises SpecError for an unknown opcode."""
        if (opcode := data[0] & 15) not in self._names:
            raise SpecError(f"program: opcode {opcode} is not one of ISA version {self.version}")
        name = self._names[opcode]
        return name, unpack(self.layouts[name], data)
