"""Pictures on the command line: files where they were asked for, data nowhere else, and errors with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saeatlas.testing.make_atlas import make_atlas

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "small.atlas"
    make_atlas(path, n_features=12, parts=True)
    return path


@pytest.mark.parametrize("name", ["histogram", "examples", "neighbors"])
def test_picture_of_a_feature_is_written_where_it_was_asked_for(cli: Run, place: Path, name: str) -> None:
    target = place.parent / "picture.png"
    code, out, err = cli("plot", name, "toy/3", "--out", target, "--atlas", place)
    assert (code, out) == (0, "")
    assert str(target) in err
    assert target.read_bytes().startswith(b"\x89PNG")


def test_picture_of_an_sae_takes_look_and_fields(cli: Run, place: Path) -> None:
    target = place.parent / "picture.svg"
    look = ("--theme", "dark", "--width", 120, "--signed")
    code, _, _ = cli("plot", "density", "--bins", 7, "--sae", "toy", "--out", target, "--atlas", place, *look)
    assert code == 0
    text = target.read_text()
    assert 'width="340.15' in text and "#111318" in text
    assert "small.atlas" in text


@pytest.mark.parametrize(
    ("arguments", "exit_code", "part"),
    [
        (("histogram", "3", "--out", "a.gif"), 2, ".svg, .pdf or .png"),
        (("histogram", "99", "--out", "a.svg"), 3, "No feature 99"),
        (("map", "--out", "a.svg"), 3, "saeatlas analyze umap --sae toy"),
        (("clusters", "--out", "a.svg"), 3, "saeatlas analyze clusters --sae toy"),
        (("density", "--out", "a.svg", "--width", "3"), 2, "millimetres"),
        (("density", "--out", "no/a.svg"), 3, "does not exist"),
        (("neighbors", "3", "--n", "0", "--out", "a.svg"), 2, "'n'"),
    ],
)
def test_errors_say_what_to_do_and_leave_nothing(
    cli: Run, place: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], exit_code: int, part: str
) -> None:
    monkeypatch.chdir(place.parent)
    code, out, err = cli("plot", *arguments, "--atlas", place)
    assert (code, out) == (exit_code, "")
    assert part in " ".join(err.split())
    assert [path.name for path in place.parent.iterdir()] == ["small.atlas"]


def test_imported_map_is_drawn_with_clusters(cli: Run, place: Path) -> None:
    assert cli("analyze", "clusters", "--cuts", 10, "--resamples", 0, "--atlas", place)[0] == 0
    target = place.parent / "a.pdf"
    arguments = ("--of", "imported", "--width", 50, "--out", target, "--atlas", place)
    code, _, err = cli("plot", "map", *arguments)
    assert code == 0
    assert "a.pdf" in err
