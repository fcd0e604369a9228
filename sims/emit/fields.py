"""What instructions and fields mean that every engine has, for the emitted document; the bits come from the record itself."""

from __future__ import annotations

from archmodel.records.commands import ADDRESS_REGISTERS, LOOP_DEPTH, MIN_CYCLES

INSTRUCTIONS = {
    "halt": "ends the stream; the unit is done when its command in flight is",
    "loop": f"repeats what stands up to its `end`; at most {LOOP_DEPTH} deep, two cycles",
    "end": "ends the body of a `loop`, two cycles",
    "sync": "waits for tokens and signals, and does nothing else",
    "move": f"in `load`: words from memory to a buffer; in `store`: words of results to memory. At least {MIN_CYCLES} cycles",
}
FIELDS = {
    "opcode": "the instruction",
    "wait": "units (bit 0 load, 1 exec, 2 store) of which a token is waited for and consumed",
    "signal": "units that get a token when the command ends",
    "reserved": "zero",
    "count": "rounds, at least 1",
    **{f"step{r}": f"added to address register {r} after each round; the loop's exit restores it" for r in range(ADDRESS_REGISTERS)},
    "swap": "afterwards this unit goes on with the buffer's other bank",
    "requantise": "a store writes results in the format of the activations, each made with a word of P",
    "broadcast": "lane by lane, a word of P belongs to each word of a row; else one word of P belongs to the row",
    "register": "the address register that is added to `base`",
    "turn_z": "a load that fills no Z turns to Z's other bank too",
    "sram": "buffer word of the first row",
    "pitch": "buffer words from one row to the next",
    "base": "memory beat of the first word",
    "stride": "beats from one row to the next",
    "params": "first word of P",
}
