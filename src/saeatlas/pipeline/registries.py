"""The plug-ins of each kind that a run can name, listed without importing any of them."""

from __future__ import annotations

from saeatlas.registry import Registry

__all__ = ["analyses", "embedders", "exporters", "importers", "plots", "registries"]


def importers() -> Registry:
    """Return the registry of importers."""
    from saeatlas.pipeline.importer import Importer
    from saeatlas.pipeline.sae_importer import SaeImporter

    return Registry("saeatlas.importers", Importer, SaeImporter)


def analyses() -> Registry:
    """Return the registry of analyses."""
    from saeatlas.pipeline.analysis import Analysis

    return Registry("saeatlas.analyses", Analysis)


def embedders() -> Registry:
    """Return the registry of embedders."""
    from saeatlas.pipeline.embedder import Embedder

    return Registry("saeatlas.embedders", Embedder)


def exporters() -> Registry:
    """Return the registry of exporters."""
    from saeatlas.pipeline.exporter import Exporter

    return Registry("saeatlas.exporters", Exporter)


def plots() -> Registry:
    """Return the registry of plots."""
    from saeatlas.pipeline.picture import Picture

    return Registry("saeatlas.plots", Picture)


def registries() -> dict[str, Registry]:
    """Return every registry by the plural of its kind."""
    return {
        "importers": importers(),
        "analyses": analyses(),
        "embedders": embedders(),
        "exporters": exporters(),
        "plots": plots(),
    }
