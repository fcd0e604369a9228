"""Reading a command line: one-line errors that name the option and what is right, and the readers of single values."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import NoReturn

from archmodel.records.base import SpecError


def close_to(name: str, names: Sequence[str]) -> str:
    """"did you mean run?" or, with nothing close, "expected one of ..."."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(names)}"


class Parser(argparse.ArgumentParser):
    """argparse whose errors are SpecErrors of one line; options and positionals may come in any order."""

    def error(self, message: str) -> NoReturn:
        raise SpecError(f"{self.prog}: {message.removeprefix('argument ')}; see {self.prog} --help")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The namespace of a command line.  Raises SpecError for an option that does not exist, naming the closest."""
        given, rest = self.parse_known_intermixed_args(list(arguments))
        for word in rest:
            if word.startswith("-"):
                name = word.partition("=")[0]
                raise SpecError(f"{self.prog}: no option {name}; {close_to(name, self._long_options())}")
        if rest:
            raise SpecError(f"{self.prog}: {rest[0]!r} is one argument too many; see {self.prog} --help")
        return given

    def _long_options(self) -> list[str]:
        return sorted(name for action in self._actions for name in action.option_strings if name.startswith("--"))


def integer(smallest: int) -> Callable[[str], int]:
    """A reader of integers of at least ``smallest``."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = smallest - 1
        if value < smallest:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected an integer of at least {smallest}")
        return value

    return read


def integers(names: str, smallest: int = 1, separator: str = ",") -> Callable[[str], tuple[int, ...]]:
    """A reader of as many integers as ``names`` (such as "M,N,K") has."""

    def read(text: str) -> tuple[int, ...]:
        try:
            values = tuple(int(part) for part in text.split(separator))
        except ValueError:
            values = ()
        if len(values) != len(names.split(separator)) or min(values) < smallest:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected {names}, integers of at least {smallest}")
        return values

    return read


def one_of(*names: str) -> Callable[[str], str]:
    """A reader of one of some names, which knows what was meant."""

    def read(text: str) -> str:
        if text not in names:
            close = difflib.get_close_matches(text, names, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise argparse.ArgumentTypeError(f"found {text!r}, expected {', '.join(names)}{hint}")
        return text

    return read


def widths(text: str) -> dict[str, int]:
    """The bits of tensor classes, from "weight=4,kv=8"."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in ("weight", "activation", "kv") or not value.isdigit():
            raise argparse.ArgumentTypeError(f"found {part!r}, expected weight=N, activation=N or kv=N, joined by commas")
        found[name] = int(value)
    return found


def extents(text: str) -> dict[str, int]:
    """The extents of ranks, from "m1=8,p=512"."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if not name or not value.isdigit() or len(value) > 15:
            raise argparse.ArgumentTypeError(f"found {part!r}, expected RANK=N, joined by commas")
        found[name] = int(value)
    return found
