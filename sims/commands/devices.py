"""Several engines and devices: the options that say what runs side by side, how many devices there are, and how a stage is split."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archmodel.records.base import SpecError

from .parser import Parser, integer

if TYPE_CHECKING:
    from archmodel.records.mapping import Split

AXES = ("tensor", "expert", "data")


def add_devices(parser: Parser) -> None:
    """--overlap, --devices and --split."""
    devices = parser.add_argument_group("on several engines and devices")
    devices.add_argument("--overlap", action="store_true",
                         help="independent operators run side by side on different engines, by a schedule that is searched")
    devices.add_argument("--devices", type=integer(1), metavar="N", help="identical devices on the links of the machine's fabric")
    devices.add_argument("--split", type=_split, metavar="AXIS=N,...",
                         help="shares of tensor, expert and data, such as tensor=4,data=2; searched if not given")  # fmt: skip


def fabric_sets(given: argparse.Namespace) -> list[str]:
    """The overrides of a machine's description that the options stand for.  Raises SpecError for a split of another number."""
    split = split_of(given)
    if split is not None and given.devices not in (None, split.devices):
        raise SpecError(f"--split: it is of {split.devices} devices, and --devices is {given.devices}; leave one of them out")
    count = given.devices or (split.devices if split is not None else None)
    return [] if count is None else [f"fabric.devices={count}"]


def split_of(given: argparse.Namespace) -> Split | None:
    """The split that is asked for, or None."""
    from archmodel.records.mapping import Split

    return None if given.split is None else Split(**given.split)


def _split(text: str) -> dict[str, int]:
    """The shares, from "tensor=4,data=2"."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in AXES or not value.isdigit() or len(value) > 4 or name in found:
            raise argparse.ArgumentTypeError(f"found {part!r}, expected tensor=N, expert=N or data=N, each once, joined by commas")
        found[name] = int(value)
    return found
