"""Graphs of tokens, or of their families, that share documents: one for each way to weigh them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._token_family_file import FamiliesOfTokens
from saeatlas.analyses._token_sets import TokenSets
from saeatlas.errors import SourceError

if TYPE_CHECKING:
    from saeatlas.kernels.pagerank import NodeSets, Settings

__all__ = ["Graph", "Mode", "make_graphs"]

Mode = Literal["raw", "level", "family"]
"""'raw': tokens that all weigh 1; 'level': tokens by the weight of their level; 'family': families by their highest."""


@dataclass(frozen=True)
class Graph:
    """The nodes of all documents in one mode."""

    mode: Mode
    sets: NodeSets
    names: Sequence[str]
    """What each node is called."""
    corpus: npt.NDArray[np.float64]
    """PageRank of each node over all documents; NaN for those without edges."""


def make_graphs(
    sets: TokenSets,
    names: Sequence[str],
    is_hidden: npt.NDArray[np.bool_],
    modes: Sequence[Mode],
    families: tuple[FamiliesOfTokens, Sequence[str], float] | None,
    settings: Settings,
) -> list[Graph]:
    """Return the graph of each mode.

    Parameters
    ----------
    sets
        Tokens of every document.
    names, is_hidden
        What each token reads as, and whether answers leave it out.
    modes
        Those wanted; all but 'raw' need families.
    families
        Family and level of each token, the families' names, and the weight of a unary token that was given none.
    settings
        How PageRank is computed.

    Raises
    ------
    SourceError
        When a token of a family weighs less than 0: PageRank is a share of visits only where no edge is negative.
    """
    from saeatlas.kernels.pagerank import NodeSets, corpus_pagerank

    found = []
    for mode in modes:
        nodes, labels = NodeSets(sets.indptr, sets.tokens, np.ones(sets.tokens.size), is_hidden), names
        if mode != "raw" and families is not None:
            of_tokens, family_names, unary_weight = families
            weight = np.where(np.isnan(of_tokens.weight), unary_weight, of_tokens.weight)
            weight[of_tokens.family < 0] = 0.0
            _refuse_negative(weight, names)
            # Nothing leads to a token that weighs nothing: all of them share the least score, which says nothing.
            nodes = NodeSets(sets.indptr, sets.tokens, weight[sets.tokens], is_hidden | (weight == 0))
            if mode == "family":
                indptr, members, highest = _family_sets(sets, of_tokens.family, weight)
                nodes = NodeSets(indptr, members, highest, np.zeros(len(family_names), np.bool_))
                labels = family_names
        found.append(Graph(mode, nodes, labels, corpus_pagerank(nodes, settings)))
    return found


def _refuse_negative(weight: npt.NDArray[np.float64], names: Sequence[str]) -> None:
    below = np.flatnonzero(weight < 0)
    if below.size:
        raise SourceError(
            f"The token {names[below[0]]!r} has no weight of its own and the level {weight[below[0]]:g}, and a weight "
            "is at least 0",
            hint="Give tokens of negative levels a weight of their own, in the column 'weight'.",
        )


def _family_sets(
    sets: TokenSets, family: npt.NDArray[np.int32], number: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.float64]]:
    """Return the families of every document, ascending, and the largest number among the tokens of each there.

    Parameters
    ----------
    sets
        Tokens of every document.
    family
        Family of each token, -1 for none.
    number
        What to take the largest of, by token.
    """
    documents = np.repeat(np.arange(sets.sizes.size), sets.sizes)
    kept = family[sets.tokens] >= 0
    documents, tokens = documents[kept], sets.tokens[kept]
    order = np.lexsort((family[tokens], documents))
    documents, tokens = documents[order], tokens[order]
    members = family[tokens]
    is_new = np.append(True, (documents[1:] != documents[:-1]) | (members[1:] != members[:-1]))[: documents.size]
    first = np.flatnonzero(is_new)
    largest = np.maximum.reduceat(number[tokens], first) if first.size else np.empty(0)
    indptr = np.searchsorted(documents[first], np.arange(sets.sizes.size + 1))
    return indptr.astype(np.int64), members[first].astype(np.uint32), largest
