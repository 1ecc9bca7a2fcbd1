"""Every architecture and age of SAELens' directories encodes as it was trained to."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.importers.sae_weights import SaeWeights
from saeatlas.kernels.encode import decode, encode
from saeatlas.progress import SILENT
from saeatlas.testing.sae_sources import CFG, D, N, imported, saelens_directory, state_dict

X = np.random.default_rng(5).normal(size=(40, D)).astype(np.float32)
METADATA: dict[str, Any] = CFG["metadata"]


def ours(tensors: dict[str, Any]) -> dict[str, Any]:
    """Tensors of SAELens in our layout, as the kernel takes them."""
    arrays = {name: array for name, array in tensors.items() if name not in {"W_enc", "W_dec"}}
    if "W_enc" in tensors:
        arrays["encoder"] = np.ascontiguousarray(tensors["W_enc"].T)
    return {**arrays, "decoder": tensors["W_dec"]}


def arrays_of(weights: Any) -> dict[str, Any]:
    return {name: weights._whole(name) for name in weights.names}


def survey_notes(directory: Path, **fields: Any) -> str:
    return "\n".join(SaeWeights(str(directory), sae="s", **fields).survey(SILENT).notes)


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "standard": {},
    "gated": {},
    "topk": {"k": 3},
    "abstopk": {"k": 3, "rescale_acts_by_decoder_norm": True},
    "jumprelu": {},
    "transcoder": {"d_out": 6, "apply_b_dec_to_input": False},
    "skip_transcoder": {"d_out": 6, "apply_b_dec_to_input": False},
    "jumprelu_transcoder": {"d_out": 6, "apply_b_dec_to_input": False},
    "jumprelu_skip_transcoder": {"d_out": 6, "apply_b_dec_to_input": False},
    "temporal": {"n_heads": 2, "bottleneck_factor": 3, "n_attn_layers": 1, "sae_diff_type": "topk", "kval_topk": 4},
    "matching_pursuit": {"max_iterations": 3},
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architecture_encodes_as_its_tensors_say(tmp_path: Path, architecture: str) -> None:
    changed = {"architecture": architecture, **ARCHITECTURES[architecture]}
    tensors = state_dict(architecture)
    atlas, weights = imported(saelens_directory(tmp_path / "s", tensors, **changed))
    expected = encode(X, ours(tensors), {**CFG, **changed})
    assert np.array_equal(weights.encode(X), expected)
    assert np.count_nonzero(expected)
    assert atlas.sae().identity.architecture == architecture
    out = decode(expected, ours(tensors), {**CFG, **changed}, X)
    assert np.array_equal(decode(expected, arrays_of(weights), weights.config, X), out)


def test_topk_is_no_relu(tmp_path: Path) -> None:
    atlas, weights = imported(saelens_directory(tmp_path / "s", architecture="topk", k=3, apply_b_dec_to_input=False))
    tensors = state_dict("topk")
    positive = np.count_nonzero(X @ tensors["W_enc"] + tensors["b_enc"] > 0, axis=1)
    assert (positive > 3).any()
    assert np.array_equal(np.count_nonzero(weights.encode(X), axis=1), np.minimum(positive, 3))
    assert atlas.sae().identity.k == 3


OLD = {
    "d_in": D,
    "d_sae": N,
    "dtype": "torch.float32",
    "model_name": "gpt2-small",
    "hook_point": "blocks.8.hook_resid_pre",
    "hook_point_layer": 8,
    "context_size": 128,
    "activation_fn_str": "relu",
    "normalize_activations": False,
    "sae_lens_training_version": None,
}


def test_old_names_and_defaults(tmp_path: Path) -> None:
    atlas, weights = imported(saelens_directory(tmp_path / "s", state_dict(), OLD))
    identity = atlas.sae().identity
    assert (identity.model, identity.hook, identity.layer) == ("gpt2-small", "blocks.8.hook_resid_pre", 8)
    assert (identity.bos, identity.architecture, identity.context_window) == (True, "standard", 128)
    assert np.array_equal(weights.encode(X), encode(X, ours(state_dict()), {**CFG, "apply_b_dec_to_input": True}))


@pytest.mark.parametrize("name", ["activation_fn_str", "activation_fn"])
def test_topk_hidden_in_the_activation_function_is_found(tmp_path: Path, name: str) -> None:
    old = {**OLD, "activation_fn_str": None, name: "topk", "activation_fn_kwargs": {"k": 2}}
    atlas, weights = imported(saelens_directory(tmp_path / "s", state_dict(), old))
    assert (atlas.sae().identity.architecture, atlas.sae().identity.k) == ("topk", 2)
    assert (np.count_nonzero(weights.encode(X), axis=1) <= 2).all()


def test_topk_hidden_in_the_activation_function_without_k_is_refused(tmp_path: Path) -> None:
    old = {**OLD, "activation_fn_str": "topk"}
    with pytest.raises(SourceError, match="activation_fn_kwargs"):
        survey_notes(saelens_directory(tmp_path / "s", state_dict(), old))


def test_old_hook_z_is_flattened(tmp_path: Path) -> None:
    old = {**OLD, "hook_point": "blocks.8.attn.hook_z"}
    _, weights = imported(saelens_directory(tmp_path / "s", state_dict(), old))
    assert np.array_equal(weights.encode(X.reshape(40, 2, D // 2)), weights.encode(X))


def test_log_threshold_of_old_checkpoints_is_a_threshold(tmp_path: Path) -> None:
    tensors = state_dict("jumprelu")
    old = {**tensors, "log_threshold": np.log(tensors["threshold"])}
    del old["threshold"]
    _, weights = imported(saelens_directory(tmp_path / "s", old, architecture="jumprelu"))
    assert np.allclose(weights.vector("threshold"), tensors["threshold"], rtol=1e-6)
    expected = encode(X, ours(tensors), {**CFG, "architecture": "jumprelu"})
    assert np.allclose(weights.encode(X), expected)


def test_factors_of_one_are_dropped_and_others_need_the_flag(tmp_path: Path) -> None:
    tensors = {**state_dict(), "scaling_factor": np.ones(N, np.float32)}
    _, weights = imported(saelens_directory(tmp_path / "ones", tensors))
    assert np.array_equal(weights.decoder(), tensors["W_dec"])
    tensors["scaling_factor"][3] = 2
    with pytest.raises(Exception, match="finetuning_scaling_factor"):
        imported(saelens_directory(tmp_path / "two", tensors))
    _, weights = imported(saelens_directory(tmp_path / "flag", tensors, finetuning_scaling_factor=True))
    assert np.array_equal(weights.decoder(3, 4), 2 * tensors["W_dec"][3:4])
    assert np.array_equal(weights.decoder(4), tensors["W_dec"][4:])


@pytest.mark.parametrize("stored", ["bfloat16", "float16"])
def test_half_precision_is_widened_exactly(tmp_path: Path, stored: str) -> None:
    directory = saelens_directory(tmp_path / "s", dtype=stored)
    tensors = state_dict()
    if stored == "float16":
        save_file({n: np.ascontiguousarray(a.astype(np.float16)) for n, a in tensors.items()}, path_of(directory))
        expected = tensors["W_dec"].astype(np.float16).astype(np.float32)
    else:
        write_bfloat16(path_of(directory), tensors)
        expected = (tensors["W_dec"].view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    _, weights = imported(directory)
    assert weights.decoder().dtype == np.float32
    assert np.array_equal(weights.decoder(), expected)


def path_of(directory: Path) -> Path:
    return directory / "sae_weights.safetensors"


def write_bfloat16(path: Path, tensors: dict[str, Any]) -> None:
    header, data = {}, b""
    for name, array in tensors.items():
        half = (np.ascontiguousarray(array).view(np.uint32) >> 16).astype(np.uint16).tobytes()
        offsets = [len(data), len(data) + len(half)]
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": offsets}
        data += half
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_float64_stays_float64(tmp_path: Path) -> None:
    tensors = {name: array.astype(np.float64) for name, array in state_dict().items()}
    _, weights = imported(saelens_directory(tmp_path / "s", tensors))
    assert weights.encode(X).dtype == np.float64


SCALED = {"normalize_activations": "expected_average_only_in"}


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_checkpoint_with_its_scaler_encodes_hidden_states_as_they_are(tmp_path: Path, architecture: str) -> None:
    changed = {**SCALED, "architecture": architecture, **ARCHITECTURES[architecture]}
    if architecture == "abstopk":
        changed["rescale_acts_by_decoder_norm"] = False
    directory = saelens_directory(tmp_path / "s", state_dict(architecture), **changed)
    (directory / "activation_scaler.json").write_text('{"scaling_factor": 0.25, "has_whitening": false}')
    atlas, weights = imported(directory)
    scaled = {**CFG, **changed, "normalize_activations": "none"}
    codes = encode(X * np.float32(0.25), ours(state_dict(architecture)), scaled)
    # The codes of a tied SAE are in the units of the hidden states once these are no longer scaled.
    unit = 4 if architecture == "matching_pursuit" else 1
    assert np.allclose(weights.encode(X), codes * unit, atol=1e-5)
    assert "scaling" not in survey_notes(directory)
    if not (architecture == "temporal" or "transcoder" in architecture):
        out = decode(codes, ours(state_dict(architecture)), scaled) * 4
        assert np.allclose(decode(weights.encode(X), arrays_of(weights), weights.config), out, atol=1e-4)
        assert atlas.sae().identity.input_normalization == "none"


def test_checkpoint_without_its_scaler_says_so_and_does_not_guess(tmp_path: Path) -> None:
    directory = saelens_directory(tmp_path / "s", **SCALED)
    assert "--scaling-factor" in survey_notes(directory)
    atlas, weights = imported(directory)
    assert atlas.sae().identity.input_normalization == "expected_average_only_in"
    with pytest.raises(InvalidInput, match="do not say by what"):
        weights.encode(X)
    _, told = imported(directory, scaling_factor=1.0)
    assert np.array_equal(told.encode(X), encode(X, ours(state_dict()), CFG))


def test_scaling_factors_that_disagree_or_mean_nothing_are_refused(tmp_path: Path) -> None:
    directory = saelens_directory(tmp_path / "s", **SCALED)
    (directory / "activation_scaler.json").write_text('{"scaling_factor": 0.25}')
    with pytest.raises(InvalidInput, match=r"0\.25"):
        survey_notes(directory, scaling_factor=0.5)
    (directory / "activation_scaler.json").write_text('{"scaling_factor": -1}')
    with pytest.raises(SourceError, match="above 0"):
        survey_notes(directory)
    with pytest.raises(InvalidInput, match="normalised by 'none'"):
        survey_notes(saelens_directory(tmp_path / "t"), scaling_factor=0.5)
    idle = saelens_directory(tmp_path / "u")
    (idle / "activation_scaler.json").write_text('{"scaling_factor": 0.25}')
    assert "not applied" in survey_notes(idle)


def whiten(directory: Path) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(9)
    matrix = rng.normal(size=(D, D)) + 2 * np.eye(D)
    mean = rng.normal(size=D)
    inverse = np.linalg.inv(matrix)
    save_file(
        {"mean": mean, "matrix": matrix, "inverse_matrix": inverse}, directory / "activation_whitening.safetensors"
    )
    return mean, matrix, inverse


@pytest.mark.parametrize("applies", [True, False])
@pytest.mark.parametrize("architecture", ["standard", "gated", "jumprelu", "topk"])
def test_whitening_is_folded_in(tmp_path: Path, architecture: str, *, applies: bool) -> None:
    more: dict[str, Any] = {"architecture": architecture, "apply_b_dec_to_input": applies}
    more |= {"k": 3, "rescale_acts_by_decoder_norm": True} if architecture == "topk" else {}
    tensors = {name: array.astype(np.float64) for name, array in state_dict(architecture).items()}
    directory = saelens_directory(tmp_path / "s", tensors, normalize_activations="covariance_whitening", **more)
    mean, matrix, inverse = whiten(directory)
    _, weights = imported(directory)
    inner = {**CFG, **more}
    codes = encode((X - mean) @ matrix, ours(tensors), inner)
    assert np.allclose(weights.encode(X), codes, atol=1e-9)
    out = decode(codes, ours(tensors), inner) @ inverse + mean
    assert np.allclose(decode(weights.encode(X), arrays_of(weights), weights.config), out, atol=1e-9)


def test_whitening_of_what_cannot_take_it_is_refused(tmp_path: Path) -> None:
    directory = saelens_directory(
        tmp_path / "s", architecture="matching_pursuit", normalize_activations="covariance_whitening"
    )
    whiten(directory)
    with pytest.raises(SourceError, match="cannot be folded"):
        survey_notes(directory)


@pytest.mark.parametrize("rescaled", [True, False])
@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka_batchtopk"])
def test_batch_topk_in_training_becomes_the_jumprelu_that_it_is_in_use(
    tmp_path: Path, architecture: str, *, rescaled: bool
) -> None:
    tensors = {**state_dict(), "topk_threshold": np.float64(0.8)}
    directory = saelens_directory(
        tmp_path / "s", tensors, architecture=architecture, k=2.5, rescale_acts_by_decoder_norm=rescaled
    )
    atlas, weights = imported(directory)
    norms = np.linalg.norm(tensors["W_dec"], axis=1) if rescaled else np.ones(N)
    pre = ((X - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]) * norms
    expected = np.where(pre > 0.8, np.maximum(pre, 0), 0)
    assert np.allclose(weights.encode(X), expected, atol=1e-5)
    out = expected / norms @ tensors["W_dec"] + tensors["b_dec"]
    assert np.allclose(decode(weights.encode(X), arrays_of(weights), weights.config), out, atol=1e-5)
    assert atlas.sae().identity.architecture == "jumprelu"


def test_scale_and_norms_of_a_batch_topk_fold_together(tmp_path: Path) -> None:
    tensors = {**state_dict(), "topk_threshold": np.float64(0.3)}
    directory = saelens_directory(
        tmp_path / "s", tensors, architecture="batchtopk", rescale_acts_by_decoder_norm=True, **SCALED
    )
    (directory / "activation_scaler.json").write_text('{"scaling_factor": 2.0}')
    _, weights = imported(directory)
    norms = np.linalg.norm(tensors["W_dec"], axis=1)
    pre = ((2 * X - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]) * norms
    codes = np.where(pre > 0.3, np.maximum(pre, 0), 0)
    assert np.allclose(weights.encode(X), codes / 2, atol=1e-5)
    out = (codes / norms @ tensors["W_dec"] + tensors["b_dec"]) / 2
    assert np.allclose(decode(weights.encode(X), arrays_of(weights), weights.config), out, atol=1e-5)


def test_sparsity_becomes_the_share_of_training_tokens(tmp_path: Path) -> None:
    directory = saelens_directory(tmp_path / "s")
    logarithm = np.linspace(-10, 0, N).astype(np.float32)
    logarithm[0] = -np.inf
    save_file({"sparsity": logarithm}, directory / "sparsity.safetensors")
    _, weights = imported(directory)
    found = weights.vector("firing_frequency")
    assert found is not None
    assert found[0] == 0
    assert np.allclose(found[1:], 10.0 ** logarithm[1:].astype(np.float64), rtol=1e-12)


@pytest.mark.parametrize(("bad", "size"), [(np.nan, N), (1.0, N), (-1.0, N + 1)])
def test_sparsity_that_cannot_be_is_refused(tmp_path: Path, bad: float, size: int) -> None:
    directory = saelens_directory(tmp_path / "s")
    save_file({"sparsity": np.full(size, bad, np.float32)}, directory / "sparsity.safetensors")
    with pytest.raises(SourceError, match="sparsity"):
        survey_notes(directory)


@pytest.mark.parametrize("metadata", ["blocks.3", 3, ["blocks.3"]])
def test_metadata_that_is_no_object_is_refused(tmp_path: Path, metadata: object) -> None:
    with pytest.raises(SourceError, match="'metadata' must be an object"):
        SaeWeights(str(saelens_directory(tmp_path / "s", cfg={**CFG, "metadata": metadata})), sae="s").survey(SILENT)


def test_tied_temporal_has_no_encoder(tmp_path: Path) -> None:
    changed = {"architecture": "temporal", **ARCHITECTURES["temporal"]}
    tensors = {**state_dict("temporal"), "W_enc": np.zeros((D, N), np.float32)}
    _, tied = imported(saelens_directory(tmp_path / "tied", tensors, **changed))
    assert not tied.has_encoder
    _, own = imported(saelens_directory(tmp_path / "own", tensors, **changed, tied_weights=False))
    assert own.has_encoder


def save_with_sae_lens(directory: Path, architecture: str, **changed: Any) -> Any:
    """Train nothing: make an SAE of SAELens with random weights, save it, and return its own codes."""
    with warnings.catch_warnings():
        # Its imports warn about things of their own.
        warnings.simplefilter("ignore")
        import sae_lens as library
        import torch

    torch.manual_seed(0)
    config = {"d_in": D, "d_sae": N, "architecture": architecture, **changed, "device": "cpu", "dtype": "float32"}
    sae = library.SAE.from_dict({**config, "metadata": {**METADATA, "model_from_pretrained_kwargs": None}})
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.normal_(0, 0.5)
    sae.save_model(directory)
    with torch.no_grad():
        return library.SAE.load_from_disk(directory).encode(torch.from_numpy(X)[None])[0].numpy()


def save_by_hand(directory: Path, architecture: str, **changed: Any) -> Any:
    saelens_directory(directory, state_dict(architecture), architecture=architecture, **changed)
    return encode(X, ours(state_dict(architecture)), {**CFG, "architecture": architecture, **changed})


def checkpoint_of_training(directory: Path, architecture: str, **changed: Any) -> Any:
    """Save a checkpoint of training with what scales its input, and return the codes of SAELens' own folding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sae_lens as library
        import torch
        from sae_lens.registry import get_sae_training_class
        from sae_lens.training.activation_scaler import ActivationScaler, ActivationWhitening

    torch.manual_seed(0)
    own, config = get_sae_training_class(architecture)
    sae = own(config(d_in=D, d_sae=N, **changed))
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.normal_(0, 0.5)
        if "batchtopk" in architecture:
            sae.topk_threshold.fill_(0.4)
    sae.save_model(directory)
    matrix = torch.randn(D, D, dtype=torch.float64) + 2 * torch.eye(D)
    mean, inverse = torch.randn(D, dtype=torch.float64), torch.linalg.inv(matrix)
    if changed["normalize_activations"] == "covariance_whitening":
        ActivationScaler(None, ActivationWhitening(mean, matrix, inverse)).save(
            str(directory / "activation_scaler.json")
        )
        sae.fold_activation_whitening(mean, matrix, inverse)
    else:
        ActivationScaler(0.37).save(str(directory / "activation_scaler.json"))
        sae.fold_activation_norm_scaling_factor(0.37)
    sae.save_inference_model(directory / "folded")
    with torch.no_grad():
        return library.SAE.load_from_disk(directory / "folded").encode(torch.from_numpy(X)).numpy()


TRAINED: list[dict[str, Any]] = [
    {"architecture": architecture, "normalize_activations": kind, "apply_b_dec_to_input": applies, **more}
    for architecture, more in (
        ("standard", {}),
        ("gated", {}),
        ("jumprelu", {}),
        ("topk", {"k": 3, "rescale_acts_by_decoder_norm": False}),
        ("topk", {"k": 3, "rescale_acts_by_decoder_norm": True}),
        ("batchtopk", {"k": 3, "rescale_acts_by_decoder_norm": True}),
        ("batchtopk", {"k": 3, "rescale_acts_by_decoder_norm": False}),
    )
    for kind in ("expected_average_only_in", "covariance_whitening")
    for applies in (True, False)
]
WRITTEN: list[tuple[Any, dict[str, Any]]] = [
    (save_by_hand, {"architecture": architecture, **more}) for architecture, more in ARCHITECTURES.items()
]
if importlib.util.find_spec("sae_lens") is not None:
    WRITTEN += [(save_with_sae_lens, changed) for _, changed in WRITTEN]
    WRITTEN += [(checkpoint_of_training, changed) for changed in TRAINED]


@pytest.mark.parametrize(("write", "changed"), WRITTEN, ids=lambda one: getattr(one, "__name__", None))
def test_directory_encodes_as_its_writer_does(tmp_path: Path, write: Any, changed: dict[str, Any]) -> None:
    codes = write(tmp_path / "s", **changed)
    _, weights = imported(tmp_path / "s")
    np.testing.assert_allclose(weights.encode(X), codes, rtol=1e-4, atol=2e-5)
