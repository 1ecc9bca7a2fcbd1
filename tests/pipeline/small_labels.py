"""A small atlas to label, files of labels, and what is said in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import saeatlas as sa
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

__all__ = ["new_atlas", "said", "written"]


def new_atlas(sae: str = "toy", seed: int = 0) -> sa.Atlas:
    return make_atlas(MemoryStore(), n_rows=40, n_features=16, tokens=False, sae=sae, seed=seed)


def written(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def said(atlas: sa.Atlas) -> list[dict[str, Any]]:
    keep = ("feature", "by", "text", "category", "tags", "notes", "confidence", "source", "extra")
    return [{name: line[name] for name in keep} for line in atlas.sae().labels.current.to_pylist()]
