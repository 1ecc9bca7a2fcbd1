"""Selections of features that are worth an address: small JSON objects named by what they hold, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from saeatlas.errors import AlreadyExists, FormatError, InvalidInput, NotFound
from saeatlas.format.canonical import canonical_json, digest_bytes, read_document, take, write_document
from saeatlas.storage import Store

__all__ = ["SelectedFeatures", "load_selection", "save_selection"]

_HASH = re.compile(r"[0-9a-f]{16}")
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MOST = 4_000_000
_LONGEST_NAME = 200


@dataclass(frozen=True)
class SelectedFeatures:
    """Some features of one SAE, with a name for people."""

    sae: str
    name: str
    features: tuple[int, ...]
    """Ids, ascending, each once."""

    @property
    def hash(self) -> str:
        """16 hex digits: the same features under the same name have the same."""
        return digest_bytes(canonical_json([self.sae, self.name, list(self.features)]))[:16]


def save_selection(store: Store, sae: str, name: str, features: Iterable[int]) -> SelectedFeatures:
    """Keep a selection; one that is there already stays as it is.

    Raises
    ------
    InvalidInput
        When the name has more than 200 characters or a control character, or there are more than 4 million features.
    """
    found = SelectedFeatures(sae, name, tuple(sorted(set(features))))
    if len(name) > _LONGEST_NAME or len(found.features) > _MOST:
        raise InvalidInput(f"A selection has a name of at most {_LONGEST_NAME} characters and {_MOST:,} features")
    bad = _REFUSED.search(name)
    if bad is not None:
        raise InvalidInput(
            f"The name of a selection holds the control character U+{ord(bad[0]):04X} at {bad.start()}",
            hint="A name is one line; remove it.",
        )
    record = {"sae": sae, "name": name, "features": list(found.features)}
    # Named by its content: what is there already is this one.
    with suppress(AlreadyExists):
        store.put_new(_key(sae, found.hash), write_document(record))
    return found


def load_selection(store: Store, sae: str, given: str) -> SelectedFeatures:
    """Return the selection of a hash; `NotFound` when there is none, `FormatError` when it is another's content."""
    missing = NotFound(f"SAE '{sae}' has no selection '{given:.50}'", hint="It may have been made in another atlas.")
    if not _HASH.fullmatch(given):
        raise missing
    key = _key(sae, given)
    try:
        record = read_document(store.get(key), key)
    except NotFound as error:
        raise missing from error
    ids = take(record, "features", list, key)
    found = SelectedFeatures(take(record, "sae", str, key), take(record, "name", str, key), tuple(ids))
    if found.hash != given or found.sae != sae:
        raise FormatError(f"'{key}' does not hold what its name says", kind="corrupt-artifact")
    return found


def _key(sae: str, given: str) -> str:
    return f"selections/{sae}/{given}.json"
