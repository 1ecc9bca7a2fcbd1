"""The distributions, made once from the tree as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source distribution."""
    fresh = subprocess.run(
        [sys.executable, "-c", "import hatch_build, sys; sys.exit(not hatch_build.is_fresh())"], cwd=ROOT, check=False
    )
    assert fresh.returncode == 0, "the pages are missing or older than their sources: run 'make pages'"
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder
