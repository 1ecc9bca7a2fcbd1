"""What tests of the command line share: a terminal to draw on, a way to run a command, a small atlas."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saeatlas.cli.main import main

WORDS = ("the ", "refund ", "was ", "late\n", "\x1b[31mred ", "naïve ", "中", "and ")
"""Texts of tokens; two of them would disturb a terminal."""


class Terminal(io.StringIO):
    """Standard output that says a person is looking."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Call something with a terminal of 100 columns and all colours as standard output; return what it drew."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def draw(call: Callable[..., object], *arguments: object) -> str:
        screen = Terminal()
        with redirect_stdout(screen):
            call(*arguments)
        return screen.getvalue()

    return draw


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run one command line in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of the person who runs the tests out of them."""
    for name in ("SAEATLAS_ATLAS", "SAEATLAS_DEBUG", "SAEATLAS_MEMORY", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    # One process: a worker would have to start and import everything again.
    monkeypatch.setenv("SAEATLAS_JOBS", "1")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make 60 documents of 10 tokens with 4 of 32 features each: acts.h5, meta.npz and tokens.parquet.

    Feature 3 fires on 'refund ' only; feature 31 is dead.
    """
    folder = tmp_path_factory.mktemp("source with space ü")
    rng = np.random.default_rng(0)
    n_documents, length = 60, 10
    words = rng.integers(0, len(WORDS), (n_documents, length))
    words[words == 1] = 0
    words[:30, 5] = 1
    idx = np.argsort(rng.random((n_documents * length, 27)), axis=1)[:, :4] + 4
    val = rng.lognormal(0, 1, idx.shape).astype(np.float32)
    idx[words.ravel() == 1, 0] = 3
    val[0, 1] = -1.0
    names = np.array([f"doc-{i:03d}".encode() for i in range(n_documents)])
    with h5py.File(folder / "acts.h5", "w") as file:
        file["z_idx"], file["z_val"] = idx.astype(np.int32), val
        file["rev_idx"] = np.repeat(names, length)
    texts = ["".join(WORDS[word] for word in line) for line in words]
    stars = np.where(np.arange(n_documents) < 30, 1, 5)
    np.savez(folder / "meta.npz", review_ids=names.astype(str), texts=np.array(texts), stars=stars)
    table = {
        "document": np.repeat(names.astype(str), length),
        "position": np.tile(np.arange(length), n_documents),
        "id": words.ravel(),
        "string": [WORDS[word] for word in words.ravel()],
    }
    pq.write_table(pa.table(table), folder / "tokens.parquet")
    return folder


@pytest.fixture(scope="session")
def built(source: Path) -> Path:
    """Import the source with its tokens."""
    atlas = source / "a.atlas"
    command = ["import", "h5-topk", source / "acts.h5", "--metadata", source / "meta.npz"]
    command += ["--tokens", source / "tokens.parquet", "--sae", "tiny", "--atlas", atlas, "--jobs", 1]
    assert main([*map(str, command), "--context-window", "4", "--attention", "causal"]) == 0
    return atlas


@pytest.fixture
def atlas(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An atlas to read, named by the environment."""
    monkeypatch.setenv("SAEATLAS_ATLAS", str(built))
    return built


@pytest.fixture
def copied(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An atlas of one's own to change."""
    target = tmp_path / "copy.atlas"
    shutil.copytree(built, target)
    monkeypatch.setenv("SAEATLAS_ATLAS", str(target))
    return target
