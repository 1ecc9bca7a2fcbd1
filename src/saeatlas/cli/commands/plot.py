"""`saeatlas plot`: draw pictures for papers and pages, one sub-command for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.options import AtlasOption, FeatureReference, SaeOption
from saeatlas.cli.plugin_command import add_plugins, plugin_command
from saeatlas.pipeline.picture import Look, Picture, ThemeName
from saeatlas.pipeline.registries import plots

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["GROUP", "command", "plot_feature", "plot_sae"]

Out = Annotated[Path, Parameter(name="--out", help="File to write; ends with .svg, .pdf or .png.")]
Theme = Annotated[ThemeName, Parameter(name="--theme", help="For white or for black pages.")]
Width = Annotated[float, Parameter(name="--width", help="Millimetres: 89 is one column of most journals, 183 a page.")]
Signed = Annotated[
    bool,
    Parameter(
        name="--signed",
        negative="",
        show_default=False,
        help="Write atlas, commit and version in a small line below; the file's metadata have them anyway.",
    ),
]

command = App(
    name="plot",
    help="Draw a picture of a feature or of an SAE, for a paper or a page.\n\n"
    "Example: saeatlas plot histogram gpt2-l8/16751 --out histogram.pdf",
)
add_plugins(command, plots(), __name__, "saeatlas plot {name} --out {name}.svg")


def __getattr__(name: str) -> Callable[..., object]:
    """Make the command of the picture that is asked for; only that one is imported."""
    if name not in plots():
        raise AttributeError(name)
    plugin = plots()[name]
    is_of_feature = plugin.subject == "feature"  # type: ignore[attr-defined]
    return plugin_command(plugin, plot_feature if is_of_feature else plot_sae)


def plot_feature(  # noqa: PLR0913 Each is a question of its own, all but one by name.
    picture: Picture,
    reference: FeatureReference,
    /,
    *,
    out: Out,
    theme: Theme = "light",
    width: Width = 89.0,
    signed: Signed = False,
    atlas: AtlasOption = "",
) -> None:
    """Draw a picture of one feature."""
    from saeatlas.cli.target import open_feature
    from saeatlas.plots import check_picture_file

    check_picture_file(out.expanduser())
    feature = open_feature(atlas, reference)
    _draw(picture, feature.sae, feature.id, out, (Look(theme, width), signed))


def plot_sae(  # noqa: PLR0913 Each is a question of its own, by name.
    picture: Picture,
    *,
    out: Out,
    theme: Theme = "light",
    width: Width = 89.0,
    signed: Signed = False,
    sae: SaeOption = "",
    atlas: AtlasOption = "",
) -> None:
    """Draw a picture of an SAE."""
    from saeatlas.cli.target import open_sae
    from saeatlas.plots import check_picture_file

    check_picture_file(out.expanduser())
    _draw(picture, open_sae(atlas, sae), None, out, (Look(theme, width), signed))


def _draw(picture: Picture, sae: SAE, feature: int | None, out: Path, how: tuple[Look, bool]) -> None:
    from saeatlas.cli.render.screen import say
    from saeatlas.pipeline.recipe import check_fields
    from saeatlas.plots import write_picture

    check_fields(picture)
    look, signed = how
    drawing = write_picture(picture, sae, out.expanduser(), feature=feature, look=look, signed=signed)
    for note in drawing.notes:
        say(f"note: {note}")
    say(f"{drawing.title}: {out}")
