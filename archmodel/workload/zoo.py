"""The zoo: named models, each with the source of its hyper-parameters, and the way from plain fields to a Model."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..records.base import SpecError
from .config import read_config
from .model import Model, model_from_fields

_FILE = Path(__file__).with_name("zoo.json")


@functools.cache
def _zoo() -> Mapping[str, dict[str, Any]]:
    return json.loads(_FILE.read_text(encoding="utf-8"))


def zoo_names() -> tuple[str, ...]:
    """Names of all models in the zoo, in its order (by family)."""
    return tuple(_zoo())


@functools.cache
def zoo_model(name: str) -> Model:
    """The zoo's model of this name; SpecError with the closest names if there is none."""
    if name not in _zoo():
        raise SpecError(_unknown(name))
    return model_from_fields(name, _zoo()[name])


def find_model(name_or_path: str) -> Model:
    """A model by zoo name, by the path of a ``config.json``, or by the folder that holds one."""
    if name_or_path in _zoo():
        return zoo_model(name_or_path)
    path = Path(name_or_path)
    if path.is_dir():
        return read_config(path / "config.json")
    if path.is_file() or path.suffix == ".json":
        return read_config(path)
    raise SpecError(_unknown(name_or_path))


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), zoo_names(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "see `archmodel list models`"
    return f"model {name!r}: neither in the zoo nor a config.json or a folder with one; {hint}"
