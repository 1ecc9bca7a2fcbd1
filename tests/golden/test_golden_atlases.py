"""Atlases that earlier versions wrote mean today what they meant then."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from read_independently import read

import saeatlas as sa
from saeatlas.format.version import FORMAT
from saeatlas.pipeline.compact import compact
from saeatlas.pipeline.verify import verify

HERE = Path(__file__).parent
GOLDEN = {path.name: path for path in sorted(HERE.glob("format_*"))}
every_format = pytest.mark.parametrize("name", GOLDEN)
# zarr-python says so of every pcodec array; other readers of zarr v3 may not have the codec.
with_any_codec = pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr")


@cache
def expected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN[name] / "expected.json").read_text(encoding="utf-8"))
    return found


def opened(name: str) -> sa.Atlas:
    return sa.open(GOLDEN[name] / "atlas")


def entries_of(source: dict[str, Any]) -> dict[tuple[int, int], float]:
    """(row, feature) to value."""
    rows = np.repeat(np.arange(len(source["indptr"]) - 1), np.diff(source["indptr"])).tolist()
    return dict(zip(zip(rows, source["features"], strict=True), source["values"], strict=True))


def check_entries(atlas: sa.Atlas, name: str) -> None:
    for sae, source in expected(name)["sources"].items():
        activations, wanted = atlas.sae(sae).activations, entries_of(source)
        n_rows = len(source["indptr"]) - 1
        assert activations.n_rows == n_rows
        indptr, features, values = activations.rows(0, n_rows)
        rows = np.repeat(np.arange(n_rows), np.diff(indptr))
        by_row = zip(rows.tolist(), features.tolist(), values.tolist(), strict=True)
        assert {(row, feature): value for row, feature, value in by_row} == wanted
        by_feature = {}
        for feature in range(activations.n_features):
            rows, values = activations.feature(feature)
            by_feature |= {(row, feature): value for row, value in zip(rows.tolist(), values.tolist(), strict=True)}
        assert by_feature == wanted


def test_every_released_format_is_here() -> None:
    assert set(GOLDEN) == {f"format_{version}" for version in range(1, FORMAT + 1)}


@every_format
def test_atlas_is_small(name: str) -> None:
    assert sum(path.stat().st_size for path in GOLDEN[name].rglob("*") if path.is_file()) < 300_000


@every_format
def test_atlas_has_what_could_go_wrong(name: str) -> None:
    atlas = opened(name)
    infos = [segment.info for sae in atlas.saes for segment in atlas.sae(sae).activations.segments]
    assert {info.profile for info in infos} == {"fast", "balanced", "compact"}
    assert {info.value_dtype for info in infos} == {"float16", "float32", "float64"}
    assert {info.k is None for info in infos} == {True, False}
    assert any(info.first_row > 0 for info in infos)
    assert any(info.n_listed == 0 for info in infos)
    assert any(info.n_listed > info.n_active > 0 for info in infos)
    assert any((info.min or 0.0) < 0 for info in infos)
    documents = [atlas.corpus(corpus).documents.attributes for corpus in atlas.corpora]
    assert {facts["contiguous"] for facts in documents} == {True, False}
    assert {facts["n_without_text"] for facts in documents} == {0, 1}


@every_format
def test_nothing_is_wrong_with_any_byte(name: str) -> None:
    report = verify(opened(name), deep=True)
    assert report.findings == ()
    assert report.artifacts == len(opened(name).entries)


@every_format
def test_activations_are_those_it_was_made_from(name: str) -> None:
    check_entries(opened(name), name)


@every_format
def test_documents_and_tokens_are_those_it_was_made_from(name: str) -> None:
    atlas = opened(name)
    for sae, source in expected(name)["sources"].items():
        corpus = atlas.sae(sae).corpus
        assert corpus.name == source["corpus"]
        places = corpus.locate(range(corpus.n_rows))
        assert [place.index for place in places] == source["documents"]
        assert corpus.documents.ids().to_pylist() == source["ids"]
        assert [corpus.text(document) for document in source["ids"]] == source["texts"]
        assert corpus.table(list(source["columns"])).to_pydict() == source["columns"]
        assert corpus.tokens is not None
        rows = np.arange(corpus.n_rows)
        assert corpus.tokens.strings(corpus.tokens.read(0, corpus.n_rows)) == source["tokens"]
        assert corpus.tokens.spans(rows).tolist() == source["spans"]


@every_format
def test_tables_are_current_and_hold_what_they_held(name: str) -> None:
    sae = opened(name).sae(expected(name)["analysed"])
    tables = expected(name)["tables"]
    assert set(tables) >= {"stats", "histogram", "examples", "top-tokens", "metadata-association"}
    for analysis, recorded in tables.items():
        assert sae.why_no_table(analysis) == ""
        for table, columns in recorded.items():
            found = sae.table(analysis, table)
            assert found is not None
            assert found.num_rows > 0
            assert found.to_pydict() == columns


@with_any_codec
@every_format
def test_stranger_reads_it_too(name: str) -> None:
    for sae, source in expected(name)["sources"].items():
        found = read(GOLDEN[name] / "atlas", sae, source["corpus"])
        assert found.by_row == found.by_feature == entries_of(source)
        assert [found.place[row][0] for row in range(len(source["documents"]))] == [
            source["ids"][document] for document in source["documents"]
        ]
        assert found.texts == {i: text for i, text in zip(source["ids"], source["texts"], strict=True) if text}
        assert [found.words[row] for row in range(len(source["tokens"]))] == source["tokens"]
        if sae == expected(name)["analysed"]:
            assert {n: found.tables[n] for n in found.tables} == {
                n: t["data"] for n, t in expected(name)["tables"].items()
            }


@every_format
def test_todays_code_goes_on_from_it(name: str, tmp_path: Path) -> None:
    shutil.copytree(GOLDEN[name] / "atlas", tmp_path / "atlas")
    for sae in opened(name).saes:
        compact(sa.open(tmp_path / "atlas"), sae, profile="balanced")
    atlas = sa.open(tmp_path / "atlas")
    assert all(len(atlas.sae(sae).activations.segments) == 1 for sae in atlas.saes)
    check_entries(atlas, name)
    assert atlas.sae(expected(name)["analysed"]).why_no_table("stats") == ""
    assert verify(atlas, deep=True).ok


def test_golden_atlas_is_not_written_over() -> None:
    script = [sys.executable, str(HERE / "write_golden.py"), str(HERE / "format_1")]
    before = {path: path.stat().st_mtime_ns for path in (HERE / "format_1").rglob("*")}
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "File exists" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in (HERE / "format_1").rglob("*")} == before
