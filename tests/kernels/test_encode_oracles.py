"""Encoding of random SAEs equals a naive reading of the rules, and sae-lens' own encode where that is installed."""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from saeatlas.kernels.encode import decode, encode

Config = dict[str, Any]
Arrays = dict[str, Any]
N, D, OUT = 24, 8, 6
COMMON = {"apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none"}


def case(architecture: str, **more: Any) -> Any:
    found = {**COMMON, "architecture": architecture, "d_in": D, "d_sae": N, **more}
    return pytest.param(found, id="-".join([architecture, *(f"{name}={value}" for name, value in more.items())]))


NORMALIZED = [
    case(architecture, normalize_activations=kind, **more)
    for architecture, more in (("standard", {}), ("topk", {"k": 3}), ("jumprelu", {}))
    for kind in ("constant_norm_rescale", "layer_norm")
]
TRANSCODED = [
    case(architecture, d_out=OUT, apply_b_dec_to_input=False)
    for architecture in ("transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder")
]
CASES = [
    *NORMALIZED,
    *TRANSCODED,
    *(case(name, apply_b_dec_to_input=flag) for name in ("standard", "gated", "jumprelu") for flag in (True, False)),
    *(case(name, k=5, rescale_acts_by_decoder_norm=flag) for name in ("topk", "abstopk") for flag in (True, False)),
    *(case("matching_pursuit", max_iterations=rounds) for rounds in (1, 4, None)),
    case("matching_pursuit", max_iterations=60, stop_on_duplicate_support=False, residual_threshold=0.5),
    case("temporal", n_heads=2, n_attn_layers=1, bottleneck_factor=3, sae_diff_type="topk", kval_topk=4),
    case("temporal", n_heads=2, n_attn_layers=2, bottleneck_factor=6, sae_diff_type="relu", tied_weights=False),
]


def arrays_for(config: Config, seed: int = 0) -> Arrays:
    """Random weights in our layout, float32."""
    rng = np.random.default_rng(seed)
    architecture = config["architecture"]
    d_out = config.get("d_out", D)
    shapes = {"decoder": (N, d_out), "b_dec": (d_out,)}
    if architecture == "temporal":
        wide, width = N // config["bottleneck_factor"], N
        for layer in range(config["n_attn_layers"]):
            for name, rows in (("k_ctx", wide), ("q_target", wide), ("v_ctx", width), ("c_proj", width)):
                shapes[f"attn_layers.{layer}.{name}.weight"] = (rows, N)
                shapes[f"attn_layers.{layer}.{name}.bias"] = (rows,)
    if architecture != "matching_pursuit" and not config.get("tied_weights", architecture == "temporal"):
        shapes["encoder"] = (N, D)
    if architecture == "gated":
        shapes |= dict.fromkeys(("b_gate", "b_mag", "r_mag"), (N,))
    elif architecture not in {"temporal", "matching_pursuit"}:
        shapes["b_enc"] = (N,)
    if "jumprelu" in architecture:
        shapes["threshold"] = (N,)
    if "skip" in architecture:
        shapes["W_skip"] = (d_out, D)
    arrays = {name: (0.5 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    if architecture == "matching_pursuit":
        arrays["decoder"] /= np.linalg.norm(arrays["decoder"], axis=1, keepdims=True)
    return arrays


def naive(x: Any, arrays: Arrays, config: Config) -> tuple[Any, Any]:
    """Codes and reconstruction, a row and a number at a time, in float64."""
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    if config["architecture"] == "temporal":
        codes = _naive_temporal(x.astype(np.float64) - wide["b_dec"], wide, config)
    else:
        codes = np.array([_naive_row(row.astype(np.float64), wide, config) for row in x])
    out = []
    for row, code in zip(x.astype(np.float64), codes, strict=True):
        scaled = code / np.linalg.norm(wide["decoder"], axis=1) if config.get("rescale_acts_by_decoder_norm") else code
        made = sum(value * direction for value, direction in zip(scaled, wide["decoder"], strict=True)) + wide["b_dec"]
        if config["normalize_activations"] == "layer_norm":
            made = made * row.std(ddof=1) + row.mean()
        if config["normalize_activations"] == "constant_norm_rescale":
            made = made * np.linalg.norm(row) / math.sqrt(D)
        out.append(made + wide["W_skip"] @ row if "W_skip" in wide else made)
    return codes, np.array(out)


def _naive_row(row: Any, arrays: Arrays, config: Config) -> list[float]:
    architecture = config["architecture"]
    if config["normalize_activations"] == "layer_norm":
        row = (row - row.mean()) / (row.std(ddof=1) + 1e-5)
    if config["normalize_activations"] == "constant_norm_rescale":
        row = row / np.linalg.norm(row) * math.sqrt(D)
    if config["apply_b_dec_to_input"]:
        row = row - arrays["b_dec"]
    if architecture == "matching_pursuit":
        return _naive_pursuit(row, arrays["decoder"], config)
    along = [sum(a * b for a, b in zip(direction, row, strict=True)) for direction in arrays["encoder"]]
    if architecture == "gated":
        gates, biases, scales = arrays["b_gate"], arrays["b_mag"], np.exp(arrays["r_mag"])
        return [max(a * s + b, 0) if a + g > 0 else 0 for a, g, s, b in zip(along, gates, scales, biases, strict=True)]
    pre = [a + b for a, b in zip(along, arrays["b_enc"], strict=True)]
    if config.get("rescale_acts_by_decoder_norm"):
        pre = [p * np.linalg.norm(direction) for p, direction in zip(pre, arrays["decoder"], strict=True)]
    if architecture in {"topk", "abstopk"}:
        sign = architecture == "abstopk"
        kept = sorted(range(N), key=lambda i: -abs(pre[i]) if sign else -pre[i])[: config["k"]]
        return [0 if i not in kept else pre[i] if sign else max(pre[i], 0) for i in range(N)]
    if "threshold" in arrays:
        pre = [p if p > threshold else 0 for p, threshold in zip(pre, arrays["threshold"], strict=True)]
    return [max(p, 0) for p in pre]


def _naive_pursuit(row: Any, decoder: Any, config: Config) -> list[float]:
    codes = [0.0] * N
    for _ in range(config["max_iterations"] or D):
        before = [code != 0 for code in codes]
        best = max(range(N), key=lambda i: max(decoder[i] @ row, 0))
        taken = max(float(decoder[best] @ row), 0)
        codes[best] += taken
        row = row - taken * decoder[best]
        if config.get("stop_on_duplicate_support", True) and before == [code != 0 for code in codes]:
            break
        if np.linalg.norm(row) < config.get("residual_threshold", 1e-2):
            break
    return codes


def _naive_temporal(x: Any, arrays: Arrays, config: Config) -> Any:
    encoder = arrays.get("encoder", arrays["decoder"])
    residual, scale = x.copy(), 1 / (4 * D)
    for layer in range(config["n_attn_layers"]):
        own = {
            name.removeprefix(f"attn_layers.{layer}."): a
            for name, a in arrays.items()
            if f"attn_layers.{layer}." in name
        }
        here = np.maximum(residual @ encoder.T * scale, 0)
        past = [np.zeros(N), *here[:-1]]
        heads, found = config["n_heads"], np.zeros((len(x), N))
        for t in range(len(x)):
            query = own["q_target.weight"] @ here[t] + own["q_target.bias"]
            keys = [own["k_ctx.weight"] @ past[s] + own["k_ctx.bias"] for s in range(t + 1)]
            values = [own["v_ctx.weight"] @ past[s] + own["v_ctx.bias"] for s in range(t + 1)]
            mixed = []
            for h in range(heads):
                part = slice(h * len(query) // heads, (h + 1) * len(query) // heads)
                logits = [math.exp(query[part] @ key[part] / math.sqrt(len(query) // heads)) for key in keys]
                own_part = slice(h * N // heads, (h + 1) * N // heads)
                mixed.append(sum(w / sum(logits) * v[own_part] for w, v in zip(logits, values, strict=True)))
            found[t] = np.maximum(own["c_proj.weight"] @ np.concatenate(mixed) + own["c_proj.bias"], 0)
        for t in range(len(x)):
            share = found[t] @ arrays["decoder"]
            residual[t] -= (share @ residual[t]) / (np.linalg.norm(share) + 1e-6) ** 2 * share
    codes = np.maximum(residual @ encoder.T * scale, 0)
    if config["sae_diff_type"] == "topk":
        for row in codes:
            row[np.argsort(-row, kind="stable")[config["kval_topk"] :]] = 0
    return codes


def sae_lens(x: Any, arrays: Arrays, config: Config) -> tuple[Any, Any]:
    """Codes and reconstruction by sae-lens, float32."""
    with warnings.catch_warnings():
        # Its imports warn about things of their own.
        warnings.simplefilter("ignore")
        import sae_lens as library
        import torch

    names = {"decoder": "W_dec", "encoder": "W_enc"}
    state = {
        names.get(name, name): torch.from_numpy(np.ascontiguousarray(array.T if name == "encoder" else array))
        for name, array in arrays.items()
    }
    record = {**config, "device": "cpu", "dtype": "float32", "metadata": {"model_from_pretrained_kwargs": None}}
    sae = library.SAE.from_dict(record)
    sae.load_state_dict(state)
    with torch.no_grad():
        states = torch.from_numpy(x)[None]
        codes = sae.encode(states)
        out = sae.decode(codes)
        if "W_skip" in state:
            out = sae(states)
    return codes[0].numpy(), out[0].numpy()


ORACLES: dict[str, Callable[..., tuple[Any, Any]]] = {"naive": naive}
if importlib.util.find_spec("sae_lens") is not None:
    ORACLES["sae-lens"] = sae_lens


@pytest.mark.parametrize("config", CASES)
@pytest.mark.parametrize("oracle", ORACLES)
def test_codes_and_reconstruction_equal(oracle: str, config: Config) -> None:
    arrays = arrays_for(config)
    x = np.random.default_rng(7).normal(size=(11, D)).astype(np.float32)
    codes, out = ORACLES[oracle](x, arrays, config)
    found = encode(x, arrays, config)
    assert np.count_nonzero(found)
    np.testing.assert_allclose(found, codes, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(decode(found, arrays, config, x), out, rtol=2e-4, atol=5e-5)


@pytest.mark.parametrize("config", CASES)
def test_float64_equals_the_naive_reading_to_the_last_digits(config: Config) -> None:
    arrays = {name: array.astype(np.float64) for name, array in arrays_for(config).items()}
    x = np.random.default_rng(8).normal(size=(9, D))
    codes, out = naive(x, arrays, config)
    found = encode(x, arrays, config)
    np.testing.assert_allclose(found, codes, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(decode(found, arrays, config, x), out, rtol=1e-9, atol=1e-12)
