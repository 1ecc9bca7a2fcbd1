"""A small source on disk that a project file can name."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

PROJECT = """
atlas = "small.atlas"

[[source]]
importer = "h5-topk"
source = "a.h5"
sae = "small"
n_features = 12

[analyses.stats]
floor = 0.5

[analyses.histogram]
saes = ["other-*"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with activations and an `atlas.toml` beside them."""
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["z_idx"] = np.array([random.choice(12, 3, replace=False) for _ in range(60)], np.int32)
        file["z_val"] = random.lognormal(size=(60, 3)).astype(np.float32)
        file["rev_idx"] = np.array([f"d{row // 10}".encode() for row in range(60)])
    (tmp_path / "atlas.toml").write_text(PROJECT)
    return tmp_path
