"""Labels find places of their own, or none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from saeatlas.plots._labels import Box, Label, Taken, measured, place_labels, settle

POINTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40)


def empty_axes() -> Axes:
    figure = Figure(figsize=(3, 2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    settle(figure)
    return axes


@settings(deadline=None, max_examples=25)
@given(points=POINTS, is_framed=st.booleans(), is_apart=st.booleans())
def test_no_label_covers_another_or_leaves_the_axes(
    points: list[tuple[float, float]], *, is_framed: bool, is_apart: bool
) -> None:
    axes = empty_axes()
    labels = [
        Label(f"label {i}", x, y, (0.5, 0.5) if is_apart else None, "red" if is_framed else "")
        for i, (x, y) in enumerate(points)
    ]
    left_out = place_labels(axes, labels, Taken(), 6.0, "white")
    boxes = [measured(text) for text in axes.texts]
    assert len(boxes) + left_out == len(points)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    window = axes.get_window_extent()
    page = Box(window.x0 - 0.5, window.y0 - 0.5, window.x1 + 0.5, window.y1 + 0.5)
    assert all(box.lies_in(page) for box in boxes)


def test_the_first_labels_are_the_ones_that_stay() -> None:
    axes = empty_axes()
    labels = [Label(f"number {i:03}", 0.5, 0.5) for i in range(200)]
    left_out = place_labels(axes, labels, Taken(), 6.0, "white")
    assert 0 < left_out < 200
    assert [text.get_text() for text in axes.texts][:10] == [label.text for label in labels[:10]]


def test_a_label_stands_on_its_point_or_away_from_another() -> None:
    axes = empty_axes()
    place_labels(axes, [Label("here", 0.5, 0.5), Label("there", 0.5, 0.2, away_from=(0.5, 0.9))], Taken(), 6.0, "white")
    here, there = (text.get_position() for text in axes.texts)
    assert here == pytest.approx((0.5, 0.5))
    assert there[0] == pytest.approx(0.5)
    assert there[1] < 0.2


def test_taken_places_stay_free() -> None:
    axes = empty_axes()
    window = axes.get_window_extent()
    middle = (window.x0 + window.x1) / 2
    left = Box(window.x0, window.y0, middle, window.y1)
    place_labels(axes, [Label("a", x, 0.5) for x in (0.1, 0.45)], Taken([left]), 6.0, "white")
    assert all(not measured(text).overlaps(left) for text in axes.texts)


def test_a_label_far_from_its_point_has_a_line_to_it() -> None:
    axes = empty_axes()
    x, y = axes.transData.transform((0.5, 0.5))
    place_labels(axes, [Label("far", 0.5, 0.5)], Taken([Box(x - 60, y - 60, x + 60, y + 60)]), 6.0, "white")
    (line,) = axes.lines
    assert np.asarray(line.get_xydata())[0] == pytest.approx((0.5, 0.5))
