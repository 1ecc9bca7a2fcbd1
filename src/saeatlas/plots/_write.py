"""Draw a picture and write it: SVG, PDF or PNG by its name, whole or not at all, the same bytes each time."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING

from saeatlas.errors import InvalidInput
from saeatlas.extras import require
from saeatlas.format.export import check_place, replace_file
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.plots._text import families
from saeatlas.plots._theme import THEMES, settings_of, theme_of

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["check_picture_file", "write_picture"]

_ENDINGS = (".svg", ".pdf", ".png")
_WIDTHS = (50.0, 500.0)


def check_picture_file(path: Path) -> None:
    """Refuse a name that no picture can have before any work is done.

    Raises
    ------
    InvalidInput
        When it does not end with .svg, .pdf or .png, or is a directory.
    NotFound
        When the directory to write to does not exist.
    """
    check_place(path, "picture", _ENDINGS)


def write_picture(
    picture: Picture,
    sae: SAE,
    path: Path | str,
    *,
    feature: int | None = None,
    look: Look | None = None,
    signed: bool = False,
) -> Drawing:
    """Draw a picture and write it to a file, which is replaced at once when the new one is complete.

    Parameters
    ----------
    picture
        What to draw.
    sae
        What to draw it from.
    path
        Ends with .svg, .pdf or .png.
    feature
        Which one, where the picture is of a feature.
    look
        Theme and width; for light pages and one column unless said otherwise.
    signed
        Whether to write in a small line below what it was made from; the file says it in its metadata anyway.

    Returns
    -------
    Drawing
        The figure, as it was written.

    Raises
    ------
    InvalidInput
        When the name of the file, the width or the theme cannot be, or the picture is of a feature and none is given.
    NotFound
        When something that it shows is not in the atlas; the hint says what to compute.
    MissingExtra
        When matplotlib is not installed.
    """
    path, look = Path(path), look or Look()
    check_picture_file(path)
    _check(picture, feature, look)
    matplotlib = require("matplotlib", extra="plot", to="draw pictures")
    if feature is not None:
        feature = sae.feature(feature).id
    if signed:
        look = dataclasses.replace(look, footer=_origin(sae))
    # Settings of the user must not show in the bytes; they are put back at the end.
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings_of(theme_of(look.theme), families()))
        drawing = picture.draw(sae, feature, look)
        data = _encoded(drawing, sae, path.suffix.lower())
    replace_file(path, lambda file: file.write(data))
    return drawing


def _check(picture: Picture, feature: int | None, look: Look) -> None:
    if (feature is None) == (type(picture).subject == "feature"):
        raise InvalidInput(
            "Say which feature the picture is of" if feature is None else "The picture is of a whole SAE"
        )
    if not _WIDTHS[0] <= look.width <= _WIDTHS[1]:
        raise InvalidInput(
            f"The width must be from {_WIDTHS[0]:.0f} to {_WIDTHS[1]:.0f} millimetres, found: {look.width}",
            hint="One column of a journal is 89, a page 183.",
        )
    if look.theme not in THEMES:
        raise InvalidInput(f"The theme must be 'light' or 'dark', found: '{look.theme}'")


def _encoded(drawing: Drawing, sae: SAE, ending: str) -> bytes:
    buffer = io.BytesIO()
    drawing.figure.savefig(buffer, format=ending[1:], metadata=_metadata(drawing, sae, ending))
    return buffer.getvalue()


def _metadata(drawing: Drawing, sae: SAE, ending: str) -> dict[str, str | None]:
    """Return what the file says about itself, in the words of its format; never a time, which would differ."""
    from saeatlas.format.version import writer

    program, origin, tables = writer(), _origin(sae), ", ".join(_tables(drawing, sae))
    about = f"{origin}; from {tables}" if tables else origin
    if ending == ".svg":
        return {"Title": drawing.title, "Creator": program, "Description": about, "Date": None}
    if ending == ".pdf":
        return {"Title": drawing.title, "Creator": program, "Subject": about, "CreationDate": None}
    return {"Title": drawing.title, "Software": program, "Description": about}


def _origin(sae: SAE) -> str:
    """Return what a figure was made from, as far as a reader needs it to find it again."""
    from saeatlas.format.version import read_atlas, writer

    atlas = sae.atlas
    name = atlas.url.rstrip("/").rpartition("/")[2]
    return f"{name} ({read_atlas(atlas.store)[:8]}) commit {atlas.commit.number}, SAE {sae.name}, {writer()}"


def _tables(drawing: Drawing, sae: SAE) -> list[str]:
    """Return the analyses that a drawing shows, each with the first digits of its key."""
    keys = {name: sae.atlas.manifest(f"sae/{sae.name}/{name}").key for name in sorted(set(drawing.tables))}
    return [f"{name} {key[:12]}" for name, key in keys.items()]
