"""The command line: ``archmodel VERB``.  Each verb is a file of sims/commands, imported when it is called."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from archmodel import __version__
from archmodel.records.base import SpecError

if TYPE_CHECKING:
    from .commands.parser import Parser

VERBS = {
    "run": ("run", "one stage of a model on a machine: time, energy, traffic, bottleneck"),
    "map": ("mapping", "the best mapping of every operator, with its certificate"),
    "import": ("importing", "descriptions of Timeloop, AccelForge and ZigZag as this project's, every field accounted for"),
    "sim": ("sim", "generate the machine's array, run it in Verilator, compare with the cycle model"),
    "study": ("study", "a published result redone, with an error column and the paper's figures"),
    "compare": ("compare", "what differs between two results or machines, and what each difference is made of"),
    "report": ("report", "one HTML page of a result: roofline, time, energy, area, timeline, memory, mapping"),
    "emit": ("emit", "a folder of Verilog, testbench, constraints and document, usable without Python"),
    "cite": ("cite", "BibTeX for the tool and for every source that a result rests on"),
    "synth": ("synth", "the array through Yosys: an FPGA's resources, or areas on your standard cells"),
    "passes": ("passes", "how often a cascade of Einsums must traverse each rank, and what that costs at least"),
    "list": ("listing", "the models, machines, cascades and studies that have a name"),
    "machine init": ("machine_init", "a commented description of a machine, to begin one's own from"),
    "machine show": ("machine_show", "a machine fully resolved, each value with where it was written"),
    "machine check": ("machine_check", "machines validated, all findings at once, with what is probably not meant"),
    "machine schema": ("machine_schema", "the JSON Schema of a machine's description, for completion in an editor"),
}
BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 when model and hardware differ, 2 for bad input or an interrupted run."""
    try:
        return _dispatch(list(sys.argv[1:] if arguments is None else arguments))
    except SpecError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # Whoever read the output has enough.  Python would complain again when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _fail("not enough memory; take a smaller batch, context or array")
    except OSError as error:
        return _fail(f"{error.filename or 'system'}: {error.strerror or error}; free space or name another place, then run it again")


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"archmodel {__version__}")
        return 0
    if words[1:] in (["-h"], ["--help"]) and words[0] not in VERBS and _family(words[0]):
        sys.stdout.write(_lines(_family(words[0])) + f"\n\narchmodel {words[0]} VERB --help says more.\n")
        return 0
    verb = _verb(words)
    parser = parser_of(verb)
    if "-h" in words or "--help" in words:
        sys.stdout.write(parser.format_help())
        return 0
    given = parser.read(words[len(verb.split()) :])
    given.command = shlex.join(["archmodel", *words])
    code: int = _module(verb).execute(given)
    sys.stdout.flush()
    return code


def _verb(words: list[str]) -> str:
    """The verb that a command line begins with, of one word or two.  Raises SpecError naming the closest."""
    one, two = words[0], " ".join(words[:2])
    if one in VERBS or two in VERBS:
        return one if one in VERBS else two
    from .commands.parser import close_to

    family = _family(one)
    if not family:
        what = "option" if one.startswith("-") else "verb"
        raise SpecError(f"archmodel: no {what} {one!r}; {close_to(one, tuple(dict.fromkeys(name.split()[0] for name in VERBS)))}")
    seconds = [name.split()[1] for name in family]
    if len(words) == 1:
        raise SpecError(f"archmodel {one}: found no verb, expected one of {', '.join(seconds)}; see archmodel {one} --help")
    raise SpecError(f"archmodel {one}: no verb {words[1]!r}; {close_to(words[1], seconds)}")


def _family(word: str) -> list[str]:
    """The verbs of two words that begin with ``word``."""
    return [name for name in VERBS if name.startswith(f"{word} ")]


def _lines(verbs: Sequence[str]) -> str:
    wide = max(map(len, verbs))
    return "\n".join(f"  {name:{wide}}  {VERBS[name][1]}" for name in verbs)


def _module(verb: str) -> ModuleType:
    return import_module(f".commands.{VERBS[verb][0]}", __package__)


def parser_of(verb: str) -> Parser:
    """The reader of a verb's options."""
    from argparse import RawDescriptionHelpFormatter

    from .commands.parser import Parser

    text = VERBS[verb][1]
    parser = Parser(prog=f"archmodel {verb}", description=text[0].upper() + text[1:] + ".", allow_abbrev=False,
                    formatter_class=RawDescriptionHelpFormatter)  # fmt: skip
    _module(verb).add_arguments(parser)
    return parser


def overview() -> str:
    """What ``archmodel --help`` prints."""
    return (f"archmodel {__version__}: how fast a machine runs a model, and hardware that confirms it\n\n"
            f"usage: archmodel VERB ... [--json]\n\n{_lines(tuple(VERBS))}\n\n"
            "archmodel VERB --help says more.  Try: archmodel run llama-3.1-8b cloud --batch 16 --context 4096\n"
            "Exit codes: 0 done, 1 model and hardware differ, 2 bad input or interrupted.\n")  # fmt: skip


def _fail(text: str) -> int:
    sys.stdout.flush()
    print("\n".join(line if line.startswith("archmodel") else f"archmodel: {line}" for line in text.splitlines()), file=sys.stderr)
    return BAD_INPUT


def _interrupted() -> int:
    from .commands.waiting import left_with

    return left_with(_fail("interrupted by Ctrl-C; no file was changed, run the same command again (finished builds are kept)"))


if __name__ == "__main__":
    raise SystemExit(main())
