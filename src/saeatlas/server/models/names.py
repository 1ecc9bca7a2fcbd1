"""What features are called where another feature's answer names them."""

from __future__ import annotations

from saeatlas.atlas.sae import SAE

__all__ = ["FeatureNames"]


class FeatureNames:
    """What features are called: by their newest label that has a text, else by their first explanation."""

    def __init__(self, sae: SAE) -> None:
        self.position, self._labels = sae.lookup.label_texts()
        """Place in the log of labels that is shown."""
        self._explanations = sae.lookup.texts

    def text(self, feature: int) -> str | None:
        """Return what a feature is called, or None when nobody said."""
        return self._labels.get(feature) or self._explanations.get(feature)
