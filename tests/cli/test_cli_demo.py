from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import save_file

from saeatlas.atlas.atlas import open_atlas
from saeatlas.cli.commands import serve
from saeatlas.cli.demo_run import DemoRun
from saeatlas.cli.demo_tour import choose, show_tour
from saeatlas.cli.main import main
from saeatlas.demo import source as demo_source
from saeatlas.demo.figures import Figures, Quality
from saeatlas.demo.training import Recipe
from saeatlas.errors import Conflict
from saeatlas.format.identity import SaeIdentity
from saeatlas.progress import SILENT
from saeatlas.settings import Settings

Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Made:
    """What `make_source` gives, without the model: the small source of these tests."""

    folder: Path
    identity: SaeIdentity
    figures: Figures
    corpus: str = "words"
    reused: tuple[str, ...] = ()

    @property
    def activations(self) -> Path:
        return self.folder / "acts.h5"

    @property
    def metadata(self) -> Path:
        return self.folder / "meta.npz"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.parquet"

    @property
    def sae(self) -> Path:
        return self.folder / "sae"


def write_sae(folder: Path, n_features: int = 32, d: int = 8) -> None:
    """Weights of the small SAE, in the layout of SAELens."""
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    decoder = random.normal(size=(n_features, d)).astype(np.float32)
    tensors = {
        "W_enc": np.ascontiguousarray(decoder.T),
        "W_dec": decoder,
        "b_enc": np.zeros(n_features, np.float32),
        "b_dec": np.zeros(d, np.float32),
    }
    save_file(tensors, folder / "sae_weights.safetensors")
    facts = {"architecture": "topk", "k": 4, "d_in": d, "d_sae": n_features, "dtype": "float32"}
    (folder / "cfg.json").write_text(json.dumps(facts | {"metadata": {"model_name": "m", "prepend_bos": False}}))


@pytest.fixture
def made(source: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    quality = Quality(fvu=0.2, l0=4.0, n_held_out_tokens=60, dead_held_out=1, dead=1, fvu_training=0.1)
    figures = Figures(
        quality=quality, n_tokens=600, n_documents=60, n_held_out_documents=6, n_cut_documents=0, n_features=32, k=4,
        epochs=1, seed=0, python="3", corpus_sha256="", model_sha256="", sae_sha256="", seconds={"corpus": 1.0},
    )  # fmt: skip
    identity = SaeIdentity(name="tiny-demo", model="m", width=32, architecture="topk", k=4, bos=False)
    found = Made(source, identity, figures)
    write_sae(found.sae)
    monkeypatch.setattr(demo_source, "make_source", lambda *args, **named: found)
    return found


def test_demo_imports_analyzes_verifies_and_ends_well(cli: Run, made: Made, tmp_path: Path) -> None:
    code, out, _ = cli("demo", tmp_path)
    assert code == 0
    assert "600 rows, 2,400 values" in out
    assert "32 features" in out
    assert re.search(r"(\d+) of \d+ analyses computed", out)
    saes = json.loads(cli("show", "saes", "--json", "--atlas", tmp_path / "demo.atlas")[1])
    assert {"stats", "neighbors", "umap", "example-similarity", "report-card"} <= set(saes[0]["analyses"])
    assert "as recorded" in out
    assert "Go on" in out


def test_second_demo_reuses(cli: Run, made: Made, tmp_path: Path) -> None:
    cli("demo", tmp_path)
    code, out, _ = cli("demo", tmp_path)
    assert code == 0
    assert "imported before" in out
    assert "computed before" in out


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What `serve` was called with; the first time, the usual port is taken."""
    calls: list[dict[str, object]] = []

    def command(**named: object) -> None:
        calls.append(named)
        if len(calls) == 1:
            raise Conflict("Port 8765 is taken", kind="port-taken")

    monkeypatch.setattr(serve, "command", command)
    return calls


def test_demo_in_a_terminal_opens_the_pages_at_a_port_that_is_free(
    cli: Run, made: Made, tmp_path: Path, served: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert cli("demo", tmp_path)[0] == 0
    place = str(tmp_path / "demo.atlas")
    assert served == [{"atlas": place, "open_": True}, {"atlas": place, "port": 0, "open_": True}]


def test_demo_that_may_not_open_them_names_the_command_and_ends(
    cli: Run, made: Made, tmp_path: Path, served: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    code, out, _ = cli("demo", tmp_path, "--no-open")
    assert code == 0
    assert f"saeatlas serve --atlas {tmp_path / 'demo.atlas'} --open" in out
    assert served == []


def test_commands_that_the_demo_prints_do_the_same(cli: Run, made: Made, tmp_path: Path) -> None:
    run = DemoRun(tmp_path, Settings(), SILENT)
    commit = run.make(600, Recipe()).commit.number
    for line in run.commands:
        assert main(shlex.split(line)[1:]) == 0
    assert open_atlas(tmp_path / "demo.atlas").commit.number == commit


class Tables:
    """An SAE of which only tables are asked."""

    def __init__(self, **tables: list[dict[str, object]]) -> None:
        self.tables = {name.replace("_", "-"): pa.Table.from_pylist(lines) for name, lines in tables.items()}

    def table(self, name: str) -> pa.Table | None:
        return self.tables.get(name)


def tokens_of(feature: int, words: list[str], shares: list[float], lift: float) -> list[dict[str, object]]:
    return [
        {"feature": feature, "rank": rank, "string": word, "share": share, "lift": lift}
        for rank, (word, share) in enumerate(zip(words, shares, strict=True))
    ]


def test_features_are_chosen_by_the_rule() -> None:
    words = ["last", "next", "near", "close", "soon"]
    even = [0.2, 0.2, 0.2, 0.1, 0.1]
    top_tokens = [
        *tokens_of(0, words, even, 800.0),  # fires on too many rows
        *tokens_of(1, words, even, 8.0),
        *tokens_of(2, words, even, 80.0),
        *tokens_of(3, words, [0.9, 0.01, 0.01, 0.01, 0.01], 800.0),  # one word only
        *tokens_of(4, ["(", *words[1:]], even, 800.0),  # not only words
    ]
    density = [0.5, 0.01, 0.01, 0.01, 0.01, 0.001]
    stats = [{"feature": feature, "density": value} for feature, value in enumerate(density)]
    association = [
        {"feature": feature, "column": "kind", "effect_corrected": effect, "q": 0.01}
        for feature, effect in enumerate([0.9, 0.1, 0.8, 0.2, 0.4, 0.3])
    ]
    sae = Tables(stats=stats, top_tokens=top_tokens, metadata_association=association)
    assert [(pointer.feature, pointer.column) for pointer in choose(sae)] == [(2, ""), (1, ""), (4, "kind")]


def test_nothing_is_chosen_without_tables(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    atlas = open_atlas(built)
    assert choose(atlas.sae()) == []
    show_tour(atlas)
    assert "Go on" in capsys.readouterr().out


def test_tour_begins_with_the_environment_where_a_shell_does_not_find_the_command(
    built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "activate").touch()
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    for found, first in ((None, f". {tmp_path / 'activate'}"), ("saeatlas", "saeatlas serve")):
        monkeypatch.setattr("shutil.which", lambda _, found=found: found)
        show_tour(open_atlas(built))
        assert capsys.readouterr().out.partition("Go on")[2].split("\n")[1].strip().startswith(first)
