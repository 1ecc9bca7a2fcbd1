"""The public names: few, all there, and nothing heavy loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import saeatlas

HEAVY = {"pyarrow", "polars", "numba", "h5py", "pydantic", "numcodecs", "pcodec", "rich", "cyclopts"}


@pytest.mark.parametrize("name", saeatlas.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(saeatlas, name).__doc__


def test_public_names_are_few_and_listed() -> None:
    assert len(saeatlas.__all__) <= 15
    assert set(saeatlas.__all__) <= set(dir(saeatlas))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        saeatlas.nonsense  # type: ignore[attr-defined]  # noqa: B018


def loaded_after(code: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(shown.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_after("import saeatlas") & (HEAVY | {"numpy"})


def test_opening_an_atlas_and_reading_a_feature_needs_numpy_alone(tmp_path: Path) -> None:
    from saeatlas.testing.make_atlas import make_atlas

    make_atlas(tmp_path / "a.atlas")
    code = (
        f"import saeatlas as sa\nsae = sa.open({str(tmp_path / 'a.atlas')!r}).sae()\n"
        "feature = sae.feature(3)\nfeature.arrays()\nfeature.stats()\nfeature.top(5)\nfeature.value(0)"
    )
    assert not loaded_after(code) & HEAVY
