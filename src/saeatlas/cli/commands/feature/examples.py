"""`saeatlas feature examples`: a feature in its contexts."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.atlas.examples import Pick
from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render.examples import example_record, write_examples
from saeatlas.cli.render.screen import say, write_json
from saeatlas.cli.target import open_feature

__all__ = ["GROUP", "command"]


def command(  # noqa: PLR0913 Each is a question of its own, all but one by name.
    reference: FeatureReference,
    /,
    *,
    pick: Annotated[Pick, Parameter(help="The strongest, some from each part of the values, or any.")] = "top",
    n: Annotated[int, Parameter(help="How many; with 'quantiles' from each part.")] = 10,
    before: Annotated[int, Parameter(help="Tokens to show before.")] = 20,
    after: Annotated[int, Parameter(help="Tokens to show after.")] = 10,
    seed: Annotated[int, Parameter(help="Of the random choice.")] = 0,
    strata: Annotated[int, Parameter(help="Parts that 'quantiles' makes.")] = 4,
    low: Annotated[float | None, Parameter(help="Only rows with at least this value.")] = None,
    high: Annotated[float | None, Parameter(help="Only rows with less than this value.")] = None,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show where a feature fires, in context.

    Example: saeatlas feature examples gpt2-l8/16751 --pick quantiles --n 3
    """
    feature = open_feature(atlas, reference)
    found = feature.examples(pick=pick, n=n, before=before, after=after, seed=seed, strata=strata, low=low, high=high)
    if as_json:
        records = [example_record(example) for example in found]
        write_json({"sae": feature.sae.name, "feature": feature.id, "pick": pick, "examples": records})
        return
    if not found and n:
        say(f"The feature is active at no row{'' if low is None and high is None else ' with such a value'}.")
    write_examples(found)
