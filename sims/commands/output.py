"""Where a verb's answer goes: standard output, or a file that is whole or not there."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from archmodel.records.base import SpecError

_STYLE = re.compile(r"\x1b\[[0-9;]*m")
"""What a terminal reads as colour and weight; a file holds none of it."""


def check_writable(path: Path | None) -> None:
    """Asked before the work starts.  Raises SpecError with the remedy when ``path`` could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise SpecError(f"{path}: is a folder, expected the name of a file to write")
    if is_device(path):
        if not os.access(path, os.W_OK):
            raise SpecError(f"{path}: not writable; name another file")
        return
    folder = _end(path).parent
    if not folder.exists():
        raise SpecError(f"{path}: the folder {folder} does not exist; create it, or name another one")
    if not folder.is_dir():
        raise SpecError(f"{path}: {folder} is a file, expected a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SpecError(f"{path}: the folder {folder} is not writable; name another one")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write beside ``path``, then move into place: what stands there is the old file or the whole new one.

    A device or a pipe, such as /dev/null or /dev/stdout, takes the content itself: moved over, it would be gone.  A link stays,
    and the file that it leads to is replaced.
    """
    check_writable(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        if is_device(path):
            path.write_bytes(data)
        else:
            _replace(_end(path), data)
    except OSError as error:
        raise SpecError(f"{path}: cannot be written ({error.strerror}); name another folder") from error


def _end(path: Path) -> Path:
    """Where a link leads; ``path`` itself where it is none."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def is_device(path: Path) -> bool:
    """Whether a device, pipe or socket stands there."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _replace(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def dump(data: Any) -> str:
    """JSON of an answer; NaN and infinity are refused, as no reader takes them."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def deliver(text: str, path: Path | None) -> None:
    """``text`` to a file, named on standard error, or to standard output."""
    if path is None:
        sys.stdout.write(text)
        return
    write_whole(path, _STYLE.sub("", text))
    print(f"wrote {path}", file=sys.stderr)


def wants_json(path: Path | None, asked: bool) -> bool:
    """Whether JSON was asked for, by ``--json`` or by the file's name."""
    return asked or (path is not None and path.suffix == ".json")
