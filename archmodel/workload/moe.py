"""The MoE branch: router, top-k gate, dispatch, the experts that received tokens, shared experts, combination."""

from __future__ import annotations

from collections import Counter

from .builder import Block
from .layers import pre_norm, product, residual, two_layers
from .routing import Loads


def moe_ffn(block: Block, source: str, target: str, loads: Loads) -> None:
    """One MoE branch with its norm and residual; ``block.repeat`` MoE layers, each with its own ``loads``.

    Experts of all layers that received equally many tokens are one Einsum with a repeat; one without tokens has none,
    so its weights aren't read.
    """
    model, name = block.model, block.name("moe")
    inner = pre_norm(block, name, source)
    _gate(block, name, inner)
    block.add(f"{name}.dispatch", "experts", "copy", "bsd->bsjd", (inner,), f"{name}.routed")
    for tokens, count in sorted(Counter(load for layer in loads for load in layer if load).items()):
        at = {"b": 1, "s": tokens, "j": 1, "f": model.moe_ffn}
        two_layers(block, block.name("experts"), "experts", f"{name}.routed", f"{name}.answers", model.moe_gated,
                   model.expert_bias, at, "bsj", count, f".t{tokens}")  # fmt: skip
    out = block.add(f"{name}.combine", "experts", "muladd add", "bsjd,bsj->bsd", (f"{name}.answers", f"{name}.gates"),
                    f"{name}.combined")  # fmt: skip
    if model.shared:
        shared = two_layers(block, block.name("shared"), "shared", inner, f"{name}.shared", model.moe_gated, False,
                            {"f": model.shared * model.moe_ffn})  # fmt: skip
        out = block.add(f"{name}.add_shared", "shared", "add", "bsd,bsd->bsd", (out, shared), f"{name}.out")
    residual(block, name, source, out, target)


def _gate(block: Block, name: str, inner: str) -> None:
    """Router logits to the weights of the chosen experts, in the order that the model scores, chooses and scales."""
    model = block.model
    logit_bias = model.router_bias and model.router != "sigmoid"
    logits = product(block, f"{name}.router", "router", "bsd,dx->bsx", inner, f"{name}.logits", "x" * logit_bias)
    if model.router == "topk_softmax":
        _softmax(block, name, _choose(block, name, logits), "bsj", f"{name}.gates")
        return
    if model.router == "sigmoid":
        scores = _sigmoid(block, name, logits)
    else:
        scores = _softmax(block, name, logits, "bsx", f"{name}.scores")
    chosen = _choose(block, name, scores)
    total = block.add(f"{name}.gate_sum", "router", "copy add", "bsj->bs", (chosen,), f"{name}.gate_sum")
    block.add(f"{name}.gate_div", "router", "div", "bsj,bs->bsj", (chosen, total), f"{name}.gates")


def _choose(block: Block, name: str, scores: str) -> str:
    """The top-k gate: every expert of every token is one candidate; grouped routing first chooses groups."""
    tokens, experts = block.tokens, block.model.experts
    if groups := block.model.n_group:
        block.add(f"{name}.topk_groups", "router", "topk", "bsx->bsc", (scores,), f"{name}.groups", {"c": groups},
                  tokens["b"] * tokens["s"] * experts)  # fmt: skip
    inputs, expression = ((scores, f"{name}.groups"), "bsx,bsc->bsj") if groups else ((scores,), "bsx->bsj")
    return block.add(f"{name}.topk", "router", "topk", expression, inputs, f"{name}.chosen", {"c": groups or 1},
                     tokens["b"] * tokens["s"] * experts)  # fmt: skip


def _softmax(block: Block, name: str, logits: str, ranks: str, target: str) -> str:
    row = f"{ranks},bs->{ranks}"
    top = block.add(f"{name}.softmax.max", "router", "copy max", f"{ranks}->bs", (logits,), f"{name}.softmax.max")
    exp = block.add(f"{name}.softmax.exp", "router", "exp", row, (logits, top), f"{name}.softmax.exp")
    total = block.add(f"{name}.softmax.sum", "router", "copy add", f"{ranks}->bs", (exp,), f"{name}.softmax.sum")
    return block.add(f"{name}.softmax.div", "router", "div", row, (exp, total), target)


def _sigmoid(block: Block, name: str, logits: str) -> str:
    """1 / (1 + exp(-x)), and the bias that only steers the choice (DeepSeek-V3, arXiv 2412.19437)."""
    exp = block.add(f"{name}.sigmoid.exp", "router", "exp", "bsx->bsx", (logits,), f"{name}.sigmoid.exp")
    one = block.add(f"{name}.sigmoid.add", "router", "add", "bsx->bsx", (exp,), f"{name}.sigmoid.sum")
    scores = block.add(f"{name}.sigmoid.div", "router", "div", "bsx->bsx", (one,), f"{name}.sigmoid")
    if not block.model.router_bias:
        return scores
    return block.add(f"{name}.router.bias", "router", "add", "bsx,x->bsx", (scores, f"{name}.router.bias"),
                     f"{name}.scores")  # fmt: skip
