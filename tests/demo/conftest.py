from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from saeatlas.demo import corpus
from saeatlas.demo.corpus import standard_library
from saeatlas.demo.source import DemoSource, make_source
from saeatlas.demo.training import Recipe
from saeatlas.demo.workers import Workers

SMALL = Recipe(n_features=64, k=4, epochs=2, batch=256)
N_TOKENS = 2_000


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers(2) as threads:
        yield threads


@pytest.fixture(scope="session")
def part_of_the_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few real packages of the standard library: reading all of it takes seconds."""
    root = tmp_path_factory.mktemp("library")
    for name in ("json", "logging", "concurrent"):
        shutil.copytree(standard_library() / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture
def little_to_read(part_of_the_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "standard_library", lambda: part_of_the_library)


@pytest.fixture(scope="session")
def small_source(part_of_the_library: Path, tmp_path_factory: pytest.TempPathFactory) -> DemoSource:
    """One small source, for tests that only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "standard_library", lambda: part_of_the_library)
        return make_source(tmp_path_factory.mktemp("a source – ü"), n_tokens=N_TOKENS, recipe=SMALL)
