"""Imports top-k activations from HDF5, with documents from a metadata file and tokens if there are any."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.identity import SaeIdentity, check_name
from saeatlas.pipeline.importer import Importer, Part, RowBatch, Survey
from saeatlas.progress import Progress

if TYPE_CHECKING:
    from saeatlas.format.documents import DocumentsReader
    from saeatlas.importers._hdf5 import Header
    from saeatlas.importers._metadata import Metadata

__all__ = ["H5TopK", "plugin"]

_DEFAULT_TEXT_COLUMN = "texts"
_SHARD_SLOTS = 80_000_000
_MOST_SHARD_SLOTS = 96_000_000
_LEAST_SHARD_ROWS = 2_000_000
_MOST_SHARD_ROWS = 8_000_000


@dataclass(frozen=True, kw_only=True)
class H5TopK(Importer):
    """Top-k activations in an HDF5 file: for each row the ids and values of its features, and its document's id.

    Any number of slots, integer width, float width, compression and chunking will do. Rows of one document need not
    stand together, but are taken to be in text order.

    Examples
    --------
    saeatlas import h5-topk acts.h5 --metadata docs.npz --sae gpt2-l8 --atlas a.atlas
    """

    version: ClassVar[int] = 1
    paths: ClassVar[frozenset[str]] = frozenset({"source", "metadata", "tokens", "tokenizer"})

    metadata: str = ""
    """NPZ, Parquet, CSV or JSON-lines file with one row for each document; empty when there are only ids."""
    tokens: str = ""
    """Parquet table of tokens with the columns document, position, id and/or string, and optionally start, end."""
    tokenizer: str = ""
    """A `tokenizer.json`, or the name of a model in the local Hugging Face cache, to tokenise the texts again."""
    add_special_tokens: bool = False
    """Whether the tokenizer adds its special tokens around each text."""
    indices: str = "z_idx"
    """Dataset with the feature ids, [rows, slots]."""
    values: str = "z_val"
    """Dataset with the activations, [rows, slots]."""
    documents: str = "rev_idx"
    """Dataset with the document id of each row."""
    document_ids: str = "review_ids_unique"
    """Dataset with every document id once; it may be absent."""
    id_column: str = "review_ids"
    """Column of the metadata with the document ids."""
    text_column: str = _DEFAULT_TEXT_COLUMN
    """Column of the metadata with the texts."""
    empty_index: int = -1
    """Feature id that marks a slot as empty."""
    empty_value: float | None = None
    """Value that marks a slot as empty; none by default, so that zeros stay listed."""
    n_features: int = 0
    """Width of the SAE; 0 when unknown, and then the largest id plus one is used."""
    trust_pickle: bool = False
    """Whether NPZ arrays of Python objects may be unpickled, which can run any code."""
    model: str | None = None
    """Model whose hidden states were encoded."""
    hook: str | None = None
    """Place in the model."""
    layer: int | None = None
    """Layer, 0-based."""
    architecture: str | None = None
    """Kind of SAE; for 'topk', the number of slots is taken as its k."""
    revision: str | None = None
    """Revision or release of the SAE's weights."""
    weights_digest: str | None = None
    """SHA-256 of the SAE's weights."""
    input_normalization: str | None = None
    """What was done to hidden states before encoding."""
    context_window: int | None = None
    """Tokens that the model saw at once; contexts mark where a window begins."""
    bos: bool | None = None
    """Whether a beginning-of-sequence token was put first."""
    attention: Literal["causal", "bidirectional"] | None = None
    """Whether a token saw earlier tokens only, or both sides."""
    l0: float | None = None
    """Mean number of active features in a row."""

    def survey(self, progress: Progress) -> Survey:
        """Read headers and check that the files fit together."""
        if self.tokens and self.tokenizer:
            raise InvalidInput("Tokens come from a table or from a tokenizer, but both were given")
        if self.shard_rows < 0:
            raise InvalidInput(f"A segment has 1 row or more, or 0 to choose; found: {self.shard_rows}")
        header = self._header()
        metadata = self._metadata()
        notes: tuple[str, ...] = ()
        if metadata is not None:
            notes = metadata.notes
            text_column = self._text_column(metadata)
            if not text_column:
                notes += (f"The metadata has no column '{self.text_column}', so the documents have no texts",)
        self._check_tokens(has_text=metadata is not None and bool(self._text_column(metadata)))
        return Survey(
            n_rows=header.n_rows,
            k=header.k,
            n_features=self.n_features or None,
            identity=self._identity(header.k),
            corpus=self._corpus(),
            fingerprints=self._fingerprints(progress),
            has_tokens=bool(self.tokens or self.tokenizer),
            notes=notes,
        )

    def shards(self, survey: Survey) -> tuple[range, ...]:
        """Cut the rows evenly, at most 80 million slots or 8 million rows a range, ending on chunks of the file."""
        from saeatlas.importers._hdf5 import chunk_rows, open_hdf5

        with open_hdf5(Path(self.source)) as file:
            chunk = chunk_rows(file[self.indices], file[self.values])
        rows = self.shard_rows or _shard_rows(survey.k or 1)
        if not self.shard_rows:
            # Even ranges, so that workers end together and no small segment is left over.
            rows = -(-survey.n_rows // -(-survey.n_rows // rows)) if survey.n_rows else rows
            rows = -(-rows // chunk) * chunk if rows > chunk else rows
        return tuple(range(start, min(survey.n_rows, start + rows)) for start in range(0, survey.n_rows, rows))

    def rows(self, shard: range, progress: Progress) -> Iterator[RowBatch]:
        """Yield blocks of about 128 thousand rows, or 64 MB where rows are wide."""
        from saeatlas.importers._hdf5 import read_rows

        del progress
        for first, features, values in read_rows(Path(self.source), (self.indices, self.values), shard):
            indptr = np.arange(len(features) + 1, dtype=np.int64) * features.shape[1]
            yield RowBatch(first, features.reshape(-1), values.reshape(-1), indptr)

    def write_documents(self, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write the documents of the metadata, then those of which only the id is known."""
        from saeatlas.importers._documents import DocumentSource, write_source_documents
        from saeatlas.importers._hdf5 import id_runs, read_ids

        header, metadata, path = self._header(), self._metadata(), Path(self.source)
        source = DocumentSource(
            runs=partial(id_runs, path, self.documents),
            n_rows=header.n_rows,
            declared=read_ids(path, self.document_ids),
            metadata=metadata,
            id_column=self.id_column,
            text_column="" if metadata is None else self._text_column(metadata),
        )
        return write_source_documents(directory, source, progress)

    def write_tokens(self, directory: Path, documents: DocumentsReader, progress: Progress) -> dict[str, Any] | None:
        """Write the tokens of the table, or of the tokenizer."""
        if not (self.tokens or self.tokenizer):
            return None
        from saeatlas.format.tokens import TokensWriter
        from saeatlas.importers._tokenizer import SourceTokenizer, find_tokenizer
        from saeatlas.importers._tokens import check_token_table, write_token_table, write_tokenised

        if self.tokenizer:
            tokenizer = SourceTokenizer(find_tokenizer(self.tokenizer), self.add_special_tokens)
            with TokensWriter(directory, documents, has_spans=True) as writer:
                return write_tokenised(writer, documents, tokenizer, progress)
        path = Path(self.tokens)
        has_spans = "start" in check_token_table(path)
        with TokensWriter(directory, documents, has_spans=has_spans) as writer:
            return write_token_table(writer, documents, path, progress)

    def params(self, part: Part) -> dict[str, Any]:
        """Return the fields that shape each part, so that another tokenizer rebuilds only the tokens."""
        names = {
            "activations": ("indices", "values", "empty_index", "empty_value", "n_features"),
            "documents": ("documents", "document_ids", "id_column", "text_column"),
            "tokens": ("add_special_tokens",),
        }[part]
        return {name: getattr(self, name) for name in names}

    def empty_slots(self) -> tuple[int | None, float | None]:
        """Return the feature id and the value that mark an empty slot."""
        return self.empty_index, self.empty_value

    def _header(self) -> Header:
        from saeatlas.importers._hdf5 import open_hdf5, survey_hdf5

        with open_hdf5(Path(self.source)) as file:
            names = {"indices": self.indices, "values": self.values, "documents": self.documents}
            return survey_hdf5(file, names)

    def _metadata(self) -> Metadata | None:
        if not self.metadata:
            return None
        from saeatlas.importers._metadata import open_metadata

        path = Path(self.metadata)
        found = open_metadata(path, text_columns=(self.id_column, self.text_column), trust_pickle=self.trust_pickle)
        if self.id_column not in found.names:
            raise SourceError(
                f"The metadata has no column '{self.id_column}' with document ids; it has: {', '.join(found.names)}",
                hint="Name the column with --id-column.",
                kind="missing-metadata",
            )
        if not found.n_rows:
            raise SourceError(f"The metadata has no documents: '{path}'", kind="empty-source")
        return found

    def _text_column(self, metadata: Metadata) -> str:
        if self.text_column in metadata.names:
            return self.text_column
        if self.text_column not in {_DEFAULT_TEXT_COLUMN, ""}:
            raise SourceError(
                f"The metadata has no column '{self.text_column}' with texts; it has: {', '.join(metadata.names)}",
                hint="Name the column with --text-column.",
                kind="missing-metadata",
            )
        return ""

    def _check_tokens(self, *, has_text: bool) -> None:
        if self.tokens:
            from saeatlas.importers._tokens import check_token_table

            check_token_table(Path(self.tokens))
        if self.tokenizer:
            from saeatlas.importers._tokenizer import SourceTokenizer, find_tokenizer

            if not has_text:
                raise SourceError(
                    "A tokenizer needs texts, and there are none",
                    hint="Give a metadata file with texts, and name their column with --text-column.",
                    kind="missing-metadata",
                )
            SourceTokenizer(find_tokenizer(self.tokenizer)).strings([])

    def _identity(self, slots: int) -> SaeIdentity:
        return SaeIdentity(
            name=self.sae,
            model=self.model,
            hook=self.hook,
            layer=self.layer,
            width=self.n_features or None,
            architecture=self.architecture,
            k=slots if self.architecture == "topk" else None,
            l0=self.l0,
            revision=self.revision,
            weights_digest=self.weights_digest,
            input_normalization=self.input_normalization,
            context_window=self.context_window,
            bos=self.bos,
            attention=self.attention,
        )

    def _corpus(self) -> str:
        if self.corpus:
            return check_name(self.corpus, "a corpus")
        stem = Path(self.metadata or self.source).stem
        return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100] or "corpus"

    def _fingerprints(self, progress: Progress) -> dict[Part, str]:
        from saeatlas.format.source_file import fingerprint

        with progress.task("fingerprints", unit="files"):
            activations = fingerprint(Path(self.source))
            described = fingerprint(Path(self.metadata)) if self.metadata else ""
            tokens = ""
            if self.tokens:
                tokens = fingerprint(Path(self.tokens))
            elif self.tokenizer:
                from saeatlas.importers._tokenizer import find_tokenizer

                tokens = fingerprint(find_tokenizer(self.tokenizer))
        documents = hashlib.sha256(f"{activations} {described}".encode()).hexdigest()
        return {
            "activations": activations,
            "documents": documents,
            "tokens": hashlib.sha256(f"{documents} {tokens}".encode()).hexdigest() if tokens else "",
        }


def _shard_rows(k: int) -> int:
    """Rows of a shard at most: 80 million slots, stretched to 96 where that reaches 2 million rows."""
    rows = max(_SHARD_SLOTS // k, min(_LEAST_SHARD_ROWS, _MOST_SHARD_SLOTS // k))
    return max(1, min(rows, _MOST_SHARD_ROWS))


plugin = H5TopK
