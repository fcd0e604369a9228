"""What the emitted folder says of each type of engine: a module a type.

    AXI                                     module of ``rtl`` that puts it behind AXI, or None
    NAMES                                   letters of its words, for the table of beats; LETTERS says what they are
    INSTRUCTIONS, FIELDS                    meanings of its own instructions, and of fields that differ from the shared ones
    numbers(hardware) -> str                what the arithmetic does to every bit
    layout_notes() -> str                   how words and streams are laid out
    beats_of(hardware, unit, fields) -> (str, int)     buffer that a move fills or empties, and beats of a word
    draw(buffer, words, hardware, rng) -> bytes        of words that the testbench loads
    default_program(machine, engine, hardware) -> (Program, str)       what the testbench runs if nothing is given, and what it is
"""

from importlib import import_module
from typing import Any


def emission_of(kind: str) -> Any:
    return import_module(f"{__name__}.{kind}")
