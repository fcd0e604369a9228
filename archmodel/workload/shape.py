"""Shape: the hyper-parameters of a transformer, checked, and which of its layers are of which kind."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ..records.base import SpecError

LARGEST = 1_000_000_000
CHOICES: dict[str, tuple[str, ...]] = {
    "norm": ("rms", "ln"),
    "positions": ("rope", "learned", "relative", "relative_bias"),
    "act": ("silu", "gelu", "relu"),
    "router": ("softmax", "sigmoid", "topk_softmax"),
}
POSITIVE = ("hidden", "layers", "heads", "kv_heads", "head_dim", "channels", "moe_every")
LIMITS = {"layers": 10_000, "decoder_layers": 10_000, "experts": 65_536}


class FieldError(SpecError):
    """One hyper-parameter is wrong: which ``field`` (its name), what was ``found``, what is ``expected``."""

    def __init__(self, name: str, found: object, expected: str) -> None:
        super().__init__(f"{name} is {found!r}, expected {expected}")
        self.field, self.found, self.expected = name, found, expected


def check_size(name: str, value: object, smallest: int = 0, largest: int = LARGEST) -> int:
    """``value`` if it is an integer from ``smallest`` to ``largest``; else FieldError."""
    if type(value) is not int or not smallest <= value <= largest:
        raise FieldError(name, value, f"an integer from {smallest} to {largest}")
    return value


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Hyper-parameters of one model; sizes are in elements.

    head_dim        width of a head's q and k (for MLA: qk_nope + qk_rope); v_dim differs from it only for MLA
    ffn             width of the dense FFN, ``moe_ffn`` of one expert, a shared expert is ``shared`` experts wide
    gated           the FFN has a gate and an up projection (SwiGLU, GEGLU); ``moe_gated`` says it for the experts
    first_dense     layers before this one have a dense FFN; after it, layer i is MoE if i % moe_every == moe_offset
    window          attended tokens, the query's own included; 0 means all
    window_pattern  one letter a layer, repeated over the layers: w windowed, f full
    positions       rope | learned (a table) | relative (no weights counted) | relative_bias (T5: table x heads)
    router          softmax over all experts | sigmoid (DeepSeek-V3) | topk_softmax (GPT-OSS: softmax of the chosen)
    norms_per_block 2, or 4 where the outputs of attention and FFN are normalised too (Grok-1)
    post_norm       the norms stand after the residual additions (BERT)
    decoder_layers  more than 0: encoder-decoder, and ``layers`` are the encoder's
    image           (height, width) in pixels of what a patch model sees; ``classes`` its classifier's outputs
    published       (what, text) as the model's authors print it, for comparison only
    """

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int = 0
    ffn: int = 0
    gated: bool = False
    act: str = "silu"
    norm: str = "rms"
    norms_per_block: int = 2
    post_norm: bool = False
    positions: str = "rope"
    position_table: int = 0
    attn_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    tied: bool = False
    qk_norm: bool = False
    sinks: bool = False
    softcap: bool = False
    window: int = 0
    window_pattern: str = "w"
    experts: int = 0
    topk: int = 0
    moe_ffn: int = 0
    moe_gated: bool = False
    shared: int = 0
    first_dense: int = 0
    moe_every: int = 1
    moe_offset: int = 0
    router: str = "softmax"
    router_bias: bool = False
    expert_bias: bool = False
    n_group: int = 0
    topk_group: int = 0
    kv_lora_rank: int = 0
    q_lora_rank: int = 0
    qk_nope: int = 0
    qk_rope: int = 0
    v_dim: int = 0
    encoder: bool = False
    decoder_layers: int = 0
    type_vocab: int = 0
    pooler: bool = False
    patch: int = 0
    image: tuple[int, int] = (0, 0)
    channels: int = 3
    classes: int = 0
    source: str = ""
    published: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in FIELD_TYPES:
            check_field(name, getattr(self, name))
        self._check_attention()
        self._check_ffn()
        self._check_rest()

    def _check_attention(self) -> None:
        if self.heads % self.kv_heads:
            raise FieldError("kv_heads", self.kv_heads, f"a divisor of the {self.heads} query heads")
        if not self.window_pattern or set(self.window_pattern) - {"w", "f"}:
            raise FieldError("window_pattern", self.window_pattern, "letters w (windowed) and f (full)")
        if not self.kv_lora_rank:
            return
        for name in ("qk_nope", "qk_rope", "v_dim"):
            check_size(name, getattr(self, name), 1)
        if self.head_dim != self.qk_nope + self.qk_rope:
            raise FieldError("head_dim", self.head_dim, f"qk_nope + qk_rope = {self.qk_nope + self.qk_rope}")
        if self.kv_heads != self.heads:
            raise FieldError("kv_heads", self.kv_heads, f"{self.heads}: latent attention has no groups of heads")
        if self.attn_bias or self.o_bias:
            raise FieldError("attn_bias", True, "false, as biases in latent attention are not supported")

    def _check_ffn(self) -> None:
        if self.experts:
            check_size("moe_ffn", self.moe_ffn, 1)
            check_size("topk", self.topk, 1, self.experts)
            check_size("moe_offset", self.moe_offset, 0, self.moe_every - 1)
        if self.ffn == 0 and self.moe_layers < self.layers:
            raise FieldError("ffn", self.ffn, "at least 1, as some layers have a dense FFN")
        if self.n_group and self.experts % self.n_group:
            raise FieldError("n_group", self.n_group, f"a divisor of the {self.experts} experts")
        check_size("topk_group", self.topk_group, 0, self.n_group)

    def _check_rest(self) -> None:
        if self.norms_per_block not in (2, 4):
            raise FieldError("norms_per_block", self.norms_per_block, "2 or 4")
        if self.patch and (min(self.image) < self.patch or self.image[0] % self.patch or self.image[1] % self.patch):
            raise FieldError("image", self.image, f"multiples of the patch size {self.patch}")
        if not self.patch:
            check_size("vocab", self.vocab, 1)
        if self.positions in ("learned", "relative_bias"):
            check_size("position_table", self.position_table, 1)
        if self.decoder_layers and (self.encoder or self.experts or self.kv_lora_rank):
            raise FieldError("decoder_layers", self.decoder_layers, "0 for an encoder, a MoE or latent attention")

    @property
    def mla(self) -> bool:
        """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434)."""
        return self.kv_lora_rank > 0

    @property
    def value_dim(self) -> int:
        return self.v_dim or self.head_dim

    @property
    def group(self) -> int:
        """Query heads that share one kv head."""
        return self.heads // self.kv_heads

    @property
    def image_tokens(self) -> int:
        """Patches of one image and the class token; 0 for a text model."""
        return self.patch and (self.image[0] // self.patch) * (self.image[1] // self.patch) + 1

    @property
    def moe_layers(self) -> int:
        if not self.experts:
            return 0
        return sum(i % self.moe_every == self.moe_offset for i in range(self.first_dense, self.layers))

    @property
    def windowed_layers(self) -> int:
        if not self.window:
            return 0
        cycles, rest = divmod(self.layers, len(self.window_pattern))
        return cycles * self.window_pattern.count("w") + self.window_pattern[:rest].count("w")

    @property
    def attention_layers(self) -> tuple[tuple[int, int], ...]:
        """(window, layers of the decoder stack that have it); window 0 attends all.  Empty kinds are left out."""
        layers = self.decoder_layers or self.layers
        windowed = self.windowed_layers
        return tuple((w, n) for w, n in ((self.window, windowed), (0, layers - windowed)) if n)


FIELD_TYPES: dict[str, str] = {f.name: str(f.type) for f in dataclasses.fields(Shape)}


def check_field(name: str, value: Any) -> None:
    """Raise FieldError unless ``value`` has the type and range of the field ``name``."""
    kind = FIELD_TYPES[name]
    if kind == "int":
        check_size(name, value, int(name in POSITIVE), LIMITS.get(name, LARGEST))
    elif kind == "bool" and type(value) is not bool:
        raise FieldError(name, value, "true or false")
    elif kind == "str" and not isinstance(value, str):
        raise FieldError(name, value, "a text")
    elif name in CHOICES and value not in CHOICES[name]:
        raise FieldError(name, value, f"one of {', '.join(CHOICES[name])}")
    elif name == "image" and not (isinstance(value, tuple) and len(value) == 2 and all(type(v) is int for v in value)):
        raise FieldError(name, value, "height and width in pixels")
