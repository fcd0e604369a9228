"""read_bounded: the bytes of a file that may come from a stranger, and no more of them than its kind can have."""

from __future__ import annotations

from pathlib import Path

from .records.base import SpecError


def read_bounded(path: Path, most_bytes: int, what: str) -> bytes:
    """All of a file of at most ``most_bytes``.  Raises SpecError that says ``what`` was expected."""
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise SpecError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); expected {what}") from error
    if len(data) > most_bytes:
        raise SpecError(f"{path}: larger than {most_bytes:,} bytes, expected {what}")
    return data
