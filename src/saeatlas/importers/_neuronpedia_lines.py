"""Explanations as Neuronpedia states them, line by line, checked for what they are about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from saeatlas.errors import SourceError
from saeatlas.format.canonical import canonical_json

__all__ = ["EXPLANATION", "About", "Labels", "read_about", "read_object"]

EXPLANATION: Final = ("description", "explanationModelName", "typeName")
"""Members of an explanation: its text, who wrote it, and how."""

_INDEX: Final = re.compile(r"[0-9]{1,10}")
_MOST_FEATURES: Final = 1 << 32


@dataclass(frozen=True)
class About:
    """Which SAE labels are about; a member that is empty is not known."""

    model: str = ""
    """Neuronpedia's id of the model: 'gemma-2-2b'."""
    source: str = ""
    """Neuronpedia's id of the SAE, beginning with the layer: '12-gemmascope-res-16k'."""

    @property
    def layer(self) -> int | None:
        """The layer with which the id of the SAE begins, if it does."""
        found = re.match(r"([0-9]{1,4})-", self.source)
        return int(found[1]) if found else None

    def agreed(self, other: About, where: str) -> About:
        """Return what both say.

        Raises
        ------
        SourceError
            When they are about different SAEs, or `other`, which is what was found, does not say what it is about.
        """
        if not other.model or not other.source:
            raise SourceError(f"{where} does not say which model and SAE it is about: it has no modelId or no layer")
        if self.model not in {"", other.model} or self.source not in {"", other.source}:
            raise SourceError(
                f"{where} is about {other}, and labels of {self} are read",
                hint="Labels of another SAE mean nothing here: take the files of the SAE that is meant.",
                kind="identity-mismatch",
            )
        return other

    def __str__(self) -> str:
        return f"'{self.model or '*'}/{self.source or '*'}'"


@dataclass
class Labels:
    """All explanations of one SAE, and what is missing from them."""

    about: About
    n_features: int = 0
    """Width of the SAE; 0 when unknown."""
    features: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    explainers: list[str | None] = field(default_factory=list)
    methods: list[str | None] = field(default_factory=list)
    n_blank: int = 0
    """Explanations without a text, which count as absent."""
    n_repeated: int = 0
    """Explanations that stand there twice, word for word by the same explainer, and are kept once."""
    missing_batches: tuple[int, ...] = ()
    """Batches that are not there, so that their features are unknown, not unlabelled."""
    failed: tuple[int, ...] = ()
    """Features whose answer never came, so that they are unknown, not unlabelled."""

    def __post_init__(self) -> None:
        self._seen: set[tuple[int, str, str | None, str | None]] = set()

    def add(self, feature: int, record: Mapping[str, object], where: str) -> None:
        """Take one explanation.

        Parameters
        ----------
        feature
            Which feature it is about.
        record
            With `description`, `explanationModelName` and `typeName`.
        where
            What it is, for messages, such as 'Line 3 of batch-0.jsonl.gz'.
        """
        if self.n_features and feature >= self.n_features:
            raise SourceError(
                f"{where} is about feature {feature}, and the SAE has features 0 to {self.n_features - 1}",
                hint="These are the labels of another SAE, or the width is wrong.",
                kind="index-out-of-range",
            )
        text, explainer, method = (_text(record.get(name), where) for name in EXPLANATION)
        if text is None:
            self.n_blank += 1
            return
        key = feature, text, explainer, method
        if key in self._seen:
            self.n_repeated += 1
            return
        self._seen.add(key)
        self.features.append(feature)
        self.texts.append(text)
        self.explainers.append(explainer)
        self.methods.append(method)

    def facts(self) -> dict[str, Any]:
        """Return what an artifact should say about where it is from and what is missing, as JSON values."""
        return {
            "model_id": self.about.model,
            "source_id": self.about.source,
            "n_blank": self.n_blank,
            "n_repeated": self.n_repeated,
            "missing_batches": list(self.missing_batches),
            "failed_features": list(self.failed),
        }

    def digest(self) -> str:
        """Return the SHA-256 of all lines and facts, whatever files they were cut into."""
        lines = zip(self.features, self.texts, self.explainers, self.methods, strict=True)
        digest = hashlib.sha256(canonical_json(self.facts()))
        for line in sorted(lines, key=lambda line: line[0]):
            digest.update(repr(line).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()

    def notes(self) -> tuple[str, ...]:
        """Return what the user should know."""
        said = []
        if self.n_features:
            unknown = " or unknown" if self.failed or self.missing_batches else ""
            labelled = len(set(self.features))
            said.append(f"{labelled} of {self.n_features} features have a label; the others have none{unknown}")
        if self.n_blank:
            said.append(f"{self.n_blank} explanations have no text and count as absent")
        if self.n_repeated:
            said.append(f"{self.n_repeated} explanations stand there twice and are kept once")
        if self.missing_batches:
            said.append(f"Batches are missing, so their features are unknown: {_listed(self.missing_batches)}")
        if self.failed:
            said.append(
                f"The answers of {len(self.failed)} features never came, so they are unknown: "
                f"{_listed(self.failed)}. Import again with --replace to ask for them again"
            )
        return tuple(said)


def read_object(value: object, where: str) -> dict[str, object]:
    """Return a JSON value that must be an object."""
    if not isinstance(value, dict):
        raise SourceError(f"{where} is not an object: {value!r:.60}")
    return value


def read_about(record: Mapping[str, object], where: str) -> tuple[About, int]:
    """Return which SAE and which feature an object is about; its `layer` holds the id of the SAE.

    The index is a text in what the database gives, and a number in what other tools write.
    """
    model, source = (name if isinstance(name, str) else "" for name in (record.get("modelId"), record.get("layer")))
    index = record.get("index")
    if isinstance(index, str) and _INDEX.fullmatch(index):
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < _MOST_FEATURES:
        raise SourceError(f"{where} has no feature id as its index: {index!r:.60}", kind="index-out-of-range")
    return About(model, source), index


def _text(value: object, where: str) -> str | None:
    """Return a text as it is, or None for one that is missing or blank."""
    if not isinstance(value, str | None):
        raise SourceError(f"{where} holds {value!r:.60} where a text should be")
    return value if value and value.strip() else None


def _listed(numbers: Iterable[int]) -> str:
    shown = list(numbers)
    return ", ".join(str(number) for number in shown[:10]) + (", …" if len(shown) > 10 else "")
