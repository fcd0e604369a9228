"""archmodel: accelerators for attention and MoE layers, modelled, mapped, generated and checked against each other.

One import is all a user needs; each name is loaded when it is first used:

    from archmodel import load_model, load_machine, search, evaluate
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_FACE = {
    "load_model": ("archmodel.workload.zoo", "find_model"),
    "load_machine": ("archmodel.load", "load_machine"),
    "load_cascade": ("archmodel.load", "load_cascade"),
    "search": ("mapper", "search"),
    "lower": ("archmodel.lowering", "lower"),
    "evaluate": ("archmodel.evaluation", "evaluate"),
    "emit": ("rtl.emit", "emit"),
    "SpecError": ("archmodel.records.base", "SpecError"),
}
__all__ = [*_FACE, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'archmodel' has no attribute {name!r}")
    module, attribute = _FACE[name]
    return getattr(import_module(module), attribute)
