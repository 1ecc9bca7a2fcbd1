"""Logit effects: the dense product, special tokens by the vocabulary's word, and importance that is no noise."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from saeatlas.analyses import logit_effects as module
from saeatlas.analyses.logit_effects import LogitEffects
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound, SaeatlasError, SourceError
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts, make_parts

N, D, V = 20, 12, 50
RNG = np.random.default_rng(0)
W_U = RNG.normal(size=(V, D)).astype(np.float32)
DECODER = make_parts(N).arrays["decoder"]
SPECIAL = (7, 49)
"""PAD is the last id and another special token lies in the middle: the first four ids are ordinary tokens."""


def vocabulary(directory: Path) -> str:
    added = [{"id": number, "content": f"<special {number}>", "special": True} for number in SPECIAL]
    vocab = {f"t{number}": number for number in range(V) if number not in SPECIAL}
    path = directory / "tokenizer.json"
    path.write_text(json.dumps({"model": {"vocab": vocab}, "added_tokens": added}))
    return str(path)


def model(directory: Path, **tensors: Any) -> str:
    path = directory / "model.safetensors"
    save_file({"lm_head.weight": W_U, **tensors}, path)
    return str(path)


def sae_of(activations: bool = True, **arrays: Any) -> SAE:  # noqa: FBT001, FBT002
    store = MemoryStore()
    if activations:
        store = make_atlas(store, n_rows=200, n_features=N, k=4).store
    else:
        create_atlas(store)
    data = SaeParts(arrays=arrays or {"decoder": DECODER})
    import_parts(store, PartsImporter(sae="toy", data=data))
    return Atlas(store, head(store)).sae()


def tables(sae: SAE, **fields: Any) -> dict[str, dict[str, list[Any]]]:
    return {name: table.to_pydict() for name, table in compute_tables(LogitEffects(**fields), sae).items()}


def expected(product: Any, k: int, kept: Any) -> tuple[list[list[int]], list[list[int]]]:
    tokens = np.flatnonzero(kept)
    order = np.argsort(-product[:, tokens], axis=1, kind="stable")
    back = np.argsort(product[:, tokens], axis=1, kind="stable")
    return tokens[order[:, :k]].tolist(), tokens[back[:, :k]].tolist()


def of_feature(effects: dict[str, list[Any]], feature: int, side: str, column: str) -> list[Any]:
    rows = zip(effects["feature"], effects["side"], effects[column], strict=True)
    return [value for one, place, value in rows if (one, place) == (feature, side)]


def test_lists_equal_the_dense_product(tmp_path: Path) -> None:
    kept = np.ones(V, np.bool_)
    kept[list(SPECIAL)] = False
    found = tables(sae_of(), unembedding=model(tmp_path), vocabulary=vocabulary(tmp_path), k=6)
    product = (DECODER.astype(np.float64) @ W_U.astype(np.float64).T).astype(np.float32)
    top, bottom = expected(product, 6, kept)
    for feature in range(N - 1):
        assert of_feature(found["effects"], feature, "top", "token") == top[feature]
        assert of_feature(found["effects"], feature, "bottom", "token") == bottom[feature]
        assert of_feature(found["effects"], feature, "top", "effect") == product[feature, top[feature]].tolist()
        assert of_feature(found["effects"], feature, "top", "string") == [f"t{token}" for token in top[feature]]
        assert of_feature(found["effects"], feature, "top", "rank") == list(range(6))
        assert found["data"]["top_tokens"][feature] == [f"t{token}" for token in top[feature][:5]]
    wide = product[:, kept].astype(np.float64)
    assert np.allclose(found["data"]["effect_norm"], np.linalg.norm(wide, axis=1), rtol=1e-12)
    assert np.allclose(found["data"]["effect_std"], wide.std(1), rtol=1e-10)
    assert found["data"]["n_tokens"] == [V - 2] * N


def test_effects_are_of_features_through_the_decoder_and_not_rows_of_the_unembedding(tmp_path: Path) -> None:
    # A chart that reads row f of the unembedding for feature f shows something else, and fails for f beyond d.
    found = tables(sae_of(), unembedding=model(tmp_path), k=1)
    best = [of_feature(found["effects"], feature, "top", "token")[0] for feature in range(N - 1)]
    assert best == (DECODER @ W_U.T).argmax(axis=1).tolist()[: N - 1]
    by_row = [int(W_U[feature].argmax()) for feature in range(N - 1)]
    assert best != by_row


def test_planted_token_is_found(tmp_path: Path) -> None:
    decoder = DECODER.copy()
    decoder[3] = W_U[31] * 5
    found = tables(sae_of(decoder=decoder), unembedding=model(tmp_path), vocabulary=vocabulary(tmp_path), k=2)
    assert of_feature(found["effects"], 3, "top", "string")[0] == "t31"


def test_special_tokens_are_those_of_the_vocabulary_and_never_the_first_ids(tmp_path: Path) -> None:
    decoder = DECODER.copy()
    loud = W_U.copy()
    loud[[0, 7, 49]] *= 9
    decoder[0], decoder[1], decoder[2] = loud[0], loud[49], loud[7]
    path = model(tmp_path, **{"lm_head.weight": loud})
    found = tables(sae_of(decoder=decoder), unembedding=path, vocabulary=vocabulary(tmp_path), k=V)
    # Skipping ids 0 to 3 would lose the planted token 0, and keep PAD, which is the last.
    assert of_feature(found["effects"], 0, "top", "token")[0] == 0
    assert not {*SPECIAL} & set(found["effects"]["token"])
    assert {0, 1, 2, 3} <= set(found["effects"]["token"])
    assert len(of_feature(found["effects"], 0, "top", "token")) == V - 2


def test_words_are_excluded_by_name(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({f"t{n}": n for n in range(V - 2)} | {"<NULL>": 48, "<PAD>": 49}))
    fields = {"unembedding": model(tmp_path), "vocabulary": str(tmp_path / "vocab.json"), "k": V}
    assert 49 in tables(sae_of(), **fields)["effects"]["token"]
    assert not {48, 49} & set(tables(sae_of(), **fields, exclude=("<PAD>", "<NULL>"))["effects"]["token"])


def test_importance_weighs_the_effect_by_the_activation(tmp_path: Path) -> None:
    # All decoder rows of length 1: their lengths differ by rounding only, and order nothing.
    decoder = RNG.normal(size=(N, D))
    decoder = (decoder / np.linalg.norm(decoder, axis=1, keepdims=True)).astype(np.float32)
    sae = sae_of(decoder=decoder)
    found = tables(sae, unembedding=model(tmp_path))["data"]
    dense = np.zeros((N, sae.n_rows))
    for feature in range(N):
        rows, values = sae.activations.feature(feature)
        dense[feature, rows] = np.maximum(values, 0)
    norms = np.linalg.norm(decoder.astype(np.float64) @ W_U.astype(np.float64).T, axis=1)
    rms = np.sqrt((dense**2).mean(1))
    assert np.allclose(found["importance"], norms * rms, rtol=1e-6)
    assert np.ptp(np.linalg.norm(decoder, axis=1)) < 1e-6
    assert np.ptp(found["importance"]) > 0.1 * max(found["importance"])
    mean = [row[row > 0].mean() if (row > 0).any() else None for row in dense]
    assert [m is None for m in found["mean_active"]] == [m is None for m in mean]
    known = [i for i in range(N) if mean[i] is not None]
    assert np.allclose([found["importance_active"][i] for i in known], [norms[i] * mean[i] for i in known], rtol=1e-6)
    assert found["importance"][N - 1] == 0  # it never fires


def test_contribution_is_effect_times_mean_activation(tmp_path: Path) -> None:
    found = tables(sae_of(), unembedding=model(tmp_path), k=3)
    mean = found["data"]["mean_active"]
    for feature, effect, contribution in zip(
        *(found["effects"][name] for name in ("feature", "effect", "contribution")), strict=True
    ):
        assert contribution is None if mean[feature] is None else np.isclose(contribution, effect * mean[feature])


def test_without_activations_importance_is_unknown_and_not_zero(tmp_path: Path) -> None:
    found = tables(sae_of(activations=False), unembedding=model(tmp_path))
    for name in ("mean_active", "rms", "importance", "importance_active"):
        assert found["data"][name] == [None] * N
    assert set(found["effects"]["contribution"]) == {None}
    assert None not in found["data"]["effect_norm"]


def test_norm_is_folded_in(tmp_path: Path) -> None:
    gamma = RNG.normal(size=D).astype(np.float32)
    path = model(tmp_path, **{"model.norm.weight": gamma})
    decoder = DECODER.astype(np.float64)
    for fields, rows in (
        ({"norm": "model.norm.weight"}, decoder * gamma),
        ({"norm": "model.norm.weight", "norm_offset": 1.0}, decoder * (gamma.astype(np.float64) + 1)),
        ({"norm": "model.norm.weight", "centered": True}, (decoder - decoder.mean(1, keepdims=True)) * gamma),
        ({"centered": True}, decoder - decoder.mean(1, keepdims=True)),
    ):
        found = tables(sae_of(), unembedding=path, k=V, **fields)["effects"]
        product = np.sort((rows @ W_U.astype(np.float64).T)[4])[::-1]
        assert np.allclose(of_feature(found, 4, "top", "effect"), product, rtol=1e-5, atol=1e-6)


def test_norm_may_lie_in_another_file(tmp_path: Path) -> None:
    gamma = np.full(D, 2, np.float32)
    np.savez(tmp_path / "norm.npz", scale=gamma)
    plain = tables(sae_of(), unembedding=model(tmp_path), k=2)["effects"]["effect"]
    folded = tables(sae_of(), unembedding=model(tmp_path), k=2, norm="scale", norm_file=str(tmp_path / "norm.npz"))
    assert np.allclose(folded["effects"]["effect"], 2 * np.array(plain))


@pytest.mark.parametrize("layout", ["turned", "npz", "npy", "tied", "folder", "shards", "half"])
def test_layouts_of_models(tmp_path: Path, layout: str) -> None:
    plain = tables(sae_of(), unembedding=model(tmp_path), k=3)["effects"]
    place, name = tmp_path / "other", ""
    place.mkdir()
    if layout in {"turned", "tied", "half"}:
        tensors = {"turned": {"W_U": W_U.T}, "tied": {"transformer.wte.weight": W_U, "ln": W_U[:, 0]}}
        half = {"unembed": W_U.astype(np.float16), "other": W_U}
        chosen = {**tensors, "half": half}[layout]
        save_file({key: np.ascontiguousarray(array) for key, array in chosen.items()}, place / "m.safetensors")
        path, name = place / "m.safetensors", "unembed" if layout == "half" else ""
    elif layout == "npz":
        np.savez(place / "u.npz", anything=W_U)
        path = place / "u.npz"
    elif layout == "npy":
        np.save(place / "u.npy", W_U)
        path = place / "u.npy"
    else:
        path = place
        file = "model-00002-of-00002.safetensors" if layout == "shards" else "model.safetensors"
        save_file({"lm_head.weight": W_U}, place / file)
        if layout == "shards":
            (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": file}}))
    found = tables(sae_of(), unembedding=str(path), tensor=name, k=3)["effects"]
    assert np.allclose(found["effect"], plain["effect"], rtol=2e-3 if layout == "half" else 0)
    assert layout == "half" or found["token"] == plain["token"]


@pytest.mark.parametrize("numbers", [1, 40, 300])
def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: int) -> None:
    fields = {"unembedding": model(tmp_path), "vocabulary": vocabulary(tmp_path), "k": 5}
    whole = tables(sae_of(), **fields)
    monkeypatch.setattr(module, "_PANEL_NUMBERS", numbers)
    assert tables(sae_of(), **fields) == whole
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", numbers)
    cut = tables(sae_of(), **fields)
    assert cut["effects"] == whole["effects"]
    assert np.allclose(cut["data"]["effect_std"], whole["data"]["effect_std"], rtol=1e-12)


def test_features_without_direction_have_no_list(tmp_path: Path) -> None:
    found = tables(sae_of(), unembedding=model(tmp_path), vocabulary=vocabulary(tmp_path))
    assert not DECODER[N - 1].any()
    assert N - 1 not in found["effects"]["feature"]
    assert found["data"]["effect_norm"][N - 1] == 0
    assert found["data"]["top_tokens"][N - 1] == []


def test_duplicate_tokens_come_lower_id_first(tmp_path: Path) -> None:
    rows = W_U.copy()
    rows[[5, 20, 30]] = rows[11]
    decoder = DECODER.copy()
    decoder[0] = rows[11]
    np.save(tmp_path / "u.npy", rows)
    found = tables(sae_of(decoder=decoder), unembedding=str(tmp_path / "u.npy"), k=3)
    assert of_feature(found["effects"], 0, "top", "token") == [5, 11, 20]


def stored_key(sae: SAE, **fields: Any) -> str:
    atlas = build(sae.atlas, LogitEffects(**fields))
    return str(atlas.entries["sae/toy/logit-effects"].key)


def test_another_file_is_another_artifact_and_another_place_is_not(tmp_path: Path) -> None:
    sae = sae_of()
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first = stored_key(sae, unembedding=model(tmp_path / "a"), vocabulary=vocabulary(tmp_path / "a"))
    moved = stored_key(sae, unembedding=model(tmp_path / "b"), vocabulary=vocabulary(tmp_path / "b"))
    assert first == moved
    other = tmp_path / "c" / "model.safetensors"
    save_file({"lm_head.weight": W_U + 1}, other)
    assert stored_key(sae, unembedding=str(other), vocabulary=vocabulary(tmp_path / "b")) != first
    (tmp_path / "b" / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"x": 0}}}))
    assert stored_key(sae, unembedding=model(tmp_path / "a"), vocabulary=str(tmp_path / "b")) != first


def test_recipe_names_no_place(tmp_path: Path) -> None:
    params = LogitEffects(unembedding=model(tmp_path), vocabulary=vocabulary(tmp_path)).params()
    assert str(tmp_path) not in json.dumps(params)
    assert params["tensor"] == "lm_head.weight"


def refused(sae: SAE, **fields: Any) -> SaeatlasError:
    with pytest.raises((SourceError, InvalidInput)) as caught:
        compute_tables(LogitEffects(**fields), sae)
    assert caught.value.hint or "norm" in caught.value.message
    return caught.value


def test_faults_are_named(tmp_path: Path) -> None:
    sae, path = sae_of(), model(tmp_path)
    assert "--unembedding" in refused(sae).hint
    assert "'nope'" in refused(sae, unembedding=path, tensor="nope").message
    assert "none.safetensors" in refused(sae, unembedding=str(tmp_path / "none.safetensors")).message
    save_file({"a": W_U, "b": W_U}, tmp_path / "two.safetensors")
    assert "not clear" in refused(sae, unembedding=str(tmp_path / "two.safetensors")).message
    np.save(tmp_path / "short.npy", W_U[:, :5])
    assert refused(sae, unembedding=str(tmp_path / "short.npy")).kind == "shape-mismatch"
    np.save(tmp_path / "few.npy", W_U[:20])
    error = refused(sae, unembedding=str(tmp_path / "few.npy"), vocabulary=vocabulary(tmp_path))
    assert error.kind == "tokenizer-mismatch"
    bad = W_U.copy()
    bad[33, 2] = np.nan
    np.save(tmp_path / "bad.npy", bad)
    assert "token 33" in refused(sae, unembedding=str(tmp_path / "bad.npy")).message
    assert "vocabulary" in refused(sae, unembedding=path, exclude=("x",)).message
    wrong = {"norm": "gamma", "norm_file": str(tmp_path / "g.npz")}
    np.savez(tmp_path / "g.npz", gamma=np.ones(5, np.float32))
    assert "(5,)" in refused(sae, unembedding=path, **wrong).message
    (tmp_path / "all.json").write_text(json.dumps({"a": 0}))
    assert (
        "Every token" in refused(sae, unembedding=path, vocabulary=str(tmp_path / "all.json"), exclude=("a",)).message
    )


@pytest.mark.parametrize("fields", [{"k": 0}, {"norm_offset": 1.0}, {"norm_file": "x"}, {"k": True}])
def test_fields_that_mean_nothing_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        LogitEffects(**fields)


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": {"a": "../x"}}', '{"weight_map": 3}', "{"])
def test_index_that_leads_elsewhere_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert refused(sae_of(), unembedding=str(tmp_path)).kind in {"wrong-file-type", "invalid-input"}


def test_sae_without_weights_is_told(tmp_path: Path) -> None:
    atlas = make_atlas(MemoryStore(), n_features=8)
    with pytest.raises(NotFound, match="weights"):
        build(atlas, LogitEffects(unembedding=model(tmp_path)))
    with pytest.raises(NotFound):
        LogitEffects(unembedding=model(tmp_path)).compute(atlas.sae(), SILENT)


def test_importance_is_a_column_of_the_features(tmp_path: Path) -> None:
    atlas = build(sae_of().atlas, LogitEffects(unembedding=model(tmp_path)))
    assert "logit-effects.importance" in atlas.sae().features.collect_schema().names()


def test_memory_is_below_what_was_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PANEL_NUMBERS", 100_000)
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 100_000)
    n, tokens = 4_000, 20_000
    sae = sae_of(
        activations=False, decoder=np.ones((n, D), np.float32) * np.arange(1, n + 1, dtype=np.float32)[:, None]
    )
    np.save(tmp_path / "u.npy", RNG.normal(size=(tokens, D)).astype(np.float32))
    analysis = LogitEffects(unembedding=str(tmp_path / "u.npy"), k=10)
    tracemalloc.start()
    lines = sum(batch.num_rows for batches in analysis.compute(sae, SILENT).values() for batch in batches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == n + 20 * n
    assert peak < analysis.peak_bytes(sae) - 300_000_000 < n * tokens * 4
