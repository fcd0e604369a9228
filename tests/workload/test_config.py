"""Reading ``config.json``: seventeen files, the keys they leave out, and what is wrong with bad ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from archmodel.records.base import SpecError
from archmodel.workload.config import MOST_BYTES, read_config
from archmodel.workload.families import FAMILIES
from archmodel.workload.zoo import find_model, zoo_model, zoo_names

CONFIGS = Path(__file__).parent / "configs"
BAD: tuple[Any, ...] = (None, 0, -1, 1.5, "x", [], {}, True, [None], 10**30)
LLAMA = json.loads((CONFIGS / "llama-2-7b.json").read_text())


def write(folder: Path, config: Any) -> Path:
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return path


def message(path: Path) -> str:
    with pytest.raises(SpecError) as error:
        read_config(path)
    text = str(error.value)
    assert "\n" not in text
    return text.replace(str(path), "FILE")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_a_file_describes_the_zoo_model_of_its_name(path: Path) -> None:
    model = read_config(path)
    assert model.name == path.stem
    if model.name in zoo_names():
        assert dataclasses.replace(model, source=zoo_model(model.name).source) == zoo_model(model.name)


def test_an_explicit_null_window_is_none() -> None:
    assert read_config(CONFIGS / "mistral-7b-v0.1.json").window == 4096
    assert read_config(CONFIGS / "mistral-7b-v0.3.json").window == 0


def test_families_with_every_key_left_out(tmp_path: Path) -> None:
    """The defaults alone are the published base model of these families."""
    same = {"llama": "llama-2-7b", "mistral": "mistral-7b-v0.1", "mixtral": "mixtral-8x7b", "gpt2": "gpt2",
            "deepseek_v3": "deepseek-v3", "gpt_oss": "gpt-oss-120b", "bert": "bert-base-uncased", "t5": "t5-small",
            "grok-1": "grok-1"}  # fmt: skip
    for family, name in same.items():
        totals = read_config(write(tmp_path, {"model_type": family})).totals()
        assert totals == zoo_model(name).totals(), family


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "qwen3_moe", "opt", "vit"])
def test_other_families_build_from_their_defaults(tmp_path: Path, family: str) -> None:
    model = read_config(write(tmp_path, {"model_type": family}))
    assert model.name == tmp_path.name and model.prefill(model.image_tokens or 3).einsums


def test_family_by_architecture_when_the_type_is_new(tmp_path: Path) -> None:
    config = {"model_type": "my_llama", "architectures": ["LlamaForCausalLM"]}
    assert read_config(write(tmp_path, config)).totals() == zoo_model("llama-2-7b").totals()


def test_derived_defaults(tmp_path: Path) -> None:
    llama = read_config(write(tmp_path, {"model_type": "llama", "hidden_size": 512, "num_attention_heads": 4}))
    assert (llama.kv_heads, llama.head_dim, llama.tied, llama.attn_bias) == (4, 128, False, False)
    gpt2 = read_config(write(tmp_path, {"model_type": "gpt2", "n_embd": 96, "n_inner": None}))
    assert (gpt2.ffn, gpt2.tied, gpt2.position_table) == (384, True, 1024)
    qwen2 = read_config(write(tmp_path, {"model_type": "qwen2"}))
    assert (qwen2.attn_bias, qwen2.o_bias, qwen2.window) == (True, False, 0)
    qwen3 = read_config(write(tmp_path, {"model_type": "qwen3_moe"}))
    assert (qwen3.head_dim, qwen3.qk_norm, qwen3.moe_layers, qwen3.ffn) == (128, True, 24, 0)
    opt = read_config(write(tmp_path, {"model_type": "opt", "enable_bias": False}))
    assert (opt.position_table, opt.mlp_bias, opt.act) == (2050, False, "relu")


def test_sparse_steps_dense_layers_and_windows(tmp_path: Path) -> None:
    sparse = {"model_type": "qwen3_moe", "decoder_sparse_step": 2, "mlp_only_layers": [0, 1]}
    assert read_config(write(tmp_path, sparse)).moe_layers == 11
    windows = {"model_type": "qwen2", "use_sliding_window": True, "num_hidden_layers": 4, "max_window_layers": 3}
    assert read_config(write(tmp_path, windows)).attention_layers == ((4096, 1), (0, 3))
    dense = {"model_type": "deepseek_v2", "n_routed_experts": None}
    assert read_config(write(tmp_path, dense)).moe_layers == 0
    gated = {"model_type": "t5", "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    model = read_config(write(tmp_path, gated))
    assert (model.gated, model.act, model.tied, model.decoder_layers) == (True, "gelu", False, 6)
    oblong = {"model_type": "vit", "image_size": [32, 64], "architectures": ["ViTForImageClassification"]}
    assert (read_config(write(tmp_path, oblong)).image_tokens, read_config(write(tmp_path, oblong)).classes) == (9, 2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"num_hidden_layers": 0}, "FILE: num_hidden_layers is 0, expected an integer from 1 to 10000"),
        ({"hidden_size": -4096}, "FILE: hidden_size is -4096, expected an integer from 1 to 1000000000"),
        ({"hidden_size": None}, "FILE: hidden_size is null, expected an integer from 1 to 1000000000"),
        ({"intermediate_size": 1.5}, "FILE: intermediate_size is 1.5, expected an integer from 0 to 1000000000"),
        ({"vocab_size": "32000"}, 'FILE: vocab_size is "32000", expected an integer from 0 to 1000000000'),
        ({"vocab_size": 10**12}, "FILE: vocab_size is 1000000000000, expected an integer from 0 to 1000000000"),
        ({"vocab_size": 0}, "FILE: vocab_size is 0, expected an integer from 1 to 1000000000"),
        ({"num_key_value_heads": 5}, "FILE: num_key_value_heads is 5, expected a divisor of the 32 query heads"),
        ({"num_attention_heads": 30},
         "FILE: num_attention_heads is 30, expected a divisor of the hidden size 4096, or head_dim given"),
        ({"tie_word_embeddings": "yes"}, 'FILE: tie_word_embeddings is "yes", expected true or false'),
        ({"hidden_act": "swoosh"},
         'FILE: hidden_act is "swoosh", expected one of silu, swish, relu, gelu, gelu_new, gelu_fast, '
         "gelu_pytorch_tanh, gelu_python"),
        ({"hidden_size": ["x" * 99]},
         'FILE: hidden_size is ["' + "x" * 55 + "..., expected an integer from 1 to 1000000000"),
    ],
)  # fmt: skip
def test_bad_values(tmp_path: Path, changes: dict[str, object], text: str) -> None:
    assert message(write(tmp_path, LLAMA | changes)) == text


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"model_type": "gpt_oss", "num_hidden_layers": 2, "layer_types": ["full_attention"]},
         'FILE: layer_types is ["full_attention"], expected 2 entries, each sliding_attention or full_attention'),
        ({"model_type": "mixtral", "num_experts_per_tok": 9},
         "FILE: num_experts_per_tok is 9, expected an integer from 1 to 8"),
        ({"model_type": "qwen3_moe", "mlp_only_layers": [3]},
         "FILE: mlp_only_layers is [3], expected the first layers only, such as [0, 1]"),
        ({"model_type": "deepseek_v2", "num_experts_per_tok": None},
         "FILE: num_experts_per_tok is 0, expected an integer from 1 to 64"),
        ({"model_type": "deepseek_v3", "attention_bias": True},
         "FILE: attention_bias is true, expected false, as biases in latent attention are not supported"),
        ({"model_type": "opt", "do_layer_norm_before": False},
         "FILE: do_layer_norm_before is false, expected true"),
        ({"model_type": "t5", "feed_forward_proj": 3},
         "FILE: feed_forward_proj is 3, expected relu, gelu or silu, or one of them after gated-"),
        ({"model_type": "vit", "image_size": [224]},
         "FILE: image_size is [224], expected a side or [height, width] in pixels"),
        ({"model_type": "glam", "hidden": 8, "layers": 1, "heads": 1, "hiden": 8},
         "FILE: hiden is 8, expected no such key: the file is in archmodel's own field names"),
        ({"model_type": "glam"}, "FILE: hidden is null, expected an integer from 1 to 1000000000"),
    ],
)  # fmt: skip
def test_bad_values_of_single_families(tmp_path: Path, config: dict[str, object], text: str) -> None:
    assert message(write(tmp_path, config)) == text


def test_unknown_architecture_lists_the_known_ones(tmp_path: Path) -> None:
    known = ", ".join(FAMILIES)
    text = f'FILE: model_type "mamba" is unknown, expected model_type to be one of {known}'
    assert message(write(tmp_path, {"model_type": "mamba"})) == text
    text = f"FILE: architectures null is unknown, expected model_type to be one of {known}"
    assert message(write(tmp_path, {})) == text


def test_truncated_file_is_located(tmp_path: Path) -> None:
    text = (CONFIGS / "llama-2-7b.json").read_text()
    assert message(write(tmp_path, text[:80])).startswith("FILE:3:")
    text = message(write(tmp_path, '{\n  "a": 1,\n  "b"'))
    assert text == "FILE:3:6: not JSON: Expecting ':' delimiter; is the file complete?"


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    text = json.dumps(LLAMA)
    for end in range(0, len(text), 7):
        assert message(write(tmp_path, text[:end])).startswith("FILE:1:")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_any_bad_value_of_any_key_gives_a_model_or_one_line(tmp_path: Path, path: Path) -> None:
    good = json.loads(path.read_text())
    for key in good:
        for value in BAD:
            file = write(tmp_path, good | {key: value})
            try:
                assert read_config(file).params_total > 0
            except SpecError as error:
                assert str(error).startswith(str(file)) and "\n" not in str(error)


def test_files_that_are_no_config(tmp_path: Path) -> None:
    assert message(tmp_path / "none.json").endswith(
        "cannot be read (No such file or directory); expected a model's config.json"
    )
    assert message(tmp_path) == "FILE: cannot be read (Is a directory); expected a model's config.json"
    assert message(write(tmp_path, "[1]")) == "FILE: holds a list, expected an object of keys and values"
    large = write(tmp_path, " " * (MOST_BYTES + 1))
    assert message(large) == "FILE: larger than 1,048,576 bytes, expected a model's config.json"
    assert message(write(tmp_path, "[" * 100_000)) == "FILE: not JSON text that can be read (RecursionError)"
    assert message(write(tmp_path, '{"a": ' + "9" * 5000 + "}")) == "FILE: not JSON text that can be read (ValueError)"
    (tmp_path / "config.json").write_bytes(b"\xff\xfe{}")
    assert message(tmp_path / "config.json") == "FILE: not JSON text that can be read (UnicodeDecodeError)"


def test_find_model_by_name_file_and_folder(tmp_path: Path) -> None:
    path = write(tmp_path, LLAMA)
    assert find_model("llama-2-7b") is zoo_model("llama-2-7b")
    assert find_model(str(path)) == find_model(str(tmp_path)) and find_model(str(path)).name == tmp_path.name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mixtral-8x7", "did you mean mixtral-8x7b or mixtral-8x22b or mistral-7b-v0.1?"),
        ("zzz", "see `archmodel list models`"),
    ],
)
def test_unknown_names(name: str, hint: str) -> None:
    for look in (find_model, zoo_model):
        with pytest.raises(SpecError) as error:
            look(name)
        assert str(error.value) == f"model {name!r}: neither in the zoo nor a config.json or a folder with one; {hint}"
