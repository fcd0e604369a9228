"""What one CTA of FlashAttention-4 computes, every operation of softmax and of the correction included, as Einsums.

    m query of a tile   j block of keys (i of queries)   n key of a block   d head dimension of Q and K   f of V

Row statistics that the backward pass reads (log-sum-exp, and the sum of O dO) are left out: 1 KiB a tile.
"""

from __future__ import annotations

from dataclasses import dataclass

from archmodel.records.graph import Einsum, Graph, Stage, Tensor

BF16, FP32 = 16, 32


@dataclass(frozen=True)
class Shape:
    """``rows`` queries of a tile, ``keys`` of a block, ``blocks`` that the loop visits, head dimensions ``d`` and ``f``."""

    d: int
    f: int
    blocks: int
    rows: int = 128
    keys: int = 128

    @property
    def extents(self) -> dict[str, int]:
        return {"m": self.rows, "n": self.keys, "j": self.blocks, "i": self.blocks, "d": self.d, "f": self.f}


class _Lines:
    """Collects Einsums; a tensor is ``name[ranks]``, of 32 bits where ``wide`` says so, else 16."""

    def __init__(self, shape: Shape, wide: str) -> None:
        self.extents, self._wide = shape.extents, frozenset(wide.split())
        self._tensors: dict[str, Tensor] = {}
        self._einsums: list[Einsum] = []

    def add(self, name: str, operators: str, inputs: str, output: str) -> None:
        """``output = operators(inputs)`` over all ranks that they have, and those before the colon of ``operators``."""
        extra, _, words = operators.rpartition(":")
        ranks = set(extra)
        terms = (*inputs.split(), output)
        for term in terms:
            ranks |= set(self._define(term).ranks)
        map_, _, reduce = words.partition(" ")
        names = [term.partition("[")[0] for term in terms]
        extents = tuple((rank, self.extents[rank]) for rank in sorted(ranks))
        self._einsums.append(Einsum(name, "attention", names[-1], tuple(names[:-1]), extents, map_, reduce or "none"))

    def _define(self, term: str) -> Tensor:
        name, _, ranks = term.removesuffix("]").partition("[")
        bits = FP32 if name.partition(".")[0] in self._wide else BF16
        return self._tensors.setdefault(name, Tensor(name, "activation", tuple(ranks), bits))

    def graph(self, name: str) -> Graph:
        tensors = tuple(self._tensors[key] for key in sorted(self._tensors))
        return Graph(name, Stage(name, "prefill", 1, 1, 1, 0, ()), tensors, tuple(sorted(self._einsums, key=lambda e: e.name)), ())


def forward(shape: Shape, tiles: tuple[str, ...], alone: bool = False, resident: bool = False) -> Graph:
    """``tiles`` tiles of queries against ``blocks`` blocks of keys, then division and conversion of the result.

    A CTA that is ``alone`` on its SM fetches the queries and the first keys before it begins, and stores its result before it ends; a
    persistent one does both beside the loop.  With ``resident`` all blocks of keys are one, which stays.
    """
    keys = "" if resident else "j"
    lines = _Lines(shape, "S Z LM RM X E A C L O I R")
    for t in tiles:
        lines.add(f"qk.{t}", "mul add", f"Q.{t}[md] K[{keys}nd]", f"S.{t}[mjn]")
        lines.add(f"load.{t}", "copy", f"S.{t}[mjn]", f"Z.{t}[mjn]")
        lines.add(f"rowmax.{t}", "copy max", f"Z.{t}[mjn]", f"LM.{t}[mj]")
        lines.add(f"newmax.{t}", "maximum", f"RM.{t}[m] LM.{t}[mj]", f"RM.{t}[m]")
        lines.add(f"scale.{t}", "fma", f"Z.{t}[mjn] RM.{t}[m]", f"X.{t}[mjn]")
        lines.add(f"exp.{t}", "exp2", f"X.{t}[mjn]", f"E.{t}[mjn]")
        lines.add(f"convert.{t}", "convert", f"E.{t}[mjn]", f"P.{t}[mjn]")
        lines.add(f"growth.{t}", "exp2", f"RM.{t}[m] LM.{t}[mj]", f"A.{t}[mj]")
        lines.add(f"rescale.{t}", "rescale", f"C.{t}[mf] A.{t}[mj]", f"C.{t}[mf]")
        lines.add(f"sum.{t}", "copy add", f"E.{t}[mjn]", f"L.{t}[m]")
        lines.add(f"pv.{t}", "mul add", f"P.{t}[mjn] V[{keys}nf]", f"O.{t}[mf]")
        lines.add(f"invert.{t}", "rcp", f"L.{t}[m]", f"I.{t}[m]")
        lines.add(f"divide.{t}", "mul", f"O.{t}[mf] I.{t}[m]", f"R.{t}[mf]")
        lines.add(f"result.{t}", "convert", f"R.{t}[mf]", f"OUT.{t}[mf]")
        if alone:
            lines.add(f"fetch.{t}", "copy", f"QG.{t}[md]", f"Q.{t}[md]")
            lines.add(f"store.{t}", "copy", f"OUT.{t}[mf]", f"OG.{t}[mf]")
    if alone:
        lines.add("fetch.k", "copy", "KG[nd]", "KS[nd]")
    return lines.graph("fa4-forward")


def backward(shape: Shape, resident: bool = False) -> Graph:
    """A block of keys against ``blocks`` tiles of queries: five products, what softmax's gradient needs, dQ added up in memory.

    A CTA fetches its keys and values and the first queries before it begins; dK and dV are converted and stored before it ends.  With
    ``resident`` all tiles of queries are one, which stays.
    """
    lines, q = _Lines(shape, "DKR DVR S Z X E T Y U W DQ B DQS DQG DK DV"), "" if resident else "i"
    lines.add("s", "mul add", f"K[nd] Q[{q}md]", "S[imn]")
    lines.add("s.load", "copy", "S[imn]", "Z[imn]")
    lines.add("scale", "fma", "Z[imn]", "X[imn]")
    lines.add("exp", "exp2", "X[imn]", "E[imn]")
    lines.add("p", "convert", "E[imn]", "P[imn]")
    lines.add("dp", "mul add", f"V[nf] DO[{q}mf]", "T[imn]")
    lines.add("dp.load", "copy", "T[imn]", "Y[imn]")
    lines.add("minus", "sub", "Y[imn]", "U[imn]")
    lines.add("times", "mul", "U[imn] E[imn]", "W[imn]")
    lines.add("ds", "convert", "W[imn]", "DS[imn]")
    lines.add("ds.shared", "copy", "DS[imn]", "DSS[imn]")
    lines.add("dv", "mul add", f"P[imn] DO[{q}mf]", "DV[nf]")
    lines.add("dk", "mul add", f"DS[imn] Q[{q}md]", "DK[nd]")
    lines.add("dq", "mul add", "DSS[imn] K[nd]", "DQ[imd]")
    lines.add("dq.load", "copy", "DQ[imd]", "B[imd]")
    lines.add("dq.shared", "copy", "B[imd]", "DQS[imd]")
    lines.add("dq.add", "copy", "DQS[imd]", "DQG[imd]")
    for name, ranks in (("K", "nd"), ("V", "nf"), ("Q0", "md"), ("DO0", "mf")):
        lines.add(f"fetch.{name.lower()}", "copy", f"{name}G[{ranks}]", f"{name}[{ranks}]")
    for name, ranks in (("DK", "nd"), ("DV", "nf")):
        lines.add(f"load.{name.lower()}", "copy", f"{name}[{ranks}]", f"{name}R[{ranks}]")
        lines.add(f"result.{name.lower()}", "convert", f"{name}R[{ranks}]", f"{name}S[{ranks}]")
        lines.add(f"store.{name.lower()}", "copy", f"{name}S[{ranks}]", f"{name}G[{ranks}]")
    return lines.graph("fa4-backward")


def ends(d: int, f: int, rows: int) -> Graph:
    """What runs before and after the backward kernel: the sum of O dO of each of ``rows`` rows, and dQ rounded."""
    lines = _Lines(Shape(d, f, 1), "DELTA DQG")
    lines.extents["r"] = rows
    lines.add("delta", "mul add", "O[rf] DO[rf]", "DELTA[r]")
    lines.add("dq.round", "convert", "DQG[rd]", "DQ[rd]")
    return lines.graph("fa4-backward-ends")
