from __future__ import annotations

import json
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from saeatlas.demo import source as source_module
from saeatlas.demo.figures import unexplained
from saeatlas.demo.files import read_sae, read_tokens
from saeatlas.demo.source import DemoSource, make_source
from saeatlas.demo.topk import Codes
from saeatlas.demo.training import Recipe
from saeatlas.demo.weights import sha256_of
from saeatlas.errors import InvalidInput, MissingExtra
from saeatlas.progress import Event, Progress

SMALL = Recipe(n_features=64, k=4, epochs=2, batch=256)
N_TOKENS = 2_000
STAGES = ("corpus", "hidden-states", "sae", "activations")


def remade(directory: Path, recipe: Recipe = SMALL) -> DemoSource:
    return make_source(directory, n_tokens=N_TOKENS, recipe=recipe)


@pytest.fixture
def copy(small_source: DemoSource, tmp_path: Path) -> Path:
    return shutil.copytree(small_source.directory, tmp_path / "copy")


def test_hdf5_has_the_layout_of_the_format(small_source: DemoSource) -> None:
    with h5py.File(small_source.activations) as file:
        n_rows = small_source.figures.n_tokens
        assert sorted(file) == ["rev_idx", "review_ids_unique", "z_idx", "z_val"]
        assert (file["z_idx"].shape, file["z_idx"].dtype) == ((n_rows, 4), np.int32)
        assert (file["z_val"].shape, file["z_val"].dtype) == ((n_rows, 4), np.float32)
        assert (file["rev_idx"].shape, file["rev_idx"].dtype.kind) == ((n_rows,), "S")
        assert len(file["review_ids_unique"]) == small_source.figures.n_documents


def test_slots_are_distinct_in_range_and_descending(small_source: DemoSource) -> None:
    with h5py.File(small_source.activations) as file:
        ids, values = file["z_idx"][:], file["z_val"][:]
    assert ((ids >= 0) & (ids < 64)).all()
    assert (np.diff(np.sort(ids, axis=1)) > 0).all()
    assert (np.diff(values) <= 0).all()
    assert (values >= 0).all()


def test_metadata_needs_no_pickle_and_names_the_same_documents(small_source: DemoSource) -> None:
    with np.load(small_source.metadata, allow_pickle=False) as data, h5py.File(small_source.activations) as file:
        assert data.files == ["review_ids", "texts", "module", "package", "kind", "name", "length"]
        assert [one.decode() for one in file["review_ids_unique"][:]] == data["review_ids"].tolist()
        assert data["length"].tolist() == [len(text) for text in data["texts"]]
        assert set(data["kind"]) <= {"module", "class", "function"}
        assert len(set(data["review_ids"])) == len(data["review_ids"])


def test_every_token_span_lies_in_its_document_and_gives_its_token(small_source: DemoSource) -> None:
    with np.load(small_source.metadata) as data:
        texts = dict(zip(data["review_ids"].tolist(), data["texts"].tolist(), strict=True))
    for token in pq.read_table(small_source.tokens).to_pylist():
        piece = texts[token["document"]][token["start"] : token["end"]].lower()
        assert piece
        assert token["string"] == "[UNK]" or not piece.isascii() or piece == token["string"].removeprefix("##")


def test_tokens_and_activations_have_the_same_rows(small_source: DemoSource) -> None:
    table = pq.read_table(small_source.tokens)
    with h5py.File(small_source.activations) as file:
        assert [one.decode() for one in file["rev_idx"][:]] == table["document"].to_pylist()
    rows = read_tokens(small_source.tokens)
    expected = np.concatenate([np.arange(n) for n in np.diff(rows.starts)])
    assert table["position"].to_pylist() == expected.tolist()


def test_held_out_documents_are_a_tenth_and_whole(small_source: DemoSource) -> None:
    rows = read_tokens(small_source.tokens)
    assert len(rows.documents) - rows.first_held_out_document == max(1, len(rows.documents) // 10)
    assert rows.first_held_out_row in rows.starts
    learned = set(map(bytes, rows.texts()[: rows.first_held_out_document]))
    assert not learned & set(map(bytes, rows.texts()[rows.first_held_out_document :]))


def test_weights_lie_as_in_saelens(small_source: DemoSource) -> None:
    weights = load_file(small_source.sae / "sae_weights.safetensors")
    assert {name: array.shape for name, array in weights.items()} == {
        "W_enc": (384, 64),
        "b_enc": (64,),
        "W_dec": (64, 384),
        "b_dec": (384,),
    }
    configuration = json.loads((small_source.sae / "cfg.json").read_text())
    assert (configuration["architecture"], configuration["k"]) == ("topk", 4)
    assert configuration["metadata"]["hook_name"] == "encoder.layer.2.output"


def test_activations_follow_from_states_and_weights(small_source: DemoSource) -> None:
    weights = load_file(small_source.sae / "sae_weights.safetensors")
    states = np.load(small_source.hidden_states)
    scores = (states - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    with h5py.File(small_source.activations) as file:
        listed = np.take_along_axis(scores, file["z_idx"][:], axis=1)
        np.testing.assert_allclose(file["z_val"][:], np.maximum(listed, 0), atol=1e-4)
        assert (listed.min(axis=1) >= np.sort(scores, axis=1)[:, -4] - 1e-4).all()


def test_figures_can_be_recomputed_from_the_files(small_source: DemoSource) -> None:
    first = read_tokens(small_source.tokens).first_held_out_row
    with h5py.File(small_source.activations) as file:
        codes = Codes(file["z_idx"][first:], file["z_val"][first:])
    quality = small_source.figures.quality
    found = unexplained(read_sae(small_source.sae), np.load(small_source.hidden_states)[first:], codes)
    assert quality.fvu == pytest.approx(found, rel=1e-9)
    assert 0 < quality.fvu < 1
    assert quality.l0 == np.count_nonzero(codes.values > 0) / len(codes.values)
    assert json.loads((small_source.directory / "figures.json").read_text())["quality"]["fvu"] == quality.fvu


def test_identity_states_what_is_known(small_source: DemoSource) -> None:
    identity = small_source.identity
    assert identity.unknown() == ("revision",)
    assert (identity.width, identity.k, identity.context_window, identity.attention) == (64, 4, 256, "bidirectional")
    assert identity.weights_digest == sha256_of(small_source.sae / "sae_weights.safetensors")
    assert small_source.figures.python == platform.python_version()


@pytest.mark.usefixtures("little_to_read")
def test_a_second_making_gives_the_same_bytes(small_source: DemoSource, tmp_path: Path) -> None:
    again = remade(tmp_path / "again")
    assert again.reused == ()
    for name in ("activations.h5", "metadata.npz", "tokens.parquet", "sae/cfg.json", "sae/sae_weights.safetensors"):
        assert (again.directory / name).read_bytes() == (small_source.directory / name).read_bytes(), name


@pytest.mark.usefixtures("little_to_read")
def test_a_second_call_reuses_everything_without_the_model(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(directory: Path | None) -> None:
        raise MissingExtra("The model is gone")

    monkeypatch.setattr(source_module, "find_weights", gone)
    before = (copy / "figures.json").read_bytes()
    assert remade(copy).reused == STAGES
    assert (copy / "figures.json").read_bytes() == before


@pytest.mark.usefixtures("little_to_read")
@pytest.mark.parametrize(
    ("lost", "rebuilt"),
    [
        ("metadata.npz", "corpus"),
        ("hidden_states.npy", "hidden-states"),
        ("sae/sae_weights.safetensors", "sae"),
        ("activations.h5", "activations"),
    ],
)
def test_a_lost_file_rebuilds_its_own_stage_only(copy: Path, lost: str, rebuilt: str) -> None:
    # What is made again has the same bytes, so nothing after it needs to be.
    (copy / lost).unlink()
    assert set(STAGES) - set(remade(copy).reused) == {rebuilt}
    assert (copy / lost).exists()


@pytest.mark.usefixtures("little_to_read")
def test_another_recipe_keeps_corpus_and_hidden_states(copy: Path) -> None:
    assert remade(copy, replace(SMALL, seed=1)).reused == ("corpus", "hidden-states")


def test_every_task_of_a_run_reaches_its_total(tmp_path: Path) -> None:
    events: list[Event] = []
    make_source(tmp_path, n_tokens=400, recipe=SMALL, progress=Progress(events.append))
    totals = {event.task: event.total for event in events if event.what == "start"}
    assert list(totals) == [
        "Read docstrings", "Tokenise", "Compute hidden states", "Train the SAE", "Encode tokens", "Write activations",
    ]  # fmt: skip
    done = {task: sum(event.amount for event in events if event.task == task) for task in totals}
    assert done == totals


def test_no_tokens_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        make_source(tmp_path, n_tokens=0)
