"""Tokens of the rows, from a table or by tokenising the texts; their number is checked for each document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from saeatlas.errors import SourceError
from saeatlas.format.documents import DocumentsReader
from saeatlas.format.source_file import PARQUET_MAGIC, check_file
from saeatlas.format.tokens import COUNT_DIFFERS, NO_TEXT, NO_TOKEN, NO_TOKENS, OK, TokensWriter
from saeatlas.importers._columns import column_from_arrow
from saeatlas.importers._tokenizer import SourceTokenizer
from saeatlas.progress import Progress

__all__ = ["check_token_table", "write_token_table", "write_tokenised"]

_TABLE_ROWS = 500_000
_BATCH_CHARACTERS = 2_000_000
_BATCH_DOCUMENTS = 2_000


@dataclass
class _Vocabulary:
    """Tokens in the order in which they first came; a token is known by its id, or by its string if it has none."""

    ids: list[int | None] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    places: dict[int | str, int] = field(default_factory=dict)
    ambiguous: set[int] = field(default_factory=set)
    unnamed: set[int] = field(default_factory=set)
    """Places of ids that came without a string so far."""

    def place(self, token_id: int | None, string: str | None) -> int:
        if token_id is None and string is None:
            raise SourceError(
                "A token has neither an id nor a string",
                hint="Leave out the rows of tokens that are not known.",
                kind="source-error",
            )
        key = string if token_id is None else token_id
        place = self.places.setdefault(cast("int | str", key), len(self.strings))
        if place == len(self.strings):
            self.ids.append(token_id)
            self.strings.append(f"<{token_id}>" if string is None else string)
            if string is None:
                self.unnamed.add(place)
        elif string is None:
            pass
        elif place in self.unnamed:
            self.strings[place] = string
            self.unnamed.remove(place)
        elif token_id is not None and self.strings[place] != string:
            self.ambiguous.add(token_id)
        return place


def write_tokenised(
    writer: TokensWriter, documents: DocumentsReader, tokenizer: SourceTokenizer, progress: Progress
) -> dict[str, Any]:
    """Tokenise every text that has rows, keep the tokens where their number is that of the rows, and finish.

    Peak memory: the tokens of one batch of documents, at most 2 million characters or one document.
    """
    lengths = documents.lengths()
    vocabulary = _Vocabulary()
    with progress.task("tokens", total=documents.n_documents, unit="documents") as task:
        for first, texts in _text_batches(documents):
            wanted = [i for i, text in enumerate(texts) if lengths[first + i]]
            missing = [first + i for i in wanted if texts[i] is None]
            writer.status[missing] = NO_TEXT
            kept = [i for i in wanted if texts[i] is not None]
            encoded = tokenizer.encode([texts[i] or "" for i in kept])
            for i, tokens in zip(kept, encoded, strict=True):
                document = first + i
                if len(tokens.ids) != lengths[document]:
                    writer.status[document] = COUNT_DIFFERS
                    continue
                writer.status[document] = OK
                places = [vocabulary.place(token_id, "") for token_id in tokens.ids]
                writer.put(documents.rows_of(document), np.array(places, np.uint32), tokens.spans)
            task.advance(len(texts))
    strings = tokenizer.strings([token_id for token_id in vocabulary.ids if token_id is not None])
    _refuse_if_none_agrees(writer, documents, "The tokenizer gives another number of tokens than there are rows")
    return _finish(writer, vocabulary.ids, strings, progress)


def _text_batches(documents: DocumentsReader) -> Iterator[tuple[int, list[str | None]]]:
    """Yield the first document and the texts of batches that stay small even when texts are long."""
    size = 64
    start = 0
    while start < documents.n_documents:
        stop = min(documents.n_documents, start + size)
        texts = documents.texts(start, stop)
        yield start, texts
        start = stop
        mean = 1 + sum(len(text or "") for text in texts) // len(texts)
        size = max(1, min(_BATCH_DOCUMENTS, _BATCH_CHARACTERS // mean))


def check_token_table(path: Path) -> tuple[str, ...]:
    """Return the columns of a token table after checking that those needed are there."""
    import pyarrow.parquet as pq

    head = check_file(path, "token table")
    if not head.startswith(PARQUET_MAGIC):
        raise SourceError(
            f"The token table is not a Parquet file: '{path}' begins with {head[:8]!r}",
            hint="Give Parquet with the columns document, position, and id or string.",
            kind="wrong-file-type",
        )
    try:
        with pq.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"The token table is cut short or damaged: '{path}': {error}",
            hint="Compare its size with the original and copy it again.",
            kind="truncated-source",
        ) from error
    missing = [name for name in ("document", "position") if name not in names]
    if not missing and not {"id", "string"} & set(names):
        missing = ["id"]
    if ("start" in names) != ("end" in names):
        missing.append("end" if "start" in names else "start")
    if missing:
        raise SourceError(
            f"The token table '{path}' has no column '{missing[0]}'; it has: {', '.join(names)}",
            hint="It needs document, position, and id or string; start and end come together.",
            kind="missing-dataset",
        )
    return names


def write_token_table(
    writer: TokensWriter, documents: DocumentsReader, path: Path, progress: Progress
) -> dict[str, Any]:
    """Put the tokens of a table beside their rows, keep those of documents that have as many as rows, and finish.

    Peak memory: half a million tokens, 13 bytes for each document, and 1 byte for each row.
    """
    lengths = documents.lengths()
    given = np.zeros(lengths.size, np.int64)
    outside = np.zeros(lengths.size, np.bool_)
    seen = np.zeros(documents.n_rows, np.bool_)
    vocabulary = _Vocabulary()
    strangers: dict[str, None] = {}
    for batch in _table_batches(path, progress):
        document, found = _documents_of(batch, documents)
        strangers.update(dict.fromkeys(found))
        known = document >= 0
        rows = documents.rows_at(np.maximum(document, 0), batch.position)
        given += np.bincount(document[known], minlength=lengths.size)
        outside[document[known & (rows < 0)]] = True
        known &= rows >= 0
        _refuse_duplicates(batch, rows, known, seen)
        seen[rows[known]] = True
        places = _places(batch, vocabulary)
        writer.put(rows[known], places[known], batch.spans[known] if batch.spans is not None else None)
    writer.status[:] = np.where(given == lengths, OK, COUNT_DIFFERS)
    writer.status[outside] = COUNT_DIFFERS
    writer.status[given == 0] = NO_TOKENS
    if not given.any():
        raise SourceError(
            f"The token table '{path}' has no document of the corpus, but {len(strangers)} others",
            hint=f"Its column 'document' must hold the ids of the corpus, such as '{documents.ids()[0]}'.",
            kind="missing-metadata",
        )
    _refuse_if_none_agrees(
        writer, documents, f"The token table '{path}' has another number of tokens than there are rows"
    )
    if strangers:
        first = ", ".join(f"'{name}'" for name in list(strangers)[:5])
        progress.say(f"{len(strangers)} documents of the token table are not in the corpus; the first: {first}")
    if vocabulary.ambiguous:
        progress.say(
            f"{len(vocabulary.ambiguous)} token ids have more than one string in the token table; the first one counts"
        )
    return _finish(writer, vocabulary.ids, vocabulary.strings, progress)


@dataclass(frozen=True)
class _Batch:
    first_row: int
    document: pa.Array
    position: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int64] | None
    strings: pa.Array | None
    spans: npt.NDArray[np.uint32] | None


def _table_batches(path: Path, progress: Progress) -> Iterator[_Batch]:
    import pyarrow.parquet as pq

    names = [name for name in check_token_table(path) if name in _COLUMNS]
    row = 0
    with pq.ParquetFile(path) as file, progress.task("tokens", total=file.metadata.num_rows, unit="tokens") as task:
        try:
            for batch in file.iter_batches(_TABLE_ROWS, columns=names):
                yield _converted(batch, row)
                row += batch.num_rows
                task.advance(batch.num_rows)
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(
                f"The token table is damaged or a column has the wrong type: '{path}': {error}",
                hint="document is text, position, id, start and end are whole numbers, string is text.",
            ) from error


_COLUMNS = {"document", "position", "id", "string", "start", "end"}


def _converted(batch: pa.RecordBatch, first_row: int) -> _Batch:
    for name in ("document", "position"):
        if batch.column(name).null_count:
            row = first_row + pc.index(pc.is_null(batch.column(name)), pa.scalar(value=True)).as_py()
            raise SourceError(f"The token table has no {name} in row {row}", kind="missing-metadata")

    def text(name: str) -> pa.Array:
        return column_from_arrow(batch.column(name), f"The column '{name}' of the token table", first_row, as_text=True)

    def whole(name: str, missing: int) -> npt.NDArray[np.int64]:
        filled = pc.fill_null(batch.column(name).cast(pa.int64()), missing)
        return filled.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    names = batch.schema.names
    ids = whole("id", -1) if "id" in names else None
    strings = text("string") if "string" in names else None
    spans = None
    if "start" in names:
        edges = np.stack([whole("start", NO_TOKEN), whole("end", NO_TOKEN)], axis=1)
        if edges.size and not 0 <= edges.min() <= edges.max() <= NO_TOKEN:
            raise SourceError(f"Spans must be counts of characters, found: {edges.min()} to {edges.max()}")
        spans = edges.astype(np.uint32)
    return _Batch(first_row, text("document"), whole("position", -1), ids, strings, spans)


def _documents_of(batch: _Batch, documents: DocumentsReader) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the document of each token, -1 where the corpus has none of that id, and those ids."""
    encoded = batch.document.dictionary_encode()
    place = pc.index_in(encoded.dictionary, documents.ids())
    strangers = encoded.dictionary.filter(pc.is_null(place)).to_pylist()
    index = pc.fill_null(place, -1).to_numpy().astype(np.int64)
    return index[encoded.indices.to_numpy()], strangers


def _refuse_duplicates(
    batch: _Batch, rows: npt.NDArray[np.int64], known: npt.NDArray[np.bool_], seen: npt.NDArray[np.bool_]
) -> None:
    at = np.flatnonzero(known)
    order = at[np.argsort(rows[at], kind="stable")]
    twice = order[1:][rows[order[1:]] == rows[order[:-1]]]
    again = at[seen[rows[at]]]
    for i in (*twice[:1].tolist(), *again[:1].tolist()):
        raise SourceError(
            f"The token table has position {batch.position[i]} of document '{batch.document[i]}' twice, "
            f"again in row {batch.first_row + i}",
            hint="Keep one row for each token.",
            kind="duplicate-id",
        )


def _places(batch: _Batch, vocabulary: _Vocabulary) -> npt.NDArray[np.uint32]:
    """Return the place of each token in the vocabulary; new ones are added."""
    words: list[str | None] = [None]
    codes = np.zeros(len(batch.document), np.int64)
    if batch.strings is not None:
        strings = batch.strings.dictionary_encode()
        words += strings.dictionary.to_pylist()
        codes = pc.fill_null(strings.indices, -1).to_numpy().astype(np.int64) + 1
    if batch.ids is None:
        used = np.unique(codes)
        by_word = np.zeros(len(words), np.uint32)
        by_word[used] = [vocabulary.place(None, words[code]) for code in used.tolist()]
        return np.asarray(by_word[codes], np.uint32)
    # A pair of id and string becomes one number, so that NumPy finds the few distinct pairs of many tokens.
    ids, inverse_id = np.unique(batch.ids, return_inverse=True)
    pairs = inverse_id * len(words) + codes
    distinct, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place: npt.NDArray[np.uint32] = np.empty(distinct.size, np.uint32)
    for i in order.tolist():
        id_at, word_at = divmod(int(distinct[i]), len(words))
        token_id = int(ids[id_at])
        place[i] = vocabulary.place(None if token_id < 0 else token_id, words[word_at])
    found: npt.NDArray[np.uint32] = place[inverse.reshape(-1)]
    return found


def _refuse_if_none_agrees(writer: TokensWriter, documents: DocumentsReader, what: str) -> None:
    """Raise `SourceError` when every document differs: that is a wrong tokenizer, not a few odd documents."""
    differ = np.flatnonzero(writer.status == COUNT_DIFFERS)
    if differ.size and not (writer.status == OK).any():
        document_id = documents.ids(differ[:1])[0]
        raise SourceError(
            f"{what}, in every one of {differ.size} documents, such as '{document_id}' "
            f"with {documents.lengths()[differ[0]]} rows",
            hint="Check the tokenizer, its special tokens, and that texts and activations are of the same documents.",
            kind="tokenizer-mismatch",
        )


def _finish(writer: TokensWriter, ids: list[int | None], strings: list[str], progress: Progress) -> dict[str, Any]:
    attributes = writer.finish(ids, strings)
    if attributes["documents_count_differs"]:
        first = ", ".join(f"'{name}'" for name in attributes["first_documents_count_differs"])
        progress.say(
            f"{attributes['documents_count_differs']} documents have another number of tokens than of rows, "
            f"so their contexts are unavailable; the first: {first}"
        )
    for key, reason in (("documents_without_text", "text"), ("documents_without_tokens", "tokens in the token table")):
        if attributes[key]:
            progress.say(f"{attributes[key]} documents with rows have no {reason}, so their contexts are unavailable")
    return attributes
