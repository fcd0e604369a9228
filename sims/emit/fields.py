"""What the fields of an instruction mean, for the emitted document; the bits come from the record itself."""

from __future__ import annotations

from archmodel.records.commands import ADDRESS_REGISTERS, LOOP_DEPTH, MIN_CYCLES

INSTRUCTIONS = {
    "halt": "ends the stream; the unit is done when its command in flight is",
    "loop": f"repeats what stands up to its `end`; at most {LOOP_DEPTH} deep, two cycles",
    "end": "ends the body of a `loop`, two cycles",
    "sync": "waits for tokens and signals, and does nothing else",
    "move": f"in `load`: words from memory to a buffer; in `store`: words of Z to memory. At least {MIN_CYCLES} cycles",
    "exec": f"in `exec`: outer x inner folds through the array. At least {MIN_CYCLES} cycles",
}
_FOLD = {"": "first word of fold 0", "0": "words from one inner fold to the next", "1": "words from one outer fold to the next"}
FIELDS = {
    "opcode": "the instruction",
    "wait": "units (bit 0 load, 1 exec, 2 store) of which a token is waited for and consumed",
    "signal": "units that get a token when the command ends",
    "reserved": "zero",
    "count": "rounds, at least 1",
    **{f"step{r}": f"added to address register {r} after each round; the loop's exit restores it" for r in range(ADDRESS_REGISTERS)},
    "buffer": "X, Y, Z or P, from 0; a store has Z",
    "swap": "afterwards this unit goes on with the buffer's other bank",
    "requantise": "a store writes results in the format of the activations, each made with a word of P",
    "broadcast": "lane by lane, a word of P belongs to each word of a row; else one word of P belongs to the row",
    "register": "the address register that is added to `base`",
    "turn_z": "a load that fills no Z turns to Z's other bank too",
    "inner": "move: words of a row; exec: folds inside an outer one",
    "outer": "move: rows; exec: outer folds",
    "sram": "buffer word of the first row",
    "pitch": "buffer words from one row to the next",
    "base": "memory beat of the first word",
    "stride": "beats from one row to the next",
    "params": "first word of P",
    "output": "1: output-stationary, 0: operand-stationary",
    "acc_first": "the folds of outer fold 0 add to what stands in Z",
    "acc_rest": "the folds of the others do",
    **{f"swap_{b}": f"afterwards exec goes on with the other bank of {b.upper()}" for b in "xyz"},
    "idle": "rows at the bottom of the array without work in the last outer folds",
    "t": "words of a fold's stream",
    **{f"{b}{s}": f"{b.upper()}: {text}" for b in "xyz" for s, text in _FOLD.items()},
}
