"""Energies that a file leaves to an estimator that is not run: this project's own costs stand for them, and are said to."""

from __future__ import annotations

from fractions import Fraction

from archmodel.cost import default_costs

REGISTER_BYTES = 1 << 10
"""Up to this size a memory is taken for registers."""
DRAM = "lpddr4"


def access_pj(size_bytes: int | None, bits: int, node_nm: int) -> tuple[Fraction, Fraction, str]:
    """pJ of reading and of writing ``bits`` bits of a memory, and what it is taken for; without a size it is DRAM."""
    costs = default_costs()
    if size_bytes is None:
        pair, said = [costs.energy_pj(f"dram_{action}", bits, node_nm, technology=DRAM) for action in ("read", "write")], DRAM
    elif size_bytes <= REGISTER_BYTES:
        pair, said = [costs.energy_pj("register_write", bits, node_nm)] * 2, "registers"
    else:
        pair = [costs.energy_pj(f"sram_{action}", bits, node_nm, size_bytes=size_bytes) for action in ("read", "write")]
        said = f"an SRAM of {size_bytes:,} bytes"
    return _exact(pair[0].value), _exact(pair[1].value), said


def multiply_add_pj(bits: int, node_nm: int) -> Fraction:
    """pJ of an integer multiply-add of ``bits`` bits."""
    return _exact(default_costs().energy_pj("mac", bits, node_nm).value)


def _exact(pj: float) -> Fraction:
    """To a femtojoule's thousandth, as a description writes it."""
    return Fraction(f"{pj:.6f}")
