"""What every embedder does for its caller: one vector per text, a fingerprint, a cache that survives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from saeatlas.errors import InternalError, InvalidInput, NotFound, SourceError, StorageError
from saeatlas.pipeline import embedding_cache
from saeatlas.pipeline.embedder import Embedder, Vectors, embedder_of
from saeatlas.progress import Progress

CALLS: list[list[str]] = []


@dataclass(frozen=True, kw_only=True)
class Lengths(Embedder):
    """Length of a text and its first character; notes what it was asked."""

    version: ClassVar[int] = 1
    ignored: ClassVar[frozenset[str]] = frozenset({"fail_at", "answer"})
    scale: float = 1.0
    """What numbers are multiplied with."""
    fail_at: str = ""
    """Text at which it is interrupted."""
    answer: Vectors | None = field(default=None, compare=False)
    """What to answer instead."""

    def encode(self, texts: Sequence[str], progress: Progress) -> Vectors:
        del progress
        CALLS.append(list(texts))
        if self.fail_at in texts:
            raise KeyboardInterrupt
        if self.answer is not None:
            return self.answer
        return np.array([[len(text), ord(text[0]) if text else 0] for text in texts], np.float32) * np.float32(
            self.scale
        )


@dataclass(frozen=True, kw_only=True)
class Fitted(Lengths):
    is_fitted: ClassVar[bool] = True


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAEATLAS_CACHE", str(tmp_path / "cache"))
    CALLS.clear()
    return tmp_path / "cache"


def files(cache: Path, suffix: str) -> list[Path]:
    return sorted(cache.rglob(f"*{suffix}"))


def test_each_text_has_its_vector_and_equal_texts_are_embedded_once() -> None:
    vectors = Lengths().embed(["ccc", "a", "ccc", "bb", "a"])
    assert vectors[:, 0].tolist() == [3, 1, 3, 2, 1]
    assert CALLS == [["a", "bb", "ccc"]]


@pytest.mark.parametrize("cls", [Lengths, Fitted])
def test_no_texts_are_no_vectors_of_the_right_width(cls: type[Embedder]) -> None:
    assert cls().embed([]).shape == (0, 2)


def test_texts_of_an_earlier_run_are_not_embedded_again() -> None:
    Lengths().embed(["a", "bb"])
    CALLS.clear()
    assert Lengths().embed(["bb", "new", "a"])[:, 0].tolist() == [2, 3, 1]
    assert CALLS == [["new"]]


def test_fitted_embedder_keeps_nothing(cache: Path) -> None:
    Fitted().embed(["a"])
    assert not cache.exists()


def test_other_parameters_have_a_cache_of_their_own() -> None:
    assert Lengths().embed(["abc"])[0, 0] == 3
    assert Lengths(scale=2.0).embed(["abc"])[0, 0] == 6


def test_interrupted_run_goes_on_behind_the_last_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_cache, "BATCH", 2)
    texts = ["a", "b", "c", "d", "e"]
    with pytest.raises(KeyboardInterrupt):
        Lengths(fail_at="d").embed(texts)
    assert CALLS == [["a", "b"], ["c", "d"]]
    CALLS.clear()
    assert Lengths().embed(texts)[:, 1].tolist() == [ord(text) for text in texts]
    assert CALLS == [["c", "d"], ["e"]]


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("damage", ["cut", "change", "empty", "remove"])
def test_damaged_batch_is_made_again(cache: Path, suffix: str, damage: str) -> None:
    first = Lengths().embed(["a", "bb"])
    (path,) = files(cache, suffix)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    new = {"cut": data[:-4], "change": data, "empty": b""}.get(damage)
    path.unlink() if new is None else path.write_bytes(new)
    CALLS.clear()
    assert np.array_equal(Lengths().embed(["a", "bb"]), first)
    assert CALLS == [["a", "bb"]]
    CALLS.clear()
    Lengths().embed(["a", "bb"])
    assert CALLS == []


def test_batch_of_another_embedder_is_not_taken(cache: Path) -> None:
    Lengths().embed(["a"])
    Lengths(scale=2.0).embed(["b"])
    theirs, ours = (cache / "embeddings" / Lengths(scale=scale).fingerprint() for scale in (2.0, 1.0))
    for path in theirs.iterdir():
        path.rename(ours / path.name)
    assert Lengths().embed(["b"])[0, 0] == 1


def test_cache_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SAEATLAS_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(StorageError, match="cache of embeddings") as caught:
        Lengths().embed(["a"])
    assert "SAEATLAS_CACHE" in caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [np.zeros((1, 2), np.float64), np.zeros(2, np.float32), np.zeros((2, 2), np.float32), np.zeros((1, 0), np.float32)],
)
def test_answer_of_another_shape_or_type_is_an_error(answer: Vectors) -> None:
    with pytest.raises(InternalError, match=r"must give float32 \[1, width\]"):
        Lengths(answer=answer).embed(["a"])


def test_number_that_is_not_finite_is_an_error_that_names_the_text() -> None:
    with pytest.raises(SourceError, match="'second'") as caught:
        Lengths(answer=np.array([[1, 2], [np.nan, 1]], np.float32)).embed(["first", "second"])
    assert caught.value.kind == "not-finite"


def test_fingerprint_has_the_parameters_that_matter_and_only_those() -> None:
    assert Lengths().fingerprint() == Lengths(fail_at="x").fingerprint()
    assert len({Lengths().fingerprint(), Lengths(scale=2.0).fingerprint(), Fitted().fingerprint()}) == 3


def test_text_names_an_embedder_with_parameters() -> None:
    found = embedder_of("lsa:n_components=7, seed=3")
    assert (found.n_components, found.seed) == (7, 3)  # type: ignore[attr-defined]
    other = embedder_of('sentence-transformers:"model=a,b",normalize=false,batch=8')
    assert (other.model, other.normalize, other.batch) == ("a,b", False, 8)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ("lsa:n_components=many", "n_components=many"),
        ("lsa:width=3", "width=3"),
        ("lsa:seed", "seed"),
        ("lsa:seed=1,seed=2", "given twice"),
        ("lsa:n_components=0", "from 1"),
        ("sentence-transformers:normalize=perhaps", "normalize=perhaps"),
        ("sentence-transformers:model=", "empty"),
        ("lsa:seed=-1", "from 0"),
    ],
)
def test_wrong_parameter_is_named(spec: str, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        embedder_of(spec)


def test_unknown_embedder_is_not_found() -> None:
    with pytest.raises(NotFound, match="No embedder is named 'word2vec'") as caught:
        embedder_of("word2vec:size=3")
    assert "lsa" in caught.value.hint
