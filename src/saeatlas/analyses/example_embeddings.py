"""Examples of every strength for each feature, as texts of the tokens around their peak, and as vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole
from saeatlas.analyses._example_windows import DocumentWindows, window_texts
from saeatlas.errors import NotFound, SourceError
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.embedder import embedder_of
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.tokens import TokensReader
    from saeatlas.kernels.quantile_pick import Chosen, Units
    from saeatlas.kernels.stats import SortedActive

    Columns = dict[str, npt.NDArray[Any]]

__all__ = ["ExampleEmbeddings", "plugin"]

_CHARACTERS_OF_A_TOKEN = 5
_LARGEST_HALF = 65504.0


_PICKED = {"feature": np.uint32, "example": np.int32, "stratum": np.int32, "row": np.int64, "value": np.float64}


@dataclass(frozen=True, kw_only=True)
class ExampleEmbeddings(Analysis):
    """Examples of every strength for each feature, with the text around their peak, embedded.

    One line per example, and its vector in line i of the matrix `vectors`. A second table, `population`, has one line
    per feature: how many examples there were to choose from, and the quantiles of their values.

    Examples
    --------
    saeatlas analyze example-embeddings --embedder lsa:n_components=64
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.ROW
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "documents", "tokens"})
    libraries: ClassVar[tuple[str, ...]] = ("sklearn",)

    pick: Literal["strata", "source-0"] = "strata"
    """'strata' draws from parts of equal size; 'source-0' takes the strongest of parts cut out by quantiles."""
    strata: int = 4
    """Parts into which the examples of a feature are cut by strength."""
    per_stratum: int = 5
    """Examples from each part."""
    seed: int = 0
    """Of the draw, with 'strata'."""
    per: Literal["document", "row"] = "document"
    """What an example is: a document, by its strongest row, or any active row."""
    size: int = 32
    """Tokens of a text, the peak in the middle."""
    window: Literal["shifted", "clipped"] = "shifted"
    """What becomes of a text that would reach beyond its document: it is moved inside, or cut."""
    embedder: str = "lsa"
    """Embedder of the texts: its name, or `name:key=value,key=value`."""
    dtype: Literal["float32", "float16", "int8"] = "float32"
    """How vectors are stored; int8 with a scale for each."""

    def __post_init__(self) -> None:
        check_whole(self, strata=(1, 1_000), per_stratum=(1, 10_000), seed=(0, 2**64 - 1), size=(1, 100_000))

    def params(self) -> dict[str, Any]:
        """Return the fields and the fingerprint of the embedder, so that another model is another artifact."""
        return super().params() | {"embedder_fingerprint": embedder_of(self.embedder).fingerprint()}

    def matrices(self) -> tuple[str, ...]:
        """Return 'vectors': line i is the vector of line i of `data`."""
        return ("vectors",)

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/example-embeddings.md for each column."""
        import pyarrow as pa

        feature = pa.field("feature", pa.uint32(), nullable=False)
        return {
            "data": pa.schema(
                [
                    feature,
                    pa.field("example", pa.int32(), nullable=False),
                    pa.field("stratum", pa.int32()),
                    pa.field("row", pa.int64(), nullable=False),
                    pa.field("document", pa.uint32(), nullable=False),
                    pa.field("position", pa.int64(), nullable=False),
                    pa.field("value", pa.float64(), nullable=False),
                    pa.field("token", pa.uint32(), nullable=False),
                    pa.field("start", pa.int64(), nullable=False),
                    pa.field("n_tokens", pa.int32(), nullable=False),
                    pa.field("text", pa.string(), nullable=False),
                    pa.field("is_natural", pa.bool_(), nullable=False),
                    pa.field("scale", pa.float32()),
                ]
            ),
            "population": pa.schema(
                [
                    feature,
                    pa.field("n_population", pa.int64(), nullable=False),
                    pa.field("n_without_tokens", pa.int64(), nullable=False),
                    pa.field("n_examples", pa.int32(), nullable=False),
                    pa.field("boundaries", pa.list_(pa.float64())),
                ]
            ),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | npt.NDArray[Any]]:
        """Choose block after block, read the texts, embed them all; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the corpus has no tokens.
        """
        import pyarrow as pa

        tokens = sae.corpus.tokens
        if tokens is None:
            raise NotFound(f"Corpus '{sae.corpus.name}' has no tokens", hint="Import the tokens of the corpus first.")
        embedder = embedder_of(self.embedder)
        picked: list[Columns] = [{name: np.zeros(0, dtype) for name, dtype in _PICKED.items()}]
        population = [self.schema()["population"].empty_table()]
        for block in blocks(sae, progress):
            found, facts = self._choose(block, sae, tokens)
            picked.append(found)
            population.append(facts.cast(population[0].schema))
        columns = {
            name: np.concatenate([part[name] for part in picked], dtype=_PICKED[name], casting="unsafe")
            for name in _PICKED
        }
        columns |= self._places(sae, tokens, columns["row"])
        windows = DocumentWindows(columns["document"], columns["start"], columns["start"] + columns["n_tokens"])
        read = window_texts(sae.corpus, tokens, windows, progress)
        vectors, scale = _stored(embedder.embed(read.texts, progress), self.dtype)
        stratum = columns.pop("stratum")
        data = pa.table(
            {
                **columns,
                "stratum": pa.array(stratum, mask=stratum < 0),
                "text": pa.array(read.texts, pa.string()),
                "is_natural": pa.array(read.is_natural),
                "scale": pa.nulls(stratum.size, pa.float32()) if scale is None else pa.array(scale, pa.float32()),
            }
        )
        return {"data": data, "population": pa.concat_tables(population), "vectors": vectors}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 350 MB for the program, 60 bytes per entry of the largest block, 8 per document, and the texts.

        A text counts 300 bytes and twice its characters, 5 for each token; what the embedder holds comes on top.
        """
        lines = min(self.strata * self.per_stratum * sae.n_features, sae.n_listed)
        characters = _CHARACTERS_OF_A_TOKEN * self.size * lines
        own = 350_000_000 + 60 * block_entries(sae) + 8 * sae.corpus.n_documents + 300 * lines + 2 * characters
        return own + embedder_of(self.embedder).peak_bytes(lines, characters)

    def _choose(self, block: FeatureBlock, sae: SAE, tokens: TokensReader) -> tuple[Columns, pa.Table]:
        """Return the examples of a block, and the lines of its features in `population`."""
        import pyarrow as pa

        from saeatlas.format.tokens import OK
        from saeatlas.kernels.quantile_pick import find_units, quantile_boundaries, sort_units

        documents = block.gather(sae.corpus.documents.row_documents)
        usable = tokens.statuses() == OK
        per_document = self.per == "document"
        units = find_units(block.indptr, documents, block.values, usable, per_document=per_document)
        if usable.all():
            without = np.zeros_like(units.n_units)
        else:
            without = find_units(block.indptr, documents, block.values, ~usable, per_document=per_document).n_units
        active = sort_units(units, block.values)
        boundaries = quantile_boundaries(active, self.strata)
        chosen = self._pick(block, units, active, boundaries)
        n_examples = np.bincount(chosen.feature, minlength=units.n_units.size)
        firsts = np.cumsum(n_examples) - n_examples
        entry = units.entry[chosen.unit]
        picked = {
            "feature": chosen.feature + block.first,
            "example": np.arange(entry.size) - firsts[chosen.feature],
            "stratum": chosen.stratum,
            "row": block.rows[entry],
            "value": block.values[entry],
        }
        lines = [line if n else None for line, n in zip(boundaries.tolist(), units.n_units.tolist(), strict=True)]
        facts = pa.table(
            {
                "feature": np.arange(block.first, block.stop, dtype=np.uint32),
                "n_population": units.n_units,
                "n_without_tokens": without,
                "n_examples": n_examples.astype(np.int32),
                "boundaries": pa.array(lines, pa.list_(pa.float64())),
            }
        )
        return picked, facts

    def _pick(
        self, block: FeatureBlock, units: Units, active: SortedActive, boundaries: npt.NDArray[np.float64]
    ) -> Chosen:
        from saeatlas.kernels.examples import Quota
        from saeatlas.kernels.quantile_pick import draw_strata, top_parts

        if self.pick == "source-0":
            return top_parts(units, block.values, boundaries, self.per_stratum)
        quota = Quota(strata=self.strata, per_stratum=self.per_stratum, seed=self.seed)
        return draw_strata(units, active, block.rows, block.values, quota, first_feature=block.first)

    def _places(self, sae: SAE, tokens: TokensReader, rows: npt.NDArray[np.int64]) -> Columns:
        """Return where rows stand, their tokens, and the windows around them, [rows] each."""
        from saeatlas.kernels.windows import window_bounds

        different, place = np.unique(rows, return_inverse=True)
        documents, positions = (found[place] for found in sae.corpus.documents.locate(different))
        lengths = sae.corpus.documents.lengths()[documents]
        start, stop = window_bounds(positions, lengths, self.size, is_shifted=self.window == "shifted")
        return {
            "document": documents,
            "position": positions.astype(np.int64),
            "token": tokens.tokens(different)[place],
            "start": start,
            "n_tokens": (stop - start).astype(np.int32),
        }


def _stored(
    vectors: npt.NDArray[np.float32], dtype: Literal["float32", "float16", "int8"]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32] | None]:
    """Return vectors as they are stored, and the scale of each with int8: number * scale is what it stands for."""
    if dtype == "float32":
        return vectors, None
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    if dtype == "float16":
        if largest.max(initial=0.0) > _LARGEST_HALF:
            raise SourceError(
                f"A vector holds a number of size {largest.max():g}, beyond {_LARGEST_HALF:g}, the largest of float16",
                hint="Use the dtype float32 or int8, or an embedder that scales vectors to length 1.",
                kind="not-finite",
            )
        return vectors.astype(np.float16), None
    scale = largest / np.float32(127)
    return np.rint(vectors / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8), scale


plugin = ExampleEmbeddings
