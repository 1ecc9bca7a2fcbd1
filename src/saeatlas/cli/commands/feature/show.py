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
            negative="",
            show_default=False,
            help="With --json: also distribution, top tokens, strongest contexts, explanations and neighbours.",
        ),
    ] = False,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show what a feature is: how often it fires, on which tokens, its strongest contexts, what was said, what is near.

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
    numbers = asdict(feature.stats()) if sae.has_activations else {"sae": sae.name, "feature": feature.id}
    return numbers | {
        "corpus": sae.corpus.name if sae.has_activations else None,
        "commit": sae.atlas.commit.number,
        "identity": sae.identity.to_json(),
    }


def _everything(feature: Feature) -> dict[str, object]:
    from saeatlas.cli.render.examples import example_record
    from saeatlas.cli.render.feature_page import explanations_of_feature

    near = feature.similar().to_pylist() if feature.sae.weights is not None else None
    about = _facts(feature) | {"explanations": explanations_of_feature(feature).to_pylist(), "similar": near}
    if not feature.sae.has_activations:
        return about
    has_tokens = feature.sae.corpus.tokens is not None
    return about | {
        "histogram": asdict(feature.histogram()),
        "top_tokens": feature.top_tokens().to_pylist() if has_tokens else None,
        "examples": [example_record(example) for example in feature.examples()],
    }
