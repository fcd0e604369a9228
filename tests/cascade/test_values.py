"""Every shipped cascade computes softmax attention: against a reference query by query, on random and on hard inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archmodel.cascade.values import values
from archmodel.load import cascade_from_yaml, list_cascades, load_cascade
from archmodel.records.base import SpecError
from archmodel.records.cascade import Cascade, Masked
from archmodel.records.mask import Mask
from tests.cascade.attention import SMALL, Array, draw, merged, seen_by, small, softmax_attention

KEYS = SMALL["m1"] * SMALL["m0"]
FORWARD = tuple(name for name in list_cascades() if name != "backward")
PLAIN = ("three-pass", "deferred-division", "two-pass", "one-pass", "one-pass-causal", "one-pass-lambda")


def shrunk(name: str) -> Cascade:
    full = load_cascade(name)
    cascade = load_cascade(name, small(full.extent))
    if cascade.masked and cascade.masked.mask.window:
        return replace(cascade, masked=replace(cascade.masked, mask=replace(cascade.masked.mask, window=4, sink=2)))
    return cascade


def heads(cascade: Cascade, given: dict[str, Array]) -> list[tuple[Array, Array, Array, tuple[int, ...]]]:
    """(q [e,p], k [e,m], v [f,m], index of the output) of every head, from the inputs of any shipped cascade."""
    flat = {name: merged(array, KEYS) if cascade_ranks(cascade, name)[-2:] == ("m1", "m0") else array for name, array in given.items()}
    if "C" in flat:
        return [(np.concatenate([flat["QN"][h], flat["QR"][h]]), np.concatenate([flat["UK"][h] @ flat["C"], flat["KR"]]),
                 flat["UV"][h] @ flat["C"], (h,)) for h in range(SMALL["h"])]  # fmt: skip
    if flat["Q"].ndim == 4:
        return [(flat["Q"][h, g], flat["K"][h], flat["V"][h], (h, g)) for h in range(SMALL["h"]) for g in range(SMALL["g"])]
    k, v = flat["K"], flat["V"]
    if "KS" in flat:
        scale = np.repeat(flat["KS"], SMALL["m0"], axis=1) if flat["KS"].ndim == 2 else flat["KS"]
        zero = np.repeat(flat["KZ"], SMALL["m0"], axis=1) if flat.get("KZ", np.zeros(1)).ndim == 2 else flat.get("KZ", 0.0)
        k, v = k * scale + zero, v * flat["VS"] + flat.get("VZ", 0.0)
    return [(flat["Q"], k, v, ())]


def cascade_ranks(cascade: Cascade, name: str) -> tuple[str, ...]:
    return cascade.axes[name]


def check(cascade: Cascade, given: dict[str, Array]) -> None:
    result = values(cascade, given)["AV"]
    assert not np.isnan(result).any()
    for q, k, v, at in heads(cascade, given):
        np.testing.assert_allclose(result[at], softmax_attention(q, k, v, seen_by(cascade)), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("seed", range(5))
def test_random_inputs(name: str, seed: int) -> None:
    cascade = shrunk(name)
    check(cascade, draw(cascade, seed))


QUERIES = ("Q", "QN", "QR")


@pytest.mark.parametrize("name", FORWARD)
def test_equal_scores(name: str) -> None:
    """Every weight is one over the number of keys seen."""
    cascade = shrunk(name)
    given = draw(cascade, 0)
    for query in given.keys() & QUERIES:
        given[query][:] = 0.0
    check(cascade, given)
    if name in PLAIN and cascade.masked is None:
        np.testing.assert_allclose(values(cascade, given)["AV"][:, 0], given["V"].reshape(SMALL["f"], -1).mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("scale", [300.0, 1e8])
def test_extreme_scores(name: str, scale: float) -> None:
    """Scores whose exponential would overflow without the maximum, and most of which vanish beside it."""
    cascade = shrunk(name)
    given = draw(cascade, 1)
    for query in given.keys() & QUERIES:
        given[query] *= scale
    check(cascade, given)
    assert max(np.abs(array).max() for array in values(cascade, given).values() if np.isfinite(array).all()) > 3e2


@pytest.mark.parametrize("name", ["one-pass-causal", "one-pass-lambda"])
@pytest.mark.parametrize(
    "mask",
    [
        Mask(causal=True, offset=20),
        Mask(causal=True, first=12),
        Mask(causal=True, first=100),
        Mask(causal=True, offset=15, window=4),
        Mask(causal=True, offset=15, window=4, sink=3),
        Mask(query_block=3, key_block=6, blocks=((0, 1), (2, 0), (2, 3))),
        Mask(query_block=1, key_block=6, blocks=((0, 0), (1, 3), (8, 2))),
    ],
    ids=["cached", "first queries see nothing", "nobody sees anything", "window", "sink", "blocks", "pages of each query"],
)
def test_masks(name: str, mask: Mask) -> None:
    """The rows that see no key are 0: a defined result, no NaN."""
    cascade = replace(shrunk(name), masked=Masked("p", "m", mask))
    given = draw(cascade, 2)
    check(cascade, given)
    seen = seen_by(cascade)
    assert seen is not None
    assert not values(cascade, given)["AV"][:, ~seen.any(axis=1)].any()


def test_the_backward_pass_is_the_gradient() -> None:
    """By central differences of the forward pass, whose output is weighted by DO."""
    cascade = shrunk("backward")
    random = np.random.default_rng(3)
    q, k, v, do = (random.normal(0, 1, [SMALL[a], SMALL[b]]) for a, b in ("ep", "em", "fm", "fp"))
    scores = k.T @ q
    top = scores.max(axis=0)
    given = {"Q": q, "K": k, "V": v, "DO": do, "O": softmax_attention(q, k, v), "L": top + np.log(np.exp(scores - top).sum(axis=0))}
    found = values(cascade, given)
    for name, moved in (("DQ", q), ("DK", k), ("DV", v)):
        slope = np.zeros_like(moved)
        for at in np.ndindex(*moved.shape):
            ends = []
            for step in (1e-5, -1e-5):
                kept = moved[at]
                moved[at] = kept + step
                ends.append(float((softmax_attention(q, k, v) * do).sum()))
                moved[at] = kept
            slope[at] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(found[name], slope, rtol=1e-6, atol=1e-8)


def test_a_wrong_line_is_seen() -> None:
    """The comparison can fail: a numerator that is not rescaled."""
    from archmodel.load import cascade_to_yaml

    cascade = shrunk("one-pass")
    text = cascade_to_yaml(cascade)
    wrong = cascade_from_yaml(text.replace("RNV[f,m1,p] * PRM[m1,p]", "RNV[f,m1,p] * SPD[m1,p]"))
    with pytest.raises(AssertionError):
        check(wrong, draw(wrong, 0))


def test_inputs_are_checked() -> None:
    cascade = shrunk("three-pass")
    given = draw(cascade, 0)
    given["K"] = given["K"][:, :-1]
    with pytest.raises(SpecError, match=r"cascade three-pass: input K: found shape \(5, 23\), expected an array of \(5, 24\)"):
        values(cascade, given)
    del given["K"]
    with pytest.raises(SpecError, match="input K: found nothing, expected an array of"):
        values(cascade, given)


def test_what_is_too_large_is_refused_before_it_is_held() -> None:
    cascade = load_cascade("three-pass", {"m": 1 << 30})
    with pytest.raises(SpecError, match=r"cascade three-pass: [\d,]+ points, expected at most 134,217,728"):
        values(cascade, {})
