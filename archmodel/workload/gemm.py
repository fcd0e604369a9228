"""One matrix product as a Graph, where a whole model is too much: C[m,n] = A[m,k] B[k,n] with B stationary in memory."""

from __future__ import annotations

from ..records.base import SpecError
from ..records.graph import Einsum, Graph, Stage, Tensor
from .operators import Bits

LARGEST = 1 << 20


def gemm_graph(m: int, n: int, k: int, bits: Bits | None = None) -> Graph:
    """A stage of one product: A and C are activations, B is a weight.  Raises SpecError for a size outside 1 to 2**20."""
    for name, size in (("m", m), ("n", n), ("k", k)):
        if type(size) is not int or not 1 <= size <= LARGEST:
            raise SpecError(f"gemm {m},{n},{k}: {name} is {size!r}, expected an integer from 1 to {LARGEST}")
    bits = bits or Bits()
    name = f"gemm-{m}x{n}x{k}"
    tensors = (
        Tensor("a", "activation", ("m", "k"), bits.activation),
        Tensor("b", "weight", ("k", "n"), bits.weight),
        Tensor("c", "activation", ("m", "n"), bits.activation),
    )
    product = Einsum("gemm", "gemm", "c", ("a", "b"), (("k", k), ("m", m), ("n", n)), "mul", "add")
    moved = -(-(m * k + m * n) * bits.activation // 8)
    stage = Stage(name, "gemm", 1, 0, m, m, ((m, 0, 1),))
    return Graph(name, stage, tensors, (product,), (("weight", -(-n * k * bits.weight // 8)), ("activation", moved)))
