"""Small atlases in which one thing is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.health import checks
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.arrays_importer import ArraysImporter
from saeatlas.testing.make_atlas import Shape, make_importer
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

Examine = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def examine() -> Examine:
    """Run one check on the only SAE or corpus, and return verdict, message, remedy and numbers of each finding."""

    def run(atlas: Atlas, name: str, **params: Any) -> list[dict[str, Any]]:
        check = checks()[name](**params)
        is_of_corpus = "Corpus" in type(check).__mro__[1].__name__
        subject: Any = atlas.corpus() if is_of_corpus else atlas.sae()
        return [
            {"verdict": found.verdict, "message": found.message, "remedy": found.remedy, **found.numbers}
            for found in check.examine(subject, SILENT)
        ]

    return run


@pytest.fixture
def with_rows() -> Callable[..., Atlas]:
    """Import activations of 20 features; `change` gets the arrays and returns other ones; facts go to the identity."""

    def make(change: Callable[[Any], Any] = lambda data: data, shard_rows: int = 0, **facts: Any) -> Atlas:
        store = MemoryStore()
        create_atlas(store)
        shape = Shape(n_rows=90, n_features=20, k=3, n_documents=8, listed_zeros=0.2)
        made = make_importer(shape, shard_rows=shard_rows)
        identity = {**made.identity, **facts}
        importer: ArraysImporter = replace(made, data=change(made.data), identity=identity, n_features=None)
        import_source(store, importer)
        return Atlas(store, head(store))

    return make


@pytest.fixture
def with_parts() -> Callable[..., Atlas]:
    """Import weights, explanations or a map; into an atlas that is there, or a new one."""

    def make(atlas: Atlas | None = None, **parts: Any) -> Atlas:
        store = MemoryStore() if atlas is None else atlas.store
        if atlas is None:
            create_atlas(store)
        parts.setdefault("arrays", {})
        import_parts(store, PartsImporter(sae="toy", data=SaeParts(**parts)))
        return Atlas(store, head(store))

    return make
