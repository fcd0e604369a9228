"""A commented description over a preset, to begin one's own machine from: made from the keys and the preset's values."""

from __future__ import annotations

import re
import textwrap

from archmodel.forms import Choice, Form, Name, Several, Whole
from archmodel.keys import TOP, Nested, inline
from archmodel.load import load_located
from archmodel.records.base import Within
from archmodel.resolved import Value, values

MEANINGS_AT = 34
WIDTH = 124
BEYOND = 1 << 16
HEAD = """\
# yaml-language-server: $schema=machine.schema.json
# A machine over the preset {base}. Every value is the preset's: change it, or delete its line.
# A line that begins with # holds a default. Units matter: KiB is 1,024 bytes and kB 1,000, and a bare number is an error.
# name and source (where the figures come from) may stand here too, a source in every component.
#   archmodel machine check FILE                      whether it is right
#   archmodel machine show FILE                       every value and where it comes from
#   archmodel machine schema -o machine.schema.json   what an editor completes from, named in the first line
"""


def starter(base: str) -> str:
    """The YAML text.  Read as a file it is the machine ``base``, name apart, and still is without the # of its defaults."""
    machine, tree = load_located(base)
    lines = [*_line((), "base", base, TOP["base"].meaning)]
    above: tuple[str, ...] = ()
    for value in values(machine, tree):
        if value.path[-1] in ("name", "source") or value.value is None:
            continue
        lines += _headings(above, value.path)
        lines += _line(value.path[:-1], value.path[-1], inline(value.value), _meaning(value), default=not value.place)
        above = value.path[:-1]
    return HEAD.format(base=base) + "\n".join(lines) + "\n"


def _headings(above: tuple[str, ...], path: tuple[str, ...]) -> list[str]:
    """The keys that open between the last value's component and this one's."""
    opened = path[:-1]
    shared = 0
    while shared < min(len(above), len(opened)) and above[shared] == opened[shared]:
        shared += 1
    return [f"{'  ' * depth}{opened[depth]}:" for depth in range(shared, len(opened))]


def _meaning(value: Value) -> str:
    said, bounds = value.key.meaning, _stated(value.key.form)
    told = set(re.findall(r"\w+", bounds)) - {"or", "to"} <= set(re.findall(r"\w+", said))
    return said if told else f"{said}; {bounds}"


def _stated(form: Form | Nested) -> str:
    """Bounds worth a word: not those of quantities, nor of counts, which are beyond all machines."""
    if isinstance(form, Several):
        return _stated(form.item)
    if isinstance(form, Whole) and isinstance(form.within, Within) and form.within.maximum >= BEYOND:
        return ""
    return form.bounds if isinstance(form, Whole | Choice | Name) else ""


def _line(at: tuple[str, ...], key: str, text: str, meaning: str, default: bool = False) -> list[str]:
    """``key: text`` with its meaning beside it; a long meaning goes on below itself."""
    left = f"{'  ' * len(at)}{'# ' if default else ''}{key}: {text}"
    wide = max(len(left) + 2, MEANINGS_AT)
    first, *more = textwrap.wrap(meaning, WIDTH - wide - 2, break_long_words=False, break_on_hyphens=False)
    return [f"{left:{wide}}# {first}", *(f"{'':{wide}}# {line}" for line in more)]
