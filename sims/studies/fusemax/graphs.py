"""The paper's work as Graphs: attention of one encoder layer, as the three-pass and the one-pass cascade, and its linear layers."""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.graph import Einsum, Graph, Stage, Tensor

BATCH = 64
BITS = 16


@dataclass(frozen=True)
class Shape:
    """One encoder layer: ``width`` of the model, ``heads`` of ``head`` elements, ``hidden`` of the feed-forward layer."""

    model: str
    width: int
    heads: int
    head: int
    hidden: int
    keys: int


Line = tuple[str, tuple[str, ...], tuple[str, ...], str, str]
"""Output (and name), its ranks beside batch and head, inputs, map, reduction; a rank that only inputs have is reduced."""
THREE_PASS: tuple[Line, ...] = (
    ("QK", ("m", "p"), ("Q", "K"), "mul", "add"),
    ("GM", ("p",), ("QK",), "copy", "max"),
    ("SN", ("m", "p"), ("QK", "GM"), "exp", "none"),
    ("SD", ("p",), ("SN",), "copy", "add"),
    ("A", ("m", "p"), ("SN", "SD"), "div", "none"),
    ("AV", ("f", "p"), ("A", "V"), "mul", "add"),
)  # fmt: skip
ONE_PASS: tuple[Line, ...] = (
    ("QK", ("m0", "m1", "p"), ("Q", "K"), "mul", "add"),
    ("LM", ("m1", "p"), ("QK",), "copy", "max"),
    ("RM", ("p",), ("LM", "RM"), "max", "none"),
    ("SLN", ("m0", "m1", "p"), ("QK", "RM"), "exp", "none"),
    ("SLD", ("m1", "p"), ("SLN",), "copy", "add"),
    ("SLNV", ("f", "m1", "p"), ("SLN", "V"), "mul", "add"),
    ("PRM", ("m1", "p"), ("RM",), "exp", "none"),
    ("SPD", ("m1", "p"), ("PRM", "RD"), "mul", "none"),
    ("RD", ("p",), ("SLD", "SPD"), "add", "none"),
    ("SPNV", ("f", "m1", "p"), ("PRM", "RNV"), "mul", "none"),
    ("RNV", ("f", "p"), ("SLNV", "SPNV"), "add", "none"),
    ("AV", ("f", "p"), ("RNV", "RD"), "div", "none"),
)
"""Cascade 5 of the paper; RM, RD and RNV are made anew in each m1 from those of the one before."""


def three_pass(shape: Shape) -> Graph:
    """Softmax of scores that are all there: queries and keys are equally many."""
    return _attention(shape, THREE_PASS, ("m",), {"m": shape.keys})


def one_pass(shape: Shape, rows: int, again: bool = False, kind: str = "activation") -> Graph:
    """Keys in tiles of ``rows``.  With ``again``, making RNV reads what it replaces, as the artifact counts at long lengths.

    ``kind`` of Q, K, V and AV: "kv" lie in memory as an engine wants them, activations may have to be turned.
    """
    lines = tuple((name, own, (*inputs, "RNV") if again and name == "RNV" else inputs, map_, reduce)
                  for name, own, inputs, map_, reduce in ONE_PASS)  # fmt: skip
    return _attention(shape, lines, ("m0", "m1"), {"m0": rows, "m1": shape.keys // rows}, kind)


def _attention(shape: Shape, lines: tuple[Line, ...], keys: tuple[str, ...], sizes: dict[str, int], kind: str = "activation") -> Graph:
    extents = sizes | {"b": BATCH, "h": shape.heads, "e": shape.head, "f": shape.head, "p": shape.keys}
    ranks = {"Q": ("e", "p"), "K": ("e", *keys), "V": ("f", *keys)} | {name: own for name, own, *_ in lines}
    tensors = [Tensor(name, kind if name in ("Q", "K", "V", "AV") else "activation", ("b", "h", *own), BITS)
               for name, own in sorted(ranks.items())]  # fmt: skip
    einsums = []
    for name, own, inputs, map_, reduce in lines:
        points = sorted({"b", "h", *own, *(rank for tensor in inputs for rank in ranks[tensor])})
        einsums.append(Einsum(name, "attention", name, inputs, tuple((rank, extents[rank]) for rank in points), map_, reduce))
    return _graph(f"{shape.model}-{shape.keys}-{keys[-1]}", shape, tensors, einsums)


def linear(shape: Shape) -> Graph:
    """The six products around attention: Q, K, V, Z and the two of the feed-forward layer."""
    sizes = {name: (shape.width, shape.width) for name in ("Q", "K", "V", "Z")}
    sizes |= {"FFN1": (shape.width, shape.hidden), "FFN2": (shape.hidden, shape.width)}
    tensors, einsums = [], []
    for name, (inner, outer) in sizes.items():
        tensors += [Tensor(f"X-{name}", "activation", ("t", "i"), BITS), Tensor(f"W-{name}", "weight", ("i", "o"), BITS),
                    Tensor(f"Y-{name}", "activation", ("t", "o"), BITS)]  # fmt: skip
        ranks = (("i", inner), ("o", outer), ("t", BATCH * shape.keys))
        einsums.append(Einsum(name, "linear", f"Y-{name}", (f"X-{name}", f"W-{name}"), ranks, "mul", "add"))
    return _graph(f"{shape.model}-{shape.keys}-linear", shape, sorted(tensors, key=lambda tensor: tensor.name), einsums)


def _graph(name: str, shape: Shape, tensors: list[Tensor], einsums: list[Einsum]) -> Graph:
    tokens = BATCH * shape.keys
    stage = Stage(shape.model, "prefill", BATCH, shape.keys, tokens, tokens, ((shape.keys, 0, BATCH),))
    return Graph(name, stage, tuple(tensors), tuple(sorted(einsums, key=lambda einsum: einsum.name)), ())
