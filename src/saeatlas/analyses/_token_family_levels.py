"""Which level of each family every document has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._token_family_file import Families, FamiliesOfTokens
from saeatlas.analyses._token_sets import TokenSets

__all__ = ["LevelsOfDocuments", "levels_of_documents"]


@dataclass(frozen=True)
class LevelsOfDocuments:
    """Documents by cell: for each family first those without it, then those of each level."""

    names: tuple[str, ...]
    """Families."""
    parts: tuple[slice, ...]
    """Cells of each family, the first being its absence."""
    cells: npt.NDArray[np.int32]
    """Cell of each document in each family, [documents, families]; -1 for documents without known tokens."""
    n_documents: npt.NDArray[np.int64]
    """Documents of each cell."""
    ranks: npt.NDArray[np.float64]
    """Average rank from 1 of each document by level, its absence being the lowest, [families, documents]; NaN for
    documents without known tokens."""
    length_ranks: npt.NDArray[np.float64]
    """Average rank from 1 of each document by its rows, [documents]; NaN as above."""
    length_rho: npt.NDArray[np.float64]
    """Spearman's correlation of level and rows, [families]; NaN where either is the same for all documents."""
    cell_family: tuple[str, ...]
    """Family of each cell."""
    cell_is_absent: tuple[bool, ...]
    """Whether a cell is the absence of its family."""
    cell_level: tuple[int | None, ...]
    """Level of each cell; None for absence, and for presence of a unary family."""
    n_known: int
    """Documents with known tokens."""
    n_unknown: int
    """Documents that have rows and no known token; they are in no cell."""
    n_missing: tuple[int, ...]
    """Declared tokens of each family that the vocabulary does not have."""
    n_irregular: tuple[int, ...]
    """Documents that break the encoding of each family: with several levels of an exclusive one, or without a level
    below their own of a cumulative one."""


def levels_of_documents(
    sets: TokenSets, declared: Families, of_tokens: FamiliesOfTokens, lengths: npt.NDArray[np.int64]
) -> LevelsOfDocuments:
    """Return the level of each document in each family: the highest that any of its tokens has.

    Parameters
    ----------
    sets
        Tokens of every document.
    declared, of_tokens
        The families, and which token is of which.
    lengths
        Rows of each document.

    Notes
    -----
    Holds 12 bytes per document and family, and 40 for each token of a family in a document.
    """
    from saeatlas.kernels.association import average_ranks

    known = sets.sizes > 0
    rank, held = _ranks(sets, of_tokens, len(declared.families))
    parts, labels = _labels(declared)
    cells = np.full((known.size, len(parts)), -1, np.int32)
    ranks = np.full((len(parts), known.size), np.nan)
    for family, part in enumerate(parts):
        cells[known, family] = rank[known, family] + part.start
        ranks[family, known] = average_ranks(rank[known, family])
    length_ranks = np.full(known.size, np.nan)
    length_ranks[known] = average_ranks(lengths[known])
    n_cells = parts[-1].stop if parts else 0
    n_documents = np.bincount(cells[known].ravel(), minlength=n_cells).astype(np.int64)
    irregular = []
    for family, one in enumerate(declared.families):
        ladder = np.unique(of_tokens.level[of_tokens.family == family])
        # How many of the levels that the corpus can have at all lie up to each rank.
        below = np.searchsorted(ladder, rank[:, family], "right")
        wanted = below if one.encoding == "cumulative" else np.minimum(below, 1)
        irregular.append(int((held[:, family] != wanted).sum()))
    return LevelsOfDocuments(
        tuple(family.name for family in declared.families),
        parts,
        cells,
        n_documents,
        ranks,
        length_ranks,
        np.array([_correlation(one[known], length_ranks[known]) for one in ranks]),
        *labels,
        n_known=int(known.sum()),
        n_unknown=int((~known & (lengths > 0)).sum()),
        n_missing=of_tokens.n_missing,
        n_irregular=tuple(irregular),
    )


def _correlation(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Return Pearson's correlation; NaN where either is constant."""
    one, other = one - one.mean() if one.size else one, other - other.mean() if other.size else other
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale > 0 else float("nan")


def _ranks(
    sets: TokenSets, of_tokens: FamiliesOfTokens, n_families: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the highest rank of level, 0 for absence, and how many levels there are; both [documents, families]."""
    rank = np.zeros((sets.sizes.size, n_families), np.int32)
    held = np.zeros_like(rank)
    kept = of_tokens.family[sets.tokens] >= 0
    documents = np.repeat(np.arange(sets.sizes.size), sets.sizes)[kept]
    tokens = sets.tokens[kept]
    # Tokens of one level in one document count once.
    triples = np.unique(np.column_stack([documents, of_tokens.family[tokens], of_tokens.level[tokens]]), axis=0)
    np.maximum.at(rank, (triples[:, 0], triples[:, 1]), triples[:, 2].astype(np.int32))
    np.add.at(held, (triples[:, 0], triples[:, 1]), 1)
    return rank, held


def _labels(
    declared: Families,
) -> tuple[tuple[slice, ...], tuple[tuple[str, ...], tuple[bool, ...], tuple[int | None, ...]]]:
    """Return the cells of each family, and family, absence and level of each cell."""
    parts: list[slice] = []
    names: list[str] = []
    absent: list[bool] = []
    levels: list[int | None] = []
    for family in declared.families:
        parts.append(slice(len(names), len(names) + family.n_levels + 1))
        names += [family.name] * (family.n_levels + 1)
        absent += [True] + [False] * family.n_levels
        levels += [None, *(family.levels or (None,))]
    return tuple(parts), (tuple(names), tuple(absent), tuple(levels))
