"""Config: a Hugging Face ``config.json`` to a Model.  The file is untrusted: bounded, parsed as JSON, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..json_file import read_json
from ..records.base import SpecError
from .families import FAMILIES, Family, Fields
from .model import Model, build_model
from .shape import FieldError, check_field

MOST_BYTES = 1 << 20
_NULLABLE = frozenset({"kv_heads", "head_dim", "window", "q_lora_rank", "n_group", "topk_group", "ffn",
                       "decoder_layers", "experts", "topk", "shared"})  # fmt: skip
_REQUIRED = ("hidden", "layers", "heads")
_ACTIVATIONS = {"silu": "silu", "swish": "silu", "relu": "relu", "gelu": "gelu", "gelu_new": "gelu",
                "gelu_fast": "gelu", "gelu_pytorch_tanh": "gelu", "gelu_python": "gelu"}  # fmt: skip
_BY_ARCHITECTURE = {name: family for family, entry in FAMILIES.items() for name in entry.architectures}


def read_config(path: str | Path) -> Model:
    """The Model that a ``config.json`` describes, named after its folder (or the file, if called otherwise).

    Keys that the file leaves out get the family's defaults.  Raises SpecError, one line with the file and the key.
    """
    path = Path(path)
    config = read_json(path, MOST_BYTES, "a model's config.json")
    family = FAMILIES[_family(path, config)]
    try:
        return build_model(_name(path), _fields(family, config) | {"source": str(path)})
    except FieldError as error:
        key, found = family.keys.get(error.field, error.field), json.dumps(error.found, default=str)
        found = found if len(found) <= 60 else f"{found[:57]}..."
        raise SpecError(f"{path}: {key} is {found}, expected {error.expected}") from error


def _family(path: Path, config: Mapping[str, Any]) -> str:
    kind, architectures = config.get("model_type"), config.get("architectures")
    if isinstance(kind, str) and kind in FAMILIES:
        return kind
    for name in architectures if isinstance(architectures, list) else ():
        if isinstance(name, str) and name in _BY_ARCHITECTURE:
            return _BY_ARCHITECTURE[name]
    key, value = ("model_type", kind) if kind is not None else ("architectures", architectures)
    found = f"{key} {json.dumps(value)[:60]}"
    raise SpecError(f"{path}: {found} is unknown, expected model_type to be one of {', '.join(FAMILIES)}")


def _fields(family: Family, config: Mapping[str, Any]) -> Fields:
    fields: Fields = dict(family.defaults)
    for name, key in family.keys.items():
        if key in config:
            fields[name] = config[key]
    for name in [name for name in _NULLABLE if name in fields and fields[name] is None]:
        del fields[name]
    for name in _REQUIRED:
        fields.setdefault(name, None)
    if "act" in fields:
        fields["act"] = _activation(fields["act"])
    for name, value in fields.items():
        if name != "image":
            check_field(name, value)
    fields.update(family.fixed)
    family.finish(fields, config)
    return fields


def _activation(value: Any) -> str:
    if not isinstance(value, str) or value not in _ACTIVATIONS:
        raise FieldError("act", value, f"one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[value]


def _name(path: Path) -> str:
    return path.resolve().parent.name if path.name == "config.json" else path.stem
