"""Colours and type of figures: for light and for dark pages, told apart by readers who see fewer colours.

The colours of groups start from those of M. Okabe and K. Ito (2008, Color Universal Design) and are moved until each
has a contrast of 3:1 to the page (WCAG 2.2, 1.4.11) and any two stay apart when deuteranopia, protanopia or tritanopia
is simulated (G. Machado, M. Oliveira, L. Fernandes, 2009, A physiologically-based model for simulation of color vision
deficiency, IEEE TVCG 15(6), 1291-1298). A test measures both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saeatlas.pipeline.picture import ThemeName

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap

__all__ = ["MILLIMETRE", "POINT", "THEMES", "Theme", "ramp", "settings_of", "shade", "theme_of"]

MILLIMETRE = 1 / 25.4
"""In inches, the unit of figures."""
POINT = 1 / 72
"""In inches."""
_HASH_SALT = "saeatlas"
"""Names within an SVG are made from this instead of a random number."""
_STEPS = 256
_DEEPEST = 0.55
"""Part of the accent in the strongest shade."""


@dataclass(frozen=True)
class Theme:
    """The colours of one kind of page."""

    name: ThemeName
    page: str
    """Behind everything."""
    ink: str
    """Text and axes."""
    muted: str
    """Text and lines of second rank, at 4.5:1."""
    faint: str
    """Grids and links, which nothing is read from."""
    accent: str
    """Bars, lines and points of a single group."""
    missing: str
    """What is unknown, dead or in no group."""
    groups: tuple[str, ...]
    """Groups, in this order."""
    ramp: tuple[float, float]
    """Part of the colour map 'viridis' for numbers, from low to high, that stands out from the page."""


THEMES: Mapping[ThemeName, Theme] = {
    "light": Theme(
        name="light",
        page="#ffffff",
        ink="#1b1d21",
        muted="#5a606b",
        faint="#d6d9de",
        accent="#2b66ad",
        missing="#8b9099",
        groups=("#5e93e2", "#9b3102", "#bf8a11", "#0b664e", "#eb6299", "#4d4985", "#93985b", "#140a0a"),
        ramp=(0.58, 0.0),
    ),
    "dark": Theme(
        name="dark",
        page="#111318",
        ink="#eceef1",
        muted="#a6acb7",
        faint="#343a45",
        accent="#5aaee6",
        missing="#7f8691",
        groups=("#01ccff", "#e58c00", "#2ca163", "#af4400", "#ad6a95", "#fcf875", "#2362b2", "#c3eae5"),
        ramp=(0.38, 1.0),
    ),
}


def theme_of(name: ThemeName) -> Theme:
    """Return a theme by name."""
    return THEMES[name]


def ramp(theme: Theme) -> ListedColormap:
    """Return the colour map for numbers: evenly perceived, and at 3:1 to the page from its first colour on."""
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    colours = colormaps["viridis"](np.linspace(*theme.ramp, _STEPS))
    return ListedColormap(colours, name=f"saeatlas-{theme.name}")


def shade(theme: Theme, share: float) -> tuple[float, float, float]:
    """Return the colour behind a token: from the page towards the accent, as far as text in ink stays at 4.5:1.

    Parameters
    ----------
    theme
        The colours.
    share
        Of the strongest activation, 0 to 1.
    """
    from matplotlib.colors import to_rgb

    part = _DEEPEST * min(max(share, 0.0), 1.0)
    red, green, blue = (
        (1 - part) * page + part * accent for page, accent in zip(to_rgb(theme.page), to_rgb(theme.accent), strict=True)
    )
    return red, green, blue


def settings_of(theme: Theme, families: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings of matplotlib within which a figure is drawn and written.

    Parameters
    ----------
    theme
        The colours.
    families
        Fonts, in the order in which a character is looked for in them.
    """
    coloured = {
        "figure.facecolor": theme.page,
        "savefig.facecolor": theme.page,
        "axes.facecolor": theme.page,
        "axes.edgecolor": theme.muted,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "text.color": theme.ink,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "legend.labelcolor": theme.ink,
        "grid.color": theme.faint,
    }
    sized = {
        "font.size": 7.0,
        "axes.titlesize": 7.5,
        "axes.labelsize": 7.0,
        "xtick.labelsize": 6.5,
        "ytick.labelsize": 6.5,
        "legend.fontsize": 6.5,
        "axes.linewidth": 0.5,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "lines.linewidth": 0.8,
        "patch.linewidth": 0.5,
        "hatch.linewidth": 0.5,
        "axes.titlepad": 4.0,
        "axes.labelpad": 2.5,
    }
    return coloured | sized | _FIXED | {"font.family": list(families)}


_FIXED: dict[str, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.dpi": 300,
    "savefig.dpi": 300,
    # TrueType outlines within the file: text stays text, and needs no font of the reader's.
    "pdf.fonttype": 42,
    # Outlines: an SVG cannot carry a font that all programs use.
    "svg.fonttype": "path",
    "svg.hashsalt": _HASH_SALT,
    # A token may hold dollars; they are no mathematics.
    "text.parse_math": False,
    "text.usetex": False,
    # The same width on paper as on screen.
    "text.hinting": "no_hinting",
}
