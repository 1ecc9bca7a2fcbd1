"""Any model of the sentence-transformers library, from a folder or from the Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.extras import require
from saeatlas.pipeline.embedder import Embedder, Vectors
from saeatlas.progress import Progress

__all__ = ["SentenceTransformers", "plugin"]

_EXTRA = "sentence-transformers"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_IN_EVERY_MODEL = ("modules.json", "config.json")


@dataclass(frozen=True, kw_only=True)
class SentenceTransformers(Embedder):
    """A sentence-transformers model. Its vectors are kept in the user's cache."""

    version: ClassVar[int] = 1
    ignored: ClassVar[frozenset[str]] = frozenset({"model", "revision", "batch", "device"})

    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """A folder, or a name on the hub; a name without a slash is one of sentence-transformers' own."""
    revision: str = ""
    """Branch, tag or commit on the hub; none for main."""
    prompt: str = ""
    """Name of the model's prompt to put before each text, such as 'Clustering'; none for the model's default."""
    normalize: bool = True
    """Whether vectors are scaled to length 1."""
    batch: int = 64
    """Texts that the model takes at a time."""
    device: str = ""
    """Where it runs, such as 'cpu' or 'cuda'; none lets the library choose."""

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InvalidInput("'model' of sentence-transformers is empty", hint="Give a folder or a name on the hub.")
        if self.batch < 1:
            raise InvalidInput(f"'batch' of sentence-transformers must be at least 1, found: {self.batch!r}")

    def facts(self) -> Mapping[str, Any]:
        """Return the version of the library, and name and commit of the model or a digest of its files."""
        folder = self._folder
        content = {"digest": _digest(folder)} if folder else {"model": self._name, "commit": self._commit()}
        return {"sentence-transformers": _library_version(), **content}

    def encode(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """Return vectors [texts, width of the model]."""
        del progress
        folder = self._folder
        model = _load(str(folder) if folder else self._name, "" if folder else self._commit(), self.device)
        vectors = model.encode(
            list(texts),
            batch_size=self.batch,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=self.normalize,
            **({"prompt_name": self.prompt} if self.prompt else {}),
        )
        return np.asarray(vectors, np.float32)

    def peak_bytes(self, n_texts: int, n_characters: int) -> int:
        """Return 1 GB for the library, twice the files of a folder, and 3 vectors of 1,024 numbers for each text."""
        folder = self._folder
        files = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder else 0
        return 1_000_000_000 + 2 * files + 3 * 4 * 1024 * n_texts + 4 * n_characters

    @property
    def _folder(self) -> Path | None:
        path = Path(self.model).expanduser()
        return path.resolve() if path.is_dir() else None

    @property
    def _name(self) -> str:
        return self.model if "/" in self.model else f"sentence-transformers/{self.model}"

    def _commit(self) -> str:
        """Return the commit that `revision` stands for: itself, the one in the local cache, or the hub's answer.

        The model is loaded at this commit, so that a fingerprint and its vectors never disagree.
        """
        if _COMMIT.fullmatch(self.revision):
            return self.revision
        revision = self.revision or "main"
        hub = require("huggingface_hub", extra=_EXTRA, to="find the model")
        for name in _IN_EVERY_MODEL:
            found = hub.try_to_load_from_cache(self._name, name, revision=revision)
            if isinstance(found, str):
                return Path(found).parent.name
        try:
            commit = hub.HfApi().model_info(self._name, revision=revision).sha
        except _errors_of_hub() as error:
            raise SourceError(
                f"The model '{self._name}' is not in the local cache, and the hub does not give its revision "
                f"'{revision}': {error}",
                hint=f"Give the path of a folder, or run: hf download {self._name}",
            ) from error
        return str(commit)


def _errors_of_hub() -> tuple[type[Exception], ...]:
    """Return what the hub's client raises: its own errors, and those of the network library that it uses."""
    errors = require("huggingface_hub.errors", extra=_EXTRA)
    # From version 1 on it uses httpx, whose errors are not OSErrors as those of requests are.
    network = sys.modules.get("httpx")
    return (OSError, errors.HfHubHTTPError, *((network.HTTPError,) if network else ()))


def _library_version() -> str:
    try:
        return version("sentence-transformers")
    except PackageNotFoundError:
        return str(require("sentence_transformers", extra=_EXTRA, to="embed texts").__version__)


@lru_cache(maxsize=1)
def _load(model: str, commit: str, device: str) -> Any:  # noqa: ANN401  # the library has no types
    library = require("sentence_transformers", extra=_EXTRA, to="embed texts")
    return library.SentenceTransformer(model, revision=commit or None, device=device or None)


def _digest(folder: Path) -> str:
    """Return the SHA-256 over the names and bytes of a model's files, its descriptions for people left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and _is_of_model(path.relative_to(folder)))
    if not files:
        raise SourceError(f"The folder '{folder}' holds no model", hint="Give the folder of a saved model.")
    stats = ((path, path.stat()) for path in files)
    return _digest_of(folder, tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats))


def _is_of_model(path: Path) -> bool:
    return path.suffix != ".md" and not any(part.startswith(".") for part in path.parts)


@lru_cache(maxsize=8)
def _digest_of(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    """Digest files once, as long as their sizes and times stay."""
    whole = hashlib.sha256()
    for name, size, _ in files:
        path = Path(name)
        whole.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


plugin = SentenceTransformers
