"""The options that many commands share, so that each is spelled and explained once."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

__all__ = ["AsJson", "AtlasOption", "FeatureReference", "Jobs", "PlanOnly", "SaeOption"]

AtlasOption = Annotated[
    str,
    Parameter(
        name="--atlas",
        show_default=False,
        help="Directory of the atlas; otherwise SAEATLAS_ATLAS, otherwise the atlas in the current directory.",
    ),
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON.")]
SaeOption = Annotated[str, Parameter(name="--sae", show_default=False, help="Name of the SAE; not needed for one.")]
FeatureReference = Annotated[str, Parameter(name="REF", help="The feature: NAME/ID, or ID where there is one SAE.")]
Jobs = Annotated[
    int,
    Parameter(
        name="--jobs",
        show_default=False,
        help="Worker processes at most; otherwise SAEATLAS_JOBS, otherwise one for each core, up to 8.",
    ),
]
PlanOnly = Annotated[
    bool,
    Parameter(name="--plan", negative="", show_default=False, help="Print what would run and why, and run nothing."),
]
