"""`feature similar` answers in the promised form, the same with and without the analysis."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.cli.main import main
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import open_store
from saeatlas.testing.parts_importer import PartsImporter, SaeParts


@pytest.fixture
def place(tmp_path: Path) -> str:
    store = open_store(tmp_path / "toy.atlas", create=True)
    create_atlas(store)
    rows = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    arrays = {"decoder": rows, "encoder": rows[::-1].copy()}
    import_parts(store, PartsImporter(sae="toy", data=SaeParts(arrays=arrays)))
    return str(tmp_path / "toy.atlas")


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_json_lists_feature_and_cosine_best_first(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("feature", "similar", "toy/7", "--by", "decoder", "--n", "5", "--json", "--atlas", place)
    live = json.loads(ask(capsys, *arguments))
    rows = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = unit @ unit[7]
    cosine[7] = -np.inf
    want = np.argsort(-cosine)[:5]
    assert [set(line) for line in live] == [{"feature", "cosine"}] * 5
    assert [line["feature"] for line in live] == want.tolist()
    assert [line["cosine"] for line in live] == pytest.approx(cosine[want].tolist(), abs=1e-6)
    ask(capsys, "analyze", "neighbors", "--atlas", place)
    assert json.loads(ask(capsys, *arguments)) == live


def test_lines_for_a_pipe(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ask(capsys, "feature", "similar", "7", "--by", "encoder", "--n", "2", "--atlas", place).splitlines()
    assert lines[0] == "feature\tcosine"
    assert len(lines) == 3


def test_one_feature_is_compared_without_loading_a_compiler(place: str) -> None:
    program = f"""
import sys, saeatlas
print(saeatlas.open({place!r}).sae().feature(3).similar(4).num_rows, "numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "4 False\n"


def test_a_changed_parameter_shows_in_the_plan(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask(capsys, "analyze", "neighbors", "--atlas", place)
    same = ask(capsys, "analyze", "neighbors", "--k", "10", "--plan", "--atlas", place)
    assert same != ask(capsys, "analyze", "neighbors", "--k", "11", "--plan", "--atlas", place)
