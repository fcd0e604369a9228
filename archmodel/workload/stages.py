"""Stages: prefill, decode and mixed steps of a model as Graphs that hold every operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..records.base import SpecError
from ..records.graph import Graph, Stage
from .attention import cross_attention, cross_key_value, self_attention
from .builder import Block, Builder, Sequences, sizes_of
from .counts import Counts, bytes_of
from .ends import classify, embed, embed_image, head
from .layers import dense_ffn, norm
from .moe import moe_ffn
from .operators import Bits
from .routing import Loads, expert_loads

MOST_TOKENS = 1 << 24
MOST_CONTEXT = 1 << 30
ATTENTIONS = ("auto", "expanded", "absorbed")


@dataclass(frozen=True)
class Options:
    """``bits`` per tensor class; ``routing`` and ``seed`` as in ``expert_loads``.

    ``attention`` is the form of MLA: expanded computes keys and values of every head (of cached tokens again), absorbed
    works on the latents; auto takes absorbed for decode and expanded for prefill.  Other models ignore it.
    """

    bits: Bits = field(default_factory=Bits)
    routing: str = "uniform"
    seed: int = 0
    attention: str = "auto"

    def __post_init__(self) -> None:
        if self.attention not in ATTENTIONS:
            raise SpecError(f"attention {self.attention!r}: unknown, expected one of {', '.join(ATTENTIONS)}")


@dataclass(frozen=True)
class _Step:
    """What a stage is asked for: (new, cached, count) of prefill ``chunks`` and (batch, context, source) of decodes."""

    kind: str
    chunks: tuple[tuple[int, int, int], ...]
    decodes: tuple[tuple[int, int, int], ...]

    @property
    def batch(self) -> int:
        return sum(count for _, _, count in self.chunks) + sum(batch for batch, _, _ in self.decodes)

    @property
    def tokens(self) -> int:
        return sum(new * count for new, _, count in self.chunks) + sum(batch for batch, _, _ in self.decodes)

    @property
    def context(self) -> int:
        """Tokens of the longest prompt for a prefill, else the most tokens cached."""
        if self.kind == "prefill":
            return max(new for new, _, _ in self.chunks)
        return max([cached for _, cached, _ in self.chunks] + [context for _, context, _ in self.decodes])

    @property
    def sequences(self) -> tuple[tuple[int, int, int], ...]:
        counts: Counter[tuple[int, int]] = Counter()
        for new, cached, count in self.chunks:
            counts[new, cached] += count
        for batch, context, _ in self.decodes:
            counts[1, context] += batch
        return tuple((new, cached, count) for (new, cached), count in sorted(counts.items()))


def prefill(model: Counts, tokens: int | None = None, batch: int = 1, options: Options = Options()) -> Graph:
    """``batch`` prompts of ``tokens`` each, none cached; the last token of each goes through the head.

    An encoder-decoder encodes ``tokens`` and decodes its start token.  ``tokens`` None is for an image model.
    """
    if tokens is None and not model.patch:
        raise SpecError(f"{model.name}: a prefill needs its number of tokens")
    length = model.image_tokens if tokens is None else _size("tokens", tokens, MOST_TOKENS)
    return _build(model, _Step("prefill", ((length, 0, _size("batch", batch, MOST_TOKENS)),), ()), options)


def decode(model: Counts, batch: int = 1, context: int = 2048, source: int | None = None,
           options: Options = Options()) -> Graph:  # fmt: skip
    """One new token for each of ``batch`` sequences behind ``context`` cached tokens (so it attends context + 1).

    ``source`` is the length of an encoder-decoder's encoded input; None means as long as the context.
    """
    _size("batch", batch, MOST_TOKENS)
    _size("context", context, MOST_CONTEXT, 0)
    length = max(1, context) if source is None else _size("source", source, MOST_CONTEXT)
    return _build(model, _Step("decode", (), ((batch, context, length),)), options)


def mixed(model: Counts, chunks: Sequence[tuple[int, int]] = (), decodes: Sequence[tuple[int, int]] = (),
          options: Options = Options()) -> Graph:  # fmt: skip
    """One step over prefill ``chunks`` of (new, cached) tokens and ``decodes`` of (batch, context).

    Every chunk's last token goes through the head, as the step can't know which chunk ends its prompt.  Equal chunks,
    and decodes of equal context, are merged.
    """
    if not chunks and not decodes:
        raise SpecError("mixed: no chunk and no decode, expected at least one")
    for new, cached in chunks:
        _size("new tokens", new, MOST_TOKENS)
        _size("cached tokens", cached, MOST_CONTEXT, 0)
    steps: Counter[int] = Counter()
    for batch, context in decodes:
        steps[_size("context", context, MOST_CONTEXT, 0)] += _size("batch", batch, MOST_TOKENS)
    merged = tuple((new, cached, count) for (new, cached), count in sorted(Counter(map(tuple, chunks)).items()))
    return _build(model, _Step("mixed", merged, tuple((n, c, max(1, c)) for c, n in sorted(steps.items()))), options)


def _size(what: str, value: object, largest: int, smallest: int = 1) -> int:
    if type(value) is not int or not smallest <= value <= largest:
        raise SpecError(f"{what} is {value!r}, expected an integer from {smallest} to {largest}")
    return value


def _build(model: Counts, step: _Step, options: Options) -> Graph:
    if step.tokens > MOST_TOKENS:
        raise SpecError(f"{step.tokens} tokens in one step, expected at most {MOST_TOKENS}")
    _refuse_encoder(model, step)
    builder = Builder(sizes_of(model), options.bits)
    loads: Loads = ()
    if model.moe_layers:
        loads = expert_loads(options.routing, model.moe_layers, model.experts, model.topk, step.tokens, options.seed)
    if model.decoder_layers:
        _encoder_decoder(builder, model, step)
    else:
        _single_stack(builder, model, step, loads, options.attention)
    routed = (options.routing, options.seed) if loads else ("none", 0)
    stage = Stage(model.name, step.kind, step.batch, step.context, step.tokens, _emitted(model, step), step.sequences,
                  *routed, loads)  # fmt: skip
    return builder.graph(f"{model.name} {step.kind}", stage, _resident(model, step, options.bits))


def _refuse_encoder(model: Counts, step: _Step) -> None:
    bidirectional = model.encoder or model.decoder_layers > 0
    if model.encoder and step.decodes:
        raise SpecError(f"{model.name} is an encoder and has no decode stage; use prefill")
    if bidirectional and any(cached for _, cached, _ in step.chunks):
        raise SpecError(f"{model.name} encodes in both directions: a chunk can't have cached tokens, use (new, 0)")
    for new, _, _ in step.chunks:
        if model.patch and new != model.image_tokens:
            size = f"{model.image[0]}x{model.image[1]}"
            raise SpecError(f"{model.name} takes the {model.image_tokens} tokens of a {size} image, found {new}")


def _emitted(model: Counts, step: _Step) -> int:
    headless = model.encoder and not model.pooler and not model.classes
    return step.tokens if headless else step.batch


def _sequences(model: Counts, step: _Step, attention: str) -> tuple[Sequences, ...]:
    """Chunks and decodes as runs of like sequences, equal ones merged."""
    counts: Counter[tuple[int, int, bool]] = Counter()
    for new, cached, count in step.chunks:
        counts[new, cached, model.mla and attention == "absorbed"] += count
    for batch, context, _ in step.decodes:
        counts[1, context, model.mla and attention != "expanded"] += batch
    return tuple(Sequences(new, cached, n, absorbed) for (new, cached, absorbed), n in sorted(counts.items()))


def _single_stack(builder: Builder, model: Counts, step: _Step, loads: Loads, attention: str) -> None:
    """Decoder-only and encoder-only models."""
    block = Block(builder, model, _sequences(model, step, attention), model.layers, causal=not model.encoder)
    one = Block(builder, model, block.sequences, 1)
    if model.patch:
        embed_image(one, "x")
    else:
        embed(one, "x")
    self_attention(block, "x", "x.mid")
    if dense := model.layers - model.moe_layers:
        dense_ffn(Block(builder, model, block.sequences, dense), "x.mid", "x.out")
    if loads:
        moe_ffn(Block(builder, model, block.sequences, len(loads)), "x.mid", "x.out", loads)
    final = "x.out" if model.post_norm else norm(one, "final_norm", "x.out", "final")
    if model.encoder:
        classify(one, final, step.batch)
    else:
        head(one, final, step.batch)


def _encoder_decoder(builder: Builder, model: Counts, step: _Step) -> None:
    """T5: encoder, keys and values for cross-attention, then the decoder for start tokens and decodes."""
    encodes = tuple(Sequences(new, 0, count) for new, _, count in step.chunks)
    if encodes:
        _encode(builder, model, encodes)
    contexts, sources = _decoder_runs(step)
    block = Block(builder, model, contexts, model.decoder_layers, "dec.")
    one = Block(builder, model, contexts, 1, "dec.")
    embed(one, "dec.x")
    self_attention(block, "dec.x", "dec.x.self")
    cross_attention(Block(builder, model, sources, model.decoder_layers, "dec."), "dec.x.self", "dec.x.mid")
    dense_ffn(block, "dec.x.mid", "dec.x.out")
    head(one, norm(one, "dec.final_norm", "dec.x.out", "final"), step.batch)


def _decoder_runs(step: _Step) -> tuple[tuple[Sequences, ...], tuple[Sequences, ...]]:
    """The decoder's new tokens by decoded context, and by length of the encoded input."""
    contexts: Counter[int] = Counter({0: sum(count for _, _, count in step.chunks)})
    sources: Counter[int] = Counter()
    for new, _, count in step.chunks:
        sources[new] += count
    for batch, context, source in step.decodes:
        contexts[context] += batch
        sources[source] += batch
    contexts, sources = +contexts, +sources
    return (tuple(Sequences(1, context, contexts[context]) for context in sorted(contexts)),
            tuple(Sequences(1, source, sources[source]) for source in sorted(sources)))  # fmt: skip


def _encode(builder: Builder, model: Counts, encodes: tuple[Sequences, ...]) -> None:
    one = Block(builder, model, encodes, 1, "enc.")
    block = Block(builder, model, encodes, model.layers, "enc.", causal=False)
    embed(one, "enc.x")
    self_attention(block, "enc.x", "enc.x.mid")
    dense_ffn(block, "enc.x.mid", "enc.x.out")
    encoded = norm(one, "enc.final_norm", "enc.x.out", "encoded")
    cross_key_value(Block(builder, model, encodes, model.decoder_layers, "dec."), encoded)


def _resident(model: Counts, step: _Step, bits: Bits) -> tuple[tuple[str, int], ...]:
    """Bytes of all weights, and of the KV cache at the end of the stage (a windowed layer keeps its window)."""
    weights = bytes_of(model.params_stored, bits.weight)
    return (("weight", weights), ("kv", bytes_of(_kv_rows(model, step) * model.kv_elements, bits.kv)))


def _kv_rows(model: Counts, step: _Step) -> int:
    """Rows of the cache, summed over sequences and layers."""
    if model.encoder:
        return 0
    if model.decoder_layers:
        own = step.batch - sum(n for n, _, _ in step.decodes) + sum(n * (c + 1) for n, c, _ in step.decodes)
        cross = sum(new * n for new, _, n in step.chunks) + sum(n * source for n, _, source in step.decodes)
        return model.decoder_layers * (own + cross)
    return sum(
        layers * count * (min(new + cached, window) if window else new + cached)
        for window, layers in model.attention_layers
        for new, cached, count in step.sequences
    )
