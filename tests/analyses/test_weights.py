"""What weights are like, feature by feature: against NumPy, with zeros, copies, and what an architecture lacks."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses import weights as module
from saeatlas.analyses.weights import Weights
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.errors import NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts
from saeatlas.testing.sae_sources import imported, saelens_directory, state_dict

RNG = np.random.default_rng(0)


def sae_of(**arrays: Any) -> SAE:
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="toy", data=SaeParts(arrays=arrays)))
    return Atlas(store, head(store)).sae()


def table(sae: SAE) -> dict[str, list[Any]]:
    return compute_tables(Weights(), sae)["data"].to_pydict()


def test_numbers_equal_numpy() -> None:
    decoder, encoder = RNG.normal(size=(2, 30, 8)).astype(np.float32)
    bias, threshold = RNG.normal(size=8).astype(np.float32), np.abs(RNG.normal(size=30)).astype(np.float32)
    b_enc = RNG.normal(size=30).astype(np.float32)
    found = table(sae_of(decoder=decoder, encoder=encoder, b_dec=bias, b_enc=b_enc, threshold=threshold))
    wide, other = decoder.astype(np.float64), encoder.astype(np.float64)
    lengths, others = np.linalg.norm(wide, axis=1), np.linalg.norm(other, axis=1)
    assert np.allclose(found["decoder_norm"], lengths, rtol=1e-14)
    assert np.allclose(found["encoder_norm"], others, rtol=1e-14)
    assert np.allclose(found["encoder_decoder_cosine"], (wide * other).sum(1) / lengths / others, rtol=1e-13)
    assert np.allclose(
        found["decoder_bias_cosine"], wide @ bias / lengths / np.linalg.norm(bias.astype(float)), rtol=1e-6
    )
    assert found["decoder_max"] == np.abs(decoder).max(1).tolist()
    assert found["decoder_max_axis"] == np.abs(decoder).argmax(1).tolist()
    assert np.allclose(found["decoder_participation"], (wide**2).sum(1) ** 2 / (wide**4).sum(1), rtol=1e-13)
    assert found["encoder_bias"] == b_enc.tolist()
    assert found["threshold"] == threshold.tolist()
    assert found["feature"] == list(range(30))


def test_one_axis_counts_as_one_and_all_as_all() -> None:
    found = table(sae_of(decoder=np.array([[0, -3, 0, 0], [1, 1, -1, 1]], np.float32)))
    assert found["decoder_participation"] == [1, 4]
    assert found["decoder_max_axis"] == [1, 0]


@pytest.mark.parametrize("block", [1, 8, 4_000_000])
def test_copies_name_the_first_of_them_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", block)
    decoder = RNG.normal(size=(12, 4)).astype(np.float32)
    decoder[[5, 9]] = decoder[2]
    decoder[11] = decoder[10]
    decoder[11, 0] = np.nextafter(decoder[10, 0], np.float32(np.inf))
    decoder[[3, 4]] = 0
    decoder[7], decoder[8] = [0, 1, 0, 0], [-0.0, 1, 0, -0.0]
    found = table(sae_of(decoder=decoder))
    assert found["duplicate_of"] == [None] * 5 + [2, None, None, 7, 2, None, None]
    assert found["is_zero_decoder"] == [i in {3, 4} for i in range(12)]


def test_rows_of_zeros_have_no_direction() -> None:
    decoder = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    encoder = np.array([[1, 0], [0, 0], [0, -2]], np.float32)
    found = table(sae_of(decoder=decoder, encoder=encoder, b_dec=np.zeros(2, np.float32)))
    assert found["encoder_decoder_cosine"] == [None, None, -1]
    assert found["decoder_participation"] == [None, 1, 1]
    assert found["decoder_max_axis"] == [None, 0, 1]
    assert found["decoder_norm"] == [0, 1, 1]
    assert found["is_zero_encoder"] == [False, True, False]
    assert found["decoder_bias_cosine"] == [None] * 3


def test_what_an_architecture_lacks_is_null(tmp_path: Path) -> None:
    decoder_only = table(sae_of(decoder=np.eye(3, dtype=np.float32)))
    for name in ("encoder_norm", "encoder_decoder_cosine", "encoder_bias", "threshold", "is_zero_encoder"):
        assert decoder_only[name] == [None] * 3
    gated = table(imported(saelens_directory(tmp_path / "g", architecture="gated"))[0].sae())
    tensors = state_dict("gated")
    assert gated["encoder_bias"] == [None] * 12
    assert gated["gate_bias"] == tensors["b_gate"].tolist()
    assert np.allclose(gated["magnitude_scale"], np.exp(tensors["r_mag"].astype(np.float64)), rtol=1e-15)
    transcoder = saelens_directory(tmp_path / "t", architecture="transcoder", d_out=6, apply_b_dec_to_input=False)
    found = table(imported(transcoder)[0].sae())
    assert found["encoder_decoder_cosine"] == [None] * 12
    assert None not in found["encoder_norm"]


def test_tiny_and_huge_numbers_stay_in_range() -> None:
    found = table(sae_of(decoder=np.array([[1e-30, 1e-30], [1e30, 1e30]], np.float32)))
    assert np.allclose(found["decoder_participation"], [2, 2])
    assert np.allclose(found["decoder_norm"], [2**0.5 * 1e-30, 2**0.5 * 1e30], rtol=1e-6)


def test_sae_without_weights_says_what_to_do() -> None:
    atlas = make_atlas(MemoryStore(), n_features=8)
    with pytest.raises(NotFound, match="weights"):
        build(atlas, Weights())
    with pytest.raises(NotFound) as caught:
        Weights().compute(atlas.sae(), SILENT)
    assert "sae-weights" in caught.value.hint


def test_columns_join_the_table_of_features() -> None:
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="toy", data=SaeParts(arrays={"decoder": np.eye(4, dtype=np.float32)})))
    sae = build(Atlas(store, head(store)), Weights()).sae()
    assert sae.features.collect()["weights.decoder_norm"].to_list() == [1.0] * 4
    # The analysis and what was imported do not stand in each other's way.
    assert sae.weights is not None


def test_memory_is_below_what_was_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 100_000)
    sae = sae_of(decoder=np.ones((40_000, 64), np.float32) * np.arange(1, 40_001, dtype=np.float32)[:, None])
    tracemalloc.start()
    rows = sum(batch.num_rows for batch in Weights().compute(sae, SILENT)["data"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 40_000
    assert peak < Weights().peak_bytes(sae) - 300_000_000 < 40_000 * 64 * 8 * 1.1
