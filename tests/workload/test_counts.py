"""Every golden integer, by formula; the closed forms against brute force; the fields against bad values."""

from __future__ import annotations

import pytest

from archmodel.records.base import SpecError
from archmodel.workload.counts import attended, bytes_of, keys
from archmodel.workload.model import Model, model_from_fields
from archmodel.workload.zoo import zoo_model, zoo_names

from .helpers import golden

TINY = {"hidden": 64, "layers": 4, "heads": 8, "kv_heads": 2, "ffn": 128, "vocab": 100, "gated": True}


def tiny(**changes: object) -> Model:
    return model_from_fields("tiny", TINY | changes)


def test_the_zoo_has_exactly_the_golden_models() -> None:
    assert list(zoo_names()) == list(golden()) and len(golden()) == 33


@pytest.mark.parametrize("name", list(golden()))
def test_all_golden_integers(name: str) -> None:
    totals, expected = zoo_model(name).totals(), golden()[name]
    for key, value in expected.items():
        assert totals[key] == value, key


def test_golden_integers_are_442() -> None:
    def leaves(tree: object) -> int:
        return sum(map(leaves, tree.values())) if isinstance(tree, dict) else 1

    assert leaves(golden()) == 442


@pytest.mark.parametrize("window", [0, 1, 2, 5, 9, 100])
@pytest.mark.parametrize("cached", [0, 1, 4, 5, 30])
@pytest.mark.parametrize("new", [1, 2, 5, 12])
def test_attended_and_keys_against_enumeration(new: int, cached: int, window: int) -> None:
    pairs = {(q, k) for q in range(cached, cached + new) for k in range(q + 1) if not window or q - k < window}
    assert attended(new, cached, window) == len(pairs)
    assert keys(new, cached, window) == len({k for _, k in pairs})


def test_bytes_round_up() -> None:
    assert [bytes_of(n, bits) for n, bits in ((3, 4), (1, 1), (8, 8), (5, 6))] == [2, 1, 8, 4]


def test_defaults_of_left_out_fields() -> None:
    model = model_from_fields("m", {"hidden": 64, "layers": 1, "heads": 4, "ffn": 8, "vocab": 9, "attn_bias": True})
    assert (model.kv_heads, model.head_dim, model.o_bias, model.act, model.moe_gated) == (4, 16, True, "gelu", False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"layers": 0}, "model tiny: layers is 0, expected an integer from 1 to 10000"),
        ({"hidden": -64}, "model tiny: hidden is -64, expected an integer from 1 to 1000000000"),
        ({"ffn": 12.5}, "model tiny: ffn is 12.5, expected an integer from 0 to 1000000000"),
        ({"ffn": True}, "model tiny: ffn is True, expected an integer from 0 to 1000000000"),
        ({"vocab": 2_000_000_000}, "model tiny: vocab is 2000000000, expected an integer from 0 to 1000000000"),
        ({"kv_heads": 3}, "model tiny: kv_heads is 3, expected a divisor of the 8 query heads"),
        ({"heads": 7}, "model tiny: heads is 7, expected a divisor of the hidden size 64, or head_dim given"),
        ({"ffn": 0}, "model tiny: ffn is 0, expected at least 1, as some layers have a dense FFN"),
        ({"experts": 4, "moe_ffn": 8}, "model tiny: topk is 0, expected an integer from 1 to 4"),
        ({"norm": "batch"}, "model tiny: norm is 'batch', expected one of rms, ln"),
        ({"tied": 1}, "model tiny: tied is 1, expected true or false"),
        ({"window_pattern": "wx"}, "model tiny: window_pattern is 'wx', expected letters w (windowed) and f (full)"),
        ({"norms_per_block": 3}, "model tiny: norms_per_block is 3, expected 2 or 4"),
        ({"positions": "learned"}, "model tiny: position_table is 0, expected an integer from 1 to 1000000000"),
        ({"patch": 16, "image": 100}, "model tiny: image is (100, 100), expected multiples of the patch size 16"),
        ({"patch": 16, "image": "abc"}, "model tiny: image is 'abc', expected height and width in pixels"),
        ({"kv_lora_rank": 16, "qk_nope": 4}, "model tiny: qk_rope is None, expected an integer from 1 to 1000000000"),
        ({"decoder_layers": 2, "encoder": True},
         "model tiny: decoder_layers is 2, expected 0 for an encoder, a MoE or latent attention"),
    ],
)  # fmt: skip
def test_bad_fields(changes: dict[str, object], text: str) -> None:
    with pytest.raises(SpecError) as error:
        tiny(**changes)
    assert str(error.value) == text


def test_unknown_and_missing_fields() -> None:
    with pytest.raises(SpecError, match=r"^model tiny: unknown field 'hiden', expected one of act, attn_bias, "):
        tiny(hiden=3)
    with pytest.raises(SpecError, match=r"^model m: layers is missing, expected an integer of at least 1$"):
        model_from_fields("m", {"hidden": 3})
