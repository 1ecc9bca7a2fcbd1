"""What holds for every picture: all formats, both themes, no text on another, the same bytes, where it came from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from PIL import Image

from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, MissingExtra, NotFound, StorageError
from saeatlas.pipeline.picture import Drawing, Look
from saeatlas.pipeline.registries import plots
from saeatlas.plots import check_picture_file, write_picture
from saeatlas.plots._theme import THEMES
from saeatlas.testing.make_atlas import make_atlas

Draw = Callable[..., Drawing]
Read = Callable[[Drawing], Any]

NAMES = sorted(plots())
VARIANTS = [
    *((name, {}) for name in NAMES),
    ("histogram", {"scale": "log", "counts": "log"}),
    ("histogram", {"inactive": True}),
    ("histogram", {"feature": 59}),
    ("density", {"counts": "log"}),
    ("examples", {"pick": "quantiles", "n": 2, "before": 30}),
    ("examples", {"feature": 59}),
    ("neighbors", {"n": 30, "joined_from": 0.0}),
    ("neighbors", {"n": 1}),
    ("neighbors", {"feature": 59}),
    ("clusters", {"method": "ward_30"}),
    ("clusters", {"method": "hdbscan"}),
    ("clusters", {"method": "recursive"}),
    ("clusters", {"method": "ward_30", "most": 6}),
    ("map", {"by": "density"}),
    ("map", {"by": "none", "of": "imported"}),
    ("map", {"method": "ward_30", "labels": 30}),
]
HEADS = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}


def test_the_six_are_there() -> None:
    assert {"histogram", "map", "density", "neighbors", "clusters", "examples"} <= set(NAMES)


@pytest.mark.parametrize("to", sorted(HEADS))
@pytest.mark.parametrize("name", NAMES)
def test_picture_is_drawn_in_every_format(name: str, to: str, draw: Draw, tmp_path: Path) -> None:
    draw(name, to=to)
    assert (tmp_path / f"picture.{to}").read_bytes().startswith(HEADS[to])
    assert [path.name for path in tmp_path.iterdir()] == [f"picture.{to}"]


@pytest.mark.parametrize("width", [60.0, 89.0, 183.0])
@pytest.mark.parametrize(("name", "fields"), VARIANTS, ids=str)
def test_no_text_hides_another_or_leaves_the_figure(
    name: str, fields: dict[str, object], width: float, draw: Draw, read: Read
) -> None:
    drawing = draw(name, width=width, signed=True, **fields)
    found = read(drawing)
    assert found.overlapping() == []
    assert found.outside() == []
    assert drawing.figure.get_size_inches()[0] * 25.4 == pytest.approx(width)


@pytest.mark.parametrize("theme", sorted(THEMES))
@pytest.mark.parametrize("name", NAMES)
def test_page_and_text_have_the_colours_of_the_theme(name: str, theme: str, draw: Draw, tmp_path: Path) -> None:
    drawing = draw(name, to="png", theme=theme)
    with Image.open(tmp_path / "picture.png") as image:
        page = image.convert("RGB").getpixel((1, 1))
    assert "#{:02x}{:02x}{:02x}".format(*page) == THEMES[theme].page
    colours = {mpl.colors.to_hex(text.get_color()) for text in drawing.figure.texts}
    assert colours <= {THEMES[theme].ink, THEMES[theme].muted}


@pytest.mark.parametrize("to", sorted(HEADS))
@pytest.mark.parametrize("name", NAMES)
def test_same_input_gives_the_same_bytes(name: str, to: str, draw: Draw, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{to}"
    draw(name, to=to)
    first = path.read_bytes()
    draw("density", to=to)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "other"}):
        draw(name, to=to)
    assert path.read_bytes() == first


def test_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    sae = make_atlas(tmp_path / "small.atlas", n_features=12).sae()
    write_picture(plots()["density"](), sae, tmp_path / "here.svg")
    command = "from saeatlas.cli.main import main; import sys; sys.exit(main(sys.argv[1:]))"
    target = tmp_path / "there.svg"
    done = subprocess.run(
        [sys.executable, "-c", command, "plot", "density", "--out", target, "--atlas", tmp_path / "small.atlas"],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        check=False,
    )
    assert done.returncode == 0
    assert target.read_bytes() == (tmp_path / "here.svg").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_drawing_leaves_the_settings_of_the_user_alone(name: str, draw: Draw) -> None:
    before = dict(mpl.rcParams)
    draw(name)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("to", sorted(HEADS))
def test_file_says_what_it_was_made_from(to: str, sae: SAE, draw: Draw, tmp_path: Path) -> None:
    draw("map", to=to)
    data = (tmp_path / f"picture.{to}").read_bytes()
    if to == "png":
        with Image.open(tmp_path / "picture.png") as image:
            data = "\n".join(str(value) for value in image.info.values()).encode()
    text = data.decode("latin-1")
    for part in ("Map of toy", f"commit {sae.atlas.commit.number}", "SAE toy", "saeatlas "):
        assert part in text
    for analysis in ("umap", "clusters"):
        assert f"{analysis} {sae.atlas.manifest(f'sae/toy/{analysis}').key[:12]}" in text
    assert "/tmp" not in text
    assert not re.search(r"CreationDate|<dc:date>|tIME", text)


def test_signed_picture_says_it_to_the_reader(draw: Draw, read: Read, sae: SAE) -> None:
    assert f"commit {sae.atlas.commit.number}" in read(draw("density", signed=True)).words
    assert "commit" not in read(draw("density")).words


def test_text_of_a_pdf_is_text_in_an_embedded_font(draw: Draw, tmp_path: Path) -> None:
    draw("density", to="pdf")
    data = (tmp_path / "picture.pdf").read_bytes()
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.S)
    assert any(b" Tj" in zlib.decompress(stream) or b"] TJ" in zlib.decompress(stream) for stream in streams[:1])


@pytest.mark.parametrize("name", ["picture.jpg", "picture", "picture.svgz", ".svg"])
def test_unknown_ending_names_the_three(name: str, sae: SAE, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_picture_file(tmp_path / name)
    assert all(ending in raised.value.hint for ending in (".svg", ".pdf", ".png"))


def test_places_that_cannot_be_written_to_are_refused(sae: SAE, tmp_path: Path) -> None:
    density = plots()["density"]()
    with pytest.raises(NotFound, match="does not exist"):
        write_picture(density, sae, tmp_path / "no" / "a.svg")
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(InvalidInput, match="directory"):
        write_picture(density, sae, tmp_path / "a.svg")


def test_failed_write_leaves_the_old_file(draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "picture.svg").write_text("old")

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StorageError, match="No space"):
        draw("density")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.svg"]
    assert (tmp_path / "picture.svg").read_text() == "old"


@pytest.mark.parametrize("look", [Look(width=10.0), Look(width=9000.0), Look(theme="sepia")])  # type: ignore[arg-type]
def test_looks_that_cannot_be_are_refused(look: Look, sae: SAE, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        write_picture(plots()["density"](), sae, tmp_path / "a.svg", look=look)


def test_picture_of_a_feature_needs_one_and_that_of_an_sae_takes_none(sae: SAE, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="which feature"):
        write_picture(plots()["histogram"](), sae, tmp_path / "a.svg")
    with pytest.raises(InvalidInput, match="whole SAE"):
        write_picture(plots()["density"](), sae, tmp_path / "a.svg", feature=3)
    with pytest.raises(NotFound, match="No feature 60"):
        write_picture(plots()["histogram"](), sae, tmp_path / "a.svg", feature=60)


def test_without_matplotlib_the_error_says_what_to_install(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra) as raised:
        draw("density")
    assert "saeatlas[plot]" in raised.value.hint
