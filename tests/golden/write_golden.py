"""Write a golden atlas: what today's code stores, kept so that every later version is seen to read it.

Run once for each version of the format, before its release:

    python tests/golden/write_golden.py tests/golden/format_2

It refuses to write over one that exists, because an atlas that today's code made again proves nothing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.recipe import name_of
from saeatlas.storage import open_store
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays
from saeatlas.testing.make_atlas import Shape, make_importer

__all__ = ["main"]

PLAIN = Shape(n_rows=60, n_features=12, k=3, n_documents=6)
"""The same number of slots in every row, one document after the other."""
ODD = Shape(n_rows=60, n_features=12, k=4, n_documents=6, seed=1, interleaved=True, ragged=True, listed_zeros=0.2)
"""Rows of different length, scattered documents, zeros and negatives."""
ANALYSES = (
    Stats(),
    Histogram(bins=5),
    Examples(top=3, strata=2, per_stratum=1, random=2),
    TopTokens(k=3),
    MetadataAssociation(),
)
ANALYSED = "balanced"
"""The SAE whose tables are kept: a feature that never fires, a segment without entries, missing metadata."""


def importers() -> list[ArraysImporter]:
    """Return one importer for each profile; each stores another type of values."""
    fast = make_importer(PLAIN, sae="fast", profile="fast", shard_rows=35)
    balanced = make_importer(ODD, sae="balanced", profile="balanced", shard_rows=40)
    compact = make_importer(ODD, sae="compact", profile="compact")
    odd = with_document_without_rows(balanced.data)
    return [
        replace(fast, data=typed(fast.data, np.float16)),
        replace(balanced, data=without_entries(odd, 40, 60), corpus="scattered"),
        replace(compact, data=typed(odd, np.float64), corpus="scattered"),
    ]


def typed(data: SparseArrays, dtype: type[np.floating[Any]]) -> SparseArrays:
    """Return the arrays with values that need exactly this type."""
    values = data.values.astype(np.float16) if dtype is np.float16 else data.values.astype(np.float64) / 3
    return replace(data, values=values)


def with_document_without_rows(data: SparseArrays) -> SparseArrays:
    """Return the arrays with one more document, of which nothing but the id is known."""
    columns = {name: [*column, None] for name, column in data.columns.items()}
    return replace(data, ids=(*data.ids, "only-an-id"), texts=(*data.texts, None), columns=columns)


def without_entries(data: SparseArrays, start: int, stop: int) -> SparseArrays:
    """Return the arrays with nothing listed in some rows: all of one segment."""
    first, last = data.indptr[start], data.indptr[stop]
    indptr = data.indptr - np.clip(data.indptr - first, 0, last - first)
    kept = np.r_[0:first, last : data.values.size]
    return replace(data, features=data.features[kept], values=data.values[kept], indptr=indptr)


def source_of(importer: ArraysImporter) -> dict[str, Any]:
    """Return what an importer holds as JSON values; Python writes floats so that they read back the same."""
    data = importer.data
    assert data.tokens is not None
    assert data.spans is not None
    return {
        "corpus": importer.corpus,
        "profile": importer.profile,
        "indptr": data.indptr.tolist(),
        "features": data.features.tolist(),
        "values": data.values.astype(np.float64).tolist(),
        "documents": data.documents.tolist(),
        "ids": data.ids,
        "texts": data.texts,
        "columns": dict(data.columns),
        "tokens": [data.vocabulary[token] for token in data.tokens],
        "spans": data.spans.tolist(),
    }


def main() -> None:
    """Write the atlas, and beside it what it was made from and what its tables hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="must not exist")
    directory = parser.parse_args().directory
    directory.mkdir(parents=True)
    store = open_store(directory / "atlas", create=True)
    create_atlas(store)
    sources = {}
    for importer in importers():
        import_source(store, importer)
        sources[importer.sae] = source_of(importer)
    sae = build(Atlas(store, head(store)), *ANALYSES, saes=(ANALYSED,)).sae(ANALYSED)
    tables: dict[str, dict[str, Any]] = {}
    for analysis in ANALYSES:
        name = name_of(type(analysis))
        found = {table: sae.table(name, table) for table in analysis.schema()}
        tables[name] = {table: lines.to_pydict() for table, lines in found.items() if lines is not None}
    expected = {"sources": sources, "analysed": ANALYSED, "tables": tables}
    (directory / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
