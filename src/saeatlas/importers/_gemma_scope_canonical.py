"""Which of several Gemma Scope SAEs of one layer is the canonical one.

For each layer and width a Gemma Scope repository has several SAEs, told apart by their mean number of active features
(`average_l0_*`). One of them is canonical: the one that other tools, and the labels of Neuronpedia's
`*-gemmascope-res-16k`, are about. The rule "closest to 100" is not literally true (layer 3 of the 2B model: 59, where
142 is closer), so this is a table. The list of the 2B model agrees in two independent places; that of the 9B model was
seen in one place only, and is therefore marked as unverified.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Canonical", "canonical_l0", "labelled_l0"]

_RESIDUAL_16K: Final[dict[str, tuple[int, ...]]] = {
    "gemma-scope-2b-pt-res": (
        *(105, 102, 141, 59, 124, 68, 70, 69, 71, 73, 77, 80, 82),
        *(84, 84, 78, 78, 77, 74, 73, 71, 70, 72, 75, 73, 116),
    ),
    "gemma-scope-9b-pt-res": (
        *(129, 69, 67, 90, 91, 77, 93, 92, 99, 100, 113, 118, 130, 132),
        *(67, 131, 75, 73, 71, 132, 68, 129, 123, 120, 114, 114, 116, 118),
        *(119, 119, 120, 114, 111, 114, 114, 120, 120, 124, 128, 131, 125, 113),
    ),
}
"""L0 of the canonical SAE with 16,384 features by repository, from layer 0."""
_VERIFIED: Final = frozenset({"gemma-scope-2b-pt-res"})
_LABELS: Final = re.compile(r"(\d+)-gemmascope-res-16k")


@dataclass(frozen=True)
class Canonical:
    """The SAE that is meant where none is named."""

    l0: int
    """Number in the name of its folder."""
    verified: bool
    """Whether more than one source says so."""


def canonical_l0(repository: str, width: str, layer: int) -> Canonical | None:
    """Return the canonical SAE of a layer, or None where none is known.

    Parameters
    ----------
    repository
        Name of the repository, with or without its owner: a mirror has the same SAEs.
    width
        As in the name of the folder: '16k'.
    layer
        From 0.
    """
    name = repository.rpartition("/")[2]
    known = _RESIDUAL_16K.get(name, ())
    if width != "16k" or not 0 <= layer < len(known):
        return None
    return Canonical(known[layer], name in _VERIFIED)


def labelled_l0(model: str, source: str) -> int | None:
    """Return the L0 of the SAE that a set of Neuronpedia's labels is about, or None where that is not known for sure.

    Parameters
    ----------
    model
        Such as 'gemma-2-2b'.
    source
        Such as '12-gemmascope-res-16k'; with a suffix it is about another SAE.
    """
    found = _LABELS.fullmatch(source)
    if model != "gemma-2-2b" or found is None:
        return None
    canonical = canonical_l0("gemma-scope-2b-pt-res", "16k", int(found[1]))
    return canonical.l0 if canonical else None
