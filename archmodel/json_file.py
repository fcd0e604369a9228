"""read_json: an untrusted JSON file as plain data, bounded, every failure one line."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from .bounded import read_bounded
from .records.base import SpecError


def read_json(path: Path, most_bytes: int, what: str) -> dict[str, Any]:
    """The object in a file of at most ``most_bytes``.  Raises SpecError that calls the file ``what``."""
    plain = _parse(path, read_bounded(path, most_bytes, what), what)
    if not isinstance(plain, dict):
        raise SpecError(f"{path}: holds a {type(plain).__name__}, expected an object of keys and values")
    return plain


def _parse(path: Path, data: bytes, what: str) -> Any:
    def refuse(name: str) -> NoReturn:
        raise SpecError(f"{path}: holds {name}, expected a number that JSON has")

    def finite(text: str) -> float:
        value = float(text)
        return value if isfinite(value) else refuse(text)

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse, parse_float=finite)
    except json.JSONDecodeError as error:
        if error.pos == 0:
            raise SpecError(f"{path}:{error.lineno}:{error.colno}: not JSON, expected {what}") from error
        raise SpecError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}; is the file complete?") from error
    except SpecError:
        raise
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SpecError(f"{path}: not JSON text that can be read ({type(error).__name__})") from error
