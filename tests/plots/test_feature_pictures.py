"""What pictures of one feature show, checked against what the feature says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.picture import Drawing
from saeatlas.pipeline.registries import plots
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.plots._theme import THEMES
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

Draw = Callable[..., Drawing]
Read = Callable[[Drawing], Any]
LIGHT = THEMES["light"]


def bars(figure: Figure, colour: str) -> list[Rectangle]:
    patches = [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, Rectangle)]
    return [patch for patch in patches if to_hex(patch.get_facecolor()) == colour]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_histogram_has_the_counts_of_the_feature(scale: str, sae: SAE, draw: Draw) -> None:
    found = bars(draw("histogram", scale=scale, bins=12).figure, LIGHT.accent)
    histogram = sae.feature(3).histogram(12, scale)  # type: ignore[arg-type]
    assert [bar.get_height() for bar in found] == list(histogram.counts)
    assert np.allclose([bar.get_x() for bar in found], histogram.edges[:-1])


def test_inactive_rows_have_a_bar_of_their_own(sae: SAE, draw: Draw) -> None:
    (bar,) = bars(draw("histogram", inactive=True).figure, LIGHT.missing)
    assert bar.get_height() == sae.feature(3).histogram().n_inactive
    assert bars(draw("histogram").figure, LIGHT.missing) == []


def test_head_of_the_histogram_says_how_many_of_how_many(sae: SAE, draw: Draw, read: Read) -> None:
    words = read(draw("histogram", width=183)).words
    assert f"active at {sae.feature(3).stats().n_active} of 600 rows" in words
    assert "95 % interval" in words
    assert "mentions of verbs of motion" in words


def test_feature_that_never_fires_is_said_to(draw: Draw, read: Read) -> None:
    for name in ("histogram", "examples"):
        assert "never active" in read(draw(name, feature=59)).words
    assert "active at 0 of 600 rows: 0 %" in read(draw("histogram", feature=59)).words


def test_every_active_token_has_a_shade_and_the_one_in_question_a_frame(sae: SAE, draw: Draw) -> None:
    examples = sae.feature(3).examples(n=4, before=6, after=3)
    axes = draw("examples", n=4, before=6, after=3).figure.axes[0]
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_height() > 3]
    assert len(boxes) == sum(token.is_active for example in examples for token in example.tokens)
    framed = [box for box in boxes if to_hex(box.get_edgecolor()) == LIGHT.ink and box.get_linewidth() > 0]
    framed = [box for box in framed if box.get_edgecolor()[3] > 0]
    assert len(framed) == 4


def test_examples_show_the_text_of_the_documents(sae: SAE, draw: Draw, read: Read) -> None:
    words = read(draw("examples", n=3, width=183)).words
    for example in sae.feature(3).examples(n=3):
        assert f"{example.document}, position {example.position}: {example.value:.4g}" in words
    assert "\u23ce" in words and "réfund" in words
    assert "activation" in words


def test_examples_without_tokens_say_why(draw: Draw, read: Read) -> None:
    without = make_atlas(MemoryStore(), tokens=False, n_features=8).sae()
    words = read(draw("examples", on=without, feature=0, n=2, width=183)).words
    assert words.count("without tokens") == 2


@pytest.mark.parametrize("by", ["decoder", "encoder"])
def test_neighbours_are_those_of_the_feature_and_lie_as_far_as_their_cosines(
    by: str, sae: SAE, draw: Draw, read: Read
) -> None:
    drawing = draw("neighbors", n=6, by=by, width=183)
    similar = sae.feature(3).similar(6, by)  # type: ignore[arg-type]
    words = read(drawing).words
    for feature, cosine in zip(*(similar[name].to_pylist() for name in ("feature", "cosine")), strict=True):
        assert f"{feature} ({cosine:.2f})" in words
    nodes = next(line for line in drawing.figure.axes[0].lines if len(line.get_xdata()) == 6)
    radii = np.hypot(*np.asarray(nodes.get_xydata()).T)
    assert np.corrcoef(np.sort(radii)[::-1], np.sort(similar["cosine"].to_numpy()))[0, 1] < -0.999
    assert np.hypot(*np.asarray(nodes.get_xydata())[0]) == radii.min()


def test_lines_join_the_neighbours_that_are_alike(sae: SAE, draw: Draw) -> None:
    features = sae.feature(3).similar(8)["feature"].to_pylist()
    weights = sae.weights
    assert weights is not None
    rows = weights.decoder()[features].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for least in (0.0, 0.85):
        lines = draw("neighbors", n=8, joined_from=least).figure.axes[0].lines
        joining = [line for line in lines if line.get_color() == LIGHT.muted]
        assert len(joining) == np.count_nonzero(np.triu(rows @ rows.T >= least, 1))


def test_feature_without_direction_has_no_neighbours(draw: Draw, read: Read) -> None:
    assert "no direction" in read(draw("neighbors", feature=59)).words


def test_weights_alone_are_enough_for_neighbours_and_not_for_the_rest(tmp_path: Path, draw: Draw, read: Read) -> None:
    store = MemoryStore()
    create_atlas(store)
    decoder = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    import_parts(store, PartsImporter(sae="bare", data=SaeParts(arrays={"decoder": decoder})))
    bare = Atlas(store, head(store)).sae()
    assert "bare/3" in read(draw("neighbors", on=bare)).words
    for name in ("histogram", "examples", "density"):
        with pytest.raises(NotFound, match="no activations"):
            draw(name, on=bare)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture.svg"]


def test_without_weights_there_are_no_neighbours(draw: Draw) -> None:
    with pytest.raises(NotFound, match="no weights"):
        draw("neighbors", on=make_atlas(MemoryStore(), n_features=8).sae())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("examples", {"n": 0}),
        ("examples", {"n": 51}),
        ("neighbors", {"n": 0}),
        ("neighbors", {"n": 41}),
        ("neighbors", {"joined_from": 2.0}),
        ("density", {"bins": 0}),
        ("map", {"labels": -1}),
        ("clusters", {"most": 0}),
    ],
)
def test_fields_out_of_range_are_refused(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        plots()[name](**wrong)
