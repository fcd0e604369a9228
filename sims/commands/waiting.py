"""Long calls into compiled code, which sees no Ctrl-C: they run beside the main thread, which does."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_begun: list[threading.Event] = []
GRACE_SECONDS = 2.0
"""After Ctrl-C, time for a build to take its half-made files away; a simulation doesn't notice and is left behind."""


def interruptible(call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; Ctrl-C raises KeyboardInterrupt soon and leaves the call to end with the process."""
    found: list[T] = []
    failed: list[BaseException] = []
    done = threading.Event()  # joining the thread would mark it as ended when Ctrl-C comes

    _begun.append(done)

    def work() -> None:
        try:
            found.append(call())
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    threading.Thread(target=work, daemon=True).start()
    try:
        while not done.wait(0.1):
            pass
    except KeyboardInterrupt:
        done.wait(GRACE_SECONDS)
        raise
    _begun.remove(done)
    if failed:
        raise failed[0]
    return found[0]


def left_with(code: int) -> int:
    """``code``, or the end of the process with it where an interrupted call still runs and would keep it alive."""
    if not all(done.is_set() for done in _begun):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
