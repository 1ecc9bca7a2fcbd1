"""Weights on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saeatlas.errors import FormatError, InternalError, SourceError
from saeatlas.format.weights import WeightsReader, write_weights
from saeatlas.storage import open_store

CONFIG = {"architecture": "topk", "k": 2}


def arrays(n_features: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "decoder": random.normal(size=(n_features, 3)).astype(np.float32),
        "encoder": random.normal(size=(n_features, 4)),
        "b_enc": random.normal(size=n_features).astype(np.float32),
    }


def written(tmp_path: Path, **changed: np.ndarray) -> WeightsReader:
    folder = tmp_path / "a.atlas" / "w"
    folder.mkdir(parents=True)
    attributes = write_weights(folder, {**arrays(), **changed}, CONFIG)
    return WeightsReader(open_store(tmp_path / "a.atlas"), "w", attributes)


def test_arrays_come_back_bit_for_bit(tmp_path: Path) -> None:
    reader = written(tmp_path)
    for name, array in arrays().items():
        found = reader.array(name)
        assert found is not None
        assert found.dtype == array.dtype
        assert np.array_equal(found.read(), array)
    assert reader.array("b_dec") is None


def test_attributes_say_the_sizes_and_how_it_encodes(tmp_path: Path) -> None:
    reader = written(tmp_path)
    assert (reader.n_features, reader.d_in, reader.d_out) == (5, 4, 3)
    assert reader.config == CONFIG
    assert set(reader.names) == {"decoder", "encoder", "b_enc"}


def test_matrix_of_other_height_than_the_seal_says_is_found(tmp_path: Path) -> None:
    reader = written(tmp_path, encoder=np.zeros((4, 4)))
    with pytest.raises(FormatError, match="4 rows, the seal says 5"):
        reader.array("encoder")


@pytest.mark.parametrize(("name", "place"), [("decoder", r"\[4, 1\]"), ("encoder", r"\[4, 1\]"), ("b_enc", r"\[4\]")])
def test_number_that_is_not_finite_is_named(tmp_path: Path, name: str, place: str) -> None:
    broken = arrays()[name].copy()
    broken[(4, 1) if broken.ndim == 2 else 4] = np.inf
    with pytest.raises(SourceError, match=f"'{name}' at {place} is inf") as error:
        written(tmp_path, **{name: broken})
    assert error.value.kind == "not-finite"


def test_place_is_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.format.weights._BLOCK_BYTES", 24)
    broken = arrays()["decoder"].copy()
    broken[3, 2] = np.nan
    with pytest.raises(SourceError, match=r"\[3, 2\]"):
        written(tmp_path, decoder=broken)


def test_half_precision_is_the_importers_to_widen(tmp_path: Path) -> None:
    with pytest.raises(InternalError):
        written(tmp_path, b_enc=np.zeros(5, np.float16))
