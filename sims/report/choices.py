"""Ways to compute attention for people: what each would cost, which one the mapper chose, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence

from archmodel.records.mapping import DEVICES, Choice

from . import units
from .grid import grid, lines


def choices_text(choices: Sequence[Choice]) -> str:
    """Ways to compute attention, then to split the stage among devices where that was searched."""
    parts = ([item for item in choices if (item.block == DEVICES) == split] for split in (False, True))
    titles = "ways to compute attention", "ways to split the stage"
    return "\n".join(_weighed(title, part) for title, part in zip(titles, parts, strict=True) if part)


def _weighed(title: str, choices: Sequence[Choice]) -> str:
    """A row for each way of each block that has several; below, the blocks that have one, and why others are none."""
    rivals = {item.block for item in choices if item.cycles is not None}
    rows = [[item.block, item.way, item.engine, *_figures(item), _verdict(item)] for item in choices if item.block in rivals]
    columns = ("block", "way", "on", ">cycles", ">traffic", ">energy", "verdict")
    text = grid(title, columns, rows) if rows else f"{title}\n"
    only = [(item.block, f"{item.way}, weighed against no other") for item in choices if item.block not in rivals and item.chosen]
    reasons: dict[str, list[str]] = {}
    for item in choices:
        if item.cycles is None and not item.chosen:
            way = f"{item.block} {item.way}" + (f" on {item.engine}" if item.engine else "")
            reasons.setdefault(item.why, []).append(way)
    refused = [(f"not {', '.join(ways)}", why) for why, ways in reasons.items()]
    return text + (lines([*only, *refused]) if only or refused else "")


def _figures(item: Choice) -> tuple[str, str, str]:
    if item.cycles is None:
        return "-", "-", "-"
    return f"{item.cycles:,}", units.size(item.bytes or 0), "-" if item.energy_pj is None else units.energy(item.energy_pj)


def _verdict(item: Choice) -> str:
    if item.chosen:
        return "chosen"
    return "refused, see below" if item.cycles is None else item.why
