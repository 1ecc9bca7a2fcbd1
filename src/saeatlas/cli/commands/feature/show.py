"""`saeatlas feature show`: what a feature is, at a glance."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render.screen import write_json
from saeatlas.cli.target import open_feature

if TYPE_CHECKING:
    from saeatlas.atlas.feature import Feature

__all__ = ["GROUP", "command"]


def command(
    reference: FeatureReference,
    /,
    *,
    full: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="With --json: also distribution, top tokens and strongest contexts."
        ),
    ] = False,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show what a feature is: how often and how strongly it fires, on which tokens, and its strongest contexts.

    Example: saeatlas feature show gpt2-l8/16751
    """
    feature = open_feature(atlas, reference)
    if not as_json:
        from saeatlas.cli.render.feature_page import write_feature

        write_feature(feature)
    elif full:
        write_json(_everything(feature))
    else:
        write_json(_facts(feature))


def _facts(feature: Feature) -> dict[str, object]:
    """Return the numbers of a feature, and what they are about; NumPy alone answers, so that it is quick."""
    sae = feature.sae
    return asdict(feature.stats()) | {
        "corpus": sae.corpus.name,
        "commit": sae.atlas.commit.number,
        "identity": sae.identity.to_json(),
    }


def _everything(feature: Feature) -> dict[str, object]:
    from saeatlas.cli.render.examples import example_record

    has_tokens = feature.sae.corpus.tokens is not None
    return _facts(feature) | {
        "histogram": asdict(feature.histogram()),
        "top_tokens": feature.top_tokens().to_pylist() if has_tokens else None,
        "examples": [example_record(example) for example in feature.examples()],
    }
