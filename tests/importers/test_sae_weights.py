"""Weights come in as they are meant: identity, layouts, sweeps, and sources that are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import AlreadyExists, Conflict, InvalidInput, SaeatlasError, SourceError
from saeatlas.format.commit import head
from saeatlas.importers.sae_weights import SaeWeights
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.local_hub import HubRepository, local_hub
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.sae_importer_contract import SaeFault, SaeImporterContract
from saeatlas.testing.sae_sources import CFG, D, N, gemma_arrays, imported, saelens_directory, state_dict


def _nan(name: str) -> SaeFault:
    def make(directory: Path) -> SaeWeights:
        tensors = state_dict()
        tensors[name].flat[5] = np.nan
        return SaeWeights(str(saelens_directory(directory / "s", tensors)), sae="s")

    return make


def _cut(directory: Path) -> SaeWeights:
    path = saelens_directory(directory / "s") / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    return SaeWeights(str(path.parent), sae="s")


def _without(name: str) -> SaeFault:
    def make(directory: Path) -> SaeWeights:
        (saelens_directory(directory / "s") / name).unlink()
        return SaeWeights(str(directory / "s"), sae="s")

    return make


class TestSaeWeights(SaeImporterContract):
    def make_importer(self, directory: Path) -> SaeWeights:
        return SaeWeights(str(saelens_directory(directory / "s")), sae="s")

    def faults(self) -> dict[str, SaeFault]:
        return {
            "a NaN in the decoder": _nan("W_dec"),
            "a NaN in the encoder": _nan("W_enc"),
            "a NaN in a bias": _nan("b_enc"),
            "cut short": _cut,
            "no weights": _without("sae_weights.safetensors"),
            "no configuration": _without("cfg.json"),
            "another width": lambda directory: SaeWeights(str(saelens_directory(directory / "s", d_sae=13)), sae="s"),
            "nothing": lambda directory: SaeWeights(str(directory), sae="s"),
        }


class TestGemmaScope(TestSaeWeights):
    def make_importer(self, directory: Path) -> SaeWeights:
        folder = directory / "gemma-scope-2b-pt-res" / "layer_3" / "width_16k" / "average_l0_59"
        folder.mkdir(parents=True)
        np.savez(folder / "params.npz", **gemma_arrays())
        return SaeWeights(str(folder), sae="s")


def test_matrices_have_a_row_for_each_feature(tmp_path: Path) -> None:
    tensors = state_dict()
    _, weights = imported(saelens_directory(tmp_path / "s", tensors))
    assert np.array_equal(weights.decoder(), tensors["W_dec"])
    assert np.array_equal(weights.encoder(2, 7), tensors["W_enc"].T[2:7])
    assert np.array_equal(weights.vector("b_enc"), tensors["b_enc"])
    assert (weights.n_features, weights.d_in, weights.d_out) == (N, D, D)


def test_identity_is_what_the_source_states(tmp_path: Path) -> None:
    directory = saelens_directory(tmp_path / "s", state_dict("topk"), architecture="topk", k=3)
    identity = imported(directory, revision="v2")[0].sae().identity
    digest = hashlib.sha256((directory / "sae_weights.safetensors").read_bytes()).hexdigest()
    assert identity.to_json() == {
        "name": "s",
        "model": "toy-model",
        "hook": "blocks.3.hook_resid_pre",
        "layer": 3,
        "width": N,
        "architecture": "topk",
        "k": 3,
        "l0": None,
        "revision": "v2",
        "weights_digest": digest,
        "input_normalization": "none",
        "context_window": 64,
        "bos": False,
        "attention": None,
    }


def test_what_the_user_says_counts_and_is_told(tmp_path: Path) -> None:
    importer = SaeWeights(str(saelens_directory(tmp_path / "s")), sae="s", model="mine", layer=5)
    survey = importer.survey(SILENT)
    assert (survey.identity.model, survey.identity.layer) == ("mine", 5)
    assert [note for note in survey.notes if "'toy-model'; 'mine' was said" in note]


def test_unstated_facts_stay_unknown(tmp_path: Path) -> None:
    directory = saelens_directory(tmp_path / "s", metadata={"sae_lens_version": "6.0.0"})
    identity = imported(directory)[0].sae().identity
    assert set(identity.unknown()) >= {"model", "hook", "layer", "bos", "context_window", "l0", "revision"}


@pytest.mark.parametrize("change", ["weights", "cfg"])
def test_another_content_has_another_fingerprint_and_another_place_has_not(tmp_path: Path, change: str) -> None:
    first = saelens_directory(tmp_path / "a")
    shutil.copytree(first, tmp_path / "b")
    other = saelens_directory(tmp_path / "c", state_dict(seed=change == "weights"), dtype=change)

    def part(directory: Path) -> Any:
        return SaeWeights(str(directory), sae="s").survey(SILENT).parts[0].fingerprint

    assert part(first) == part(tmp_path / "b") != part(other)


def test_weights_join_activations_and_may_not_be_of_another_width(tmp_path: Path) -> None:
    store = make_atlas(MemoryStore(), n_features=N).store
    import_parts(store, SaeWeights(str(saelens_directory(tmp_path / "s", architecture="topk", k=2)), sae="toy"))
    sae = Atlas(store, head(store)).sae()
    assert sae.has_activations
    assert sae.weights is not None
    wide = make_atlas(MemoryStore(), n_features=40).store
    with pytest.raises((SourceError, Conflict), match=r"(?s)12.*40|40.*12"):
        import_parts(wide, SaeWeights(str(tmp_path / "s"), sae="toy"))


def test_other_weights_need_replace(tmp_path: Path) -> None:
    store = imported(saelens_directory(tmp_path / "a"), sae="s")[0].store
    other = SaeWeights(str(saelens_directory(tmp_path / "b", state_dict(seed=1))), sae="s")
    with pytest.raises((AlreadyExists, Conflict)):
        import_parts(store, other)


@pytest.mark.parametrize("given", ["folder", "file"])
def test_folder_or_file_may_be_given(tmp_path: Path, given: str) -> None:
    directory = saelens_directory(tmp_path / "s")
    assert imported(directory if given == "folder" else directory / "sae_weights.safetensors")[1].has_encoder


def test_links_as_in_the_cache_of_the_hub_are_followed(tmp_path: Path) -> None:
    directory = saelens_directory(tmp_path / "blobs")
    (tmp_path / "snapshot").mkdir()
    for path in directory.iterdir():
        (tmp_path / "snapshot" / path.name).symlink_to(path)
    assert imported(tmp_path / "snapshot")[1].n_features == N


def test_sweep_gives_an_sae_for_each_layer(tmp_path: Path) -> None:
    for layer in (2, 5):
        cfg = {**CFG, "metadata": {**CFG["metadata"], "hook_name": f"blocks.{layer}.hook_resid_pre"}}
        saelens_directory(tmp_path / f"layer-{layer}", state_dict(seed=layer), cfg)
    sweep = SaeWeights(str(tmp_path / "layer-{layer}"), sae="toy-{layer}", layers="2,5")
    assert [(one.sae, one.survey(SILENT).identity.layer) for one in sweep.expand()] == [("toy-2", 2), ("toy-5", 5)]


@pytest.mark.parametrize("l0", ["82", "canonical", "x"])
def test_l0_is_refused_where_the_source_has_one_sae_only(tmp_path: Path, l0: str) -> None:
    with pytest.raises(InvalidInput, match=f"L0 '{l0}' is chosen"):
        imported(saelens_directory(tmp_path / "s"), sae="s", l0=l0)


def test_l0_that_contradicts_the_path_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "gemma-scope-2b-pt-res" / "layer_3" / "width_16k" / "average_l0_59"
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", **gemma_arrays())
    assert imported(folder, sae="s", l0="59")[1].n_features
    with pytest.raises(InvalidInput, match=r"L0 '82' is chosen.*average_l0_59"):
        imported(folder, sae="s", l0="82")


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_scaling_factor_that_is_none_is_an_error_of_the_call(tmp_path: Path, factor: float) -> None:
    with pytest.raises(InvalidInput, match="scaling"):
        SaeWeights(str(saelens_directory(tmp_path / "s")), sae="s", scaling_factor=factor).survey(SILENT)


def test_sweep_over_one_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="named 'toy'") as caught:
        SaeWeights("x-{layer}", sae="toy", layers="0-3").expand()
    assert "toy-{layer}" in caught.value.hint
    with pytest.raises(InvalidInput, match="One SAE"):
        SaeWeights("x-{layer}", sae="toy", layers="0-3").survey(SILENT)


def gemma_tree(root: Path) -> Path:
    for layer, l0s in ((0, (105, 13)), (3, (14, 59, 142))):
        for l0 in l0s:
            folder = root / "gemma-scope-2b-pt-res" / f"layer_{layer}" / "width_16k" / f"average_l0_{l0}"
            folder.mkdir(parents=True)
            np.savez(folder / "params.npz", **gemma_arrays(seed=l0))
    return root / "gemma-scope-2b-pt-res"


def test_canonical_is_never_the_first_by_name(tmp_path: Path) -> None:
    root = gemma_tree(tmp_path)
    sweep = SaeWeights(str(root), sae="g-{layer}", layers="0,3", l0="canonical").expand()
    found = [one.survey(SILENT).identity for one in sweep]
    assert [(identity.layer, identity.l0) for identity in found] == [(0, 105.0), (3, 59.0)]
    assert found[1].to_json()["model"] == "gemma-2-2b"
    assert found[1].hook == "blocks.3.hook_resid_post"
    with pytest.raises(SourceError, match="none is chosen"):
        SaeWeights(str(root), sae="g", layers="3").survey(SILENT)
    _, weights = imported(root, layers="3", l0="142")
    assert np.array_equal(weights.decoder(), gemma_arrays(seed=142)["W_dec"])


def test_layer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="layer 7"):
        SaeWeights(str(gemma_tree(tmp_path)), sae="g", layers="7", l0="canonical").survey(SILENT)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubRepository]:
    """A hub with two layers of Gemma Scope, and a directory of SAELens."""
    root = gemma_tree(tmp_path / "tree")
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.npz")}
    directory = saelens_directory(tmp_path / "lens")
    lens = {f"layer-3/{path.name}": path.read_bytes() for path in directory.iterdir()}
    scope = HubRepository(files)
    with local_hub({"google/gemma-scope-2b-pt-res": scope, "someone/saes": HubRepository(lens)}) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield scope


def test_weights_come_from_the_hub_with_their_commit(hub: HubRepository) -> None:
    sweep = SaeWeights("hf://google/gemma-scope-2b-pt-res", sae="g-{layer}", layers="0,3", l0="canonical").expand()
    assert all(hub.commit in one.source for one in sweep)
    atlas, weights = imported(sweep[1].source, layers="3", l0="canonical", sae="g-3")
    identity = atlas.sae().identity
    assert (identity.model, identity.layer, identity.l0) == ("gemma-2-2b", 3, 59.0)
    assert identity.revision == hub.commit
    assert np.array_equal(weights.decoder(), gemma_arrays(seed=59)["W_dec"])


def test_directory_of_saelens_comes_from_the_hub_with_its_configuration(hub: HubRepository) -> None:
    _, weights = imported("hf://someone/saes/layer-{layer}", layers="3")
    assert weights.config["architecture"] == "standard"
    assert np.array_equal(weights.decoder(), state_dict()["W_dec"])


def refused(source: Path, **fields: Any) -> SaeatlasError:
    with pytest.raises(SaeatlasError) as caught:
        imported(source, **fields)
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, SourceError | InvalidInput):
        error = error.__cause__
    assert isinstance(error, SourceError | InvalidInput)
    assert error.hint
    return error


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "place"), [("W_dec", (3, 1)), ("W_enc", (1, 9)), ("b_enc", (4,))])
def test_number_that_is_not_finite_is_named_with_tensor_and_place(
    tmp_path: Path, name: str, place: tuple[int, ...], bad: float
) -> None:
    tensors = state_dict()
    tensors[name][place] = bad
    tensors[name].flat[-1] = np.nan
    error = refused(saelens_directory(tmp_path / "s", tensors))
    assert error.kind == "not-finite"
    assert f"'{name}' holds {bad} at {list(place)}" in error.message


@pytest.mark.parametrize("changed", [{"d_in": 5}, {"d_sae": 13}])
def test_shape_of_another_configuration_is_named(tmp_path: Path, changed: dict[str, int]) -> None:
    error = refused(saelens_directory(tmp_path / "s", **changed))
    assert error.kind == "shape-mismatch"
    (member,) = changed.items()
    assert f"{member[0]} {member[1]}" in error.message
    assert "(12, 4)" in error.message


@pytest.mark.parametrize(
    ("architecture", "name"),
    [("standard", "b_enc"), ("gated", "r_mag"), ("jumprelu", "threshold"), ("skip_transcoder", "W_skip")],
)
def test_missing_tensor_is_named(tmp_path: Path, architecture: str, name: str) -> None:
    tensors = state_dict(architecture)
    del tensors[name]
    error = refused(saelens_directory(tmp_path / "s", tensors, architecture=architecture, d_out=6))
    assert f"'{name}'" in error.message
    assert error.kind == "missing-dataset"


def test_missing_configuration_is_named_even_for_a_jumprelu(tmp_path: Path) -> None:
    directory = saelens_directory(tmp_path / "s", state_dict("jumprelu"), architecture="jumprelu")
    (directory / "cfg.json").unlink()
    error = refused(directory)
    assert error.kind == "missing-metadata"
    assert "cfg.json" in error.message


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"d_in": 4, "d_in": 5}', "[" * 99_999, '{"d_in": "4", "d_sae": 12}', "\xff"]
)
def test_damaged_configuration_is_refused(tmp_path: Path, text: str) -> None:
    directory = saelens_directory(tmp_path / "s")
    (directory / "cfg.json").write_bytes(text.encode("latin-1"))
    assert "cfg.json" in refused(directory).message


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"architecture": "crosscoder"}, "'crosscoder'"),
        ({"architecture": "topk", "k": 13}, "at most 12"),
        ({"architecture": "topk", "k": 2.5}, "'k' must be a whole number"),
        ({"normalize_activations": "batch"}, "normalize_activations"),
        ({"apply_b_dec_to_input": "yes"}, "apply_b_dec_to_input"),
        ({"activation_fn": "tanh-relu"}, "tanh-relu"),
        ({"architecture": "temporal", "n_heads": 5}, "5 heads"),
    ],
)
def test_configuration_that_cannot_be_is_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    assert words in refused(saelens_directory(tmp_path / "s", state_dict(), **changed)).message


@pytest.mark.parametrize("name", ["sae.safetensors", "ae.pt", "notes.txt", ""])
def test_folder_without_known_weights_says_what_is_there(tmp_path: Path, name: str) -> None:
    if name:
        (tmp_path / name).write_text("x")
    error = refused(tmp_path)
    assert name in error.message
    assert "sae_weights.safetensors" in error.hint or "weights" in error.message


def test_missing_source_is_named(tmp_path: Path) -> None:
    assert "nowhere" in refused(tmp_path / "nowhere").message


@pytest.mark.parametrize("cut", [4, 100, -3])
def test_truncated_weights_are_refused(tmp_path: Path, cut: int) -> None:
    directory = saelens_directory(tmp_path / "s")
    path = directory / "sae_weights.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    assert refused(directory).kind in {"truncated-source", "wrong-file-type"}


def test_nothing_of_a_refused_import_is_visible(tmp_path: Path) -> None:
    tensors = state_dict()
    tensors["W_enc"][0, 0] = np.nan
    store = imported(saelens_directory(tmp_path / "a"), sae="a")[0].store
    before = head(store).entries
    with pytest.raises(SaeatlasError):
        import_parts(store, SaeWeights(str(saelens_directory(tmp_path / "b", tensors)), sae="b"))
    assert head(store).entries == before


def test_memory_is_that_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.format.weights._BLOCK_BYTES", 1_000_000)
    monkeypatch.setattr("saeatlas.format.tensor._BLOCK_BYTES", 1_000_000)
    n, d = 20_000, 200
    tensors = {"W_dec": np.ones((n, d), np.float32), "W_enc": np.ones((d, n), np.float32)}
    tensors |= {"b_enc": np.zeros(n, np.float32), "b_dec": np.zeros(d, np.float32)}
    directory = saelens_directory(tmp_path / "s", tensors, d_in=d, d_sae=n)
    importer = SaeWeights(str(directory), sae="s")
    (part,) = importer.survey(SILENT).parts
    (tmp_path / "out").mkdir()
    tracemalloc.start()
    importer.write(part, tmp_path / "out", SILENT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000 < tensors["W_dec"].nbytes
    assert peak < part.memory < 1_000_000_000


def test_extra_tensors_are_left_out_and_told(tmp_path: Path) -> None:
    tensors = {**state_dict(), "threshold": np.zeros(N, np.float32), "moments": np.zeros(3, np.float32)}
    importer = SaeWeights(str(saelens_directory(tmp_path / "s", tensors)), sae="s")
    assert [note for note in importer.survey(SILENT).notes if "moments, threshold" in note]
    assert imported(tmp_path / "s")[1].vector("threshold") is None


def test_integers_for_weights_are_refused(tmp_path: Path) -> None:
    tensors = {**state_dict(), "b_dec": np.zeros(D, np.int32)}
    assert "I32" in refused(saelens_directory(tmp_path / "s", tensors)).message


def test_unknown_safetensors_beside_no_configuration(tmp_path: Path) -> None:
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    assert "cfg.json" in refused(tmp_path / "x.safetensors").message


def test_configuration_is_stored_with_the_weights(tmp_path: Path) -> None:
    _, weights = imported(saelens_directory(tmp_path / "s", neuronpedia_id="gpt2/3-toy"))
    assert weights.config["neuronpedia_id"] == "gpt2/3-toy"
    assert json.loads(json.dumps(weights.config))["normalize_activations"] == "none"
