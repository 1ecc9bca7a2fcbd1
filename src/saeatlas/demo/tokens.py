"""From texts to what the model reads: word pieces, each with the characters it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from saeatlas.demo.corpus import Docstring
from saeatlas.errors import MissingExtra, SourceError
from saeatlas.progress import Progress

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["CONTEXT_WINDOW", "Document", "load_tokenizer", "sample", "sample_digest"]

CONTEXT_WINDOW = 256
"""Tokens that the model sees at once, as it was trained; two of them are [CLS] and [SEP]."""

_BATCH = 256  # Documents tokenised at once; the sample usually needs only a third of them.


@dataclass(frozen=True)
class Document:
    """A docstring as far as the model sees it, and its tokens without [CLS] and [SEP]."""

    docstring: Docstring
    """Where it comes from."""
    text: str
    """The docstring, or its beginning: whole words up to 254 tokens."""
    ids: tuple[int, ...]
    """Token ids."""
    strings: tuple[str, ...]
    """The tokenizer's own spelling; '##' marks a piece that continues a word."""
    spans: tuple[tuple[int, int], ...]
    """First character of each token in `text`, and the one after its last."""

    @property
    def is_cut(self) -> bool:
        """Whether the docstring is longer than the model's window."""
        return len(self.text) < len(self.docstring.text)


def load_tokenizer(path: Path) -> Tokenizer:
    """Read `tokenizer.json`, with its truncation and padding switched off."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra(
            "The demo's model needs the package 'tokenizers', which is not installed",
            hint="Run: pip install 'saeatlas[demo]'",
        ) from error
    if not path.is_file():
        raise SourceError(f"There is no tokenizer.json: '{path}'")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def sample(docstrings: Sequence[Docstring], tokenizer: Tokenizer, n_tokens: int, progress: Progress) -> list[Document]:
    """Take documents in the given order until they hold `n_tokens` tokens, or all when they hold fewer.

    Documents whose tokens are all the same are taken once: a copy among the held-out documents would let
    the SAE be examined on what it has learned by heart.
    """
    taken: dict[tuple[int, ...], Document] = {}
    rows = 0
    with progress.task("Tokenise", total=n_tokens, unit="tokens") as task:
        for first in range(0, len(docstrings), _BATCH):
            batch = docstrings[first : first + _BATCH]
            encodings = tokenizer.encode_batch([one.text for one in batch], add_special_tokens=False)
            for docstring, encoding in zip(batch, encodings, strict=True):
                document = _document(docstring, encoding)
                if rows >= n_tokens or not document.ids or document.ids in taken:
                    continue
                taken[document.ids] = document
                rows += len(document.ids)
                task.advance(min(len(document.ids), n_tokens - rows + len(document.ids)))
            if rows >= n_tokens:
                break
    if len(taken) < 2:
        raise SourceError(
            f"{n_tokens:,} tokens were asked for, and they fill {len(taken)} documents; two are needed",
            hint="Ask for more tokens: one document learns, another one examines.",
            kind="empty-source",
        )
    if rows < n_tokens:
        progress.say(f"This Python's docstrings hold {rows:,} tokens, fewer than the {n_tokens:,} asked for")
    return list(taken.values())


def sample_digest(documents: Sequence[Document]) -> str:
    """Return the SHA-256 of the ids and texts of the documents, in their order."""
    content = [[document.docstring.id, document.text] for document in documents]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def _document(docstring: Docstring, encoding: Encoding) -> Document:
    ids, words, spans = encoding.ids, encoding.word_ids, encoding.offsets
    stop = min(len(ids), CONTEXT_WINDOW - 2)
    # Half a word would be split into other pieces when someone tokenises the text again.
    while 0 < stop < len(ids) and words[stop] == words[stop - 1]:
        stop -= 1
    text = docstring.text if stop == len(ids) or stop == 0 else docstring.text[: spans[stop - 1][1]]
    return Document(docstring, text, tuple(ids[:stop]), tuple(encoding.tokens[:stop]), tuple(spans[:stop]))
