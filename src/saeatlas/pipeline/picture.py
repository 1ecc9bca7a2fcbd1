"""What a picture is: it draws one figure from what is current in an atlas; and how figures are to look."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from saeatlas.atlas.sae import SAE

__all__ = ["Drawing", "Look", "Picture", "ThemeName"]

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True)
class Look:
    """How a figure is to look, whatever it shows."""

    theme: ThemeName = "light"
    """For white or for black pages."""
    width: float = 89.0
    """Millimetres: 89 is one column of most journals, 183 the whole page."""
    footer: str = ""
    """One small line below everything else; none when empty."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure, and what it was made from."""

    figure: Figure
    title: str
    """What it shows, in one line."""
    tables: tuple[str, ...] = ()
    """Analyses that it shows."""
    notes: tuple[str, ...] = ()
    """What a reader cannot see in it, such as labels that found no place."""


@dataclass(frozen=True, kw_only=True)
class Picture(ABC):
    """Draws one kind of figure. Subclasses are frozen keyword-only dataclasses; fields are parameters."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True, "extra": "forbid"}
    subject: ClassVar[Literal["feature", "sae"]] = "sae"
    """Whether it shows one feature, or all of an SAE."""

    @abstractmethod
    def draw(self, sae: SAE, feature: int | None, look: Look) -> Drawing:
        """Draw it.

        Called within the settings of the theme; text, lines and axes have their colours from there.

        Parameters
        ----------
        sae
            What it is drawn from.
        feature
            The feature, where `subject` is 'feature'.
        look
            Width and theme; the height is the picture's own choice.
        """
