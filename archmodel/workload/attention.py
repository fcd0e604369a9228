"""Attention branches: MHA, GQA and MQA with or without window and sinks, latent attention, cross-attention."""

from __future__ import annotations

from dataclasses import dataclass

from ..records.mask import Mask
from .builder import Block, Sequences, token_extents
from .counts import attended, keys
from .layers import norm, pre_norm, product, residual


@dataclass(frozen=True)
class Core:
    """The two matrix products of one form of attention: their expressions, operands and contracted extents."""

    scores: str
    values: str
    query: str
    key: str
    value: str
    target: str
    width: int
    out_width: int


def self_attention(block: Block, source: str, target: str) -> None:
    """One self-attention branch with its norm and residual, from ``source`` to ``target``."""
    name = block.name("attn")
    inner = pre_norm(block, name, source)
    if block.model.mla:
        latent(block, name, inner)
    else:
        grouped(block, name, inner)
    output(block, name, source, target)


def output(block: Block, name: str, source: str, target: str) -> None:
    """Output projection and residual."""
    bias = "d" if block.model.o_bias else ""
    product(block, f"{name}.o", "attn_out", "bskgv,kgvd->bsd", f"{name}.heads", f"{name}.out", bias)
    residual(block, name, source, f"{name}.out", target)


def grouped(block: Block, name: str, inner: str) -> None:
    """Query heads in groups that share a kv head (arXiv 2305.13245), up to the concatenated heads."""
    query(block, name, inner)
    key_value(block, name, inner)
    form = plain_core(block, name)
    for sequences in block.sequences:
        for window, count in _windows(block):
            _core(block, name, form, sequences, window, count)


def query(block: Block, name: str, inner: str) -> None:
    """Query projection, its norm, rotation and the scale 1 / sqrt(head dim) (T5 has none)."""
    model = block.model
    q = product(block, f"{name}.q", "qkv", "bsd,dkge->bskge", inner, f"{name}.q", "kge" if model.attn_bias else "")
    if model.qk_norm:
        q = norm(block, f"{name}.q_norm", q, f"{name}.q.normed", "bskge", "rms")
    if model.positions == "rope":
        q = block.add(f"{name}.rope_q", "rope", "rope", "bskge->bskge", (q,), f"{name}.q.rotated")
    if model.positions != "relative_bias":
        block.add(f"{name}.scale", "softmax", "mul", "bskge->bskge", (q,), f"{name}.q.scaled")


def key_value(block: Block, name: str, inner: str) -> None:
    """Key and value projections of the new tokens, and their way into the cache."""
    model, bias = block.model, block.model.attn_bias
    k = product(block, f"{name}.k", "qkv", "bsd,dke->bske", inner, f"{name}.k", "ke" if bias else "")
    v = product(block, f"{name}.v", "qkv", "bsd,dkv->bskv", inner, f"{name}.v", "kv" if bias else "")
    if model.qk_norm:
        k = norm(block, f"{name}.k_norm", k, f"{name}.k.normed", "bske", "rms")
    if model.positions == "rope":
        k = block.add(f"{name}.rope_k", "rope", "rope", "bske->bske", (k,), f"{name}.k.rotated")
    _append(block, f"{name}.append_k", "bske->bpke", k, f"{name}.k.cache", model.kv_heads * model.head_dim)
    _append(block, f"{name}.append_v", "bskv->bpkv", v, f"{name}.v.cache", model.kv_heads * model.value_dim)


def _append(block: Block, name: str, expression: str, source: str, target: str, row: int) -> None:
    tokens = block.tokens
    points = tokens["b"] * tokens["s"] * row
    block.add(name, "kv_append", "copy", expression, (source,), target, {"p": tokens["s"]}, points)


def plain_core(block: Block, name: str) -> Core:
    """Products with keys and values as the cache holds them."""
    q = f"{name}.q.scaled" if block.model.positions != "relative_bias" else f"{name}.q"
    return Core("bskge,bpke->bkgsp", "bkgsp,bpkv->bskgv", q, f"{name}.k.cache", f"{name}.v.cache", f"{name}.heads",
                block.model.head_dim, block.model.value_dim)  # fmt: skip


def _windows(block: Block) -> tuple[tuple[int, int], ...]:
    return block.model.attention_layers if block.causal else ((0, block.repeat),)


def _core(block: Block, name: str, form: Core, sequences: Sequences, window: int, layers: int) -> None:
    """Scores, softmax and weighted values of like sequences in ``layers`` layers that have this window."""
    new, cached = sequences.new, sequences.cached
    span = keys(new, cached, window)
    pairs = attended(new, cached, window) if block.causal else new * span
    suffix = (".window" if window else "") + _label(block, sequences)
    bias = _relative_bias(block, name, new, span, suffix) if block.model.positions == "relative_bias" else ""
    mask = Mask(True, cached, new + cached - span, window) if pairs < new * span else None
    core(block, name, form, sequences, span, pairs, suffix, layers, bias, mask)


def _relative_bias(block: Block, name: str, new: int, span: int, suffix: str) -> str:
    """T5's table of biases by distance, looked up once a stack and shared by its layers (arXiv 1910.10683)."""
    at = {"i": block.model.position_table, "s": new, "p": span}
    return block.add(f"{name}.relative_lookup{suffix}", "softmax", "copy", "ikg->kgsp", (f"{name}.relative.table",),
                     f"{name}.relative{suffix}", at, block.model.heads * new * span, 1)  # fmt: skip


def cross_attention(block: Block, source: str, target: str) -> None:
    """One cross-attention branch; the ``cached`` tokens of the block's sequences are the encoder's, all attended.

    Keys and values were projected when the encoder ran (``cross_key_value``).
    """
    name = block.name("cross")
    query(block, name, pre_norm(block, name, source))
    form = plain_core(block, name)
    for sequences in block.sequences:
        pairs = sequences.new * sequences.cached
        core(block, name, form, sequences, sequences.cached, pairs, _label(block, sequences), block.repeat)
    output(block, name, source, target)


def cross_key_value(block: Block, encoded: str) -> None:
    """The decoder layers' keys and values of the encoder's tokens."""
    key_value(block, block.name("cross"), encoded)


def _label(block: Block, sequences: Sequences) -> str:
    if len(block.sequences) == 1:
        return ""
    return f".n{sequences.new}c{sequences.cached}" + (".absorbed" if sequences.absorbed else "")


def core(block: Block, name: str, form: Core, sequences: Sequences, span: int, pairs: int, suffix: str,
         repeat: int, bias: str = "", mask: Mask | None = None) -> None:  # fmt: skip
    """Scores, softmax and weighted values: ``span`` keys are read, ``pairs`` query-key pairs a head count as work: those of ``mask``."""
    model = block.model
    work = pairs * sequences.count * model.heads
    at = {"b": sequences.count, "s": sequences.new, "p": span}
    scores = block.add(f"{name}.qk{suffix}", "attention", "mul add", form.scores, (form.query, form.key),
                       f"{name}.scores{suffix}", at, work * form.width, repeat, mask)  # fmt: skip
    if model.softcap:
        scores = block.add(f"{name}.softcap{suffix}", "softmax", "tanh", "bkgsp->bkgsp", (scores,),
                           f"{name}.capped{suffix}", at, work, repeat, mask)  # fmt: skip
    if bias:
        scores = block.add(f"{name}.relative{suffix}", "softmax", "add", "bkgsp,kgsp->bkgsp", (scores, bias),
                           f"{name}.biased{suffix}", at, work, repeat, mask)  # fmt: skip
    weights = _softmax(block, name, scores, at, work, suffix, repeat, mask)
    out = at | {form.values[-1]: form.out_width}
    block.add(f"{name}.av{suffix}", "attention", "mul add", form.values, (weights, form.value), form.target, out,
              work * form.out_width, repeat, mask)  # fmt: skip


def _softmax(block: Block, name: str, scores: str, at: dict[str, int], work: int, suffix: str, repeat: int,
             mask: Mask | None) -> str:  # fmt: skip
    """Softmax over p as a cascade; a sink is one more logit a row, in the maximum and the sum but not in the result.

    With it p is one longer than the mask's keys, so what runs over it carries its points alone.
    """
    wide, more, wide_mask = at, work, mask
    if block.model.sinks:
        wide_mask = None
        block.add(f"{name}.sink{suffix}", "softmax", "copy", "kg->bkgsp", (f"{name}.sink",), scores, at | {"p": 1},
                  repeat=repeat)  # fmt: skip
        wide, more = at | {"p": at["p"] + 1}, work + at["b"] * at["s"] * block.model.heads
    base, row = f"{name}.softmax", "bkgsp,bkgs->bkgsp"
    top = block.add(f"{base}.max{suffix}", "softmax", "copy max", "bkgsp->bkgs", (scores,), f"{base}.max{suffix}", wide,
                    more, repeat, wide_mask)  # fmt: skip
    exp = block.add(f"{base}.exp{suffix}", "softmax", "exp", row, (scores, top), f"{base}.exp{suffix}", wide, more,
                    repeat, wide_mask)  # fmt: skip
    total = block.add(f"{base}.sum{suffix}", "softmax", "copy add", "bkgsp->bkgs", (exp,), f"{base}.sum{suffix}", wide,
                      more, repeat, wide_mask)  # fmt: skip
    return block.add(f"{base}.div{suffix}", "softmax", "div", row, (exp, total), f"{name}.probs{suffix}", at, work,
                     repeat, mask)  # fmt: skip


def latent(block: Block, name: str, inner: str) -> None:
    """Multi-head latent attention (arXiv 2405.04434), up to the concatenated heads; the cache holds latents."""
    _latent_query(block, name, inner)
    _latent_cache(block, name, inner)
    for absorbed, attend in ((False, _expanded), (True, _absorbed)):
        if chosen := tuple(s for s in block.sequences if s.absorbed == absorbed):
            form = attend(block, name, chosen)
            for sequences in chosen:
                for window, count in _windows(block):
                    _core(block, name, form, sequences, window, count)
            if absorbed:
                _absorb_values(block, name, token_extents(chosen))


def _latent_query(block: Block, name: str, inner: str) -> None:
    model = block.model
    if model.q_lora_rank:
        low = product(block, f"{name}.q_a", "qkv", "bsd,dl->bsl", inner, f"{name}.q_a")
        normed = norm(block, f"{name}.q_norm", low, f"{name}.q_a.normed", "bsl", "rms")
        product(block, f"{name}.q_b", "qkv", "bsl,lkge->bskge", normed, f"{name}.q")
    else:
        product(block, f"{name}.q", "qkv", "bsd,dkge->bskge", inner, f"{name}.q")
    block.add(f"{name}.rope_q", "rope", "rope", "bskge->bskge", (f"{name}.q",), f"{name}.q.rotated",
              {"e": model.qk_rope})  # fmt: skip


def _latent_cache(block: Block, name: str, inner: str) -> None:
    model = block.model
    row = product(block, f"{name}.kv_a", "qkv", "bsd,dz->bsz", inner, f"{name}.kv_a")
    ready = norm(block, f"{name}.kv_norm", row, f"{name}.latent", "bsz", "rms", {"z": model.kv_lora_rank})
    block.add(f"{name}.rope_k", "rope", "rope", "bsz->bsz", (row,), ready, {"z": model.qk_rope})
    _append(block, f"{name}.append", "bsz->bpz", ready, f"{name}.latent.cache", model.kv_elements)


def _expanded(block: Block, name: str, chosen: tuple[Sequences, ...]) -> Core:
    """Keys and values of every head are computed from the latents, those of the cached tokens again."""
    model, at = block.model, token_extents(chosen)
    for part, source, extent in (("nope", f"{name}.q", model.qk_nope), ("rope", f"{name}.q.rotated", model.qk_rope)):
        block.add(f"{name}.scale_{part}", "softmax", "mul", "bskge->bskge", (source,), f"{name}.q.scaled",
                  at | {"e": extent})  # fmt: skip
    _expand(block, name, "", "qkv", token_extents(chosen, "new", "p"))
    if behind := tuple(s for s in chosen if s.cached):
        _expand(block, name, ".cached", "kv_expand", token_extents(behind, "cached", "p"))
    return Core("bskge,bpke->bkgsp", "bkgsp,bpkv->bskgv", f"{name}.q.scaled", f"{name}.k", f"{name}.v", f"{name}.heads",
                model.head_dim, model.v_dim)  # fmt: skip


def _expand(block: Block, name: str, suffix: str, group: str, at: dict[str, int]) -> None:
    model, cache = block.model, f"{name}.latent.cache"
    low = at | {"z": model.kv_lora_rank, "e": model.qk_nope}
    product(block, f"{name}.k_b", group, "bpz,zke->bpke", cache, f"{name}.k", "", low, suffix=suffix)
    product(block, f"{name}.v_b", group, "bpz,zkv->bpkv", cache, f"{name}.v", "", low, suffix=suffix)
    points = at["b"] * at["p"] * model.heads * model.qk_rope
    block.add(f"{name}.k_rope{suffix}", group, "copy", "bpz->bpke", (cache,), f"{name}.k",
              at | {"z": model.qk_rope, "e": model.qk_rope}, points)  # fmt: skip


def _absorbed(block: Block, name: str, chosen: tuple[Sequences, ...]) -> Core:
    """Queries are taken into the latent space instead, by the same weights that would expand the keys."""
    model, at, wide = block.model, token_extents(chosen), f"{name}.q.latent"
    nope, rope = at | {"e": model.qk_nope}, at | {"e": model.qk_rope, "z": model.qk_rope}
    short = block.add(f"{name}.scale_nope.absorbed", "softmax", "mul", "bskge->bskge", (f"{name}.q",), f"{name}.q.nope",
                      nope)  # fmt: skip
    points = at["b"] * at["s"] * model.heads * model.qk_rope
    block.add(f"{name}.scale_rope.absorbed", "softmax", "mul", "bskge->bskgz", (f"{name}.q.rotated",), wide, rope,
              points)  # fmt: skip
    block.add(f"{name}.q_absorb", "qkv", "mul add", "bskge,zke->bskgz", (short, f"{name}.k_b.weight"), wide,
              nope | {"z": model.kv_lora_rank})  # fmt: skip
    cache = f"{name}.latent.cache"
    return Core("bskgz,bpz->bkgsp", "bkgsp,bpz->bskgz", wide, cache, cache, f"{name}.heads.latent", model.kv_elements,
                model.kv_lora_rank)  # fmt: skip


def _absorb_values(block: Block, name: str, at: dict[str, int]) -> None:
    """From weighted latents to the heads' values."""
    operands = (f"{name}.heads.latent", f"{name}.v_b.weight")
    block.add(f"{name}.v_absorb", "attn_out", "mul add", "bskgz,zkv->bskgv", operands, f"{name}.heads",
              at | {"z": block.model.kv_lora_rank})  # fmt: skip
