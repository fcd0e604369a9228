"""How many of a row's exponentials are worth computing by polynomial: an optimum, found by evaluating mappings."""

from __future__ import annotations

from archmodel.records.machine import Machine

from .graphs import Shape
from .machines import forward, one_sm, roofline

ROW = 128
BLOCKS = 64
"""Of keys in a work tile whose cycles are shown: long enough that its ends hardly count."""
FEW, MORE = 4, 8
"""Blocks of two rooflines, whose difference has no ends."""


def tile_cycles(whole: Machine, d: int, f: int, emulated: int, waits: bool) -> float:
    """Cycles of one tile of 128 queries and 128 keys, ``emulated`` of each row's exponentials by polynomial.

    With ``waits`` two tiles ping-pong, each waiting for its own steps; without, every unit always finds work.
    """
    if waits:
        return forward(one_sm(whole), Shape(d, f, BLOCKS), emulated, False).cycles / (2 * BLOCKS)
    few, more = (roofline(one_sm(whole), Shape(d, f, blocks), emulated).cycles for blocks in (FEW, MORE))
    return (more - few) / (2 * (MORE - FEW))


def best(whole: Machine, d: int, f: int, waits: bool) -> int:
    """The smallest number that no other beats.  Cycles are maxima of sums that are linear in it, so they fall, rest, then rise."""
    low, high = 0, ROW
    while low < high:
        middle = (low + high) // 2
        here, more = (tile_cycles(whole, d, f, emulated, waits) for emulated in (middle, middle + 1))
        low, high = (middle + 1, high) if more < here else (low, middle)
    return low
