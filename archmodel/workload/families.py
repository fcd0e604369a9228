"""Families: how each model family's Hugging Face ``config.json`` names our fields, and what it leaves out.

Defaults are those of the configuration classes in transformers 5.23.0 (``models/<family>/configuration_<family>.py``);
a family that transformers doesn't have names its own source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .counts import Counts
from .shape import FieldError

Fields = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """``keys`` maps our field to the file's key; ``defaults`` our field to its value where the key is left out;
    ``fixed`` are fields that the architecture settles; ``finish(fields, config)`` derives what one key can't say.
    """

    keys: Mapping[str, str]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[Fields, Mapping[str, Any]], None] = lambda fields, config: None
    architectures: tuple[str, ...] = ()


_SIZES = {"hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
          "vocab": "vocab_size", "act": "hidden_act", "tied": "tie_word_embeddings"}  # fmt: skip
_GROUPED = _SIZES | {"kv_heads": "num_key_value_heads", "head_dim": "head_dim"}
_WINDOWED = _GROUPED | {"window": "sliding_window"}
_DENSE = {"ffn": "intermediate_size"}
_MLA = {"kv_lora_rank": "kv_lora_rank", "q_lora_rank": "q_lora_rank", "qk_nope": "qk_nope_head_dim",
        "qk_rope": "qk_rope_head_dim", "v_dim": "v_head_dim"}  # fmt: skip
_DEEPSEEK = _SIZES | _DENSE | _MLA | {
    "moe_ffn": "moe_intermediate_size", "experts": "n_routed_experts", "topk": "num_experts_per_tok",
    "shared": "n_shared_experts", "first_dense": "first_k_dense_replace", "moe_every": "moe_layer_freq",
    "n_group": "n_group", "topk_group": "topk_group", "attn_bias": "attention_bias",
}  # fmt: skip
_DECODER = {"gated": True, "norm": "rms", "positions": "rope"}
_BIASED = {"norm": "ln", "positions": "learned", "attn_bias": True, "mlp_bias": True}
_B7 = {"vocab": 32000, "hidden": 4096, "layers": 32, "heads": 32, "act": "silu", "tied": False}
_QWEN = {"vocab": 151936, "hidden": 4096, "ffn": 22016, "layers": 32, "heads": 32, "kv_heads": 32, "act": "silu",
         "tied": False, "window": 4096}  # fmt: skip
_LATENT = {"kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope": 128, "qk_rope": 64, "v_dim": 128, "act": "silu",
           "tied": False, "attn_bias": False, "moe_every": 1}  # fmt: skip


def _pattern(kinds: Any, layers: int) -> str:
    """Shortest repeated pattern of ``layer_types``, such as "wf"."""
    names = {"sliding_attention": "w", "full_attention": "f"}
    if not isinstance(kinds, list) or len(kinds) != layers or any(kind not in names for kind in map(str, kinds)):
        raise FieldError("layer_types", kinds, f"{layers} entries, each sliding_attention or full_attention")
    text = "".join(names[kind] for kind in kinds)
    return next(text[:n] for n in range(1, layers + 1) if (text[:n] * -(-layers // n))[:layers] == text)


def _alternate(fields: Fields, config: Mapping[str, Any]) -> None:
    kinds = config.get("layer_types")
    fields["window_pattern"] = "wf" if kinds is None else _pattern(kinds, fields["layers"])


def _qwen(fields: Fields, config: Mapping[str, Any]) -> None:
    """Windows count only if ``use_sliding_window`` says so, and then in the layers from ``max_window_layers`` on."""
    if not config.get("use_sliding_window", False):
        fields.pop("window", None)
        return
    full, layers = config.get("max_window_layers", 28), fields["layers"]
    if type(full) is not int or full < 0:
        raise FieldError("max_window_layers", full, "an integer of at least 0")
    kinds = ["full_attention" if i < full else "sliding_attention" for i in range(layers)]
    fields["window_pattern"] = _pattern(config.get("layer_types") or kinds, layers)


def _qwen_moe(fields: Fields, config: Mapping[str, Any]) -> None:
    """Layer i is MoE if (i + 1) % decoder_sparse_step == 0; ``mlp_only_layers`` may only be the first ones."""
    if not config.get("use_sliding_window", False):
        fields.pop("window", None)
    fields["moe_offset"] = fields["moe_every"] - 1
    dense = config.get("mlp_only_layers") or []
    if not isinstance(dense, list) or dense != list(range(len(dense))):
        raise FieldError("mlp_only_layers", dense, "the first layers only, such as [0, 1]")
    fields["first_dense"] = len(dense)
    if fields["moe_every"] == 1 and not dense:
        fields.pop("ffn", None)


def _deepseek(fields: Fields, config: Mapping[str, Any]) -> None:
    """One group is no grouping; without routed experts the model is dense."""
    if fields.get("n_group", 0) <= 1:
        fields["n_group"] = fields["topk_group"] = 0
    if not fields.get("experts"):
        for name in ("experts", "topk", "moe_ffn", "shared", "router_bias", "first_dense"):
            fields.pop(name, None)


def _gpt2(fields: Fields, config: Mapping[str, Any]) -> None:
    fields.setdefault("ffn", 4 * fields["hidden"])


def _opt(fields: Fields, config: Mapping[str, Any]) -> None:
    """OPT's position table has two rows more than positions; its 350M variant projects embeddings and norms late."""
    fields["position_table"] += 2
    width = config.get("word_embed_proj_dim")
    if width not in (None, fields["hidden"]):
        raise FieldError("word_embed_proj_dim", width, f"the hidden size {fields['hidden']}")
    if config.get("do_layer_norm_before", True) is not True:
        raise FieldError("do_layer_norm_before", config["do_layer_norm_before"], "true")
    fields["o_bias"] = fields["mlp_bias"] = fields["attn_bias"]


def _t5(fields: Fields, config: Mapping[str, Any]) -> None:
    """``feed_forward_proj`` is an activation, or gated- and one (T5 1.1)."""
    fields.setdefault("decoder_layers", fields["layers"])
    kind = config.get("feed_forward_proj", "relu")
    if not isinstance(kind, str) or kind.removeprefix("gated-") not in ("relu", "gelu", "silu"):
        raise FieldError("feed_forward_proj", kind, "relu, gelu or silu, or one of them after gated-")
    fields["gated"], fields["act"] = kind.startswith("gated-"), kind.removeprefix("gated-")


def _vit(fields: Fields, config: Mapping[str, Any]) -> None:
    """The position table has a row a patch and one for the class token; labels count if the file is a classifier's."""
    side = config.get("image_size", 224)
    image = tuple(side) if isinstance(side, list) else (side, side)
    if len(image) != 2 or any(type(v) is not int or v < 1 for v in image):
        raise FieldError("image_size", side, "a side or [height, width] in pixels")
    fields["image"], patch = image, max(1, fields["patch"])
    fields["position_table"] = (image[0] // patch) * (image[1] // patch) + 1
    if config.get("architectures") == ["ViTForImageClassification"]:
        labels = config.get("id2label")
        fields["classes"] = len(labels) if isinstance(labels, dict) else config.get("num_labels", 2)


def _own(fields: Fields, config: Mapping[str, Any]) -> None:
    """A file in our own field names has no other keys."""
    for key in config.keys() - _OWN.keys() - {"model_type", "architectures"}:
        raise FieldError(key, config[key], "no such key: the file is in archmodel's own field names")


_OWN = {f.name: f.name for f in dataclasses.fields(Counts) if f.name not in ("name", "source", "published")}

FAMILIES: dict[str, Family] = {
    "llama": Family(_GROUPED | _DENSE | {"attn_bias": "attention_bias", "mlp_bias": "mlp_bias"},
                    _B7 | {"ffn": 11008, "attn_bias": False, "mlp_bias": False}, _DECODER,
                    architectures=("LlamaForCausalLM",)),
    "mistral": Family(_WINDOWED | _DENSE, _B7 | {"ffn": 14336, "kv_heads": 8, "window": 4096}, _DECODER,
                      architectures=("MistralForCausalLM",)),
    "mixtral": Family(_WINDOWED | {"moe_ffn": "intermediate_size", "experts": "num_local_experts",
                                   "topk": "num_experts_per_tok"},
                      _B7 | {"moe_ffn": 14336, "kv_heads": 8, "experts": 8, "topk": 2}, _DECODER,
                      architectures=("MixtralForCausalLM",)),
    "qwen2": Family(_WINDOWED | _DENSE, _QWEN, _DECODER | {"attn_bias": True, "o_bias": False}, _qwen,
                    ("Qwen2ForCausalLM",)),
    "qwen3": Family(_WINDOWED | _DENSE | {"attn_bias": "attention_bias"},
                    _QWEN | {"head_dim": 128, "attn_bias": False}, _DECODER | {"qk_norm": True}, _qwen,
                    ("Qwen3ForCausalLM",)),
    "qwen3_moe": Family(_WINDOWED | _DENSE | {"attn_bias": "attention_bias", "moe_ffn": "moe_intermediate_size",
                                              "experts": "num_experts", "topk": "num_experts_per_tok",
                                              "moe_every": "decoder_sparse_step"},
                        _QWEN | {"hidden": 2048, "ffn": 6144, "layers": 24, "kv_heads": 4, "head_dim": 128,
                                 "attn_bias": False, "moe_ffn": 768, "experts": 128, "topk": 8, "moe_every": 1},
                        _DECODER | {"qk_norm": True}, _qwen_moe, ("Qwen3MoeForCausalLM",)),
    "deepseek_v2": Family(_DEEPSEEK, _LATENT | {"vocab": 102400, "hidden": 4096, "ffn": 11008, "layers": 32,
                                                "heads": 32, "first_dense": 0, "experts": 64, "shared": 2,
                                                "moe_ffn": 1407},
                          _DECODER, _deepseek, ("DeepseekV2ForCausalLM",)),
    "deepseek_v3": Family(_DEEPSEEK, _LATENT | {"vocab": 129280, "hidden": 7168, "ffn": 18432, "moe_ffn": 2048,
                                                "layers": 61, "heads": 128, "shared": 1, "experts": 256, "n_group": 8,
                                                "topk_group": 4, "topk": 8, "first_dense": 3},
                          _DECODER | {"router": "sigmoid", "router_bias": True}, _deepseek,
                          ("DeepseekV3ForCausalLM",)),
    "gpt_oss": Family(_WINDOWED | {"moe_ffn": "intermediate_size", "experts": "num_local_experts",
                                   "topk": "num_experts_per_tok", "attn_bias": "attention_bias"},
                      {"layers": 36, "experts": 128, "vocab": 201088, "hidden": 2880, "moe_ffn": 2880, "head_dim": 64,
                       "heads": 64, "kv_heads": 8, "window": 128, "tied": False, "act": "silu", "topk": 4,
                       "attn_bias": True},
                      _DECODER | {"sinks": True, "router_bias": True, "expert_bias": True, "router": "topk_softmax"},
                      _alternate, ("GptOssForCausalLM",)),
    "gpt2": Family({"hidden": "n_embd", "layers": "n_layer", "heads": "n_head", "ffn": "n_inner", "vocab": "vocab_size",
                    "act": "activation_function", "tied": "tie_word_embeddings", "position_table": "n_positions"},
                   {"vocab": 50257, "position_table": 1024, "hidden": 768, "layers": 12, "heads": 12, "act": "gelu_new",
                    "tied": True}, _BIASED, _gpt2, ("GPT2LMHeadModel", "GPT2Model")),
    "opt": Family(_SIZES | {"ffn": "ffn_dim", "act": "activation_function", "position_table": "max_position_embeddings",
                            "attn_bias": "enable_bias"},
                  {"vocab": 50272, "hidden": 768, "layers": 12, "ffn": 3072, "position_table": 2048, "heads": 12,
                   "act": "relu", "tied": True, "attn_bias": True}, {"norm": "ln", "positions": "learned"}, _opt,
                  ("OPTForCausalLM",)),
    "bert": Family(_SIZES | _DENSE | {"position_table": "max_position_embeddings", "type_vocab": "type_vocab_size"},
                   {"vocab": 30522, "hidden": 768, "layers": 12, "heads": 12, "ffn": 3072, "act": "gelu",
                    "position_table": 512, "type_vocab": 2, "tied": True},
                   _BIASED | {"encoder": True, "pooler": True, "post_norm": True},
                   architectures=("BertModel", "BertForMaskedLM", "BertForPreTraining")),
    "t5": Family({"hidden": "d_model", "layers": "num_layers", "decoder_layers": "num_decoder_layers",
                  "heads": "num_heads", "head_dim": "d_kv", "ffn": "d_ff", "vocab": "vocab_size",
                  "position_table": "relative_attention_num_buckets", "tied": "tie_word_embeddings"},
                 {"vocab": 32128, "hidden": 512, "head_dim": 64, "ffn": 2048, "layers": 6, "heads": 8,
                  "position_table": 32, "tied": True}, {"norm": "rms", "positions": "relative_bias"}, _t5,
                 ("T5ForConditionalGeneration", "T5Model")),
    "vit": Family({"hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
                   "ffn": "intermediate_size", "act": "hidden_act", "patch": "patch_size", "channels": "num_channels",
                   "attn_bias": "qkv_bias"},
                  {"hidden": 768, "layers": 12, "heads": 12, "ffn": 3072, "act": "gelu", "patch": 16, "channels": 3,
                   "attn_bias": True}, _BIASED | {"o_bias": True, "encoder": True}, _vit,
                  ("ViTForImageClassification", "ViTModel")),
    "grok-1": Family(_GROUPED | {"moe_ffn": "intermediate_size", "experts": "num_experts",
                                 "topk": "num_experts_per_tok"},
                     {"vocab": 131072, "hidden": 6144, "moe_ffn": 32768, "layers": 64, "heads": 48, "kv_heads": 8,
                      "experts": 8, "topk": 2, "act": "gelu", "tied": True},
                     _DECODER | {"norms_per_block": 4, "softcap": True}, architectures=("Grok1ModelForCausalLM",)),
    **dict.fromkeys(("glam", "m3vit", "archmodel"), Family(_OWN, {}, {}, _own)),
}  # fmt: skip
