"""``archmodel passes``: how often a cascade must traverse each of its ranks, and what must therefore stay on chip or come back."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from .output import check_writable, deliver, dump, wants_json
from .parser import Parser, extents
from .work import add_output, cascade_of

if TYPE_CHECKING:
    from fractions import Fraction

    from archmodel.cascade.passes import Passes
    from archmodel.records.cascade import Cascade

EXAMPLES = """examples:
  archmodel passes one-pass
  archmodel passes three-pass --rank m --ranks m=65536 --json
"""
NOTES = [
    ("passes", "traversals of all elements of a fiber of the rank that no mapping can avoid (FuseMax, MICRO 2024)"),
    ("live", "bytes that must stay on chip between two passes if nothing leaves it and nothing is computed again: of one fiber, "
     "the tensors that both sides need"),
    ("spilled", "bytes to and from memory if these tensors leave instead, of all fibers"),
]  # fmt: skip


def add_arguments(parser: Parser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("cascade", metavar="CASCADE", help="a cascade of `list cascades` or a YAML file")
    parser.add_argument("--rank", metavar="RANK", help="only this rank, a split one (m) or a part (m0); default every rank that is no part")
    parser.add_argument("--ranks", type=extents, metavar="RANK=N,...", help="extents of ranks, such as m1=8,p=512")
    add_output(parser, "write the answer there; a name that ends in .json gets JSON")


def execute(given: argparse.Namespace) -> int:
    from archmodel.cascade.passes import analysed_ranks, passes

    check_writable(given.output)
    cascade = cascade_of(given.cascade, given.ranks, {})
    found = [passes(cascade, rank) for rank in ((given.rank,) if given.rank else analysed_ranks(cascade))]
    if wants_json(given.output, given.json):
        deliver(dump(_plain(cascade, found)), given.output)
    else:
        deliver(_text(cascade, found, bool(given.rank)), given.output)
    return 0


def _extent(cascade: Cascade, rank: str) -> int:
    return math.prod(cascade.extent[part] for part in cascade.parts(rank))


def _plain(cascade: Cascade, found: list[Passes]) -> dict[str, Any]:
    from archmodel.records.base import record_hash, to_plain

    return {"cascade": cascade.name, "hash": record_hash(cascade), "ranks": {
        each.rank: {
            "extent": _extent(cascade, each.rank), "passes": each.count, "einsums": dict(each.einsums), "live_bits": each.live_bits,
            "spill_bytes": each.spill_bytes, "crossings": [to_plain(crossing) for crossing in each.crossings],
        } for each in found}}  # fmt: skip


def _text(cascade: Cascade, found: list[Passes], detailed: bool) -> str:
    from ..report import units
    from ..report.grid import grid, lines

    rows = [[each.rank, f"{_extent(cascade, each.rank):,}", str(each.count), _bits(each.live_bits),
             units.size(each.spill_bytes) if each.crossings else "-"] for each in found]  # fmt: skip
    text = grid(f"{cascade.name}: passes over its ranks", ("rank", ">extent", ">passes", ">live at least", ">if spilled"), rows)
    return text + "".join("\n" + _detail(each) for each in found if detailed or each.crossings) + "\n" + lines(NOTES)


def _detail(each: Passes) -> str:
    """Which Einsum is in which pass, and what goes from one pass to a later one."""
    from ..report import units
    from ..report.grid import grid, lines

    pairs = [(f"pass {number}", ", ".join(name for name, own in each.einsums if own == number)) for number in range(1, each.count + 1)]
    if rest := [name for name, own in each.einsums if own is None]:
        pairs.append(("outside", ", ".join(rest)))
    text = f"rank {each.rank}\n" + lines(pairs)
    rows = [[c.tensor, _pass(c.first), _pass(c.last), f"{c.live_elements:,}", _bits(c.live_bits), units.size(c.spill_bytes)]
            for c in each.crossings]  # fmt: skip
    columns = ("tensor", "from", "read last in", ">elements live", ">live", ">if spilled")
    return text + (grid(f"what goes between passes over {each.rank}", columns, rows) if rows else "")


def _pass(number: Fraction) -> str:
    return f"pass {number}" if number.denominator == 1 else f"after pass {math.floor(number)}"


def _bits(bits: int) -> str:
    """Whole bytes that hold so many bits."""
    return f"{-(-bits // 8):,} B" if bits else "-"
