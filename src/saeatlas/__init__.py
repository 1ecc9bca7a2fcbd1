"""saeatlas: one open store for sparse-autoencoder activations.

The public names, each loaded when it is first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from saeatlas._version import __version__ as __version__

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas, create
    from saeatlas.atlas.atlas import open_atlas as open  # noqa: A004  # read as `sa.open`
    from saeatlas.atlas.contexts import Example
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.selection import Selection
    from saeatlas.atlas.statistics import FeatureStats
    from saeatlas.client.atlas import connect
    from saeatlas.errors import SaeatlasError
    from saeatlas.pipeline.build import build
    from saeatlas.pipeline.labelling import label

__all__ = [
    "SAE",
    "Atlas",
    "Corpus",
    "Example",
    "Feature",
    "FeatureStats",
    "SaeatlasError",
    "Selection",
    "build",
    "connect",
    "create",
    "label",
    "open",
]

_PLACES = {
    "SAE": "atlas.sae:SAE",
    "Atlas": "atlas.atlas:Atlas",
    "Corpus": "atlas.corpus:Corpus",
    "Example": "atlas.contexts:Example",
    "Feature": "atlas.feature:Feature",
    "FeatureStats": "atlas.statistics:FeatureStats",
    "SaeatlasError": "errors:SaeatlasError",
    "Selection": "atlas.selection:Selection",
    "build": "pipeline.build:build",
    "connect": "client.atlas:connect",
    "create": "atlas.atlas:create",
    "label": "pipeline.labelling:label",
    "open": "atlas.atlas:open_atlas",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'saeatlas' has no attribute '{name}'")
    module, _, attribute = _PLACES[name].partition(":")
    found: object = getattr(import_module(f"saeatlas.{module}"), attribute)
    # Kept, so that the second use costs as little as any global name.
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
