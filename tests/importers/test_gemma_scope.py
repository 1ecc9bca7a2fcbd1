"""Files of Gemma Scope, first and second release: what their paths say, and what their arrays become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from saeatlas.errors import InvalidInput, SaeatlasError, SourceError
from saeatlas.importers.sae_weights import SaeWeights
from saeatlas.progress import SILENT
from saeatlas.testing.sae_sources import D, N, gemma_arrays, imported

X = np.random.default_rng(3).normal(size=(30, D)).astype(np.float32)


def first_release(root: Path, repository: str, inside: str, arrays: dict[str, Any] | None = None) -> Path:
    folder = root / repository / inside
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", **(gemma_arrays() if arrays is None else arrays))
    return folder


def second_release(root: Path, folder: str, config: dict[str, Any] | None = None, **more: Any) -> Path:
    path = root / "gemma-scope-2-1b-pt" / folder
    path.mkdir(parents=True)
    arrays = {name.replace("W_", "w_"): array for name, array in gemma_arrays().items()}
    save_file({**arrays, **more}, path / "params.safetensors")
    if config is not None:
        (path / "config.json").write_text(json.dumps(config))
    return path


def test_encoding_is_a_strict_jumprelu_without_subtracting_the_bias(tmp_path: Path) -> None:
    arrays = gemma_arrays()
    folder = first_release(tmp_path, "gemma-scope-2b-pt-res", "layer_12/width_16k/average_l0_82", arrays)
    _, weights = imported(folder / "params.npz")
    pre = X @ arrays["W_enc"] + arrays["b_enc"]
    assert np.array_equal(weights.encode(X), np.where(pre > arrays["threshold"], np.maximum(pre, 0), 0))
    assert np.array_equal(weights.decoder(), arrays["W_dec"])


@pytest.mark.parametrize("compressed", [True, False])
def test_compressed_files_are_read(tmp_path: Path, *, compressed: bool) -> None:
    save = np.savez_compressed if compressed else np.savez
    save(tmp_path / "params.npz", **gemma_arrays())
    _, weights = imported(tmp_path)
    assert np.array_equal(weights.encoder(), gemma_arrays()["W_enc"].T)


PLACES = {
    ("gemma-scope-2b-pt-res", "layer_12/width_16k/average_l0_82"): (
        *("gemma-2-2b", "blocks.12.hook_resid_post", 12, 82.0, "jumprelu"),
    ),
    ("gemma-scope-9b-it-res", "layer_9/width_131k/average_l0_13"): (
        *("gemma-2-9b-it", "blocks.9.hook_resid_post", 9, 13.0, "jumprelu"),
    ),
    ("gemma-scope-27b-pt-mlp", "layer_0/width_65k/average_l0_7"): (
        *("gemma-2-27b", "blocks.0.hook_mlp_out", 0, 7.0, "jumprelu"),
    ),
    ("gemma-scope-2b-pt-att", "layer_3/width_16k/average_l0_5"): (
        *("gemma-2-2b", "blocks.3.attn.hook_z", 3, 5.0, "jumprelu"),
    ),
    ("gemma-scope-2b-pt-transcoders", "layer_3/width_16k/average_l0_5"): (
        *("gemma-2-2b", "blocks.3.ln2.hook_normalized", 3, 5.0, "jumprelu_transcoder"),
    ),
    ("models--google--gemma-scope-2b-pt-res/snapshots/abc", "layer_1/width_16k/average_l0_10"): (
        *("gemma-2-2b", "blocks.1.hook_resid_post", 1, 10.0, "jumprelu"),
    ),
    ("gemma-scope-2b-pt-res", "embedding/width_4k/average_l0_6"): (
        *("gemma-2-2b", "hook_embed", None, 6.0, "jumprelu"),
    ),
}


@pytest.mark.parametrize(("place", "facts"), PLACES.items(), ids=lambda one: one[0])
def test_path_says_what_the_file_is_of(tmp_path: Path, place: tuple[str, str], facts: tuple[Any, ...]) -> None:
    survey = SaeWeights(str(first_release(tmp_path, *place)), sae="s").survey(SILENT)
    identity = survey.identity
    assert (identity.model, identity.hook, identity.layer, identity.l0, identity.architecture) == facts
    assert (identity.width, identity.bos, identity.context_window) == (N, True, 1024)


def test_folder_above_is_enough_when_it_holds_one(tmp_path: Path) -> None:
    first_release(tmp_path, "gemma-scope-2b-pt-res", "layer_12/width_16k/average_l0_82")
    survey = SaeWeights(str(tmp_path / "gemma-scope-2b-pt-res"), sae="s").survey(SILENT)
    assert (survey.identity.layer, survey.identity.l0) == (12, 82.0)


def test_unknown_place_is_told_and_may_be_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "params.npz", **gemma_arrays())
    survey = SaeWeights(str(tmp_path), sae="s").survey(SILENT)
    assert survey.identity.model is None
    assert any("--model" in note for note in survey.notes)
    said = SaeWeights(str(tmp_path), sae="s", model="m", hook="h", layer=1).survey(SILENT).identity
    assert (said.model, said.hook, said.layer) == ("m", "h", 1)


def test_sae_of_the_embeddings_is_scaled(tmp_path: Path) -> None:
    _, weights = imported(first_release(tmp_path, "gemma-scope-2b-pt-res", "embedding/width_4k/average_l0_6"))
    assert np.allclose(weights.encoder(), gemma_arrays()["W_enc"].T / 2)
    assert np.allclose(weights.decoder(), gemma_arrays()["W_dec"] * 2)


def test_heads_are_flattened(tmp_path: Path) -> None:
    _, weights = imported(first_release(tmp_path, "gemma-scope-2b-pt-att", "layer_3/width_16k/average_l0_5"))
    assert np.array_equal(weights.encode(X.reshape(30, 2, 2)), weights.encode(X))


def test_other_spellings_of_the_path_are_not_taken_for_it(tmp_path: Path) -> None:
    folder = first_release(tmp_path, "my-gemma-scope-2b-pt-residuals", "layer_3/width_16k/average_l0_5")
    assert SaeWeights(str(folder), sae="s").survey(SILENT).identity.model is None


CONFIG = {
    "architecture": "jump_relu",
    "model_name": "gemma-v3-1b-pt",
    "hf_hook_point_in": "model.layers.7.output",
    "hf_hook_point_out": "model.layers.7.output",
}


def test_second_release_with_its_configuration(tmp_path: Path) -> None:
    atlas, weights = imported(second_release(tmp_path, "resid_post/layer_7_width_16k_l0_medium", CONFIG))
    identity = atlas.sae().identity
    assert (identity.model, identity.hook, identity.layer) == ("gemma-v3-1b-pt", "model.layers.7.output", 7)
    assert identity.architecture == "jumprelu"
    assert np.array_equal(weights.decoder(), gemma_arrays()["W_dec"])


@pytest.mark.parametrize(
    ("folder", "hook", "architecture"),
    [
        ("resid_post_all/layer_7_width_16k_l0_small", "model.layers.7.output", "jumprelu"),
        ("attn_out/layer_7_width_16k_l0_small", "model.layers.7.self_attn.o_proj.input", "jumprelu"),
        ("mlp_out/layer_7_width_16k_l0_small", "model.layers.7.post_feedforward_layernorm.output", "jumprelu"),
        (
            "transcoder/layer_7_width_16k_l0_small",
            "model.layers.7.pre_feedforward_layernorm.output",
            "jumprelu_transcoder",
        ),
    ],
)
def test_second_release_without_configuration(tmp_path: Path, folder: str, hook: str, architecture: str) -> None:
    identity = SaeWeights(str(second_release(tmp_path, folder)), sae="s").survey(SILENT).identity
    assert (identity.model, identity.hook, identity.layer) == ("gemma-3-1b-pt", hook, 7)
    assert identity.architecture == architecture


def test_affine_skip_connection_is_turned(tmp_path: Path) -> None:
    skip = np.random.default_rng(4).normal(size=(D, D)).astype(np.float32)
    folder = second_release(tmp_path, "transcoder/layer_7_width_16k_l0_small_affine", affine_skip_connection=skip)
    atlas, weights = imported(folder)
    assert atlas.sae().identity.architecture == "jumprelu_skip_transcoder"
    assert np.array_equal(weights.vector("W_skip"), skip.T)


def refused(source: Path, **fields: Any) -> SaeatlasError:
    with pytest.raises((SourceError, InvalidInput)) as caught:
        SaeWeights(str(source), sae="s", **fields).survey(SILENT)
    return caught.value


def test_cross_layer_transcoder_is_named(tmp_path: Path) -> None:
    folder = second_release(tmp_path, "clt/layer_7_width_16k", w_dec=np.zeros((N, 3, D), np.float32))
    assert "cross-layer" in refused(folder).message.lower()


@pytest.mark.parametrize("name", ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"])
def test_missing_array_is_named(tmp_path: Path, name: str) -> None:
    arrays = gemma_arrays()
    del arrays[name]
    np.savez(tmp_path / "params.npz", **arrays)
    error = refused(tmp_path)
    assert f"'{name.lower()}'" in error.message
    assert error.kind == "missing-dataset"


@pytest.mark.parametrize("name", ["W_enc", "W_dec", "b_enc", "b_dec", "threshold"])
def test_shape_that_does_not_fit_is_named(tmp_path: Path, name: str) -> None:
    arrays = gemma_arrays()
    np.savez(tmp_path / "params.npz", **{**arrays, name: np.concatenate([arrays[name], arrays[name]])})
    error = refused(tmp_path)
    assert error.kind == "shape-mismatch"
    assert str((N, D)) in error.message or name in error.message


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "params.npz", **{**gemma_arrays(), "b_dec": np.array([{}] * D, object)})
    assert refused(tmp_path).kind == "pickled-source"


def test_other_architectures_of_the_second_release_are_refused(tmp_path: Path) -> None:
    folder = second_release(tmp_path, "resid_post/layer_7_width_16k_l0_medium", {**CONFIG, "architecture": "topk"})
    assert "'topk'" in refused(folder).message


def test_scaling_factor_has_no_place_here(tmp_path: Path) -> None:
    np.savez(tmp_path / "params.npz", **gemma_arrays())
    assert "as they are" in refused(tmp_path, scaling_factor=2.0).message
