"""An atlas of what is rare: scripts of the world, labels that attack, and an SAE of which nothing is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import saeatlas
from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas
from saeatlas.format.version import create_atlas
from saeatlas.storage import open_store
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays
from saeatlas.testing.parts_importer import PartsImporter, make_parts

__all__ = [
    "ARABIC",
    "BARE",
    "CHINESE",
    "HEBREW",
    "HOSTILE",
    "LABELS",
    "LONG",
    "MAP_ONLY",
    "ODD",
    "make_empty_atlas",
    "make_odd_atlas",
]

ODD, BARE, MAP_ONLY = "odd", "bare", "map-only"
HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=2</script>'
ARABIC = "شكوى من تأخر الشحن"
HEBREW = "תלונה על משלוח מאוחר"
CHINESE = "对延迟发货的投诉，第二种"
LONG = "a very long label that goes on " * 60
LABELS = {0: HOSTILE, 1: ARABIC, 2: HEBREW, 3: CHINESE, 4: LONG.strip()}

_TEXTS = {
    HOSTILE: ["<img", " src=x", ' onerror="window.hurt=1"', ">", " done"],
    "وثيقة": ["تأخر", " الشحن", " كثيرا", " جدا", "."],
    "מסמך": ["המשלוח", " איחר", " מאוד", " אתמול", "."],
    "文件": ["发货", "延迟", "了", "很久", "。"],
}


def _arrays(n_features: int) -> SparseArrays:
    """Return four documents in which all features but the last take turns."""
    pieces = [token for tokens in _TEXTS.values() for token in tokens]
    n_rows, length = len(pieces), 5
    features = np.stack([np.arange(n_rows) % 3, 3 + np.arange(n_rows) % (n_features - 4)], axis=1)
    ends = np.array([np.cumsum([len(token) for token in tokens]) for tokens in _TEXTS.values()]).ravel()
    vocabulary = tuple(dict.fromkeys(pieces))
    return SparseArrays(
        features=features.ravel(),
        values=np.linspace(0.5, 9.0, features.size, dtype=np.float32),
        indptr=np.arange(n_rows + 1, dtype=np.int64) * 2,
        documents=np.arange(n_rows) // length,
        ids=tuple(_TEXTS),
        texts=tuple("".join(tokens) for tokens in _TEXTS.values()),
        columns={"script": ["<b>Latin</b>", "عربي", "עברית", None]},
        tokens=np.array([vocabulary.index(token) for token in pieces]),
        spans=np.stack([ends - [len(token) for token in pieces], ends], axis=1),
        vocabulary=vocabulary,
    )


def make_empty_atlas(place: Path) -> Atlas:
    """Make an atlas that holds nothing."""
    create_atlas(open_store(place, create=True))
    return saeatlas.open(str(place))


def make_odd_atlas(place: Path) -> Path:
    """Make the atlas: SAE 'odd' with labels and examples, 'bare' with activations only, and one with a map only."""
    n_features = 8
    arrays = _arrays(n_features)
    made = saeatlas.build(
        make_empty_atlas(place), ArraysImporter(sae=ODD, corpus="world", data=arrays, n_features=n_features)
    )
    plain = SparseArrays(
        features=arrays.features, values=arrays.values, indptr=arrays.indptr, documents=arrays.documents, ids=arrays.ids
    )
    made = saeatlas.build(made, ArraysImporter(sae=BARE, corpus="untold", data=plain, n_features=n_features))
    made = saeatlas.build(made, PartsImporter(sae=MAP_ONLY, data=make_parts(n_features, seed=2)))
    made = saeatlas.build(made, Stats(), Histogram(), Examples(), TopTokens(), saes=(ODD,))
    for feature, text in LABELS.items():
        for sae in (ODD, MAP_ONLY):
            saeatlas.label(
                made.sae(sae).feature(feature), text, by=HOSTILE if feature == 0 else "ana", tags=(text[:40],)
            )
    return place
