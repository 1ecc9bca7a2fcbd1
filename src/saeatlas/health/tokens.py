"""The tokens are those of the texts: strings agree with the characters that they stand for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.format.tokens import NO_TOKEN, OK
from saeatlas.health._check import CorpusCheck, Finding, Verdict
from saeatlas.health._texts import text_batches

if TYPE_CHECKING:
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.format.tokens import TokensReader
    from saeatlas.progress import Progress

__all__ = ["Tokens", "plugin"]

_MARKS = str.maketrans({"\u0120": " ", "\u010a": "\n", "\u0109": "\t", "\u2581": " "})
"""How byte-level and sentence-piece tokenizers write a space, a line end and a tab."""
_RAW_BYTES = ("\u0100", "\u0143")
"""Characters by which byte-level tokenizers write bytes that cannot be seen."""
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Tokens(CorpusCheck):
    """Each token reads as the characters of the text that it stands for, and there is one for each row."""

    suspect_above: float = 0.001
    """Share of tokens or documents that disagree, above which the finding is 'suspect'."""
    wrong_above: float = 0.05
    """The same for 'wrong'."""

    def examine(self, corpus: Corpus, progress: Progress) -> Iterable[Finding]:
        """Read every text and its tokens once; memory is a batch of documents, and the vocabulary."""
        if corpus.tokens is None:
            yield Finding("not-applicable", "There are no tokens")
            return
        yield self._counts(corpus)
        if not corpus.documents.attributes["has_text"]:
            yield Finding("not-applicable", "The documents have no texts to compare the tokens with")
        elif corpus.tokens.has_spans:
            yield self._compared(_by_span(corpus, corpus.tokens, progress), "tokens")
        else:
            yield self._compared(_by_document(corpus, corpus.tokens, progress), "documents")

    def _counts(self, corpus: Corpus) -> Finding:
        """Compare the numbers of rows and tokens, which the import found to differ or not."""
        assert corpus.tokens is not None
        found = corpus.tokens.attributes
        names = ("documents_ok", "documents_count_differs", "documents_without_tokens", "documents_without_text")
        numbers: dict[str, Any] = {name: found[name] for name in names}
        differing, compared = numbers["documents_count_differs"], sum(numbers[name] for name in names[:2])
        if not differing:
            return Finding("ok", f"Tokens and rows are as many in all {compared:,} documents", "", numbers)
        share = differing / compared
        first = ", ".join(f"'{name}'" for name in found["first_documents_count_differs"][:_SHOWN])
        return Finding(
            self._verdict(share, "suspect"),
            f"{differing:,} of {compared:,} documents have other numbers of tokens and rows, such as {first}",
            "Import again with the tokenizer and the texts that the activations were made from; look for special "
            "tokens, padding and cut texts.",
            numbers,
        )

    def _compared(self, found: _Compared, unit: str) -> Finding:
        numbers = {"unit": unit, "n_compared": found.n, "n_differing": found.n_differing, "examples": found.examples}
        if not found.n:
            return Finding("not-applicable", "No token can be compared with its text", "", numbers)
        share = found.n_differing / found.n
        numbers["share"] = share
        verdict = self._verdict(share, "ok")
        if not found.n_differing:
            return Finding("ok", f"All {found.n:,} {unit} agree with their texts", "", numbers)
        shown = "; ".join(found.examples)
        return Finding(
            verdict,
            f"{found.n_differing:,} of {found.n:,} {unit} ({share:.2%}) differ from their texts: {shown}",
            ""
            if verdict == "ok"
            else "Import again with the tokenizer of the model, and with texts as the model read them.",
            numbers,
        )

    def _verdict(self, share: float, least: Verdict) -> Verdict:
        if share > self.wrong_above:
            return "wrong"
        return "suspect" if share > self.suspect_above else least


@dataclass
class _Compared:
    """How many agree."""

    n: int = 0
    n_differing: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, document: int, string: str, text: str, *, agrees: bool | None) -> None:
        """Count one comparison; None is none."""
        if agrees is None:
            return
        self.n += 1
        if not agrees:
            self.n_differing += 1
            if len(self.examples) < _SHOWN:
                self.examples.append(f"{string!r:.40} stands for {text!r:.40} in document {document}")


def _by_span(corpus: Corpus, tokens: TokensReader, progress: Progress) -> _Compared:
    """Compare every token with the characters of its span."""
    compared = _Compared()
    strings = tokens.strings(np.arange(tokens.n_tokens))
    for document, text, ids, spans in _documents(corpus, tokens, progress):
        for token, (first, stop) in zip(ids.tolist(), spans.tolist(), strict=True):
            if NO_TOKEN not in {token, first}:
                piece = text[first:stop]
                compared.add(document, strings[token], piece, agrees=_agree(strings[token], piece))
    return compared


def _by_document(corpus: Corpus, tokens: TokensReader, progress: Progress) -> _Compared:
    """Compare the strings of a document's tokens, one after the other, with its text; white space does not count."""
    compared = _Compared()
    strings = [_plain(string) for string in tokens.strings(np.arange(tokens.n_tokens))]
    for document, text, ids, _ in _documents(corpus, tokens, progress):
        whole = _plain(text)
        pieces = [strings[token] if token != NO_TOKEN else None for token in ids.tolist()]
        joined = "".join(piece for piece in pieces if piece is not None)
        is_told = whole is not None and None not in pieces
        compared.add(document, joined, whole or "", agrees=joined == whole if is_told else None)
    return compared


def _documents(
    corpus: Corpus, tokens: TokensReader, progress: Progress
) -> Iterator[tuple[int, str, npt.NDArray[np.uint32], npt.NDArray[np.uint32]]]:
    """Yield each document that has a text and as many tokens: number, text, tokens and spans (none: [rows, 0])."""
    statuses, documents = tokens.statuses(), corpus.documents
    with progress.task("Comparing tokens with texts", total=corpus.n_documents, unit="documents") as task:
        for start, texts in text_batches(documents):
            kept = [(start + i, text) for i, text in enumerate(texts) if text is not None and statuses[start + i] == OK]
            rows = [documents.rows_of(document) for document, _ in kept]
            ends = np.cumsum([0, *(part.size for part in rows)]).tolist()
            flat = np.concatenate([np.empty(0, np.int64), *rows])
            # Rows of a document need not stand together, and reads want them sorted.
            order = np.argsort(flat, kind="stable")
            ids, spans = np.empty(flat.size, np.uint32), np.empty((flat.size, 2 if tokens.has_spans else 0), np.uint32)
            ids[order] = tokens.tokens(flat[order])
            if tokens.has_spans:
                spans[order] = tokens.spans(flat[order])
            for (document, text), (first, stop) in zip(kept, pairwise(ends), strict=True):
                yield document, text, ids[first:stop], spans[first:stop]
            task.advance(len(texts))


@lru_cache(maxsize=200_000)
def _agree(string: str, text: str) -> bool | None:
    """Return whether a token may read so, or None when it cannot be told: special tokens, parts of characters."""
    spelled = _plain(string)
    if spelled is None:
        return None
    wanted = _plain(text)
    if spelled == wanted:
        return True
    # Byte-level tokenizers spell what is beyond ASCII byte by byte.
    try:
        return _plain(string.encode("latin-1").decode()) == wanted
    except UnicodeError:
        return False


def _plain(string: str) -> str | None:
    """Return letters and signs without white space, case, accents and marks of tokenizers; None for special tokens."""
    if (
        len(string) > 2
        and (string[0], string[-1]) in {("<", ">"), ("[", "]")}
        and string[1:-1].replace("|", "").isupper()
    ):
        return None
    if "\ufffd" in string:
        return None
    unmarked = string.translate(_MARKS)
    if any(_RAW_BYTES[0] <= character < _RAW_BYTES[1] for character in unmarked):
        return None
    split = unicodedata.normalize("NFKD", unmarked.removeprefix("##").casefold())
    return "".join(part for part in split if not part.isspace() and not unicodedata.combining(part))


plugin = Tokens
