"""Content words of explanations: what is left without the words that any explanation may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["content_words", "is_placeholder", "word_table"]

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(f"[{_IDEOGRAPHS}]|[^\\W\\d_{_IDEOGRAPHS}]{{3,}}")
"""Letters of any script, three or more; scripts without spaces give a word for each character."""

_OF_GRAMMAR: Final = """
about above across after again against all almost along also although always among and another any are around because
been before being below between beyond both but can cannot could did does doing done down during each either else etc
even ever every few first for from further had has have having her here hers him his how however into its itself just
last least less like made make makes many may might more most much must neither never next nor not now off once one
only onto other others our out over own per perhaps quite rather same several shall she should since some such than
that the their theirs them then there these they this those though through throughout thus too toward towards two
under until upon very was way ways well were what when where whether which while who whom whose why will with within
without would yet you your
"""
_OF_EXPLANATIONS: Final = """
activate activated activates activating activation activations associated associating association associations common
commonly concept concepts concerning consisting contain containing contains context contexts contextual contextually
denote denotes denoting describe described describes describing description descriptions detect detects discuss
discussed discusses discussing discussion discussions element elements example examples explanation express expressed
expresses expressing expression expressions feature features fire fires follow followed following frequent frequently
general generally include included includes including indicate indicated indicates indicating indication indications
indicator indicators instance instances involve involved involves involving kind kinds latent mainly mention mentioned
mentioning mentions neuron neurons occurrence occurrences occurring often particular particularly pattern patterns
pertain pertaining pertains phrase phrases presence present primarily refer reference referenced references
referencing referring refers regarding relate related relates relating relation relevant represent representation
represented representing represents respond responds sentence sentences signify signifies signifying similar specific
specifically term terminology terms text texts textual token tokens type types typically usage use used uses using
usually various word words
"""
_PLACEHOLDERS: Final = frozenset({"explanation could not be parsed", "no explanation found"})
_LEFT_OUT: Final = frozenset(_OF_GRAMMAR.split()) | frozenset(_OF_EXPLANATIONS.split())


def is_placeholder(text: str) -> bool:
    """Return whether a text is what an explainer writes when it failed: no words about any feature."""
    return text.strip(' \n\t".').casefold() in _PLACEHOLDERS


def content_words(text: str) -> frozenset[str]:
    """Return the words of a text, without English words of grammar and those that explanations are made of.

    'references to' and 'terms related to' begin half of all explanations: with them, any two resemble each other.
    """
    return frozenset(_WORD.findall(text.casefold())) - _LEFT_OUT


def word_table(texts: Sequence[Iterable[str]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Number the words of several texts.

    Parameters
    ----------
    texts
        Words of each.

    Returns
    -------
    indptr
        int64 [texts + 1]: where each text's words start and end.
    words
        int32, ascending and each once within a text.
    """
    numbers = {word: number for number, word in enumerate(sorted({word for words in texts for word in words}))}
    lines = [sorted({numbers[word] for word in words}) for words in texts]
    indptr = np.zeros(len(lines) + 1, np.int64)
    np.cumsum([len(line) for line in lines], out=indptr[1:])
    return indptr, np.array([number for line in lines for number in line], np.int32)
