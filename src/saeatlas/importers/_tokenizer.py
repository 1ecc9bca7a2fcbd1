"""A tokenizer from a `tokenizer.json`: token ids, character spans, and strings that read as text."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.errors import MissingExtra, SourceError
from saeatlas.format.source_file import check_file
from saeatlas.format.token_text import TokenText

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["EncodedText", "SourceTokenizer", "find_tokenizer"]


@dataclass(frozen=True)
class EncodedText:
    """The tokens of one text."""

    ids: list[int]
    """The tokenizer's ids."""
    spans: npt.NDArray[np.uint32]
    """First character and the one after the last of each token, [tokens, 2]."""


@dataclass(frozen=True)
class SourceTokenizer:
    """Tokenises whole texts, never cut and never padded, whatever the file says for training."""

    path: Path
    """A `tokenizer.json`."""
    add_special_tokens: bool = False
    """Whether tokens such as BOS are added around a text."""

    def encode(self, texts: list[str]) -> list[EncodedText]:
        """Return the tokens of each text."""
        found = self._tokenizer.encode_batch(texts, add_special_tokens=self.add_special_tokens)
        return [EncodedText(one.ids, np.array(one.offsets, np.uint32).reshape(-1, 2)) for one in found]

    def strings(self, token_ids: list[int]) -> list[str]:
        """Return what tokens read as: bytes as the text they are, spaces as spaces.

        A token that is part of a character reads as U+FFFD; its span says which character.
        """
        special = {added.content for added in self._tokenizer.get_added_tokens_decoder().values()}
        words = [self._tokenizer.id_to_token(token_id) or f"<{token_id}>" for token_id in token_ids]
        return [word if word in special else self._text.read(word) for word in words]

    @cached_property
    def _text(self) -> TokenText:
        return TokenText(json.loads(self._tokenizer.to_str()).get("decoder"))

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtra(
                "Tokenising the texts needs the package 'tokenizers'",
                hint="Run: pip install 'saeatlas[tokenizers]', or give a token table instead of a tokenizer.",
            ) from error
        text = self.path.read_bytes()
        try:
            tokenizer = Tokenizer.from_buffer(text)
        except ValueError as error:
            raise SourceError(
                f"Not a tokenizer: '{self.path}': {error}",
                hint="Give the file `tokenizer.json` of the model.",
                kind="wrong-file-type",
            ) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


def find_tokenizer(name: str) -> Path:
    """Return the `tokenizer.json` of a path, a folder, or a model's name in the local Hugging Face cache.

    Nothing is downloaded.
    """
    path = Path(name)
    if path.is_dir():
        path /= "tokenizer.json"
    if not path.exists():
        found = _cached(name)
        if found is None:
            raise SourceError(
                f"There is no tokenizer file at '{name}', and no tokenizer of that name in the Hugging Face cache",
                hint=f"Give the path of a tokenizer.json, or run: hf download {name} tokenizer.json",
            )
        path = found
    check_file(path, "tokenizer")
    return path


def _cached(name: str) -> Path | None:
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    for repository in (name, f"openai-community/{name}"):
        folder = cache / f"models--{repository.replace('/', '--')}"
        main = folder / "refs" / "main"
        revisions = [main.read_text().strip()] if main.is_file() else []
        revisions += sorted(path.name for path in folder.glob("snapshots/*"))
        for revision in revisions:
            found = folder / "snapshots" / revision / "tokenizer.json"
            if found.is_file():
                return found
    return None
