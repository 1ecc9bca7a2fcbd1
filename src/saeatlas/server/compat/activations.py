"""One feature as a table of documents with a group and a list of tokens, as an older activation server gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from saeatlas.atlas.aggregates import document_sums, needed_tokens
from saeatlas.errors import InvalidInput, NotFound, OverBudget
from saeatlas.format.tokens import NO_TOKEN

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.documents import DocumentSums

__all__ = ["GROUPS", "Activations", "Asked", "Groups", "activations_of", "groups_of", "words_of"]

GROUPS = ("weapon_id", "weapon", "group")
"""Metadata columns that are taken as the group where none is named, the first that there is."""
_BYTES_PER_TOKEN = 8


@dataclass(frozen=True)
class Groups:
    """The group of every document: one metadata column, its values numbered in their order."""

    column: str | None
    """Name of the column; None where there is none, and no document has a group."""
    values: tuple[Any, ...]
    """The different values; the id of one is its place."""
    ids: npt.NDArray[np.int64]
    """Id of each document's group, [documents]; -1 where it has none."""

    def names(self) -> dict[str, int]:
        """Return value → id."""
        return {str(value): number for number, value in enumerate(self.values)}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which lines and columns."""

    limit: int | None = None
    """Lines at most, the strongest."""
    share: float | None = None
    """Share of the documents to draw, above 0 and up to 1; None for all."""
    seed: int = 0
    """Of the draw."""
    has_tokens: bool = True
    """Whether each line lists the tokens of its document."""
    max_bytes: int = 1 << 62
    """Size of the answer at most."""


@dataclass(frozen=True)
class Activations:
    """The answer about one feature."""

    lines: pa.Table
    """`activation`, `weapon_id`, `ability_input_tokens` if asked for, `document`, `document_id`, `n_active_rows`."""
    n_documents: int
    """Documents in which the feature is active, before any draw or limit."""
    sampled: str | None
    """How documents were drawn; None when all were considered."""


def groups_of(corpus: Corpus, column: str | None) -> Groups:
    """Number the values of a metadata column.

    Raises
    ------
    NotFound
        When the documents have no column of this name.
    """
    known = corpus.metadata_columns
    if column is not None and column not in known:
        raise NotFound(f"The documents have no column '{column}'", hint=f"Columns: {', '.join(known) or 'none'}")
    chosen = column if column is not None else next((name for name in GROUPS if name in known), None)
    if chosen is None:
        return Groups(None, (), np.full(corpus.n_documents, -1, np.int64))
    values = corpus.table([chosen]).column(0).to_pylist()
    if not all(value is None or isinstance(value, str | int) for value in values):
        raise InvalidInput(f"Column '{chosen}' names no groups: its values are neither texts nor whole numbers")
    different = tuple(sorted({value for value in values if value is not None}))
    number = {value: place for place, value in enumerate(different)}
    return Groups(chosen, different, np.array([number.get(value, -1) for value in values], np.int64))


def words_of(sae: SAE) -> tuple[dict[str, int], dict[str, str], dict[str, list[int]]]:
    """Return token text → id, id → token text, and the ids of the texts that several tokens have.

    The first of these takes the lowest id of such a text.
    """
    strings: list[str] = needed_tokens(sae).vocabulary().column("string").to_pylist()
    by_text: dict[str, list[int]] = {}
    for token, string in enumerate(strings):
        by_text.setdefault(string, []).append(token)
    first = {string: tokens[0] for string, tokens in by_text.items()}
    texts = {str(token): string for token, string in enumerate(strings)}
    return first, texts, {string: tokens for string, tokens in by_text.items() if len(tokens) > 1}


def activations_of(feature: Feature, groups: Groups, asked: Asked) -> Activations:
    """Return the documents in which a feature is active, the strongest first, of equal ones the first.

    The activation of a document is the largest of its rows: where a row is a document, that is its value.

    Raises
    ------
    NotFound
        When tokens are asked for, and the corpus has none.
    OverBudget
        When the answer would be larger than `asked.max_bytes`.
    """
    import pyarrow as pa

    corpus = feature.sae.corpus
    found = document_sums(feature.sae, feature.id)
    chosen, sampled = _chosen(found, asked)
    documents = found.documents[chosen].astype(np.int64)
    group = groups.ids[documents]
    columns: dict[str, pa.Array] = {
        "activation": pa.array(found.max[chosen].astype(np.float32)),
        "weapon_id": pa.array(group, pa.int64(), mask=group < 0),
    }
    if asked.has_tokens:
        columns["ability_input_tokens"] = _tokens(feature, documents, asked.max_bytes)
    columns["document"] = pa.array(documents)
    columns["document_id"] = corpus.documents.ids(documents).cast(pa.string())
    columns["n_active_rows"] = pa.array(found.count[chosen].astype(np.int64))
    return Activations(pa.table(columns), int(found.documents.size), sampled)


def _chosen(found: DocumentSums, asked: Asked) -> tuple[npt.NDArray[np.int64], str | None]:
    """Return the places of the lines in their order, and how they were drawn."""
    places = np.arange(found.documents.size)
    sampled = None
    if asked.share is not None and asked.share < 1:
        n = max(1, round(asked.share * places.size)) if places.size else 0
        places = np.sort(np.random.default_rng(asked.seed).choice(places, n, replace=False))
        sampled = f"{n} of {found.documents.size} documents, drawn uniformly without replacement, seed {asked.seed}"
    order = places[np.lexsort((found.documents[places], -found.max[places]))]
    return order if asked.limit is None else order[: asked.limit], sampled


def _tokens(feature: Feature, documents: npt.NDArray[np.int64], max_bytes: int) -> pa.Array:
    """Return the tokens of each document in the order of its positions; null where one is not known."""
    import pyarrow as pa

    corpus = feature.sae.corpus
    tokens = needed_tokens(feature.sae)
    lengths = corpus.documents.lengths()[documents]
    total = int(lengths.sum())
    if total * _BYTES_PER_TOKEN > max_bytes:
        raise OverBudget(
            f"The tokens of {documents.size:,} documents are {total:,}, more than one answer may have",
            hint="Ask for fewer with 'limit', or leave them out: include_abilities=false",
        )
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    positions = np.arange(total) - np.repeat(offsets[:-1], lengths)
    rows = corpus.documents.rows_at(np.repeat(documents, lengths), positions)
    order = np.argsort(rows, kind="stable")
    values = np.empty(total, np.int64)
    values[order] = tokens.tokens(rows[order])
    known = pa.array(values, pa.int64(), mask=values == NO_TOKEN)
    return pa.LargeListArray.from_arrays(pa.array(offsets), known)
