"""`feature effects` shows what the analysis found, and says what to do where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.format.version import create_atlas
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import open_store
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

Cli = Callable[..., tuple[int, str, str]]
DECODER = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(size=(30, 6)).astype(np.float32)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    store = open_store(tmp_path / "toy.atlas", create=True)
    create_atlas(store)
    decoder = DECODER.copy()
    decoder[8] = 0
    import_parts(store, PartsImporter(sae="toy", data=SaeParts(arrays={"decoder": decoder})))
    np.save(tmp_path / "u.npy", ROWS)
    (tmp_path / "v.json").write_text(json.dumps([f"w{i}\x1b" for i in range(30)]))
    return tmp_path


def analyze(cli: Cli, place: Path, *more: object) -> None:
    files = ("--unembedding", place / "u.npy", "--vocabulary", place / "v.json")
    code, _, error = cli("analyze", "logit-effects", *files, *more, "--atlas", place / "toy.atlas")
    assert code == 0, error


def effects(cli: Cli, place: Path, *more: object) -> tuple[int, str, str]:
    return cli("feature", "effects", *more, "--atlas", place / "toy.atlas")


def test_json_has_both_sides_best_first(cli: Cli, place: Path) -> None:
    analyze(cli, place)
    found: dict[str, Any] = json.loads(effects(cli, place, "toy/3", "--n", 4, "--json")[1])
    product = DECODER[3] @ ROWS.T
    assert [line["token"] for line in found["top"]] == np.argsort(-product)[:4].tolist()
    assert [line["token"] for line in found["bottom"]] == np.argsort(product)[:4].tolist()
    assert found["top"][0]["string"] == f"w{product.argmax()}\x1b"
    assert found["bottom"][0]["effect"] == pytest.approx(product.min(), rel=1e-5)
    assert found["effect_norm"] == pytest.approx(np.linalg.norm(product), rel=1e-5)
    assert (found["feature"], found["sae"], found["importance"]) == (3, "toy", None)


def test_lines_for_a_person_hide_control_characters(cli: Cli, place: Path) -> None:
    analyze(cli, place, "--k", 3)
    _, out, _ = effects(cli, place, 3, "--n", 2)
    lines = out.splitlines()
    assert lines[0].split("\t")[:4] == ["side", "rank", "token", "string"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["top", "top", "bottom", "bottom"]
    assert "\x1b" not in out


def test_feature_without_direction_has_no_lines(cli: Cli, place: Path) -> None:
    analyze(cli, place)
    found = json.loads(effects(cli, place, "toy/8", "--json")[1])
    assert (found["top"], found["bottom"], found["effect_norm"]) == ([], [], 0)


def test_without_the_analysis_the_command_says_what_it_needs(cli: Cli, place: Path) -> None:
    code, _, error = effects(cli, place, "toy/3")
    assert code == 3
    assert "logit-effects" in error
    assert "unembedding" in error


def test_more_than_was_kept_is_refused(cli: Cli, place: Path) -> None:
    analyze(cli, place, "--k", 3)
    code, _, error = effects(cli, place, "toy/3", "--n", 4)
    assert code == 2
    assert "--k" in error


def test_the_analysis_without_an_unembedding_says_so(cli: Cli, place: Path) -> None:
    code, _, error = cli("analyze", "logit-effects", "--atlas", place / "toy.atlas")
    assert code == 2
    assert "--unembedding" in error
