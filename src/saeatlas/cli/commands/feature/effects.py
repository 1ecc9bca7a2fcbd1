"""`saeatlas feature effects`: the tokens a feature makes more and less likely."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render.screen import write_json
from saeatlas.cli.render.tables import columns_of, write_rows
from saeatlas.cli.target import open_feature

__all__ = ["GROUP", "command"]


def command(
    reference: FeatureReference,
    /,
    *,
    n: Annotated[int, Parameter(help="How many of each side.")] = 10,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the tokens that a feature raises and lowers most by its direction alone, from the analysis logit-effects.

    Example: saeatlas feature effects gpt2-l8/16751 --n 15
    """
    from saeatlas.atlas.logit_effects import importance_of, logit_effects_of

    feature = open_feature(atlas, reference)
    table = logit_effects_of(feature, n)
    if not as_json:
        write_rows(columns_of(table), table)
        return
    lines = table.to_pylist()
    sides = {
        side: [{name: line[name] for name in line if name != "side"} for line in lines if line["side"] == side]
        for side in ("top", "bottom")
    }
    write_json({"sae": feature.sae.name, "feature": feature.id, **importance_of(feature), **sides})
