"""What an embedder is: texts in, vectors out, with a fingerprint of everything that the vectors depend on."""

from __future__ import annotations

import csv
import dataclasses
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InternalError, InvalidInput, SourceError
from saeatlas.format.canonical import canonical_json, digest_bytes
from saeatlas.pipeline.recipe import check_fields, fields_of, name_of
from saeatlas.pipeline.registries import embedders
from saeatlas.progress import SILENT, Progress

__all__ = ["Embedder", "Vectors", "embedder_of"]

Vectors = npt.NDArray[np.float32]
"""One vector for each text, float32 [texts, width]."""


@dataclass(frozen=True, kw_only=True)
class Embedder(ABC):
    """Turns texts into vectors. Subclasses are frozen keyword-only dataclasses; fields are parameters.

    Two embedders with the same fingerprint give the same vectors, but for the rounding of another processor.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True, "extra": "forbid"}
    version: ClassVar[int]
    """Raised whenever the same texts and parameters give other vectors."""
    is_fitted: ClassVar[bool] = False
    """Whether a vector depends on the other texts too, so that none can be kept for another set of texts."""
    ignored: ClassVar[frozenset[str]] = frozenset()
    """Fields that change how fast vectors come, and not what they are."""

    @abstractmethod
    def encode(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """Return the vectors of distinct texts, at least one, float32 [texts, width]; the width is always the same."""

    def facts(self) -> Mapping[str, Any]:
        """Return what the vectors depend on beside the parameters: versions of libraries, the content of a model."""
        return {}

    def fingerprint(self) -> str:
        """Return 64 hex digits of name, version, parameters and facts."""
        cls = type(self)
        return digest_bytes(
            canonical_json(
                {
                    "embedder": name_of(cls),
                    "version": cls.version,
                    "params": fields_of(self, without=cls.ignored),
                    "facts": dict(self.facts()),
                }
            )
        )

    def embed(self, texts: Sequence[str], progress: Progress = SILENT) -> Vectors:
        """Return the vector of each text, float32 [texts, width].

        A text that occurs several times is embedded once. Distinct texts are taken in sorted order, so the answer does
        not depend on the order in which they are given. Unless `is_fitted`, vectors are kept in the user's cache batch
        by batch, and a run that was interrupted goes on behind the last batch.

        Raises
        ------
        SourceError
            When the model gives a number that is not finite (kind not-finite).
        """
        distinct = sorted(set(texts))
        if not distinct:
            return self._checked(["a"], progress)[:0]
        if type(self).is_fitted:
            vectors = self._checked(distinct, progress)
        else:
            from saeatlas.pipeline.embedding_cache import through_cache

            vectors = through_cache(self.fingerprint(), distinct, self._checked, progress)
        place = {text: index for index, text in enumerate(distinct)}
        return vectors[[place[text] for text in texts]]

    def peak_bytes(self, n_texts: int, n_characters: int) -> int:
        """Return the bytes that `embed` holds at most for so many texts of so many characters in all."""
        return 1_000_000_000 + 3 * 4 * 1024 * n_texts + 4 * n_characters

    def _checked(self, texts: Sequence[str], progress: Progress) -> Vectors:
        vectors = self.encode(texts, progress)
        name = name_of(type(self))
        if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[0] != len(texts) or not vectors.shape[1]:
            raise InternalError(
                f"Embedder '{name}' must give float32 [{len(texts)}, width], found: {vectors.dtype} {vectors.shape}"
            )
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            text = texts[int(np.argmin(finite))]
            raise SourceError(
                f"Embedder '{name}' gave a vector that is not finite for the text {text!r:.80}",
                hint="Use another model, or look whether its weights are damaged.",
                kind="not-finite",
            )
        return vectors


def embedder_of(spec: str) -> Embedder:
    """Return the embedder that a text names.

    Parameters
    ----------
    spec
        `name`, or `name:key=value,key=value`. A part with a comma in it stands in double quotes:
        `sentence-transformers:"model=a,b",normalize=false`.

    Raises
    ------
    NotFound
        When no embedder has the name.
    InvalidInput
        When a parameter is unknown, given twice, or does not have the type of its field.
    """
    name, _, rest = spec.partition(":")
    cls = embedders()[name.strip()]
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(cls)]
    given: dict[str, Any] = {}
    for part in next(csv.reader([rest], skipinitialspace=True, strict=True), []) if rest else []:
        key, equals, text = part.partition("=")
        key = key.strip()
        if not equals or key not in known or key in given:
            found = "is given twice" if key in given else "is not a parameter with a value"
            raise InvalidInput(
                f"'{part}' {found}, in the embedder '{spec}'",
                hint=f"Write {name}:key=value,key=value with the parameters {', '.join(known)}.",
            )
        given[key] = _value(text.strip(), hints[key], part)
    embedder = cls(**given)
    if not isinstance(embedder, Embedder):
        raise InternalError(f"'{name}' is not an embedder")
    check_fields(embedder)
    return embedder


def _value(text: str, kind: Any, part: str) -> object:  # noqa: ANN401  # any annotation of a field
    """Read a value of the annotated type."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_strings(text)
    except ValidationError as error:
        raise InvalidInput(f"'{part}': {error.errors()[0]['msg']}", hint="Give a value that fits its type.") from error
