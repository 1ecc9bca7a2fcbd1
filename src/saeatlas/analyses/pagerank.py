"""Which tokens stand at the centre of the documents where each feature fires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole, nullable
from saeatlas.analyses._pagerank_graphs import Graph, Mode, make_graphs
from saeatlas.analyses._token_family_file import PATTERN, Families, check_pattern, read_families
from saeatlas.analyses._token_sets import Pool, needed_tokens, pooled, token_sets, token_sets_bytes
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.recipe import fields_of
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.tokens import TokensReader
    from saeatlas.kernels.pagerank import Ranks, Settings

__all__ = ["PageRank", "plugin"]


@dataclass(frozen=True, kw_only=True)
class PageRank(Analysis):
    """Which tokens stand at the centre of the documents where each feature fires.

    For each feature, PageRank on the graph of tokens that share documents, weighted by the feature's activation
    there. One line per feature, mode and token; a second table, `graphs`, has one line per feature and mode. Tokens
    that most documents have lead every feature's list: `lift` compares with the graph of the whole corpus.

    Examples
    --------
    saeatlas analyze pagerank --k 50
    """

    version: ClassVar[int] = 2
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "tokens", "documents"})
    paths: ClassVar[frozenset[str]] = frozenset({"families"})

    k: int = 30
    """Tokens per feature and mode, by descending score."""
    modes: tuple[Mode, ...] = ()
    """'raw': all tokens weigh 1; 'level': as much as their level; 'family': families, by their highest level. None
    means raw, and with families all three."""
    families: str = ""
    """Table of families of tokens (TSV, CSV or Parquet): family, level, token, encoding and, if wanted, weight."""
    unary_weight: float = 10.0
    """Weight of a token of a family without levels, unless the table gives it one."""
    pool: Pool = "max"
    """A feature's activation in a document: largest value, mean over all rows, or sum."""
    damping: float = 0.85
    """Chance to follow an edge of the graph."""
    max_iterations: int = 100
    """Iterations at most."""
    tolerance: float = 1e-6
    """Iterations end when scores change by less than this in all."""
    max_documents: int = 0
    """Documents of a feature: those where it is strongest; 0 for all."""
    hide: tuple[str, ...] = ()
    """Tokens to leave out of the answer, such as the vocabulary's special ones; they stay in the graph."""
    pattern: str = PATTERN
    """Tokens that match, with a declared family and another level, are an error; empty to take them as they are."""
    allow_missing: bool = False
    """Whether families may have tokens that the vocabulary does not have."""

    def __post_init__(self) -> None:
        check_whole(self, k=(1, 1_000_000), max_iterations=(1, 1_000_000), max_documents=(0, 2**62))
        if not 0 <= self.damping < 1:
            raise InvalidInput(f"'damping' must be at least 0 and below 1, found: {self.damping}")
        if not 0 < self.tolerance < 1:
            raise InvalidInput(f"'tolerance' must be between 0 and 1, found: {self.tolerance}")
        if not 0 <= self.unary_weight < np.inf:
            raise InvalidInput(f"'unary_weight' must be a finite number from 0, found: {self.unary_weight}")
        if len(set(self.modes)) < len(self.modes):
            raise InvalidInput(f"A mode is named twice: {', '.join(self.modes)}")
        if not self.families and set(self.modes) - {"raw"}:
            raise InvalidInput(
                f"The mode '{min(set(self.modes) - {'raw'})}' needs families of tokens",
                hint="Set 'families' to a TSV, CSV or Parquet with the columns family, level, token and encoding.",
            )
        check_pattern(self.pattern)

    @cached_property
    def _declared(self) -> Families | None:
        # Read once, so that what is computed is what the digest in the parameters is of.
        return read_families(self.families) if self.families else None

    def params(self) -> dict[str, Any]:
        """Return the fields, the table of families by its name and digest."""
        declared = self._declared
        if declared is None:
            return fields_of(self)
        return fields_of(self) | {"families": declared.name, "families_sha256": declared.sha256}

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/pagerank.md for each column."""
        import pyarrow as pa

        def given(**kinds: pa.DataType) -> list[pa.Field]:
            return [pa.field(name, kind, nullable=False) for name, kind in kinds.items()]

        number, count = pa.float64(), pa.int64()
        head = given(feature=pa.uint32(), mode=pa.string())
        data = [*head, *given(rank=pa.int32()), pa.field("token", pa.uint32()), *given(string=pa.string())]
        data += given(score=number, corpus_score=number, lift=number)
        graphs = [*head, *given(n_documents=count, n_ignored=count, n_nodes=count, n_dangling=count)]
        graphs += [*given(n_iterations=count), pa.field("change", number), pa.field("is_converged", pa.bool_())]
        graphs += given(hidden_score=number)
        return {"data": pa.schema(data), "graphs": pa.schema(graphs)}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Rank block after block; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the corpus has no tokens, or a token to hide is not in its vocabulary.
        SourceError
            When the families do not fit the vocabulary.
        """
        import pyarrow as pa

        tokens = needed_tokens(sae)
        graphs = self._graphs(sae, tokens)
        schemas = self.schema()
        lines: dict[str, list[pa.Table]] = {name: [schema.empty_table()] for name, schema in schemas.items()}
        for block in blocks(sae, progress):
            documents = block.gather(sae.corpus.documents.row_documents)
            for name, table in self._tables(block, documents, graphs, sae).items():
                lines[name].append(table)
        return {name: pa.concat_tables(tables) for name, tables in lines.items()}

    def peak_bytes(self, sae: SAE) -> int:
        """Return the sum of what follows.

        300 MB for the program; the token sets of all documents; 9 bytes for each of their tokens and mode, and 12 for
        those of the feature that fires in most; 80 per entry of the largest block; 400 per token of the vocabulary;
        100 per line.
        """
        corpus = sae.corpus
        n_tokens = corpus.tokens.n_tokens if corpus.tokens is not None else 0
        n_modes = len(self._modes())
        segment = max((reader.info.n_rows for reader in sae.activations.segments), default=0)
        sets = token_sets_bytes(corpus) + (9 * n_modes + 12) * corpus.n_rows + 100 * corpus.n_documents
        lines = sae.n_features * n_modes * (min(self.k, n_tokens) + 1)
        return 300_000_000 + sets + 80 * block_entries(sae) + 4 * segment + 400 * n_tokens + 100 * lines

    def _modes(self) -> tuple[Mode, ...]:
        return self.modes or (("raw", "level", "family") if self.families else ("raw",))

    def _settings(self) -> Settings:
        from saeatlas.kernels.pagerank import Settings

        return Settings(self.damping, self.max_iterations, self.tolerance)

    def _graphs(self, sae: SAE, tokens: TokensReader) -> list[Graph]:
        strings = tokens.vocabulary().column("string").to_pylist()
        is_hidden = np.isin(np.array(strings, dtype=object), self.hide) if self.hide else np.zeros(len(strings), bool)
        for name in self.hide:
            if name not in strings:
                raise NotFound(
                    f"The token {name!r}, which is to be hidden, is not in the vocabulary",
                    hint="Write it as the vocabulary has it, spaces included.",
                )
        declared = self._declared
        families = None
        if declared is not None:
            of_tokens = declared.of(strings, self.pattern, allow_missing=self.allow_missing)
            families = of_tokens, [family.name for family in declared.families], self.unary_weight
        sets = token_sets(sae.corpus, tokens)
        return make_graphs(sets, strings, is_hidden, self._modes(), families, self._settings())

    def _tables(
        self, block: FeatureBlock, documents: npt.NDArray[np.uint32], graphs: list[Graph], sae: SAE
    ) -> dict[str, pa.Table]:
        """Rank the features of a block; lines by feature, then mode, then rank."""
        import pyarrow as pa

        from saeatlas.kernels.documents import per_document
        from saeatlas.kernels.pagerank import pagerank, strongest_documents

        sums = per_document(block.indptr, documents, block.values, sae.corpus.n_documents)
        activations = pooled(sums, sae.corpus.documents.lengths(), self.pool)
        kept = strongest_documents(sums.indptr, activations, self.max_documents)
        indptr = np.append(0, np.cumsum(kept))[sums.indptr]
        schemas = self.schema()
        pieces: dict[str, list[pa.RecordBatch]] = {name: [] for name in schemas}
        for graph in graphs:
            found = pagerank(graph.sets, indptr, sums.documents[kept], activations[kept], self.k, self._settings())
            pieces["data"].append(_lines(found, graph, block.first))
            pieces["graphs"].append(self._about(found, graph, block.first, np.diff(indptr)))
        tables = {}
        for name, schema in schemas.items():
            table = pa.Table.from_batches([piece.cast(schema) for piece in pieces[name]], schema)
            # Modes and ranks are in order already, and a stable sort leaves them so.
            order = np.argsort(table.column("feature").to_numpy(), kind="stable")
            tables[name] = table.take(pa.array(order))
        return tables

    def _about(self, found: Ranks, graph: Graph, first: int, n_documents: npt.NDArray[np.int64]) -> pa.RecordBatch:
        import pyarrow as pa

        n_features = found.n_nodes.size
        has_none = found.n_nodes == 0
        return pa.record_batch(
            {
                "feature": np.arange(first, first + n_features, dtype=np.uint32),
                "mode": pa.repeat(pa.scalar(graph.mode), n_features),
                "n_documents": found.n_documents,
                "n_ignored": n_documents - found.n_documents,
                "n_nodes": found.n_nodes,
                "n_dangling": found.n_dangling,
                "n_iterations": found.n_iterations,
                "change": nullable(found.change),
                "is_converged": pa.array(found.change < self.tolerance, mask=has_none),
                "hidden_score": found.hidden,
            }
        )


def _lines(found: Ranks, graph: Graph, first: int) -> pa.RecordBatch:
    import pyarrow as pa

    sizes = np.diff(found.indptr)
    feature = np.repeat(np.arange(sizes.size), sizes)
    corpus = graph.corpus[found.nodes]
    is_family = np.full(feature.size, graph.mode == "family")
    return pa.record_batch(
        {
            "feature": (feature + first).astype(np.uint32),
            "mode": pa.repeat(pa.scalar(graph.mode), feature.size),
            "rank": (np.arange(feature.size) - found.indptr[feature]).astype(np.int32),
            "token": pa.array(found.nodes, mask=is_family),
            "string": pa.array([graph.names[node] for node in found.nodes.tolist()], pa.string()),
            "score": found.scores,
            "corpus_score": corpus,
            "lift": found.scores / corpus,
        }
    )


plugin = PageRank
