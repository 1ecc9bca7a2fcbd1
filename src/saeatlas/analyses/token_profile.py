"""What each feature reads: its tokens, the sequences around them, and where in documents it fires."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole, nullable
from saeatlas.analyses._token_contexts import CONTEXTS_AT_ONCE
from saeatlas.analyses._token_profile_ngrams import NgramWanted, ngram_batches, ngram_schema
from saeatlas.analyses._token_sets import document_frequency, document_frequency_bytes, needed_tokens
from saeatlas.errors import InvalidInput
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.token_profile import Positions, Terms

__all__ = ["TokenProfile", "plugin"]

_LONGEST = 8
"""Symbols of the longest n-gram that can be asked for."""


@dataclass(frozen=True, kw_only=True)
class TokenProfile(Analysis):
    """What each feature reads: its tokens, the sequences around them, and where in documents it fires.

    Over the whole corpus. One line per feature; `tokens` has its best tokens by TF-IDF, with how stable its value is
    on each; `ngrams` the sequences of tokens and characters around its strongest activations.

    Examples
    --------
    saeatlas analyze token-profile --top-activations 0
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "tokens", "documents"})
    descriptions: ClassVar[Mapping[str, str]] = {
        "n_active": "Rows where the feature is active: its value is above 0.",
        "n_without_token": "Active rows whose token is not known, which count for positions and contexts only.",
        "n_tokens": "Different tokens that the feature is active on.",
        "entropy": "Shannon entropy of the tokens of the active rows in bits, plug-in estimate; null without tokens.",
        "entropy_corrected": "Entropy with the correction of Miller and Madow for few rows, entropy + "
        "(n_tokens − 1) / (2 n ln 2) bits, n being the active rows with a token; null without tokens.",
        "single_token_share": "Share of the most frequent token among the active rows with a token; "
        "null without tokens.",
        "single_token": "Index into the corpus' vocabulary of the most frequent token of the active rows, "
        "of equal ones the lower; null without tokens.",
        "single_token_string": "What the most frequent token of the active rows reads as; null without tokens.",
        "position_mean": "Mean relative position in the document, position / max(rows − 1, 1), over the active rows, "
        "0 to 1; null without active rows.",
        "position_std": "Population standard deviation of the relative position over the active rows; "
        "null without active rows.",
        "position_counts": "Active rows by relative position, in position_bins bins of equal width from 0 to 1.",
        "n_contexts": "Active rows around which n-grams were counted: the top_activations strongest, or all where that "
        "is 0.",
    }

    k: int = 20
    """Tokens per feature, by descending TF-IDF."""
    position_bins: int = 5
    """Bins of the position in the document."""
    top_activations: int = 500
    """Strongest rows around which n-grams are counted; 0 for all active rows."""
    ngram_sizes: tuple[int, ...] = (2, 3, 4)
    """Lengths of n-grams, in tokens and in characters."""
    context: int = 5
    """Tokens on each side of the active one within which an n-gram may stand."""
    character_context: int = 2
    """The same for n-grams of characters."""
    ngrams: int = 15
    """N-grams per feature, kind and size."""
    min_contexts: int = 2
    """Contexts that must hold an n-gram: one that is seen once is no pattern."""

    def __post_init__(self) -> None:
        check_whole(
            self,
            k=(1, 10_000),
            position_bins=(1, 1_000),
            top_activations=(0, 2**31),
            context=(0, 1_000),
            character_context=(0, 1_000),
            ngrams=(1, 10_000),
            min_contexts=(1, 2**31),
        )
        for size in self.ngram_sizes:
            if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _LONGEST:
                raise InvalidInput(f"'ngram_sizes' must be whole numbers from 1 to {_LONGEST}, found: {size!r}")
        if len(set(self.ngram_sizes)) < len(self.ngram_sizes):
            raise InvalidInput(f"A size is named twice in 'ngram_sizes': {self.ngram_sizes}")

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/token-profile.md for each column."""
        import pyarrow as pa

        def count(*names: str) -> list[pa.Field]:
            return [pa.field(name, pa.int64(), nullable=False) for name in names]

        feature, number = pa.field("feature", pa.uint32(), nullable=False), pa.float64()
        data = [feature, *count("n_active", "n_without_token", "n_tokens")]
        data += [pa.field(name, number) for name in ("entropy", "entropy_corrected", "single_token_share")]
        data += [pa.field("single_token", pa.uint32()), pa.field("single_token_string", pa.string())]
        data += [pa.field("position_mean", number), pa.field("position_std", number)]
        data += [pa.field("position_counts", pa.list_(pa.int64()), nullable=False), *count("n_contexts")]
        tokens = [feature, pa.field("rank", pa.int32(), nullable=False), pa.field("token", pa.uint32(), nullable=False)]
        tokens += [pa.field("string", pa.string(), nullable=False), *count("count")]
        tokens += [pa.field(name, number, nullable=False) for name in ("tf", "idf", "tfidf", "mean")]
        tokens += [pa.field("std", number), pa.field("cv", number)]
        return {"data": pa.schema(data), "tokens": pa.schema(tokens), "ngrams": ngram_schema()}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Profile block after block, then count n-grams in a second pass; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the corpus has no tokens.
        """
        import pyarrow as pa

        from saeatlas.kernels.token_profile import inverse_document_frequency, positions, terms

        tokens, corpus = needed_tokens(sae), sae.corpus
        strings = tokens.vocabulary().column("string").combine_chunks()
        idf = inverse_document_frequency(*document_frequency(corpus, tokens))
        lengths = corpus.documents.lengths()
        data, lines = [], []
        for block in blocks(sae, progress):
            found = terms(block.indptr, block.gather(tokens.read), block.values, idf, self.k)
            documents, places = block.gather(corpus.documents.row_documents), block.gather(_places(corpus))
            where = positions(block.indptr, documents, places, block.values, lengths, self.position_bins)
            data.append(self._features(block, found, where, strings))
            lines.append(_lines(found, block.first, idf, strings))
        schemas = self.schema()
        return {
            "data": pa.Table.from_batches([batch.cast(schemas["data"]) for batch in data], schemas["data"]),
            "tokens": pa.Table.from_batches([batch.cast(schemas["tokens"]) for batch in lines], schemas["tokens"]),
            "ngrams": ngram_batches(sae, tokens, self._wanted(), progress),
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return the sum of what follows.

        300 MB for the program; 60 bytes per entry of the largest block; 300 per token of the vocabulary; document
        frequencies; 8 per row of a segment; 100 per line of `tokens` and 200 per feature; and for the n-grams 60 bytes
        for each token, and 250 for each token in reach of characters, of 200,000 contexts or of one feature with more.
        """
        corpus = sae.corpus
        n_tokens = corpus.tokens.n_tokens if corpus.tokens is not None else 0
        segment = max((reader.info.n_rows for reader in sae.activations.segments), default=0)
        lines = min(self.k * sae.n_features, sae.n_listed)
        answer = 300 * n_tokens + 8 * segment + 100 * lines + 200 * sae.n_features
        active = int(sae.activations.active_counts.max(initial=0))
        contexts = min(sae.n_listed, max(CONTEXTS_AT_ONCE, min(active, self.top_activations or active)))
        wanted = self._wanted()
        per_context = 60 * (2 * wanted.half + 1) + 250 * (2 * self.character_context + 1)
        passes = max(document_frequency_bytes(corpus), contexts * per_context)
        return 300_000_000 + 60 * block_entries(sae) + answer + passes

    def _wanted(self) -> NgramWanted:
        return NgramWanted(
            self.ngram_sizes, self.context, self.character_context, self.ngrams, self.min_contexts, self.top_activations
        )

    def _features(self, block: FeatureBlock, found: Terms, where: Positions, strings: pa.Array) -> pa.RecordBatch:
        import pyarrow as pa

        n_with, silent = found.n_with_token, found.n_with_token == 0
        # Any index does where there is no token: the mask makes it null.
        token = pa.array(np.where(silent, 0, found.top_token).astype(np.uint32), mask=silent)
        share = np.where(silent, np.nan, found.top_count / np.maximum(n_with, 1))
        n_contexts = np.minimum(found.n_active, self.top_activations) if self.top_activations else found.n_active
        n_bins = where.counts.shape[1]
        edges = pa.array(np.arange(0, where.counts.size + 1, n_bins), pa.int32())
        return pa.record_batch(
            {
                "feature": np.arange(block.first, block.stop, dtype=np.uint32),
                "n_active": found.n_active,
                "n_without_token": found.n_without_token,
                "n_tokens": found.n_tokens,
                "entropy": nullable(found.entropy),
                "entropy_corrected": nullable(found.entropy_corrected),
                "single_token_share": nullable(share),
                "single_token": token,
                "single_token_string": strings.take(token),
                "position_mean": nullable(where.mean),
                "position_std": nullable(where.std),
                "position_counts": pa.ListArray.from_arrays(edges, pa.array(where.counts.ravel())),
                "n_contexts": n_contexts,
            }
        )


def _lines(found: Terms, first: int, idf: npt.NDArray[np.float64], strings: pa.Array) -> pa.RecordBatch:
    import pyarrow as pa

    sizes = np.diff(found.indptr)
    feature = np.repeat(np.arange(sizes.size), sizes)
    tf = found.count / found.n_with_token[feature]
    several = found.count > 1
    return pa.record_batch(
        {
            "feature": (feature + first).astype(np.uint32),
            "rank": (np.arange(feature.size) - found.indptr[feature]).astype(np.int32),
            "token": found.token,
            "string": strings.take(pa.array(found.token)),
            "count": found.count,
            "tf": tf,
            "idf": idf[found.token],
            "tfidf": tf * idf[found.token],
            "mean": found.mean,
            "std": nullable(np.where(several, found.std, np.nan)),
            "cv": nullable(np.where(several, found.std / found.mean, np.nan)),
        }
    )


def _places(corpus: Corpus) -> Callable[[int, int], npt.NDArray[np.uint32]]:
    """Return a reader of the position in its document of each row between two rows."""
    return lambda start, stop: corpus.documents.locate(np.arange(start, stop))[1]


plugin = TokenProfile
