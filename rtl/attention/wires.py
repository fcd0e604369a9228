"""What flows through the arrays beside operands: the micro-op of an element, and that of a lane."""

from __future__ import annotations

from amaranth.lib import data
from amaranth.utils import ceil_log2

from archmodel.records.engines.attention import OPS_1D, OPS_2D, Hardware

from ..sram import address_bits

OP_BITS = 3
TWO = {name: code for code, name in enumerate(OPS_2D)}
ONE = {name: code for code, name in enumerate(OPS_1D)}


def context_bits(hardware: Hardware) -> int:
    return max(1, ceil_log2(hardware.tiles))


def element_layout(hardware: Hardware) -> data.StructLayout:
    """first: of its sum (qk) or of its polynomial (poly); last: step of the polynomial."""
    return data.StructLayout({"op": OP_BITS, "context": context_bits(hardware), "first": 1, "last": 1})


def lane_layout(hardware: Hardware) -> data.StructLayout:
    """step: of the polynomial; address: of the word of state; first, finish: of the tile; divide: start the reciprocal of RD."""
    return data.StructLayout({
        "op": OP_BITS, "context": context_bits(hardware), "step": 3, "first": 1, "finish": 1, "divide": 1,
        "address": address_bits(hardware.s_words),
    })  # fmt: skip
