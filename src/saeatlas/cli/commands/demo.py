"""`saeatlas demo`: a small real atlas, made on this machine from nothing but this machine's Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import MAKE as GROUP
from saeatlas.cli.options import Jobs

__all__ = ["GROUP", "command"]


def command(  # noqa: PLR0913 Each is a size of its own, by name.
    directory: Annotated[Path, Parameter(help="Directory to make, or to go on in.")] = Path("saeatlas-demo"),
    /,
    *,
    n_tokens: Annotated[int, Parameter(help="Tokens to take.")] = 100_000,
    n_features: Annotated[int, Parameter(help="Features of the SAE.")] = 1024,
    k: Annotated[int, Parameter(help="Features listed for each token.")] = 16,
    epochs: Annotated[int, Parameter(help="Times the SAE sees each token.")] = 12,
    seed: Annotated[int, Parameter(help="Of the training.")] = 0,
    jobs: Jobs = 0,
    no_open: Annotated[
        bool, Parameter(negative="", show_default=False, help="Do not serve the atlas and open its pages at the end.")
    ] = False,
) -> None:
    """Make a small real atlas: train an SAE on your Python's own docstrings, import, analyze, verify, look.

    A second run makes only what is missing. In a terminal it ends by opening the pages in a browser, and serves them
    until Ctrl-C; otherwise it prints the command that does.

    Example: saeatlas demo my-demo
    """
    from saeatlas.cli.demo_run import DemoRun
    from saeatlas.cli.demo_tour import show_pages, show_tour
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.work import settings_for
    from saeatlas.demo.training import Recipe

    settings = settings_for(jobs)
    recipe = Recipe(n_features=n_features, k=k, epochs=epochs, seed=seed)
    with shown_progress() as progress:
        run = DemoRun(directory, settings, progress)
        atlas = run.make(n_tokens, recipe)
    run.write_steps()
    show_tour(atlas)
    if sys.stdin.isatty() and not no_open:
        show_pages(atlas.url)
