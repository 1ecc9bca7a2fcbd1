"""The steps of an import: identity, documents, tokens, and one segment for each shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from saeatlas.ahead import one_ahead
from saeatlas.errors import InternalError, SourceError
from saeatlas.format.artifact import load_manifest
from saeatlas.format.canonical import canonical_json, digest_bytes
from saeatlas.format.identity import SaeIdentity
from saeatlas.pipeline.importer import Importer, RowBatch, Survey
from saeatlas.pipeline.recipe import name_of
from saeatlas.pipeline.step import Built, Step, View, Work

if TYPE_CHECKING:
    from saeatlas.format.documents import DocumentsReader
    from saeatlas.format.segment import SegmentBuilder
    from saeatlas.kernels.sparse import CanonicalRows, Fault

__all__ = [
    "MOST_FEATURES",
    "DocumentsStep",
    "IdentityStep",
    "SegmentStep",
    "TokensStep",
    "import_steps",
    "segment_memory",
]

MOST_FEATURES = 1 << 24
"""Features at most where the source does not say how many: a larger id is an error in the source, or a sentinel."""
_ENGINE = 1
"""Raised when segments, documents or tokens come out otherwise from the same rows, whatever the importer."""
_SMALL = 1_000_000
_MODERATE = 300_000_000


def import_steps(importer: Importer, survey: Survey, identity: SaeIdentity) -> list[Step]:
    """Return the steps that import what was surveyed; `SourceError` when it has no rows.

    Parameters
    ----------
    identity
        What the source says and what was known before. Segments depend on what the source says only, so that facts
        that are learned later, such as from weights, do not make them anew; a width that is known binds their ids.
    """
    if survey.n_rows <= 0:
        raise SourceError(
            f"The source has no rows: '{importer.source}'",
            hint="Check that it was written to the end.",
            kind="empty-source",
        )
    steps: list[Step] = [IdentityStep(identity), DocumentsStep(importer, survey)]
    if survey.has_tokens:
        steps.append(TokensStep(importer, survey))
    shards = importer.shards(survey)
    edges = [0, *(shard.stop for shard in shards)]
    if [shard.start for shard in shards] != edges[:-1] or edges[-1] != survey.n_rows:
        raise InternalError(f"The shards of '{name_of(type(importer))}' do not cover 0 to {survey.n_rows}: {shards}")
    return steps + [SegmentStep(importer, survey, number, shard, identity.width) for number, shard in enumerate(shards)]


def segment_memory(n_rows: int, n_slots: int) -> int:
    """Return the bytes that writing a segment may hold at most.

    The shard is held row-major, up to 8 bytes an entry and 16 a row; the other orientation is made in ranges
    of features, 128 MiB for two. The rest is a batch of the source and the interpreter with its libraries.
    """
    return 400_000_000 + 16 * n_rows + 8 * n_slots


@dataclass(frozen=True)
class IdentityStep:
    """Writes down which SAE this is."""

    identity: SaeIdentity

    name: ClassVar[str] = "identity"
    version: ClassVar[int] = 1
    encoding_type: ClassVar[str] = "sae-identity"
    encoding_version: ClassVar[int] = 1

    @property
    def output(self) -> str:
        """Logical name."""
        return f"sae/{self.identity.name}/identity"

    def params(self) -> dict[str, Any]:
        """Return every fact."""
        return dict(self.identity.to_json())

    def inputs(self, view: View) -> dict[str, str]:
        """Return nothing: the facts are parameters."""
        del view
        return {}

    def after(self) -> tuple[str, ...]:
        """Wait for nothing."""
        return ()

    def memory(self, view: View) -> int:
        """Return a small number."""
        del view
        return _SMALL

    def build(self, work: Work) -> Built:
        """Write `identity.json`."""
        (work.directory / "identity.json").write_bytes(canonical_json(self.identity.to_json()))
        return Built({"unknown": list(self.identity.unknown())})


@dataclass(frozen=True)
class _CorpusStep:
    """What the steps of a corpus have in common: the importer writes an artifact that is named as the step."""

    importer: Importer
    survey: Survey

    name: ClassVar[Literal["documents", "tokens"]]
    encoding_version: ClassVar[int] = 1

    @property
    def encoding_type(self) -> str:
        """Name of the step."""
        return self.name

    @property
    def version(self) -> int:
        """Version of the importer."""
        return type(self.importer).version

    @property
    def output(self) -> str:
        """Logical name."""
        return f"corpus/{self.survey.corpus}/{self.name}"

    def params(self) -> dict[str, Any]:
        """Return what shapes the artifact."""
        return {"importer": name_of(type(self.importer)), "engine": _ENGINE, **self.importer.params(self.name)}


@dataclass(frozen=True)
class DocumentsStep(_CorpusStep):
    """Writes the documents of the corpus and which rows are whose."""

    name: ClassVar[Literal["documents", "tokens"]] = "documents"

    def inputs(self, view: View) -> dict[str, str]:
        """Return the fingerprint of the source."""
        del view
        return {"source": self.survey.fingerprints["documents"]}

    def after(self) -> tuple[str, ...]:
        """Wait for nothing."""
        return ()

    def memory(self, view: View) -> int:
        """Return a bound for ids and metadata, and for the runs when every row is a run of its own.

        Runs are sorted 8 million at a time, 30 bytes each; all are held in 4 bytes each (603 MB at 30M runs).
        """
        del view
        return _MODERATE + 30 * min(self.survey.n_rows, 8_000_000) + 4 * self.survey.n_rows

    def build(self, work: Work) -> Built:
        """Let the importer write, and check that rows and documents fit."""
        attributes = self.importer.write_documents(work.directory, work.progress)
        if attributes["n_rows"] != self.survey.n_rows:
            raise SourceError(
                f"The activations have {self.survey.n_rows} rows, and the documents {attributes['n_rows']}",
                hint="Check that both come from the same run.",
                kind="shape-mismatch",
            )
        return Built(attributes)


@dataclass(frozen=True)
class TokensStep(_CorpusStep):
    """Writes which token each row is."""

    name: ClassVar[Literal["documents", "tokens"]] = "tokens"

    @property
    def _documents(self) -> str:
        return f"corpus/{self.survey.corpus}/documents"

    def inputs(self, view: View) -> dict[str, str]:
        """Return the fingerprint of the source and the digest of the documents."""
        return {"source": self.survey.fingerprints["tokens"], "documents": view.entries[self._documents].digest}

    def after(self) -> tuple[str, ...]:
        """Wait for the documents."""
        return (self._documents,)

    def memory(self, view: View) -> int:
        """Return a bound for the vocabulary and buffers."""
        del view
        return _MODERATE

    def build(self, work: Work) -> Built:
        """Let the importer write."""
        attributes = self.importer.write_tokens(work.directory, self._reader(work), work.progress)
        if attributes is None:
            raise InternalError(f"'{name_of(type(self.importer))}' announced tokens and wrote none")
        return Built(attributes)

    def _reader(self, work: Work) -> DocumentsReader:
        from saeatlas.format.documents import DocumentsReader

        path = work.entries[self._documents].path
        return DocumentsReader(work.store, path, load_manifest(work.store, path).attributes)


@dataclass(frozen=True)
class SegmentStep:
    """Writes the activations of one shard in both orientations."""

    importer: Importer
    survey: Survey
    number: int
    shard: range
    width: int | None
    """Features of the SAE where that is known, by whatever source."""

    name: ClassVar[str] = "segment"
    encoding_type: ClassVar[str] = "segment"
    encoding_version: ClassVar[int] = 1

    @property
    def version(self) -> int:
        """Version of the importer."""
        return type(self.importer).version

    @property
    def output(self) -> str:
        """Logical name."""
        return f"sae/{self.survey.identity.name}/segment/{self.number:05d}"

    def params(self) -> dict[str, Any]:
        """Return what shapes the segment, the facts that it carries among them."""
        return {
            **self._shared(),
            "rows": [self.shard.start, self.shard.stop],
            "profile": self.importer.profile,
        }

    def inputs(self, view: View) -> dict[str, str]:
        """Return the fingerprint of the source."""
        del view
        return {"source": self.survey.fingerprints["activations"]}

    @property
    def origin(self) -> str:
        """Digest of what all segments of one import share; segments merged from them carry it on."""
        source = self.survey.fingerprints["activations"]
        return digest_bytes(canonical_json({**self._shared(), "version": self.version, "source": source}))

    def after(self) -> tuple[str, ...]:
        """Wait for identity and documents: if those are refused, no shard was made in vain."""
        return f"sae/{self.survey.identity.name}/identity", f"corpus/{self.survey.corpus}/documents"

    def memory(self, view: View) -> int:
        """Return a bound from the slots of the shard."""
        del view
        return segment_memory(len(self.shard), len(self.shard) * (self.survey.k or 32))

    def build(self, work: Work) -> Built:
        """Check and sort every row, and write the segment."""
        from saeatlas.format.segment import SegmentBuilder

        builder = SegmentBuilder(
            work.directory,
            sae=self.survey.identity.name,
            corpus=self.survey.corpus,
            first_row=self.shard.start,
            n_rows=len(self.shard),
            n_features=self.survey.n_features,
            profile=self.importer.profile,
            identity=dict(self.survey.identity.to_json()),
        )
        self._append_rows(builder, work)
        info = builder.finish(work.progress)
        return Built({**info.to_json(), "origin": self.origin}, content=info.fingerprint)

    def _append_rows(self, builder: SegmentBuilder, work: Work) -> None:
        with work.progress.task("Read rows", total=len(self.shard), unit="rows") as task:
            for rows in one_ahead(self._canonical(work)):
                n_rows = rows.indptr.size - 1
                builder.append(rows.features, rows.values, rows.indptr, n_empty=rows.n_empty)
                task.advance(n_rows)

    def _canonical(self, work: Work) -> Iterator[CanonicalRows]:
        from saeatlas.kernels.sparse import Fault, canonical_rows

        empty_feature, empty_value = self.importer.empty_slots()
        expected = self.shard.start
        for batch in self.importer.rows(self.shard, work.progress):
            if batch.first_row != expected or batch.indptr.size - 1 + expected > self.shard.stop:
                raise InternalError(f"'{self.output}' expected row {expected}, and got {_rows_of(batch)}")
            expected += batch.indptr.size - 1
            rows = canonical_rows(
                batch.features,
                batch.values,
                batch.indptr,
                empty_feature=empty_feature,
                empty_value=empty_value,
                n_features=self._n_ids,
            )
            if isinstance(rows, Fault):
                raise _fault_error(rows, batch, self._n_ids)
            yield rows
        if expected != self.shard.stop:
            raise SourceError(
                f"The source ends at row {expected}, and should have {self.survey.n_rows} rows",
                hint="Check that it was written to the end.",
                kind="truncated-source",
            )

    @property
    def _n_ids(self) -> int:
        return self.survey.n_features or self.width or MOST_FEATURES

    def _shared(self) -> dict[str, Any]:
        return {
            "importer": name_of(type(self.importer)),
            "engine": _ENGINE,
            **self.importer.params("activations"),
            "corpus": self.survey.corpus,
            "n_features": self.survey.n_features,
            "identity": self.survey.identity.digest(),
        }


def _rows_of(batch: RowBatch) -> str:
    return f"{batch.first_row} to {batch.first_row + batch.indptr.size - 1}"


def _fault_error(fault: Fault, batch: RowBatch, n_ids: int) -> SourceError:
    """Return the error that names the row in the source, the slot, what was found and what may be."""
    place = f"Row {batch.first_row + fault.row}, slot {fault.slot}"
    if fault.kind == "index-out-of-range":
        return SourceError(
            f"{place}: feature id {fault.found:.0f} is out of range, expected 0 to {n_ids - 1}",
            hint="Check the number of features and the first id; name what marks an empty slot with --empty-index.",
            kind=fault.kind,
        )
    if fault.kind == "duplicate-index":
        return SourceError(
            f"{place}: feature id {fault.found:.0f} is listed twice in the row",
            hint="List a feature once in a row; name what marks an empty slot with --empty-index or --empty-value.",
            kind=fault.kind,
        )
    return SourceError(
        f"{place}: the value is {fault.found}, expected a finite number",
        hint="Find out why the activations hold it; name a value that marks an empty slot with --empty-value.",
        kind=fault.kind,
    )
