"""What a move and a command reach: addresses in memory, words of a bank."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .records.base import SpecError

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.int64]


def addresses(fields: Mapping[str, int], beats: int, port_bytes: int, memory: Bytes) -> Words:
    """Byte addresses [outer, inner, byte of word] of a move of words of so many beats.  Raises SpecError outside the memory."""
    rows = fields["base"] + np.arange(fields["outer"], dtype=np.int64) * fields["stride"]
    words = rows[:, None] + np.arange(fields["inner"], dtype=np.int64) * beats
    reached = (words * port_bytes)[:, :, None] + np.arange(beats * port_bytes)
    if reached.size and reached.max() >= memory.size:
        raise SpecError(f"program: a move reaches byte {reached.max()} of a memory of {memory.size} bytes")
    return reached


def window(bank: Words, name: str, at: int, count: int) -> Words:
    """``count`` words of a bank of buffer ``name``, to read or write.  Raises SpecError outside it."""
    if at + count > len(bank):
        raise SpecError(f"program: a command reaches word {at + count - 1} of {name}, which has {len(bank)} words a bank")
    return bank[at : at + count]
