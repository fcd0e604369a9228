"""The vocabulary of every graph: map operators, reductions, operator groups, and the widths of the tensor classes."""

from __future__ import annotations

from dataclasses import dataclass

from ..records.base import SpecError

MAPS: dict[str, str] = {
    "copy": "move one element (lookups, KV append, gathers; with a reduction: the reduction alone)",
    "add": "one addition (residuals, biases; a negated operand is a subtraction)",
    "sub": "one subtraction",
    "max": "the larger of two (a running maximum)",
    "mask": "x where a query sees a key, minus infinity elsewhere",
    "mul": "one product (gains, scales, gates; with reduce add and two inputs: a matrix product)",
    "square": "x * x",
    "exp": "e to the x",
    "div": "one division",
    "rsqrt": "one over the square root",
    "silu": "x * sigmoid(x)",
    "gelu": "Gaussian error linear unit",
    "relu": "max(x, 0)",
    "tanh": "hyperbolic tangent",
    "rope": "one element of a rotated pair: two products and one addition (RoFormer, arXiv 2104.09864)",
    "topk": "one candidate offered to a list of the k best",
    "muladd": "one product added to a sum; never a matrix product",
    "dequantise": "an integer times its scale (emitted by transforms and cascades only)",
}
REDUCES = ("none", "add", "max")
GROUPS = ("embed", "norm", "qkv", "rope", "kv_append", "kv_expand", "attention", "softmax", "attn_out", "ffn", "router",
          "experts", "shared", "residual", "head")  # fmt: skip


@dataclass(frozen=True)
class Bits:
    """Width in bits of one element of each tensor class; norms, biases and sinks are weights."""

    weight: int = 8
    activation: int = 8
    kv: int = 8

    def __post_init__(self) -> None:
        for name in ("weight", "activation", "kv"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 64:
                raise SpecError(f"bits of {name}: {value!r}, expected an integer from 1 to 64")

    def of(self, kind: str) -> int:
        """The width of a tensor of this kind."""
        return {"weight": self.weight, "activation": self.activation, "kv": self.kv}[kind]
