"""Searches on the plain machine plain-a3, each beside what AccelForge 1.0.467 takes: rows of ``make bench``."""

from __future__ import annotations

import time

from archmodel import load_machine, load_model, search
from archmodel.cascade.graph import graph_of
from archmodel.load import cascade_from_yaml
from archmodel.records.goal import Goal
from archmodel.records.graph import Graph
from archmodel.workload.gemm import gemm_graph

ATTENTION = """
ranks: {h: 32, m: 4096, p: 4096, e: 128, f: 128}
bits: 8
inputs: {Q: {ranks: [h, m, e]}, K: {ranks: [h, p, e]}, V: {ranks: [h, p, f]}}
einsums: ["QK[h,m,p] = sum(e) Q[h,m,e] * K[h,p,e]", "SM[h,m,p] = exp(QK[h,m,p])", "AV[h,m,f] = sum(p) SM[h,m,p] * V[h,p,f]"]
"""
GPT3 = """
ranks: {m: 8192, p: 8192, h: 32, e: 128, f: 128, d: 4096, g: 4096, c: 16384, j: 4096}
bits: 8
inputs: {X: {ranks: [m, d]}, Y: {ranks: [p, d]}, WV: {ranks: [h, f, d]}, WK: {ranks: [h, e, d]}, WQ: {ranks: [h, e, d]},
         WZ: {ranks: [h, f, g]}, WA: {ranks: [g, c]}, WB: {ranks: [c, j]}}
einsums:
  - V[p,h,f] = sum(d) Y[p,d] * WV[h,f,d]
  - K[p,h,e] = sum(d) Y[p,d] * WK[h,e,d]
  - I[m,d] = relu(X[m,d])
  - Q[m,h,e] = sum(d) I[m,d] * WQ[h,e,d]
  - QK[m,p,h] = sum(e) Q[m,h,e] * K[p,h,e]
  - SM[m,p,h] = exp(QK[m,p,h])
  - AV[m,h,f] = sum(p) SM[m,p,h] * V[p,h,f]
  - Z[m,g] = sum(h,f) AV[m,h,f] * WZ[h,f,g]
  - FA[m,c] = sum(g) Z[m,g] * WA[g,c]
  - FB[m,j] = sum(c) FA[m,c] * WB[c,j]
"""
"""The layer of AccelForge's examples/workloads/gpt3_6.7B.yaml, one Einsum each; tokens as queries and as keys have ranks of their own."""
PEER = "accelforge's map_workload_to_arch on the same machine"


def searches() -> list[tuple[str, float, float | None, str]]:
    """(what, CPU seconds, bar, note)."""
    gemm = gemm_graph(1024, 1024, 1024)
    cases: list[tuple[str, Graph, Goal, float | None, str]] = [
        ("GEMM 1024^3, perfect tiles", gemm, Goal("energy", tiles="perfect"), 0.06, f"5.9 s by {PEER}"),
        ("GEMM 1024^3, ragged tiles", gemm, Goal("energy"), 0.6, "AccelForge: 5.9 s with perfect tiles alone"),
        ("attention, 32 heads, 4,096 tokens, fused", _graph(ATTENTION), Goal("energy", tiles="perfect"), 0.4, f"41 s by {PEER}"),
        ("a layer of GPT-3 6.7B, 10 Einsums, 8,192 tokens", _graph(GPT3), Goal("energy", tiles="perfect"), 1.0,
         f"112 s on two cores by {PEER}"),
        ("llama-3.1-8b, decode, every operator", load_model("llama-3.1-8b").decode(), Goal("energy", tiles="perfect"), None, ""),
    ]  # fmt: skip
    return [_row(*case) for case in cases]


def _graph(text: str) -> Graph:
    return graph_of(cascade_from_yaml(text))


def _row(what: str, graph: Graph, goal: Goal, bar: float | None, note: str) -> tuple[str, float, float | None, str]:
    machine, times = load_machine("plain-a3"), []
    for _ in range(3 if goal.tiles == "perfect" else 1):
        began = time.process_time()
        found = search(graph, machine, goal=goal).certificate
        times.append(time.process_time() - began)
    assert found is not None
    proved = "proved" if found.optimal else f"gap {found.gap:.1%}"
    return what, min(times), bar, f"{found.value:,.0f} pJ, {proved}" + (f"; {note}" if note else "")
