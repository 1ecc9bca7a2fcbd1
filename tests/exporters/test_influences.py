"""The wide table of influences holds what the dense product says, rank by rank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from saeatlas.analyses.logit_effects import LogitEffects
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.exporters.influences import InfluencesExporter
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.parts_importer import PartsImporter, make_parts

N, D, V = 10, 12, 25
ROWS = np.random.default_rng(1).normal(size=(V, D)).astype(np.float32)


def atlas_with(directory: Path, **fields: Any) -> Atlas:
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="toy", data=make_parts(N)))
    np.save(directory / "u.npy", ROWS)
    (directory / "v.json").write_text(str([f"w{i}" for i in range(V)]).replace("'", '"'))
    files = {"unembedding": str(directory / "u.npy"), "vocabulary": str(directory / "v.json"), "k": 4}
    return build(Atlas(store, head(store)), LogitEffects(**{**files, **fields}))


def exported(directory: Path, atlas: Atlas, **fields: Any) -> pl.DataFrame:
    (path,) = InfluencesExporter(**fields).export([atlas.sae()], directory / "out", SILENT)
    readers = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".tsv": lambda p: pl.read_csv(p, separator="\t")}
    return readers[path.suffix](path)


@pytest.mark.parametrize("form", ["parquet", "csv", "tsv"])
def test_columns_and_values_are_those_of_the_source(tmp_path: Path, form: Any) -> None:
    table = exported(tmp_path, atlas_with(tmp_path), form=form)
    assert table.columns[:4] == ["feature_id", "feature_label", "+1_tok", "+1_val"]
    assert table.columns[10:12] == ["-1_tok", "-1_val"]
    assert len(table.columns) == 2 + 4 * 4
    product = make_parts(N).arrays["decoder"] @ ROWS.T
    for feature in range(N - 1):
        order = np.argsort(-product[feature])
        line = table.row(feature, named=True)
        assert [line[f"+{rank}_tok"] for rank in (1, 2, 3, 4)] == [f"w{token}" for token in order[:4]]
        assert [line[f"-{rank}_tok"] for rank in (1, 2, 3, 4)] == [f"w{token}" for token in order[::-1][:4]]
        assert np.isclose(line["-1_val"], product[feature].min(), rtol=1e-5)
    assert table["feature_label"][1] == dict(make_parts(N).texts)[1]
    assert table.row(N - 1, named=True)["+1_tok"] is None


def test_fewer_ranks_and_no_labels(tmp_path: Path) -> None:
    table = exported(tmp_path, atlas_with(tmp_path), k=2, labels="-")
    assert table.columns[2:] == ["+1_tok", "+1_val", "+2_tok", "+2_val", "-1_tok", "-1_val", "-2_tok", "-2_val"]
    assert table["feature_label"].null_count() == N


def test_without_vocabulary_ids_stand_for_tokens(tmp_path: Path) -> None:
    table = exported(tmp_path, atlas_with(tmp_path, vocabulary=""))
    product = make_parts(N).arrays["decoder"] @ ROWS.T
    assert table["+1_tok"][0] == str(product[0].argmax())


def test_without_the_analysis_it_says_so(tmp_path: Path) -> None:
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="toy", data=make_parts(N)))
    sae = Atlas(store, head(store)).sae()
    assert "logit-effects" in InfluencesExporter().lacks(sae)
    with pytest.raises(NotFound, match="logit-effects"):
        InfluencesExporter().export([sae], tmp_path, SILENT)


def test_ranks_are_whole_numbers() -> None:
    with pytest.raises(InvalidInput):
        InfluencesExporter(k=-1)
