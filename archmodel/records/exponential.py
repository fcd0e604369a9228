"""The polynomial of an exponential: bit patterns of its coefficients, highest power first, the constant 1 last.

    UP     of 2^f, 0 <= f < 1 in steps of 2^-8: fp32, the first one also a bf16
    DOWN   of 2^-f, 0 <= f < 1 in steps of 2^-16: signed, FRACTION fraction bits, the first one with a P_FRACTION fraction

Of each degree, the least largest relative error that is possible with this first coefficient (the best one, rounded) and with a
last one of 1, so that 2^0 is 1: fitted by least squares whose weights are multiplied by the error, again and again (Lawson 1961);
that none is better follows from the error's alternations, which tests/engines/test_attention_arithmetic.py counts.
"""

from __future__ import annotations

FRACTION = 30
"""Fraction bits of the coefficients of 2^-f."""
P_FRACTION = 16
"""Fraction bits of f and of every step of 2^-f."""
F_BITS = 8
"""Fraction bits of f in floating point, so that f is a bf16."""

UP: dict[int, tuple[int, ...]] = {
    1: (0x3F6C0000, 0x3F800000),
    2: (0x3EA90000, 0x3F2A7715, 0x3F800000),
    3: (0x3D9E0000, 0x3E69047A, 0x3F31F47D, 0x3F800000),
    4: (0x3C5C0000, 0x3D55FA70, 0x3E77125D, 0x3F316B61, 0x3F800000),
    5: (0x3AF40000, 0x3C13F323, 0x3D64831E, 0x3E75EE9E, 0x3F317257, 0x3F800000),
    6: (0x39620000, 0x3AA3A483, 0x3C1E7E19, 0x3D63457C, 0x3E75FE9E, 0x3F317216, 0x3F800000),
    7: (0x37B40000, 0x3916AAC3, 0x3AAFE632, 0x3C1D84F9, 0x3D635941, 0x3E75FDE9, 0x3F317218, 0x3F800000),
    8: (0x35F90000, 0x376EBEE1, 0x3922961B, 0x3AAEB08A, 0x3C1D9628, 0x3D63583E, 0x3E75FDF0, 0x3F317218, 0x3F800000),
}
DOWN: dict[int, tuple[int, ...]] = {
    1: (-561168384, 1073741824),
    2: (186384384, -722048010, 1073741824),
    3: (-42549248, 248219409, -742590349, 1073741824),
    4: (7340032, -57156741, 257119745, -744172262, 1073741824),
    5: (-1015808, 9887810, -59377982, 257892566, -744257546, 1073741824),
    6: (114688, -1361951, 10278339, -59579266, 257938220, -744260943, 1073741824),
    7: (-16384, 175041, -1449324, 10340963, -59602152, 257942110, -744261167, 1073741824),
    8: (0, -11587, 158018, -1425583, 10324569, -59596377, 257941163, -744261114, 1073741824),
}
