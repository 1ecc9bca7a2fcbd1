"""Which features of another SAE are the same as those of this one: a list both ways, and a one-to-one assignment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np

from saeatlas.analyses._active_rows import ActiveBlocks, pair_bytes, row_bytes
from saeatlas.analyses._columns import check_whole, nullable
from saeatlas.analyses._cross_sae_matches import MatchLists, merged
from saeatlas.analyses._directions import directions_of, search_bytes
from saeatlas.errors import InvalidInput
from saeatlas.extras import require
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.weights import Weights
    from saeatlas.kernels.partners import Partners
    from saeatlas.progress import Task

__all__ = ["CrossSae", "plugin"]

_MAX_PAIRS = 1 << 26
"""Pairs of features that are held at a time while rows are added."""
_WHOLE = 1 << 20
"""Up to this many pairs of features, all of them are candidates of the assignment."""
_QUERY_BYTES = 256_000_000
"""Directions of this SAE that are compared at a time."""

By = Literal["pearson", "jaccard", "cosine"]


@dataclass(frozen=True, kw_only=True)
class CrossSae(Analysis):
    """Match the features with those of another SAE, by when they fire or by their decoder directions.

    `data` lists the best matches of every feature of either SAE; `assignment` pairs them so that the scores sum to
    the most, each feature in at most one pair.

    Examples
    --------
    saeatlas analyze cross-sae --other gpt2-l9 --by jaccard
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({"activations"})

    other: str = ""
    """Name of the other SAE; it must be given. The SAE itself is allowed."""
    by: By = "pearson"
    """'pearson' or 'jaccard' of the activations over the same rows, or 'cosine' of the decoder directions."""
    k: int = 5
    """Matches of each feature, of either SAE, in `data`."""
    min_count: int = 5
    """Features that fire together in fewer rows come last in a list, and are never assigned; not for 'cosine'."""
    candidates: int = 50
    """Matches of each feature that the assignment chooses from; all, up to a million pairs of features."""

    def __post_init__(self) -> None:
        check_whole(self, k=(1, 10_000), min_count=(1, 1 << 62), candidates=(1, 10_000))
        if self.by not in get_args(By):
            raise InvalidInput(f"'by' must be one of {', '.join(get_args(By))}, found: '{self.by}'")

    def requires(self) -> frozenset[str]:
        """Return the activations or the weights of both SAEs.

        Raises
        ------
        InvalidInput
            When the other SAE is not named.
        """
        if not self.other:
            raise InvalidInput(
                "'cross-sae' compares with another SAE, and none was named",
                hint="Give its name with --other; 'saeatlas show saes' lists them.",
            )
        what = "weights" if self.by == "cosine" else "activations"
        return frozenset({what, f"sae/{self.other}/{what}"})

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/cross-sae.md for each column."""
        import pyarrow as pa

        def field(name: str, kind: pa.DataType, *, nullable: bool = True) -> pa.Field:
            return pa.field(name, kind, nullable=nullable)

        return {
            "data": pa.schema(
                [
                    field("feature", pa.uint32(), nullable=False),
                    field("other_feature", pa.uint32(), nullable=False),
                    field("rank", pa.int32()),
                    field("other_rank", pa.int32()),
                    field("count", pa.int64()),
                    *(field(name, pa.float64()) for name in ("pearson", "jaccard", "cosine")),
                ]
            ),
            "assignment": pa.schema(
                [
                    field("feature", pa.uint32()),
                    field("other_feature", pa.uint32()),
                    field("score", pa.float64()),
                    field("runner_up", pa.float64()),
                    field("is_mutual_best", pa.bool_()),
                    field("is_optimal", pa.bool_(), nullable=False),
                ]
            ),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Find the best matches both ways, then choose among them; memory as `peak_bytes` says.

        Raises
        ------
        InvalidInput
            When the SAEs did not run over the same rows, or their directions do not have the same length.
        MissingExtra
            When SciPy is not installed.
        """
        self.requires()
        require("scipy.optimize", extra="analyses", to="assign features")
        other = _other(sae, self.other)
        kept = self._kept(sae.n_features, other.n_features)
        if self.by == "cosine":
            lists = _by_cosine(sae, other, kept, progress)
        else:
            lists = _by_activations(sae, other, self, kept, progress)
        return {"data": lists.data(self.k), "assignment": lists.assignment()}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, what the search holds, and 200 bytes for each match."""
        other = _other(sae, self.other)
        n, m = sae.n_features, other.n_features
        kept = self._kept(n, m)
        lists = 200 * (n * min(kept, m) + m * min(kept, n)) + 40 * min(_WHOLE * 4, n * m)
        if self.by == "cosine":
            return 300_000_000 + lists + search_bytes(other, "decoder", kept) + search_bytes(sae, "decoder", kept)
        pairs = pair_bytes(sae.n_rows, min(_MAX_PAIRS, n * m) + m)
        return 300_000_000 + lists + pairs + row_bytes(sae.activations) + row_bytes(other.activations)

    def _kept(self, n: int, m: int) -> int:
        return max(n, m, 1) if n * m <= _WHOLE else max(self.k, self.candidates)


def _other(sae: SAE, name: str) -> SAE:
    return sae if name == sae.name else sae.atlas.sae(name)


def _by_activations(sae: SAE, other: SAE, asked: CrossSae, kept: int, progress: Progress) -> MatchLists:
    """Add up all pairs of a feature of one SAE and one of the other over the rows, and list the best both ways."""
    import pyarrow as pa

    from saeatlas.kernels.pair_measures import measure

    _check_rows(sae, other)
    blocks = ActiveBlocks([sae, other], progress)
    n, m = (features.size for features in blocks.features)
    left, right = _partners(blocks, asked, kept, sae.n_rows)
    lines, turned = left.lines(0, n), right.lines(0, m)
    owners = lines[0], lines[1].astype(np.int64)
    others = turned[1].astype(np.int64), turned[0]
    first, rank, other_rank = merged(owners, others, m)
    one, two = (np.concatenate([owners[i], others[i]])[first] for i in (0, 1))
    count = np.concatenate([lines[2], turned[2]])[first]
    dot = np.concatenate([lines[3], turned[3]])[first]
    found = measure(count, dot, blocks.totals[0].at(one), blocks.totals[1].at(two))
    score = found.pearson if asked.by == "pearson" else found.jaccard
    return MatchLists(
        sizes=(sae.n_features, other.n_features),
        feature=blocks.features[0][one],
        other=blocks.features[1][two],
        rank=rank,
        other_rank=other_rank,
        numbers={
            "count": pa.array(count),
            "pearson": nullable(found.pearson),
            "jaccard": nullable(found.jaccard),
            "cosine": pa.nulls(count.size, pa.float64()),
        },
        score=score,
        is_candidate=(score > 0) & (count >= asked.min_count),
        is_whole=bool(max(side.n_partners.max(initial=0) for side in (left, right)) <= kept),
    )


def _partners(blocks: ActiveBlocks, asked: CrossSae, kept: int, n_rows: int) -> tuple[Partners, Partners]:
    """Return the best partners of the features of both SAEs."""
    from saeatlas.kernels.cooccurrence import PairSums, ranges_of
    from saeatlas.kernels.partners import Partners

    assert asked.by != "cosine"
    n, m = (features.size for features in blocks.features)
    # Without any pair, the rows are read all the same: for the totals.
    ranges = ranges_of(n, m, _MAX_PAIRS, is_own=False) or [(0, 0)]
    sums = PairSums(m, ranges, is_own=False, n_rows=n_rows)
    left = Partners(n, max(1, min(kept, m)), asked.by, asked.min_count)
    right = Partners(m, max(1, min(kept, n)), asked.by, asked.min_count)
    for first, stop in ranges:
        sums.begin(first, stop)
        for one, two in blocks:
            sums.add(one, two)
        left.take(sums, blocks.totals[0], blocks.totals[1], right)
    return left, right


def _check_rows(sae: SAE, other: SAE) -> None:
    """Raise unless both SAEs ran over the same rows."""
    for what, one, two in (
        ("the corpus", sae.corpus.name, other.corpus.name),
        ("rows", f"{sae.n_rows:,}", f"{other.n_rows:,}"),
    ):
        if one != two:
            raise InvalidInput(
                f"SAEs '{sae.name}' and '{other.name}' did not run over the same rows: {what} {one} and {two}",
                hint="Compare SAEs over one corpus, or their decoder directions with --by cosine.",
            )


def _by_cosine(sae: SAE, other: SAE, kept: int, progress: Progress) -> MatchLists:
    """Compare all decoder directions of one SAE with all of the other."""
    import pyarrow as pa

    one, two = directions_of(sae, "decoder"), directions_of(other, "decoder")
    _check_space(sae, other, (one, two), progress)
    n, m = one.n_features, two.n_features
    with progress.task("compare directions", total=2.0 * n * m, unit="pairs") as task:
        left = _nearest(one, two, kept, task)
        right = _nearest(two, one, kept, task)
    first, rank, other_rank = merged((left[0], left[1]), (right[1], right[0]), m)
    feature, other_feature = (np.concatenate([left[i], right[1 - i]])[first] for i in (0, 1))
    cosine = np.concatenate([left[2], right[2]])[first]
    return MatchLists(
        sizes=(n, m),
        feature=feature,
        other=other_feature,
        rank=rank,
        other_rank=other_rank,
        numbers={
            "count": pa.nulls(cosine.size, pa.int64()),
            "pearson": pa.nulls(cosine.size, pa.float64()),
            "jaccard": pa.nulls(cosine.size, pa.float64()),
            "cosine": pa.array(cosine),
        },
        score=cosine,
        is_candidate=cosine > 0,
        is_whole=kept >= max(n, m),
    )


def _nearest(
    one: Weights, two: Weights, kept: int, task: Task
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return feature, nearest and cosine for all features of the first weights among those of the second."""
    from saeatlas.kernels.neighbors import nearest_to

    step = max(1, _QUERY_BYTES // (12 * max(1, one.d_out)))
    features, nearest, cosines = [], [], []
    for first in range(0, one.n_features, step):
        stop = min(one.n_features, first + step)
        found = nearest_to(one.decoder(first, stop), two.decoder, two.n_features, kept)
        features.append(found.rows() + first)
        nearest.append(found.ids)
        cosines.append(found.cosines)
        task.advance(float(stop - first) * two.n_features)
    return np.concatenate(features), np.concatenate(nearest), np.concatenate(cosines)


def _check_space(sae: SAE, other: SAE, weights: tuple[Weights, Weights], progress: Progress) -> None:
    """Raise unless directions have one length; say so when they are known to be of different places."""
    lengths = [one.d_out for one in weights]
    if lengths[0] != lengths[1]:
        raise InvalidInput(
            f"Decoder directions of SAEs '{sae.name}' and '{other.name}' have {lengths[0]:,} and {lengths[1]:,} "
            "numbers: they are not in one space",
            hint="Compare what fires together, with --by pearson, if both ran over one corpus.",
        )
    for fact in ("model", "hook"):
        one, two = getattr(sae.identity, fact), getattr(other.identity, fact)
        if None not in (one, two) and one != two:
            progress.say(
                f"SAEs '{sae.name}' and '{other.name}' have the {fact} '{one}' and '{two}': "
                "a cosine between their directions means something only if both write to one space"
            )


plugin = CrossSae
