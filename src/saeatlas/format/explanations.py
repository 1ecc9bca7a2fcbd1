"""Explanations: texts about features, one line each, as somebody wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InternalError, SourceError
from saeatlas.format.table import write_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["explanations_schema", "write_explanations"]

_MOST_FEATURES = 1 << 32
"""Ids are stored as uint32."""


def explanations_schema() -> pa.Schema:
    """Return the columns of `data.parquet`."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("feature", pa.uint32(), nullable=False),
            pa.field("explainer", pa.string()),
            pa.field("method", pa.string()),
            pa.field("text", pa.string(), nullable=False),
        ]
    )


def write_explanations(
    directory: Path,
    features: Sequence[int] | npt.NDArray[np.integer[Any]],
    texts: Sequence[str],
    explainers: Sequence[str | None],
    methods: Sequence[str | None],
) -> dict[str, Any]:
    """Write the `explanations` artifact of one set, and return its attributes.

    Lines are sorted by feature; of one feature they keep the order given. Texts are stored as they are: whoever shows
    them trims them. Memory is that of the arguments once more.

    Parameters
    ----------
    directory
        Where `data.parquet` goes.
    features
        Feature of each text, from 0; a feature may have several texts, or none.
    texts
        What was said; a text that is missing has no line.
    explainers, methods
        Who said it and how, of each text; None where the source does not tell.

    Raises
    ------
    SourceError
        When an id is out of range, a text is blank, or a text is no Unicode (lone surrogates).
    """
    import pyarrow as pa

    lengths = {len(features), len(texts), len(explainers), len(methods)}
    if len(lengths) != 1:
        raise InternalError(f"Explanations need columns of one length, found: {sorted(lengths)}")
    ids = _checked(features, texts)
    known = _distinct(explainers), _distinct(methods)
    order = np.argsort(ids, kind="stable").tolist()
    columns: dict[str, list[str | None]] = {
        "explainer": [explainers[line] for line in order],
        "method": [methods[line] for line in order],
        "text": [texts[line] for line in order],
    }
    table = pa.table(
        {"feature": ids[order].astype(np.uint32), **columns},
        schema=explanations_schema(),
    )
    write_table(directory, table, explanations_schema())
    return {
        "n_explanations": len(order),
        "n_explained": int(np.unique(ids).size),
        "n_features": int(ids.max()) + 1 if ids.size else 0,
        "explainers": known[0],
        "methods": known[1],
    }


def _checked(features: Sequence[int] | npt.NDArray[np.integer[Any]], texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the ids as int64 [n] when every line can be stored."""
    try:
        ids = np.asarray(features, np.int64) if len(features) else np.empty(0, np.int64)
    except OverflowError:
        ids = np.array([min(max(int(feature), -1), _MOST_FEATURES) for feature in features], np.int64)
    wrong = np.flatnonzero((ids < 0) | (ids >= _MOST_FEATURES))
    if wrong.size:
        raise SourceError(
            f"Feature ids are from 0 to {_MOST_FEATURES - 1}, found: {features[int(wrong[0])]}",
            kind="index-out-of-range",
        )
    for feature, text in zip(ids.tolist(), texts, strict=True):
        if not text.strip():
            raise SourceError(f"The explanation of feature {feature} is blank: {text!r:.50}")
        if not text.isascii() and not _is_unicode(text):
            raise SourceError(
                f"The explanation of feature {feature} holds half a surrogate pair, which is no text: {text!r:.80}",
                hint="Mend the file, for example by writing it again as UTF-8.",
            )
    return ids


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _distinct(names: Sequence[str | None]) -> list[str]:
    """Return who or what is named, sorted, when every name can be stored."""
    distinct = sorted({name for name in names if name is not None})
    wrong = [name for name in distinct if not _is_unicode(name)]
    if wrong:
        raise SourceError(f"A name of an explainer or a method holds half a surrogate pair: {wrong[0]!r:.80}")
    return distinct
