"""Small atlases written by hand from dense arrays, so that every answer can be compared with the arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.currency import inputs_of
from saeatlas.format.artifact import SEAL, seal
from saeatlas.format.canonical import canonical_json
from saeatlas.format.commit import Entry, publish_commit
from saeatlas.format.documents import DocumentsReader, DocumentsWriter
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.segment import SegmentBuilder
from saeatlas.format.table import write_batches
from saeatlas.format.tokens import TokensWriter
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.analysis import Analysis
from saeatlas.pipeline.recipe import fields_of, name_of
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore, Store

WORDS = ["red ", "green ", "blue ", "déjà ", "of "]


@dataclass(frozen=True)
class Source:
    """What an atlas is made from; NaN in `dense` is 'not listed'."""

    dense: npt.NDArray[np.float64]
    documents: npt.NDArray[np.int64]
    n_documents: int
    borders: tuple[int, ...] = ()
    width: int | None = None
    window: int | None = 4
    attention: Any = "causal"
    has_tokens: bool = True
    has_spans: bool = True
    status: dict[int, int] = field(default_factory=dict)

    @property
    def tokens(self) -> npt.NDArray[np.int64]:
        return np.arange(self.documents.size) * 7 % len(WORDS)

    @property
    def positions(self) -> npt.NDArray[np.int64]:
        out = np.zeros(self.documents.size, np.int64)
        for document in range(self.n_documents):
            where = np.flatnonzero(self.documents == document)
            out[where] = np.arange(where.size)
        return out

    def rows_of(self, document: int) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.documents == document)

    def text(self, document: int) -> str:
        return "".join(WORDS[token] for token in self.tokens[self.rows_of(document)])

    def active(self, feature: int) -> npt.NDArray[np.bool_]:
        return np.nan_to_num(self.dense[:, feature], nan=-1.0) > 0

    def listed(self, feature: int) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self.dense[:, feature])


def random_source(seed: int, n_rows: int = 60, n_features: int = 12, n_documents: int = 9, **facts: Any) -> Source:
    """Ties, zeros, negatives, documents in pieces, one document without rows, one feature never listed."""
    rng = np.random.default_rng(seed)
    levels = np.array([-1.5, 0.0, 0.25, 0.5, 0.5, 1.0, 3.0], np.float64)
    dense = rng.choice(levels, (n_rows, n_features))
    share = np.linspace(0.05, 0.9, n_features)
    dense[rng.random(dense.shape) > share] = np.nan
    if n_features > 5:
        dense[:, 5] = np.nan
        dense[:, 4] = np.where(np.isnan(dense[:, 4]), np.nan, -np.abs(dense[:, 4]))
    documents = rng.integers(0, n_documents - 1, n_rows)
    facts.setdefault("borders", (n_rows // 3, n_rows // 3 + 1))
    return Source(dense, documents, n_documents, **facts)


def publish(
    store: Store, logical: str, encoding: str, write: Callable[[Path], tuple[dict[str, Any], str | None]], **made: Any
) -> Entry:
    """Seal what `write` leaves in a directory and return its entry."""
    with store.scratch() as directory:
        attributes, content = write(directory)
        key = logical.replace("/", "-")
        manifest = seal(
            directory,
            encoding_type=encoding,
            encoding_version=1,
            step=logical.rpartition("/")[2],
            step_version=1,
            params=made.get("params", {}),
            inputs=made.get("inputs", {}),
            key=key,
            attributes=attributes,
            content=content,
            seconds=0.0,
        )
        prefix = f"artifacts/{key}-{manifest.digest[:8]}"
        store.publish(directory, prefix, seal=SEAL)
    return Entry(prefix, encoding, key, manifest.digest, manifest.content)


def _write_segment(source: Source, first: int, stop: int, directory: Path) -> tuple[dict[str, Any], str]:
    part = source.dense[first:stop]
    listed = ~np.isnan(part)
    indptr = np.concatenate([[0], np.cumsum(listed.sum(1))]).astype(np.int64)
    builder = SegmentBuilder(
        directory,
        sae="s",
        corpus="c",
        first_row=first,
        n_rows=stop - first,
        n_features=source.width,
        profile="fast",
        identity={},
    )
    features = np.nonzero(listed)[1].astype(np.uint32)
    builder.append(features, part[listed], indptr)
    info = builder.finish(SILENT)
    return dict(info.to_json()), info.fingerprint


def _write_documents(source: Source, directory: Path) -> tuple[dict[str, Any], None]:
    stars = [None if i == 1 else i % 3 for i in range(source.n_documents)]
    columns = pa.table({"stars": pa.array(stars, pa.int64()), "kind": [f"k{i % 2}" for i in range(source.n_documents)]})
    with DocumentsWriter(directory) as writer:
        writer.append_runs(source.documents, np.ones(source.documents.size, np.int64))
        writer.append_texts([source.text(i) for i in range(source.n_documents)])
        return writer.finish([f"d{i}" for i in range(source.n_documents)], columns), None


def _write_tokens(source: Source, documents: DocumentsReader, directory: Path) -> tuple[dict[str, Any], None]:
    with TokensWriter(directory, documents, has_spans=source.has_spans) as writer:
        for document in range(source.n_documents):
            writer.status[document] = source.status.get(document, 0)
            rows, at, spans = source.rows_of(document), 0, []
            for token in source.tokens[source.rows_of(document)]:
                spans.append((at, at + len(WORDS[token]) - 1))
                at += len(WORDS[token])
            if source.status.get(document):
                continue
            made = np.array(spans, np.uint32).reshape(-1, 2) if source.has_spans else None
            writer.put(rows, source.tokens[rows].astype(np.uint32), made)
        return writer.finish(list(range(len(WORDS))), WORDS), None


def write_atlas(source: Source, store: Store | None = None) -> Atlas:
    """Write the source into a store and open it."""
    store = store or MemoryStore()
    create_atlas(store)
    identity = SaeIdentity(
        name="s", width=source.width, context_window=source.window, attention=source.attention, model="hand"
    )

    def write_identity(directory: Path) -> tuple[dict[str, Any], None]:
        (directory / "identity.json").write_bytes(canonical_json(identity.to_json()))
        return {}, None

    entries = {"sae/s/identity": publish(store, "sae/s/identity", "sae-identity", write_identity)}
    borders = [0, *source.borders, source.documents.size]
    for number, (first, stop) in enumerate(pairwise(borders)):
        logical = f"sae/s/segment/{number:05d}"
        entries[logical] = publish(
            store, logical, "segment", lambda d, a=first, b=stop: _write_segment(source, a, b, d)
        )
    logical = "corpus/c/documents"
    entries[logical] = publish(store, logical, "documents", lambda d: _write_documents(source, d))
    if source.has_tokens:
        written = publish_commit(store, lambda old: old | entries, "without tokens")
        documents = Atlas(store, written).corpus().documents
        logical = "corpus/c/tokens"
        entries[logical] = publish(store, logical, "tokens", lambda d: _write_tokens(source, documents, d))
    return Atlas(store, publish_commit(store, lambda old: old | entries, "by hand"))


def run_analysis(atlas: Atlas, analysis: Analysis) -> Atlas:
    """Compute an analysis and return the atlas with it."""
    sae = atlas.sae()
    name = name_of(type(analysis))

    def write(directory: Path) -> tuple[dict[str, Any], None]:
        schemas = analysis.schema()
        tables = analysis.compute(sae, SILENT)
        for table, schema in schemas.items():
            pieces = tables[table]
            write_batches(directory, [pieces] if isinstance(pieces, pa.Table) else pieces, schema, table)
        return {"axis": str(analysis.axis), "tables": sorted(schemas)}, None

    logical = f"sae/{sae.name}/{name}"
    inputs = inputs_of(atlas.store, atlas.entries, sae.name, analysis.needs)
    entry = publish(atlas.store, logical, "table", write, inputs=inputs, params=fields_of(analysis))
    return Atlas(atlas.store, publish_commit(atlas.store, lambda old: old | {logical: entry}, name))


@pytest.fixture(scope="session")
def analyze() -> Callable[[Atlas, Analysis], Atlas]:
    return run_analysis


@pytest.fixture(scope="session")
def source() -> Source:
    return random_source(0)


@pytest.fixture(scope="session")
def atlas(source: Source) -> Atlas:
    return write_atlas(source)


@pytest.fixture(scope="session")
def make() -> Callable[..., tuple[Source, Atlas]]:
    made: dict[str, tuple[Source, Atlas]] = {}

    def build(seed: int = 0, **facts: Any) -> tuple[Source, Atlas]:
        key = repr((seed, sorted(facts.items())))
        if key not in made:
            source = random_source(seed, **facts)
            made[key] = source, write_atlas(source)
        return made[key]

    return build


@pytest.fixture(scope="session")
def remake() -> Callable[..., tuple[Source, Atlas]]:
    def build(source: Source, store: Store | None = None, **changes: Any) -> tuple[Source, Atlas]:
        changed = replace(source, **changes)
        return changed, write_atlas(changed, store)

    return build
