"""The tokens on which each feature is active most often, and how much more often than the corpus has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole
from saeatlas.errors import NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.tokens import TokensReader
    from saeatlas.kernels.tokens import TokenCounts

__all__ = ["TopTokens", "plugin"]


@dataclass(frozen=True, kw_only=True)
class TopTokens(Analysis):
    """The tokens on which each feature is active most often, and their lift over the corpus.

    One line per feature and token; a second table, `coverage`, has one line per feature with the active rows
    whose token is not available. Those rows are in no other number.

    Examples
    --------
    saeatlas analyze top-tokens --k 50
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "tokens"})

    k: int = 20
    """Tokens per feature, by descending count; of equal counts the lower token first."""

    def __post_init__(self) -> None:
        check_whole(self, k=(1, 10_000))

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/top-tokens.md for each column."""
        import pyarrow as pa

        feature = pa.field("feature", pa.uint32(), nullable=False)
        numbers = ("mean", "share", "corpus_share", "lift")
        return {
            "data": pa.schema(
                [
                    feature,
                    pa.field("rank", pa.int32(), nullable=False),
                    pa.field("token", pa.uint32(), nullable=False),
                    pa.field("string", pa.string(), nullable=False),
                    pa.field("count", pa.int64(), nullable=False),
                    *(pa.field(name, pa.float64(), nullable=False) for name in numbers),
                ]
            ),
            "coverage": pa.schema(
                [
                    feature,
                    *(
                        pa.field(name, pa.int64(), nullable=False)
                        for name in ("n_active", "n_without_token", "n_tokens")
                    ),
                ]
            ),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Count block after block; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the corpus has no tokens.
        """
        import pyarrow as pa

        tokens = sae.corpus.tokens
        if tokens is None:
            raise NotFound(f"Corpus '{sae.corpus.name}' has no tokens", hint="Import the tokens of the corpus first.")
        shares = sae.corpus.token_shares
        strings = tokens.vocabulary().column("string").combine_chunks()
        lines, coverage = [], []
        for block in blocks(sae, progress):
            found = self._count(block, tokens)
            lines.append(_lines(found, block.first, strings, shares))
            coverage.append(_coverage(found, block.first))
        schemas = self.schema()
        return {
            "data": pa.Table.from_batches([line.cast(schemas["data"]) for line in lines], schemas["data"]),
            "coverage": pa.Table.from_batches([c.cast(schemas["coverage"]) for c in coverage], schemas["coverage"]),
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, 80 bytes per entry of the largest block, 60 per token and 100 per line."""
        n_tokens = sae.corpus.tokens.n_tokens if sae.corpus.tokens is not None else 0
        lines = min(self.k * sae.n_features, sae.n_listed)
        segment = max((info.info.n_rows for info in sae.activations.segments), default=0)
        return 300_000_000 + 80 * block_entries(sae) + 60 * n_tokens + 100 * lines + 4 * segment + 60 * sae.n_features

    def _count(self, block: FeatureBlock, tokens: TokensReader) -> TokenCounts:
        from saeatlas.kernels.tokens import top_tokens

        return top_tokens(block.indptr, block.gather(tokens.read), block.values, tokens.n_tokens, self.k)


def _lines(found: TokenCounts, first: int, strings: pa.Array, shares: npt.NDArray[np.float64]) -> pa.RecordBatch:
    import pyarrow as pa

    sizes = np.diff(found.indptr)
    feature = np.repeat(np.arange(sizes.size), sizes)
    share = found.count / found.n_with_token[feature]
    return pa.record_batch(
        {
            "feature": (feature + first).astype(np.uint32),
            "rank": (np.arange(feature.size) - found.indptr[feature]).astype(np.int32),
            "token": found.token,
            "string": strings.take(pa.array(found.token)),
            "count": found.count,
            "mean": found.sum / found.count,
            "share": share,
            "corpus_share": shares[found.token],
            "lift": share / shares[found.token],
        }
    )


def _coverage(found: TokenCounts, first: int) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.record_batch(
        {
            "feature": np.arange(first, first + found.n_tokens.size, dtype=np.uint32),
            "n_active": found.n_with_token + found.n_without_token,
            "n_without_token": found.n_without_token,
            "n_tokens": found.n_tokens,
        }
    )


plugin = TopTokens
