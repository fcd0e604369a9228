"""What the tests of this folder share: golden integers, and sums over the Einsums of a graph."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from archmodel.records.graph import Einsum, Graph

HERE = Path(__file__).parent
DECODERS_WITHOUT = ("bert-base-uncased", "t5-small", "vit-s-16", "m3vit-edge-moe", "m3vit-small")


@cache
def golden() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((HERE / "golden.yaml").read_text())  # type: ignore[no-any-return]


def decoders() -> list[str]:
    return [name for name in golden() if name not in DECODERS_WITHOUT]


def is_linear(graph: Graph, einsum: Einsum) -> bool:
    """A product with weights inside the blocks; the re-expansion of cached latents isn't counted as one."""
    outside = ("head", "embed", "kv_expand")
    return einsum.is_gemm and graph.tensor[einsum.inputs[1]].kind == "weight" and einsum.group not in outside


def flops(einsums: list[Einsum]) -> int:
    return sum(2 * einsum.work * einsum.repeat for einsum in einsums)


def linear_flops(graph: Graph) -> int:
    return flops([e for e in graph.einsums if is_linear(graph, e)])


def attention_flops(graph: Graph) -> int:
    return flops([e for e in graph.einsums if e.is_gemm and e.group == "attention"])


def head_flops(graph: Graph) -> int:
    return flops([e for e in graph.einsums if e.name == "lm_head"])


def weight_bytes(graph: Graph) -> int:
    """Bytes of the weights that matrix products read, LM head included."""
    bits = 0
    for einsum in graph.einsums:
        if einsum.is_gemm and graph.tensor[einsum.inputs[1]].kind == "weight":
            bits += graph.elements(einsum, einsum.inputs[1]) * einsum.repeat * graph.tensor[einsum.inputs[1]].bits
    return bits // 8


def kv_bytes(graph: Graph) -> int:
    """Bytes of the KV cache that attention reads, each row once an Einsum pair (the latents serve QK^T and AV)."""
    rows: dict[tuple[str, str], int] = {}
    for einsum in graph.einsums:
        if einsum.group == "attention" and graph.tensor[einsum.inputs[1]].kind == "kv":
            key = (einsum.inputs[1], ".".join(einsum.name.split(".")[2:]))
            tensor = graph.tensor[einsum.inputs[1]]
            read = graph.elements(einsum, einsum.inputs[1]) * einsum.repeat * tensor.bits
            rows[key] = max(rows.get(key, 0), read)
    return sum(rows.values()) // 8
