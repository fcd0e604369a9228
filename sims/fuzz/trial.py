"""One damaged file and one reader: what came out, and whether that may be.

A file is read or refused.  Refused means a SpecError fit to print: every line is printable, not long, and names the
file.  Everything else is a fault: another exception, more than the CPU time, wall time or memory of one file.
"""

from __future__ import annotations

import re
import resource
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from archmodel.records.base import LONGEST_LINE, SpecError

from .mutation import Source, mutant

CPU_SECONDS = 2.0
WALL_SECONDS = 30.0
"""Of one file; a reader that waits uses no CPU, and a machine may be busy."""
MEMORY_BYTES = 512 << 20
"""Address space that a worker may take beyond what it has at its start."""
MOST_LINES = 101


@dataclass(frozen=True)
class Reader:
    """A reader of files, and how it is tried.

    file      the name of a damaged file
    sources   real files of the format
    read      the file's record; every line of its SpecError says where
    where     a pattern with which each of these lines begins
    use       what is done with a record that was read; its SpecError need not say where
    printers  the ways to write a tree in the format
    """

    file: str
    sources: Callable[[], Sequence[Source]]
    read: Callable[[Path], Any]
    where: str
    use: Callable[[Any], object]
    printers: tuple[Callable[[Any], str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """``kind`` is read, refused or failed; ``text`` is the refusal, or what is wrong."""

    kind: str
    text: str = ""


def case(name: str, reader: Reader, seed: int, index: int) -> bytes:
    """The damaged file number ``index`` for the reader called ``name``."""
    return mutant(Random(f"{seed} {name} {index}"), reader.sources(), reader.printers)


def attempt(reader: Reader, path: Path) -> Outcome:
    """What one file leads to, in this process and without limits."""
    try:
        record = reader.read(path)
    except SpecError as error:
        fault = unfit(str(error)) or unplaced(str(error), reader.where)
        return Outcome("failed", fault) if fault else Outcome("refused", str(error))
    except BaseException as error:
        return Outcome("failed", crash(error))
    try:
        reader.use(record)
    except SpecError as error:
        fault = unfit(str(error))
        return Outcome("failed", fault) if fault else Outcome("read", str(error))
    except BaseException as error:
        return Outcome("failed", f"after reading, {crash(error)}")
    return Outcome("read")


def unfit(text: str) -> str:
    """Why a message may not be printed; empty where it may."""
    lines = text.split("\n")
    if not text.strip():
        return "empty message: SpecError has no text"
    if len(lines) > MOST_LINES:
        return f"long message: {len(lines)} lines"
    for line in lines:
        if len(line) > LONGEST_LINE:
            return f"long message: a line of {len(line)} characters, {line[:60]!a}..."
        if not line.isprintable():
            return f"message not printable: {line[:200]!a}"
    return ""


def unplaced(text: str, where: str) -> str:
    """Which line of a message doesn't say where; empty where all do."""
    return next((f"message without a place: {line[:200]!a}" for line in text.split("\n") if not re.match(where, line)), "")


def crash(error: BaseException) -> str:
    """An exception in one line: its type, the innermost place in the project, its text."""
    root = str(Path(__file__).resolve().parents[2])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root)]
    at = f" at {frames[-1].filename.removeprefix(root + '/')}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{at}: {str(error)[:120]!a}"


def limit_memory(more: int = MEMORY_BYTES) -> None:
    """From here on this process may take ``more`` bytes of address space; beyond them Python raises MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start_clocks(cpu: float = CPU_SECONDS, wall: float = WALL_SECONDS) -> None:
    """The kernel ends this process after so much CPU or wall time, wherever it is; 0 and 0 stop both clocks."""
    for timer, name, seconds in ((signal.ITIMER_PROF, signal.SIGPROF, cpu), (signal.ITIMER_REAL, signal.SIGALRM, wall)):
        signal.signal(name, signal.SIG_DFL)
        signal.setitimer(timer, seconds)


def ended_by(status: int) -> str:
    """Why a worker ended in the middle of a file."""
    code = -status if status < 0 else 0
    if code == signal.SIGPROF:
        return f"hang of more than {CPU_SECONDS:g} s of CPU: ended"
    if code == signal.SIGALRM:
        return f"nothing for {WALL_SECONDS:g} s: ended"
    return f"killed by {signal.Signals(code).name}" if code else f"the process ended with {status}"
