"""Libraries that come with an extra, imported when they are needed, with an error that says what to install."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from saeatlas.errors import MissingExtra

__all__ = ["require"]


def require(module: str, *, extra: str, to: str = "") -> ModuleType:
    """Import an optional library.

    Parameters
    ----------
    module
        What to import, such as 'scipy.sparse'.
    extra
        The extra of saeatlas that installs it, such as 'analyses'.
    to
        What needs it, in words for the message, such as 'draw a map'.

    Raises
    ------
    MissingExtra
        When the library is not installed. A library that is installed and broken raises its own error.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        purpose = f" to {to}" if to else ""
        raise MissingExtra(
            f"The package '{package}' is needed{purpose}, and it is not installed",
            hint=f"Run: pip install 'saeatlas[{extra}]'",
        ) from error
