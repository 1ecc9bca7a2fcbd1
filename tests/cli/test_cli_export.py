"""`saeatlas export`, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def maps(tmp_path: Path, cli: Cli) -> Path:
    """An atlas with the maps of two layers."""
    for layer in (3, 25):
        nodes = [
            {
                "id": f"m:{layer}:{index}",
                "featureId": {"modelId": "m", "layer": layer, "index": index},
                "position": [index, 0.5, -1.25],
                "label": f"about dogs {index}",
            }
            for index in range(6)
        ]
        graph = {"metadata": {"modelId": "m", "layers": [layer]}, "nodes": nodes, "edges": []}
        path = tmp_path / f"layer-{layer:02d}.json"
        path.write_text(json.dumps(graph))
        code, _, error = cli("import", "feature-map", path, "--sae", f"l{layer}", "--atlas", tmp_path / "a.atlas")
        assert code == 0, error
    return tmp_path / "a.atlas"


def test_export_writes_the_files_and_names_them(cli: Cli, maps: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, error = cli("export", "feature-map", "--sae", "l3", "--sae", "l25", "--to", out, "--atlas", maps)
    assert (code, error) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["layer-03.json.gz", "layer-25.json.gz", "manifest.json"]
    assert all(path.name in text for path in out.iterdir())


def test_export_as_json_without_compression(cli: Cli, maps: Path, tmp_path: Path) -> None:
    code, text, _ = cli(
        "export", "feature-map", "--sae", "l3", "--to", tmp_path, "--no-compress", "--json", "--atlas", maps
    )
    assert code == 0
    files = json.loads(text)["files"]
    assert [Path(file["path"]).name for file in files] == ["layer-03.json", "manifest.json"]
    assert [file["bytes"] for file in files] == [Path(file["path"]).stat().st_size for file in files]


def test_export_without_a_name_needs_one_sae(cli: Cli, maps: Path, tmp_path: Path) -> None:
    code, _, error = cli("export", "feature-map", "--to", tmp_path / "out", "--atlas", maps)
    assert code == 3
    assert "l25, l3" in error


def test_export_of_an_unknown_sae_names_those_that_are_there(cli: Cli, maps: Path, tmp_path: Path) -> None:
    code, _, error = cli("export", "feature-map", "--sae", "l4", "--to", tmp_path / "out", "--atlas", maps)
    assert code == 3
    assert "l4" in error and "l25, l3" in error
    assert not (tmp_path / "out").exists()


def test_export_help_lists_the_exporters(cli: Cli) -> None:
    code, text, _ = cli("export", "--help")
    assert code == 0
    assert "feature-map" in text
