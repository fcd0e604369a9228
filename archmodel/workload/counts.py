"""Counts: exact integers that follow from a model's hyper-parameters.  1 FLOP is half a multiply-add.

The formulas are those of the models' papers: GQA arXiv 2305.13245, MLA arXiv 2405.04434, MoE arXiv 2401.04088.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .shape import Shape


def attended(new: int, cached: int, window: int) -> int:
    """Query-key pairs of ``new`` causal tokens behind ``cached``: sum over i = 1..new of min(cached + i, window)."""
    if not window:
        return new * cached + new * (new + 1) // 2
    growing = min(new, max(0, window - cached))
    return growing * cached + growing * (growing + 1) // 2 + (new - growing) * window


def keys(new: int, cached: int, window: int) -> int:
    """Cached and new tokens that at least one of the ``new`` queries attends."""
    return new + (min(cached, window - 1) if window else cached)


def bytes_of(elements: int, bits: int) -> int:
    """Bytes of a packed array, rounded up."""
    return -(-elements * bits // 8)


@dataclass(frozen=True, kw_only=True)
class Counts(Shape):
    """Parameters, FLOPs and bytes.  ``bits`` is the width of one stored element."""

    @property
    def attn_weights(self) -> int:
        """Matrix weights of one attention block."""
        if not self.mla:
            return 2 * self.hidden * self.heads * self.head_dim + 2 * self.hidden * self.kv_heads * self.head_dim
        q_in = self.q_lora_rank or self.hidden
        query = self.hidden * self.q_lora_rank + q_in * self.heads * self.head_dim
        down = self.hidden * (self.kv_lora_rank + self.qk_rope)
        up = self.kv_lora_rank * self.heads * (self.qk_nope + self.v_dim)
        return query + down + up + self.heads * self.v_dim * self.hidden

    @property
    def attn_vectors(self) -> int:
        """Biases, inner norms and sinks of one attention block."""
        bias = self.attn_bias * (self.heads + 2 * self.kv_heads) * self.head_dim + self.o_bias * self.hidden
        inner = self.q_lora_rank + self.kv_lora_rank + self.qk_norm * 2 * self.head_dim
        return bias + inner + self.sinks * self.heads

    @property
    def norm_vector(self) -> int:
        """Weights of one norm: gain, and for a LayerNorm the shift too."""
        return self.hidden * (2 if self.norm == "ln" else 1)

    @property
    def ffn_weights(self) -> int:
        """Matrix weights of one dense FFN."""
        return (3 if self.gated else 2) * self.hidden * self.ffn

    @property
    def ffn_vectors(self) -> int:
        return self.mlp_bias * ((2 if self.gated else 1) * self.ffn + self.hidden)

    @property
    def expert_weights(self) -> int:
        """Matrix weights of one expert."""
        return (3 if self.moe_gated else 2) * self.hidden * self.moe_ffn

    @property
    def expert_vectors(self) -> int:
        return self.expert_bias * ((2 if self.moe_gated else 1) * self.moe_ffn + self.hidden)

    @property
    def matmul_weights_active(self) -> int:
        """Matrix weights that one token meets in the blocks: no embedding, no LM head, top-k of the experts."""
        dense = self.layers - self.moe_layers
        moe = self.hidden * self.experts + (self.topk + self.shared) * self.expert_weights
        decoder = self.decoder_layers * (2 * self.attn_weights + self.ffn_weights)
        return self.layers * self.attn_weights + dense * self.ffn_weights + self.moe_layers * moe + decoder

    @property
    def block_vectors_active(self) -> int:
        """Norms, biases and sinks that one token meets in the blocks."""
        layers = self.layers * (self.attn_vectors + self.norms_per_block * self.norm_vector)
        decoder = self.decoder_layers * (2 * self.attn_vectors + 3 * self.norm_vector + self.ffn_vectors)
        dense = (self.layers - self.moe_layers) * self.ffn_vectors
        moe = self.moe_layers * (self.experts * self.router_bias + self.topk * self.expert_vectors)
        return layers + decoder + dense + moe

    @property
    def lm_head_weights(self) -> int:
        """Weights of the product with the vocabulary, tied or not."""
        return self.vocab * self.hidden

    @property
    def position_weights(self) -> int:
        return self.position_table * self.hidden if self.positions == "learned" else 0

    @property
    def params_active_incl_embeddings(self) -> int:
        """Active parameters, input embedding and LM head both counted (Qwen3's and Mixtral's convention).

        What stands outside the token stream's blocks (pooler, patch stem, classifier, relative-bias tables, the second
        final norm of an encoder-decoder) is in ``params_total`` only.
        """
        tables = self.lm_head_weights * (1 if self.tied else 2)
        rest = self.position_weights + self.type_vocab * self.hidden + self.norm_vector
        return tables + rest + self.matmul_weights_active + self.block_vectors_active

    @property
    def params_active_excl_input_embedding(self) -> int:
        """Active parameters without the input tables (GPT-OSS's convention); a tied table counts as the LM head."""
        tables = self.position_weights + self.type_vocab * self.hidden
        return self.params_active_incl_embeddings - tables - (0 if self.tied else self.lm_head_weights)

    @property
    def active_parameters(self) -> dict[str, int]:
        """Both published conventions, by name."""
        return {
            "incl_embeddings": self.params_active_incl_embeddings,
            "excl_input_embedding": self.params_active_excl_input_embedding,
        }

    @property
    def stem_weights(self) -> int:
        """Patch projection with its bias, and the class token."""
        return self.patch and (self.channels * self.patch**2 + 2) * self.hidden

    @property
    def outside_weights(self) -> int:
        """Weights that no block holds and no token convention counts, the stem left out."""
        pooler = self.pooler * (self.hidden + 1) * self.hidden
        stacks = (2 if self.decoder_layers else 1) * (self.positions == "relative_bias")
        bias = self.position_table * self.heads * stacks
        second_norm = self.norm_vector * (self.decoder_layers > 0)
        return pooler + bias + second_norm + self.classes * (self.hidden + 1)

    @property
    def params_total(self) -> int:
        """All parameters.  A patch model without a classifier (M3ViT) is counted from its embedded tokens on."""
        idle = (self.experts - self.topk) * (self.expert_weights + self.expert_vectors) * self.moe_layers
        stem = self.stem_weights if self.classes else 0
        return self.params_active_incl_embeddings + idle + self.outside_weights + stem

    @property
    def params_stored(self) -> int:
        """Parameters that memory must hold: ``params_total`` and a patch stem that it leaves out."""
        return self.params_total + (0 if self.classes else self.stem_weights)

    @property
    def kv_elements(self) -> int:
        """Elements that one token leaves in one layer's KV cache."""
        return self.kv_lora_rank + self.qk_rope if self.mla else 2 * self.kv_heads * self.head_dim

    def kv_bytes_per_token(self, bits: int = 16) -> int:
        """KV cache bytes of one token over all layers, windows not yet full; 0 for an encoder."""
        return 0 if self.encoder else bytes_of((self.decoder_layers or self.layers) * self.kv_elements, bits)

    def linear_flops(self, tokens: int) -> int:
        """FLOPs of all weight products in the blocks; the same for prefill and decode tokens."""
        return 2 * tokens * self.matmul_weights_active

    def lm_head_flops(self, emitted: int = 1) -> int:
        return 2 * emitted * self.lm_head_weights

    def attention_flops_causal(self, new: int, cached: int = 0) -> int:
        """FLOPs of QK^T and AV of one sequence, masked pairs not counted, K and V expanded; decode has ``new`` = 1."""
        pair = 2 * self.heads * (self.head_dim + self.value_dim)
        return pair * sum(count * attended(new, cached, window) for window, count in self.attention_layers)

    def attention_flops_square(self, new: int) -> int:
        """The same with neither mask nor window."""
        return 2 * self.heads * (self.head_dim + self.value_dim) * new * new * self.layers

    def attn_flops_absorbed(self, new: int, cached: int = 0) -> int:
        """FLOPs of latent attention in its absorbed form, the two projections left out; 0 without MLA."""
        pair = 2 * self.heads * (2 * self.kv_lora_rank + self.qk_rope)
        return self.mla * pair * sum(count * attended(new, cached, window) for window, count in self.attention_layers)

    def weight_bytes(self, bits: int = 16) -> int:
        """Matrix weights that one decode step of one sequence reads, LM head included, vectors not."""
        return bytes_of(self.matmul_weights_active + self.lm_head_weights, bits)

    def kv_read_bytes(self, context: int, bits: int = 16) -> int:
        """KV cache bytes that one decode step behind ``context`` tokens reads, its own token included."""
        rows = sum(count * keys(1, context, window) for window, count in self.attention_layers)
        return bytes_of(rows * self.kv_elements, bits)

    def totals(self, tokens: int = 2048) -> dict[str, Any]:
        """Every count by name, for a prefill of ``tokens`` and a decode step behind as many (``list models``)."""
        totals: dict[str, Any] = {
            "params_total": self.params_total,
            "params_active_incl_embeddings": self.params_active_incl_embeddings,
            "params_active_excl_input_embedding": self.params_active_excl_input_embedding,
            "matmul_weights_active": self.matmul_weights_active,
            "lm_head_weights": self.lm_head_weights,
        }
        if self.encoder or self.decoder_layers:
            return totals
        totals["kv_bytes_per_token_fp16"] = self.kv_bytes_per_token(16)
        totals[f"prefill_{tokens}_b1"] = self._prefill_totals(tokens)
        totals[f"decode_ctx{tokens}_b1"] = self._decode_totals(tokens)
        return totals

    def _prefill_totals(self, tokens: int) -> dict[str, int]:
        return {
            "linear_flops": self.linear_flops(tokens),
            "attn_flops_causal": self.attention_flops_causal(tokens),
            "attn_flops_square": self.attention_flops_square(tokens),
            "lm_head_flops_last_token": self.lm_head_flops(),
        }

    def _decode_totals(self, context: int) -> dict[str, int]:
        totals = {
            "linear_flops": self.linear_flops(1),
            "attn_flops": self.attention_flops_causal(1, context),
            "lm_head_flops": self.lm_head_flops(),
            "weight_bytes_fp16": self.weight_bytes(16),
            "kv_read_bytes_fp16": self.kv_read_bytes(context, 16),
        }
        return totals | ({"attn_flops_absorbed": self.attn_flops_absorbed(1, context)} if self.mla else {})
