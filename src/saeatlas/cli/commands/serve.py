"""`saeatlas serve`: the atlas in a browser and over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.options import AtlasOption

if TYPE_CHECKING:
    from saeatlas.server.settings import ServerSettings

__all__ = ["GROUP", "command"]

_LEAST_TOKEN = 16


def command(  # noqa: PLR0913 - each is an option of the command
    *,
    atlas: AtlasOption = "",
    port: Annotated[int, Parameter(help="Port to listen at; 0 takes any free one.")] = 8765,
    host: Annotated[str, Parameter(help="Address to listen at; others than this machine reach 0.0.0.0.")] = "127.0.0.1",
    open_: Annotated[
        bool, Parameter(name="--open", negative="", show_default=False, help="Open the pages in a browser.")
    ] = False,
    read_only: Annotated[
        bool, Parameter(negative="", show_default=False, help="Take no labels and start no jobs.")
    ] = False,
    token: Annotated[
        str | None, Parameter(show_default=False, help="What every request must show; made where --host needs one.")
    ] = None,
    allow_host: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="Another name that the server may be addressed by."),
    ] = (),
    pages: Annotated[
        Path | None, Parameter(show_default=False, help="Directory of built pages, otherwise those that came along.")
    ] = None,
    compat_group: Annotated[
        str, Parameter(show_default=False, help="Metadata column that clients of /compat/activations get as the group.")
    ] = "",
) -> None:
    """Serve the atlas to a browser and to programs, until Ctrl-C.

    Example: saeatlas serve --atlas reviews.atlas --open
    """
    from saeatlas.errors import InvalidInput
    from saeatlas.extras import require
    from saeatlas.settings import Settings

    if not 0 <= port <= 65_535:
        raise InvalidInput(f"A port is a number from 0 to 65535, found: {port}")
    for module in ("fastapi", "uvicorn"):
        require(module, extra="server", to="serve an atlas")
    from saeatlas.server.guard import is_loopback
    from saeatlas.server.settings import ServerSettings

    settings = ServerSettings(
        host=host,
        token=_token(token, is_needed=not is_loopback(host)),
        read_only=read_only,
        allowed_hosts=allow_host,
        pages=pages,
        compat_group=compat_group,
        memory_budget=Settings.from_environment().memory_budget,
    )
    _serve(atlas, port, settings, is_opened=open_)


def _serve(atlas: str, port: int, settings: ServerSettings, *, is_opened: bool) -> None:
    """Serve until told to stop."""
    from saeatlas.cli.render.screen import say
    from saeatlas.cli.target import atlas_place
    from saeatlas.server.app import create_app
    from saeatlas.server.run import listen, serve_until_stopped
    from saeatlas.server.warm import warm_up

    app = create_app(atlas_place(atlas), settings)
    at = listen(settings.host, port)
    address = _address(settings.host, int(at.getsockname()[1]), settings.token)

    def ready() -> None:
        say(f"Serving {app.state.live.store.url} at {address}")
        say("Stop with Ctrl-C.")
        warm_up(app)
        if is_opened:
            import webbrowser

            webbrowser.open(address)

    serve_until_stopped(app, at, ready)
    say("Stopped.")


def _token(given: str | None, *, is_needed: bool) -> str:
    """Return the token to ask for: a given one, or a new one where anybody could connect; else none.

    An empty one is refused: it comes from a variable that was not set, by somebody who meant to have a token.
    """
    from saeatlas.errors import InvalidInput

    if given is not None and (
        len(given) < _LEAST_TOKEN or not given.isascii() or not given.isprintable() or " " in given
    ):
        raise InvalidInput(
            f"A token has at least {_LEAST_TOKEN} letters, digits or signs, found: {len(given)} characters",
            hint="Leave --token out to have one made.",
        )
    if given is not None:
        return given
    if not is_needed:
        return ""
    import secrets

    return secrets.token_urlsafe(24)


def _address(host: str, port: int, token: str) -> str:
    """Return what to open in a browser."""
    import socket
    from urllib.parse import quote

    name = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{port}/" + (f"?token={quote(token)}" if token else "")
