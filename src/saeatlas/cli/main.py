"""The program `saeatlas`: find the command, run it, and turn whatever happens into an exit code."""

from __future__ import annotations

import os
import re
import sys
import typing
from collections.abc import Sequence
from typing import Any

from cyclopts import App, Parameter, Token, convert

from saeatlas.cli.discovery import add_commands, group_commands
from saeatlas.cli.failures import report_failure

__all__ = ["main"]

_COMMANDS = "saeatlas.cli.commands"
_HELP = """One open store for sparse-autoencoder activations: import, measure, ask, verify.

Begin with 'saeatlas demo', which makes a small real atlas. Or with activations of your own:

  saeatlas import h5-topk acts.h5 --metadata docs.npz --sae gpt2-l8 --atlas a.atlas

  saeatlas feature show gpt2-l8/16751 --atlas a.atlas
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; no exception leaves, unless `SAEATLAS_DEBUG` is set."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(tokens)
        sys.stdout.flush()
    except SystemExit as request:
        status = request.code if isinstance(request.code, int) else int(request.code is not None)
    except (Exception, KeyboardInterrupt) as error:
        # The last line of defence: a person gets a sentence, not a traceback.
        if os.environ.get("SAEATLAS_DEBUG", "") not in {"", "0"}:
            raise
        status = report_failure(error)
    return status


def _run(tokens: list[str]) -> int:
    app = _app()
    if not tokens or {"--help", "-h"} & set(tokens):
        group_commands(app, _COMMANDS)
    result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _app() -> App:
    app = App(
        name="saeatlas",
        help=_HELP,
        help_format="plaintext",
        version=_version,
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(converter=_exact),
    )
    add_commands(app, _COMMANDS)
    return app


def _exact(kind: Any, tokens: Sequence[Token]) -> Any:  # noqa: ANN401  # whatever type a parameter has
    """Convert what was written; a number that is not whole is refused, where cyclopts would round it."""
    is_whole = kind is int or (typing.get_origin(kind) in {tuple, list} and int in typing.get_args(kind))
    for token in tokens if is_whole else ():
        if not re.fullmatch(r"[+-]?[0-9]+", token.value):
            raise ValueError(f"Not a whole number: {token.value!r}")
    return convert(kind, tokens)


def _version() -> str:
    from saeatlas import __version__

    return __version__


if __name__ == "__main__":
    sys.exit(main())
