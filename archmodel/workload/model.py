"""Model: hyper-parameters with their exact counts, and the three stages it can be asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records.base import SpecError
from ..records.graph import Graph
from .counts import Counts
from .operators import Bits
from .shape import FieldError, check_size
from .stages import Options, decode, mixed, prefill

_NAMES = frozenset(f.name for f in dataclasses.fields(Counts)) - {"name"}
_REQUIRED = ("hidden", "layers", "heads")


@dataclass(frozen=True, kw_only=True)
class Model(Counts):
    """What a user gets from a name or a ``config.json``.  See ``Shape`` for the fields and ``Counts`` for the integers.

    Options of every stage: ``bits`` the widths of weights, activations and KV cache; ``routing`` and ``seed`` the
    draw of tokens per expert; ``attention`` the form of MLA, "auto" being absorbed for decode and expanded otherwise.
    """

    def prefill(self, tokens: int | None = None, batch: int = 1, *, bits: Bits | None = None, routing: str = "uniform",
                seed: int = 0, attention: str = "auto") -> Graph:  # fmt: skip
        """``batch`` prompts of ``tokens`` each; None is for an image model, which fixes its own."""
        return prefill(self, tokens, batch, Options(bits or Bits(), routing, seed, attention))

    def decode(self, batch: int = 1, context: int = 2048, *, source: int | None = None, bits: Bits | None = None,
               routing: str = "uniform", seed: int = 0, attention: str = "auto") -> Graph:  # fmt: skip
        """One new token for each of ``batch`` sequences that have ``context`` tokens cached.

        ``source`` is the length of an encoder-decoder's encoded input; None means as long as the context.
        """
        return decode(self, batch, context, source, Options(bits or Bits(), routing, seed, attention))

    def mixed(self, chunks: Sequence[tuple[int, int]] = (), decodes: Sequence[tuple[int, int]] = (), *,
              bits: Bits | None = None, routing: str = "uniform", seed: int = 0,
              attention: str = "auto") -> Graph:  # fmt: skip
        """One step over prefill ``chunks`` of (new, cached) tokens and ``decodes`` of (batch, context)."""
        return mixed(self, chunks, decodes, Options(bits or Bits(), routing, seed, attention))


def model_from_fields(name: str, fields: Mapping[str, Any]) -> Model:
    """A Model from plain fields by their ``Shape`` names; what is left out is 0 or false, except for these.

    kv_heads = heads, head_dim = hidden / heads (MLA: qk_nope + qk_rope), o_bias = attn_bias, moe_gated = gated,
    act = silu if gated, else gelu.  ``image`` may be a side or "HEIGHTxWIDTH".  Raises SpecError on an unknown or
    wrong field.
    """
    if unknown := sorted(fields.keys() - _NAMES):
        raise SpecError(f"model {name}: unknown field {unknown[0]!r}, expected one of {', '.join(sorted(_NAMES))}")
    if missing := [key for key in _REQUIRED if key not in fields]:
        raise SpecError(f"model {name}: {missing[0]} is missing, expected an integer of at least 1")
    try:
        return build_model(name, fields)
    except FieldError as error:
        raise SpecError(f"model {name}: {error}") from error


def build_model(name: str, fields: Mapping[str, Any]) -> Model:
    """Like ``model_from_fields`` for known field names; a wrong value raises FieldError, which names the field."""
    full: dict[str, Any] = {"kv_heads": fields["heads"], "o_bias": fields.get("attn_bias", False),
                            "act": "silu" if fields.get("gated") else "gelu",
                            "moe_gated": fields.get("gated", False), **fields}  # fmt: skip
    full["image"] = _image(full.get("image", (0, 0)))
    full["published"] = tuple(sorted(dict(full.get("published", ())).items()))
    if "head_dim" not in full:
        full["head_dim"] = _head_dim(full)
    return Model(name=name, **full)


def _head_dim(fields: Mapping[str, Any]) -> int:
    if fields.get("kv_lora_rank"):
        return sum(check_size(name, fields.get(name), 1) for name in ("qk_nope", "qk_rope"))
    hidden, heads = fields["hidden"], fields["heads"]
    if type(hidden) is not int or type(heads) is not int or heads < 1 or hidden % heads:
        raise FieldError("heads", heads, f"a divisor of the hidden size {hidden}, or head_dim given")
    return hidden // heads


def _image(value: Any) -> Any:
    if type(value) is int:
        return (value, value)
    if isinstance(value, str) and value.count("x") == 1 and all(part.isdigit() for part in value.split("x")):
        return tuple(int(part) for part in value.split("x"))
    return tuple(value) if isinstance(value, list) else value
