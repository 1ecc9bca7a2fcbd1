"""What an analysis was made from, and whether that is still what the commit holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from saeatlas.errors import FormatError, NotFound
from saeatlas.format.artifact import load_manifest
from saeatlas.format.canonical import canonical_json, digest_bytes
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.segment_info import SegmentInfo

if TYPE_CHECKING:
    from saeatlas.format.commit import Entry
    from saeatlas.storage.store import Store

__all__ = [
    "inputs_of",
    "is_of_analysis",
    "present_inputs",
    "read_identity",
    "read_segments",
]

_NEEDS = ("activations", "documents", "tokens", "weights", "map", "explanations")
"""What an analysis may ask for beside other analyses: activations, the corpus, and what was imported about the SAE."""

_MODULUS = 1 << 128


def _segment_entries(entries: Mapping[str, Entry], sae: str) -> list[Entry]:
    """Return the segment entries of one SAE in the order of their logical names."""
    prefix = f"sae/{sae}/segment/"
    return [entries[name] for name in sorted(entries) if name.startswith(prefix)]


def read_segments(store: Store, entries: Mapping[str, Entry], sae: str) -> list[tuple[str, SegmentInfo]]:
    """Return path and facts of every segment of one SAE, in row order."""
    found = []
    for entry in _segment_entries(entries, sae):
        attributes = load_manifest(store, entry.path).attributes
        found.append((entry.path, SegmentInfo.from_json(attributes)))
    return sorted(found, key=lambda segment: segment[1].first_row)


def read_identity(store: Store, entries: Mapping[str, Entry], sae: str) -> SaeIdentity | None:
    """Return what is known about an SAE, or None when the commit says nothing."""
    entry = entries.get(f"sae/{sae}/identity")
    if entry is None:
        return None
    key = f"{entry.path}/identity.json"
    try:
        return SaeIdentity.from_json(json.loads(store.get(key)))
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(
            f"The identity of SAE '{sae}' is not readable: '{key}'",
            hint="Run 'saeatlas verify --deep' and restore the file.",
            kind="corrupt-artifact",
        ) from error


def _activations_content(segments: Iterable[SegmentInfo], width: int | None) -> str:
    """Return what identifies the activations of an SAE, whatever the codec, value type or borders of segments.

    A fingerprint covers the listed entries only, so the numbers of rows and features join it: more silent
    rows change a density, and a wider dictionary changes the length of a table.

    Returns
    -------
    str
        The sum of the fingerprints modulo 2^128, the sum of the rows and the number of features.
    """
    total, n_rows, n_features = 0, 0, width or 0
    for info in segments:
        total = (total + int(info.fingerprint, 16)) % _MODULUS
        n_rows += info.n_rows
        n_features = max(n_features, info.n_features)
    return f"{total:032x}-{n_rows}-{n_features}"


def is_of_analysis(need: str) -> bool:
    """Whether a need is the name of another analysis of the same SAE, which can be computed when it is not there."""
    return need not in _NEEDS and not need.startswith("sae/")


def inputs_of(store: Store, entries: Mapping[str, Entry], sae: str, needs: Iterable[str]) -> dict[str, str]:
    """Return need → content for an analysis of `sae`, as the entries stand.

    A need is 'activations', 'documents', 'tokens', 'weights', 'map' or 'explanations', the name of another analysis of
    the same SAE, or `sae/<name>/<need>` of another SAE.
    An analysis is current exactly when these equal the inputs in its manifest.

    Raises
    ------
    NotFound
        When the commit lacks one of the needs.
    """
    return {need: _content_of(store, entries, sae, need) for need in sorted(set(needs))}


def present_inputs(store: Store, entries: Mapping[str, Entry], sae: str, needs: Iterable[str]) -> dict[str, str]:
    """Return what `inputs_of` returns, without the needs that the commit lacks."""
    found: dict[str, str] = {}
    for need in sorted(set(needs)):
        try:
            found |= inputs_of(store, entries, sae, [need])
        except NotFound:
            continue
    return found


def _content_of(store: Store, entries: Mapping[str, Entry], sae: str, need: str) -> str:
    if need.startswith("sae/"):
        _, other, inner = need.split("/", 2)
        if f"sae/{other}/identity" not in entries:
            names = sorted({name.split("/")[1] for name in entries if name.startswith("sae/")})
            raise NotFound(f"The atlas has no SAE named '{other}'", hint=f"Known: {', '.join(names) or 'none'}")
        return _content_of(store, entries, other, inner)
    if need == "activations":
        identity = read_identity(store, entries, sae)
        return _activations_content(_infos(store, entries, sae), identity.width if identity else None)
    if need in {"documents", "tokens"}:
        corpus = _infos(store, entries, sae)[0].corpus
        return _listed(entries, f"corpus/{corpus}/{need}", f"Corpus '{corpus}' has no {need}", f"Import the {need}.")
    if need == "explanations":
        prefix = f"sae/{sae}/imported/explanations/"
        contents = [[name, entries[name].content] for name in sorted(entries) if name.startswith(prefix)]
        if not contents:
            raise NotFound(f"SAE '{sae}' has no explanations", hint="Import some: see 'saeatlas import --help'.")
        return digest_bytes(canonical_json(contents))
    if need in _NEEDS:
        hint = f"Import it first: see 'saeatlas import {'sae-weights' if need == 'weights' else 'feature-map'} --help'."
        return _listed(entries, f"sae/{sae}/imported/{need}", f"SAE '{sae}' has no {need}", hint)
    missing = f"Analysis '{need}' has not been computed for SAE '{sae}'"
    return _listed(entries, f"sae/{sae}/{need}", missing, f"Run 'saeatlas analyze {need}'.")


def _infos(store: Store, entries: Mapping[str, Entry], sae: str) -> list[SegmentInfo]:
    segments = [info for _, info in read_segments(store, entries, sae)]
    if not segments:
        raise NotFound(f"SAE '{sae}' has no activations", hint="Import them first.")
    return segments


def _listed(entries: Mapping[str, Entry], name: str, missing: str, hint: str) -> str:
    entry = entries.get(name)
    if entry is None:
        raise NotFound(missing, hint=hint)
    return entry.content
