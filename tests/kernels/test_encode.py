"""Encoding by every architecture and option, against numbers worked out by hand."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from saeatlas.errors import InvalidInput
from saeatlas.kernels import encode as kernel
from saeatlas.kernels.encode import Codes, decode, encode, encode_sparse

# Three features in the plane: right, up, and left twice as long.
DIRECTIONS = np.array([[1, 0], [0, 1], [-2, 0]], np.float32)
B_ENC = np.array([0, -1, 1], np.float32)
B_DEC = np.array([1, 0], np.float32)
X = np.array([[3, 2], [-1, 0.5]], np.float32)
# pre = x @ E.T + b: row 0 [3, 1, -5], row 1 [-1, -0.5, 3]; with b_dec taken away row 0 [2, 1, -3], row 1 [-2, -.5, 5].


def linear(**more: Any) -> dict[str, Any]:
    return {"decoder": DIRECTIONS, "encoder": DIRECTIONS, "b_enc": B_ENC, "b_dec": B_DEC, **more}


def config(architecture: str, **more: Any) -> dict[str, Any]:
    return {"architecture": architecture, "apply_b_dec_to_input": False, "normalize_activations": "none", **more}


def test_standard_is_relu() -> None:
    assert encode(X, linear(), config("standard")).tolist() == [[3, 1, 0], [0, 0, 3]]


def test_decoder_bias_is_subtracted_when_asked() -> None:
    found = encode(X, linear(), config("standard", apply_b_dec_to_input=True))
    assert found.tolist() == [[2, 1, 0], [0, 0, 5]]


def test_topk_takes_k_then_relu() -> None:
    assert encode(X, linear(), config("topk", k=1)).tolist() == [[3, 0, 0], [0, 0, 3]]
    # The second of row 1 is negative: chosen, and 0 after the ReLU.
    assert encode(X, linear(), config("topk", k=2)).tolist() == [[3, 1, 0], [0, 0, 3]]


def test_topk_is_over_all_features_and_ties_take_the_lower_id() -> None:
    arrays = {"decoder": np.ones((4, 1)), "encoder": np.array([[1.0], [2.0], [2.0], [2.0]]), "b_enc": np.zeros(4)}
    assert encode(np.array([[1.0]]), arrays, config("topk", k=2)).tolist() == [[0, 2, 2, 0]]
    assert encode(np.array([[1.0]]), arrays, config("topk", k=4)).tolist() == [[1, 2, 2, 2]]


def test_abstopk_ranks_by_magnitude_and_keeps_the_sign() -> None:
    assert encode(X, linear(), config("abstopk", k=1)).tolist() == [[0, 0, -5], [0, 0, 3]]


def test_rescaling_by_decoder_norm_changes_choice_and_values() -> None:
    asked = config("topk", k=1, rescale_acts_by_decoder_norm=True)
    x = np.array([[-2.5, 4]], np.float32)
    # pre [-2.5, 3, 6] x norms [1, 1, 2]: the third is 12; decoding divides by 2 again.
    assert encode(x, linear(), asked).tolist() == [[0, 0, 12]]
    assert decode(np.array([[0, 0, 12]], np.float32), linear(), asked).tolist() == [[-12 + 1, 0]]
    assert encode(x, linear(), config("topk", k=1)).tolist() == [[0, 0, 6]]


def test_zero_decoder_row_is_no_division_by_zero() -> None:
    arrays = linear(decoder=np.array([[1, 0], [0, 0], [0, 2]], np.float32))
    asked = config("topk", k=3, rescale_acts_by_decoder_norm=True)
    assert encode(X[:1], arrays, asked).tolist() == [[3, 0, 0]]
    assert decode(np.array([[3, 0, 0]], np.float32), arrays, asked).tolist() == [[4, 0]]


@pytest.mark.parametrize("architecture", ["jumprelu", "jumprelu_transcoder"])
def test_jumprelu_threshold_is_strict(architecture: str) -> None:
    arrays = linear(threshold=np.array([3, 0.5, -10], np.float32))
    # 3 > 3 is false; a threshold below 0 still leaves a ReLU.
    assert encode(X, arrays, config(architecture)).tolist() == [[0, 1, 0], [0, 0, 3]]


def test_gated_gate_and_magnitude_have_their_own_biases() -> None:
    arrays = {
        "decoder": DIRECTIONS,
        "encoder": DIRECTIONS,
        "b_gate": np.array([-3, 0, 0], np.float32),
        "b_mag": np.array([0, 1, -1], np.float32),
        "r_mag": np.log(np.array([1, 2, 4])).astype(np.float32),
    }
    # x @ E.T: [3, 2, -6], [-1, .5, 2]. Gates: 3 - 3 = 0 is shut. Magnitudes: [., 5, .], [., 2, 7].
    assert encode(X, arrays, config("gated")).tolist() == [[0, 5, 0], [0, 2, 7]]


@pytest.mark.parametrize("architecture", sorted(kernel.TRANSCODERS))
def test_transcoder_never_subtracts_the_output_bias(architecture: str) -> None:
    arrays = linear(
        decoder=np.ones((3, 5), np.float32),
        b_dec=np.full(5, 7, np.float32),
        threshold=np.zeros(3, np.float32),
        W_skip=np.ones((5, 2), np.float32),
    )
    asked = config(architecture, apply_b_dec_to_input=True)
    found = encode(X, arrays, asked)
    assert found.tolist() == [[3, 1, 0], [0, 0, 3]]
    skips = "skip" in architecture
    if not skips:
        del arrays["W_skip"]
    assert decode(found, arrays, asked, X).tolist() == [[4 + 7 + 5 * skips] * 5, [3 + 7 - 0.5 * skips] * 5]


def test_skip_connection_needs_the_hidden_states() -> None:
    arrays = linear(W_skip=np.zeros((2, 2), np.float32))
    with pytest.raises(InvalidInput, match="skip connection"):
        decode(np.zeros((1, 3), np.float32), arrays, config("skip_transcoder"))


def test_constant_norm_rescale_makes_every_row_as_long_as_the_root_of_d() -> None:
    asked = config("standard", normalize_activations="constant_norm_rescale")
    arrays = {"decoder": np.eye(2), "encoder": np.eye(2), "b_enc": np.zeros(2), "b_dec": np.zeros(2)}
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    found = encode(x, arrays, asked)
    assert np.allclose(found, [[3 / 5 * 2**0.5, 4 / 5 * 2**0.5], [0, 0]])
    assert np.allclose(decode(found, arrays, asked, x), x)


def test_layer_norm_has_the_unbiased_std() -> None:
    asked = config("standard", normalize_activations="layer_norm")
    arrays = {"decoder": np.eye(3), "encoder": np.eye(3), "b_enc": np.full(3, 5.0), "b_dec": np.full(3, -5.0)}
    x = np.array([[1.0, 2.0, 6.0]])
    # mean 3, std sqrt((4 + 1 + 9) / 2) = sqrt 7.
    scaled = (x - 3) / (7**0.5 + 1e-5)
    found = encode(x, arrays, asked)
    assert np.allclose(found, scaled + 5, rtol=1e-14)
    assert np.allclose(decode(found, arrays, asked, x), scaled * 7**0.5 + 3, rtol=1e-14)


def test_scaling_factor_goes_in_and_comes_out() -> None:
    asked = config("standard", normalize_activations="expected_average_only_in", scaling_factor=0.5)
    found = encode(X, linear(), asked)
    assert found.tolist() == [[1.5, 0, 0], [0, 0, 2]]
    assert decode(found, linear(), asked).tolist() == [[2 * 2.5, 0], [2 * (-4 + 1), 0]]


def test_unknown_scaling_factor_is_an_error_and_not_one() -> None:
    with pytest.raises(InvalidInput, match="do not say by what") as caught:
        encode(X, linear(), config("standard", normalize_activations="expected_average_only_in"))
    assert "--scaling-factor" in caught.value.hint


def test_whitening_that_is_not_in_the_weights_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="whitens"):
        encode(X, linear(), config("standard", normalize_activations="covariance_whitening"))


def test_normalisation_by_row_cannot_be_undone_without_the_rows() -> None:
    with pytest.raises(InvalidInput, match="layer_norm"):
        decode(np.zeros((1, 3), np.float32), linear(), config("standard", normalize_activations="layer_norm"))


@pytest.mark.parametrize("name", ["batchnorm", None, True])
def test_unknown_normalisation_is_refused(name: object) -> None:
    with pytest.raises(InvalidInput, match="normalisation"):
        encode(X, linear(), config("standard", normalize_activations=name))


def test_heads_are_flattened() -> None:
    asked = config("standard", reshape_activations="hook_z")
    heads = X.reshape(2, 2, 1)
    assert encode(heads, linear(), asked).tolist() == [[3, 1, 0], [0, 0, 3]]
    assert encode(X, linear(), asked).tolist() == [[3, 1, 0], [0, 0, 3]]
    with pytest.raises(InvalidInput, match="2 numbers"):
        encode(heads, linear(), config("standard"))


def test_leading_axes_stay() -> None:
    assert encode(X.reshape(1, 2, 2), linear(), config("standard")).shape == (1, 2, 3)
    assert encode(X[0], linear(), config("standard")).tolist() == [3, 1, 0]
    assert encode(np.empty((0, 2)), linear(), config("standard")).shape == (0, 3)


def test_matching_pursuit_takes_the_best_of_what_is_left() -> None:
    root = 0.5**0.5
    decoder = np.array([[1, 0], [0, 1], [root, root]])
    asked = config("matching_pursuit", residual_threshold=1e-2)
    # [3, 1]: feature 0 takes 3, feature 1 takes 1, and nothing is left.
    assert np.allclose(encode(np.array([[3.0, 1.0]]), {"decoder": decoder}, asked), [[3, 1, 0]])
    # [3, 2]: feature 2 takes 5 / sqrt 2 and leaves [.5, -.5], of which feature 0 takes .5.
    once = encode(np.array([[3.0, 2.0]]), {"decoder": decoder}, {**asked, "max_iterations": 1})
    assert np.allclose(once, [[0, 0, 5 * root]])
    twice = encode(np.array([[3.0, 2.0]]), {"decoder": decoder}, {**asked, "max_iterations": 2})
    assert np.allclose(twice, [[0.5, 0, 5 * root]])


def test_matching_pursuit_stops_short_of_the_threshold_and_when_nothing_helps() -> None:
    decoder = np.array([[1.0, 0.0], [0.0, 1.0]])
    asked = config("matching_pursuit", residual_threshold=1.5, max_iterations=9)
    assert encode(np.array([[3.0, 1.0], [-1.0, -1.0]]), {"decoder": decoder}, asked).tolist() == [[3, 0], [0, 0]]


def test_matching_pursuit_decodes_with_the_bias_only_where_it_was_subtracted() -> None:
    arrays = {"decoder": np.eye(2), "b_dec": np.array([5.0, 5.0])}
    codes = np.array([[1.0, 0.0]])
    assert decode(codes, arrays, config("matching_pursuit")).tolist() == [[1, 0]]
    assert decode(codes, arrays, config("matching_pursuit", apply_b_dec_to_input=True)).tolist() == [[6, 5]]


def temporal(n: int, **changed: Any) -> dict[str, Any]:
    """Two axes as features; attention copies the context's codes unless changed."""
    parts = {"k_ctx": np.zeros((2, n)), "q_target": np.zeros((2, n)), "v_ctx": np.eye(n), "c_proj": np.eye(n)}
    arrays: dict[str, Any] = {"decoder": np.eye(n), "b_dec": np.zeros(n)}
    for name, weight in {**parts, **changed}.items():
        arrays[f"attn_layers.0.{name}.weight"] = weight
        arrays[f"attn_layers.0.{name}.bias"] = np.zeros(len(weight))
    return arrays


def test_temporal_encodes_what_the_past_does_not_predict() -> None:
    asked = config("temporal", n_heads=1, tied_weights=True, sae_diff_type="relu")
    x = np.array([[8.0, 0.0], [8.0, 8.0]])
    found = encode(x, temporal(2), asked)
    # Codes are x / 8. Position 0 has no past. At position 1, uniform attention over [0, 0] and [1, 0] predicts
    # [.5, 0]: the projection of [8, 8] on it takes [8, 0] away, and [0, 8] is new.
    assert np.allclose(found, [[1, 0], [0, 1]], atol=1e-5)
    assert np.allclose(decode(found, temporal(2), asked), [[1, 0], [0, 1]], atol=1e-5)


def test_temporal_sequences_do_not_see_each_other() -> None:
    asked = config("temporal", n_heads=2, tied_weights=True, sae_diff_type="topk", kval_topk=1)
    rng = np.random.default_rng(0)
    changed = {name: rng.normal(size=(2 if name in {"k_ctx", "q_target"} else 4, 4)) for name in ("k_ctx", "v_ctx")}
    arrays = temporal(4, **changed)
    x = rng.normal(size=(3, 5, 4))
    both = encode(x, arrays, asked)
    assert both.shape == (3, 5, 4)
    assert all(np.array_equal(both[i], encode(x[i], arrays, asked)) for i in range(3))
    assert (np.count_nonzero(both, axis=2) <= 1).all()
    with pytest.raises(InvalidInput, match="sequence"):
        encode(x[0, 0], arrays, asked)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_have_the_type_of_the_weights(dtype: Any) -> None:
    arrays = {name: array.astype(dtype) for name, array in linear().items()}
    assert encode(X.astype(np.float16), arrays, config("standard")).dtype == dtype
    assert encode_sparse(X, arrays, config("standard")).values.dtype == dtype
    assert decode(encode(X, arrays, config("standard")), arrays, config("standard")).dtype == dtype


def test_sparse_is_what_dense_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    arrays = {"decoder": rng.normal(size=(30, 6)), "encoder": rng.normal(size=(30, 6)), "b_enc": rng.normal(size=30)}
    x = rng.normal(size=(50, 6))
    asked = config("abstopk", k=4)
    whole = encode(x, arrays, asked)
    monkeypatch.setattr(kernel, "_BLOCK_BYTES", 30 * 8 * 7)
    found = encode_sparse(x, arrays, asked)
    assert np.diff(found.indptr).tolist() == [4] * 50
    dense = np.zeros_like(whole)
    dense[np.repeat(np.arange(50), 4), found.features] = found.values
    assert np.allclose(dense, whole, rtol=1e-14, atol=0)
    assert np.allclose(decode(found, arrays, asked), whole @ arrays["decoder"], rtol=1e-13)


def test_sparse_rows_may_be_empty() -> None:
    found = encode_sparse(np.full((3, 2), -9.0), {**linear(), "b_enc": np.full(3, -99.0)}, config("standard"))
    assert found.indptr.tolist() == [0, 0, 0, 0]
    assert decode(found, linear(), config("standard")).tolist() == [[1, 0]] * 3
    assert decode(Codes(np.zeros(1, np.int64), found.features, found.values), linear(), config("topk", k=1)).size == 0


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_BLOCK_BYTES", 400_000)
    arrays = {"decoder": np.ones((500, 4), np.float32), "encoder": np.ones((500, 4), np.float32)}
    arrays["b_enc"] = np.full(500, -100, np.float32)
    x = np.ones((20_000, 4), np.float32)
    tracemalloc.start()
    encode_sparse(x, arrays, config("topk", k=8))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000 < 20_000 * 500 * 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"architecture": "crosscoder"}, "crosscoder"),
        ({"architecture": "jumprelu"}, "'threshold'"),
        ({"architecture": "topk"}, "k must be"),
        ({"architecture": "topk", "k": 4}, "from 1 to 3"),
        ({"architecture": "topk", "k": 2.0}, "k must be"),
    ],
)
def test_what_cannot_be_encoded_is_named(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        encode(X, linear(), {**config("standard"), **changed})


def test_hidden_states_that_are_not_finite_are_named() -> None:
    with pytest.raises(InvalidInput, match="Hidden state 1 is not finite: nan at 0"):
        encode(np.array([[1, 2], [np.nan, 0]]), linear(), config("standard"))
