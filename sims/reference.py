"""The reference pages, written from the code: ``python -m sims.reference``.

``docs/reference/machine.md`` comes from the tables that the reader of machines validates with, ``docs/reference/cli.md``
from the parsers of the verbs, ``docs/reference/costs.md`` from the tables of costs.  A test compares the committed pages
with what this module writes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from archmodel import units
from archmodel.forms import Amount, Form, Several
from archmodel.keys import (
    CLOCK,
    FABRIC,
    FABRIC_MEANING,
    LINK,
    SECTIONS,
    TOP,
    Key,
    Nested,
    engine_keys,
    inline,
    memory_keys,
)
from archmodel.records.machine import engine_records, engine_types

from .cli import VERBS, parser_of
from .cost_page import cost_page

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
COMMAND = "python -m sims.reference"
WRITTEN = f"<!-- Written by `{COMMAND}`; change the code that it comes from, then run it again. -->\n"
QUANTITIES = (units.FREQUENCY, units.BYTES, units.BANDWIDTH, units.TIME, units.LENGTH)
COUNTED = ("bytes", "bits", "cycles", "words")
"""Units of whole numbers, as the last word of their keys."""

MACHINE = """\
# A machine's description

Every key that a description may have. `archmodel machine init` writes one to start from, `machine show` says where each value
of one comes from, `machine check` validates it, and `machine schema` prints the JSON Schema that an editor completes from.

A description is plain YAML: no tags, anchors or aliases, no key twice. Every mistake is reported at once, with file, line and
column; an unknown key is a mistake. `--set PATH=VALUE`, such as `--set engines.array.rows=32`, changes one value of any
description from the command line.

With `base`, a description is laid over another one: mappings merge key by key, any other value replaces the base's, `null`
removes what the base has, and an engine of another type replaces the base's whole engine. What is needed may then come from
the base. Without `base`, the keys marked *needed* must stand in the description.

The JSON Schema sees one file. That a clock or memory of that name exists, that beats divide words and that a tile fits its
buffer is checked by the reader only, as is what comes from a base.
"""
CLI = """\
# The command line

Every verb and every option. `archmodel VERB --help` prints the same for one verb. Exit codes: 0 done, 1 model and hardware
differ, 2 bad input or interrupted. An error is one line a finding on standard error; a file is written whole or not at all.
"""


def pages() -> dict[Path, str]:
    """The text of each page, by its path."""
    return {FOLDER / "machine.md": machine_page(), FOLDER / "cli.md": cli_page(), FOLDER / "costs.md": f"{WRITTEN}\n{cost_page()}"}


def machine_page() -> str:
    """Quantities, then the keys of each kind of component, each with type, unit, default, bounds and meaning."""
    units_of = [(kind.what.partition(" ")[2], ", ".join(f"`{unit}`" for unit, _ in kind.units), f"`{kind.example}`",
                 Amount(kind).bounds) for kind in QUANTITIES]  # fmt: skip
    parts = [
        MACHINE,
        "## Quantities\n\nA quantity is a number with its unit; a bare number is an error. kB is 1,000 bytes and KiB is 1,024. "
        "Each\nis a whole number of its smallest unit once multiplied out: `1.05 GHz` is 1,050,000,000 Hz.\n",
        _table(("quantity", "units", "such as", "bounds"), units_of),
        "## Top level\n",
        _keys(TOP) + "".join(f"| `{name}` | mapping of names | | | | [{meaning}](#{name}) |\n" for name, meaning in SECTIONS.items())
        + f"| `fabric` | mapping | | | | [{FABRIC_MEANING}](#fabric) |\n",
        f"## clocks\n\n{_sentence(SECTIONS['clocks'])} Engines name the clock that they run on.\n",
        _keys({"NAME": CLOCK}),
        f"## memories\n\n{_sentence(SECTIONS['memories'])}\n",
        _keys(memory_keys()),
        f"## engines\n\n{_sentence(SECTIONS['engines'])} There is: {', '.join(f'[{kind}](#type-{kind})' for kind in engine_types())}.\n",
        *(part for kind in engine_types() for part in _engine(kind)),
        f"## links\n\n{_sentence(SECTIONS['links'])}\n",
        _keys(LINK),
        f"## fabric\n\n{_sentence(FABRIC_MEANING)} What is split over them, and what that costs, is in [devices.md](../devices.md).\n",
        _keys(FABRIC),
        f"## devices\n\n{_sentence(SECTIONS['devices'])} A device has all keys of this page, `base` and `devices` among them.\n",
    ]
    return WRITTEN + "\n" + "\n".join(parts)


def _engine(kind: str) -> Iterator[str]:
    yield f"### type: {kind}\n\n{_summary(engine_records(kind))}\n"
    yield _keys(engine_keys(kind))
    yield from _nested(kind, engine_keys(kind))


def _nested(at: str, keys: dict[str, Key]) -> Iterator[str]:
    """The keys of records within an engine's parameters."""
    for name, key in keys.items():
        if isinstance(key.form, Nested):
            form, path = key.form, f"{at}.{name}"
            short = f" A bare value is its `{form.short}`." if form.short else ""
            yield f"#### {path}\n\n{_summary(form.record)}{short}\n"
            yield _keys(form.keys)
            yield from _nested(path, form.keys)


def _summary(documented: object) -> str:
    return (documented.__doc__ or "").strip().splitlines()[0]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _keys(keys: dict[str, Key]) -> str:
    rows = [(f"`{name}`", _kind(key.form), _unit(name, key.form), _default(key), "" if isinstance(key.form, Amount) else key.form.bounds,
             key.meaning) for name, key in keys.items()]  # fmt: skip
    return _table(("key", "type", "unit", "default", "bounds", "meaning"), rows)


def _kind(form: Form | Nested) -> str:
    return f"[{form.kind}](#quantities)" if isinstance(form, Amount) else form.kind


def _unit(name: str, form: Form | Nested) -> str:
    """Units of a quantity; of a number, what its name counts."""
    if isinstance(form, Amount):
        return form.of.base
    return next((unit for unit in COUNTED if name.endswith(f"_{unit}")), "") if not isinstance(form, Several) else ""


def _default(key: Key) -> str:
    return "*needed*" if key.needed else "" if key.default in (None, {}) else f"`{inline(key.default)}`"


def cli_page() -> str:
    """Each verb with its arguments and options, in the order of its help."""
    index = _table(("verb", ""), [(f"[`{verb}`](#archmodel-{verb.replace(' ', '-')})", text) for verb, (_, text) in VERBS.items()])
    return "\n".join([WRITTEN, CLI, index, *(part for verb in VERBS for part in _verb(verb))])


def _verb(verb: str) -> Iterator[str]:
    parser = parser_of(verb)
    yield f"## archmodel {verb}\n"
    yield f"{parser.description}\n"
    for group in parser._action_groups:
        rows = [(_names(action), _help(action)) for action in group._group_actions if action.dest != "help"]
        if rows:
            yield _table(((group.title or "").removeprefix("positional "), ""), rows)
    if parser.epilog:
        yield f"```text\n{parser.epilog.rstrip()}\n```\n"


def _names(action: argparse.Action) -> str:
    """``--option VALUE``, every spelling of it; or the name of an argument."""
    shown = action.metavar if isinstance(action.metavar, str) else action.dest
    value = "" if action.nargs == 0 else f" {shown}"
    if not action.option_strings:
        return f"`{shown}`" + (" ..." if action.nargs in ("+", "*") else "")
    return ", ".join(f"`{name}{value}`" for name in action.option_strings)


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """Writes every page that differs, and says so."""
    from .commands.output import write_whole

    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            write_whole(path, text)
            print(f"wrote {path.relative_to(FOLDER.parent.parent)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
