"""Colours stand out from the page, and from each other for readers who see fewer of them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.colors import to_rgb

from saeatlas.plots._theme import THEMES, Theme, ramp, shade

Colour = npt.NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    "all colours": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(colour: str | tuple[float, ...]) -> Colour:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str | tuple[float, ...], other: str | tuple[float, ...]) -> float:
    """WCAG 2.2, from 1 to 21."""
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Colour) -> Colour:
    """CIE L*a*b*, D65."""
    xyz = np.clip(TO_XYZ @ rgb, 0, None) / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen(colour: str, vision: str) -> Colour:
    return lab(np.clip(VISION[vision] @ linear(colour), 0, 1))


@pytest.fixture(params=sorted(THEMES))
def theme(request: pytest.FixtureRequest) -> Theme:
    return THEMES[request.param]


def test_everything_that_is_read_stands_out_from_the_page(theme: Theme) -> None:
    for colour in (*theme.groups, theme.accent, theme.missing):
        assert contrast(colour, theme.page) >= 3.0
    for colour in (theme.ink, theme.muted):
        assert contrast(colour, theme.page) >= 4.5


@pytest.mark.parametrize(
    ("vision", "least"), [("all colours", 25), ("deuteranopia", 20), ("protanopia", 20), ("tritanopia", 20)]
)
def test_any_two_groups_are_told_apart(theme: Theme, vision: str, least: float) -> None:
    for one, other in combinations(theme.groups, 2):
        assert np.linalg.norm(seen(one, vision) - seen(other, vision)) > least, (one, other)


def test_numbers_are_told_by_lightness_and_stand_out_from_the_page(theme: Theme) -> None:
    colours = [tuple(colour[:3]) for colour in ramp(theme)(np.linspace(0, 1, 33))]
    assert min(contrast(colour, theme.page) for colour in colours) >= 3.0
    lightness = np.array([lab(linear(colour))[0] for colour in colours])
    steps = np.diff(lightness)
    assert (steps > 0).all() or (steps < 0).all()
    # High numbers are the ones that stand out most.
    assert contrast(colours[-1], theme.page) > contrast(colours[0], theme.page)


def test_text_is_read_on_every_shade_and_shades_grow(theme: Theme) -> None:
    shades = [shade(theme, share) for share in np.linspace(0, 1, 21)]
    assert min(contrast(theme.ink, colour) for colour in shades) >= 4.5
    away = [contrast(colour, theme.page) for colour in shades]
    assert away == sorted(away)
    assert away[0] == 1.0
