"""What every step makes of a tiny source, as digests of meaning that are the same on every platform.

Record them after a step's version was raised, or a step was added:

    python tests/golden/step_outputs.py

It refuses to record another output under the same version: artifacts that users have would pass for the new ones.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from saeatlas.analyses.cross_sae import CrossSae
from saeatlas.analyses.logit_effects import LogitEffects
from saeatlas.analyses.token_families import TokenFamilies
from saeatlas.format.array import ArrayReader
from saeatlas.format.artifact import load_manifest
from saeatlas.format.canonical import canonical_json, digest_bytes
from saeatlas.format.codecs import PROFILES
from saeatlas.format.commit import Entry, head
from saeatlas.format.table import read_table
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.analysis import Analysis
from saeatlas.pipeline.build import build
from saeatlas.pipeline.compact import compact
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.registry import Registry
from saeatlas.storage import MemoryStore, Store
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

__all__ = ["RECORD", "Output", "importer_of", "load", "outputs", "verdict"]

RECORD = Path(__file__).with_name("step_outputs.json")
N_FEATURES = 9
WORDS = ("a", " b", " ç", " 日", "\n")
DIGITS: dict[str, int | None] = {
    "clusters": 5,
    "cross-sae": 6,
    "example-embeddings": 0,
    "example-similarity": 0,
    "inter-feature-similarity": None,
    "logit-effects": 5,
    "umap": 0,
    "weights": 6,
}
"""Analyses whose floats a library gives that differ between platforms before the tenth digit: so many are recorded.

With 0 only texts and whole numbers are, with None only columns, types and the number of lines.
"""
SPECIAL: dict[str, Callable[[], Analysis]] = {
    "cross-sae": lambda: CrossSae(other="balanced", min_count=1),
    "logit-effects": lambda: LogitEffects(
        unembedding=str(Path(__file__).with_name("unembedding.npy")),
        vocabulary=str(Path(__file__).with_name("vocabulary.json")),
        k=3,
    ),
    "token-families": lambda: TokenFamilies(families=str(Path(__file__).with_name("families.tsv"))),
}
"""Analyses that need a parameter."""
_HOW = "python tests/golden/step_outputs.py"


@dataclass(frozen=True)
class Output:
    """What a step made."""

    version: int
    """Version of the step."""
    content: Mapping[str, str]
    """Digest of each part: the attributes, and each array, table and JSON file."""


def importer_of(profile: str) -> ArraysImporter:
    """Return an importer of 24 rows in two segments; nothing in it comes from a random generator or a libm."""
    lengths = np.arange(24) % 4
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    row = np.repeat(np.arange(24), lengths)
    slot = np.arange(row.size) - indptr[row]
    values = ((row * 13 + slot * 29) % 41 - 6) / 8.0
    exact = {"fast": values, "balanced": values + values / 4096, "compact": values / 3}
    documents = np.arange(24) * 7 % 5
    spans = np.stack([np.arange(24), np.arange(24) + 1], axis=1)
    data = SparseArrays(
        features=(row + slot * 2) % (N_FEATURES - 1),
        values=exact[profile],
        indptr=indptr,
        documents=documents,
        ids=("one", "two", "three", "four", "five", "six"),
        texts=("abc" * 10, "ünï" * 10, None, "", "日本" * 15, "no rows"),
        columns={"kind": ["x", "y", "x", None, "y", "x"], "stars": [1, 5, 2, 4, 3, 1]},
        tokens=(np.arange(24) * 3 + np.arange(24) // 5) % 5,
        spans=spans,
        vocabulary=WORDS,
    )
    facts = {"model": "toy", "layer": 0, "width": N_FEATURES, "l0": 1.5}
    return ArraysImporter(
        sae=profile, corpus="toys", data=data, n_features=N_FEATURES, identity=facts, shard_rows=14, profile=profile
    )


def parts_of() -> SaeParts:
    """Return weights, explanations and a map of the same features, again without a random generator or a libm."""
    decoder = (np.arange(N_FEATURES * 4).reshape(N_FEATURES, 4) * 7 % 11 - 5) / 8.0
    decoder[-1] = 0.0
    arrays = {
        "decoder": decoder.astype(np.float32),
        "encoder": (decoder + 0.125).astype(np.float32),
        "b_enc": (np.arange(N_FEATURES) / 16.0).astype(np.float32),
        "b_dec": np.array([0.5, 0.25, -0.125, 0.0], np.float32),
    }
    texts = tuple((feature, f"mentions of {('cats', 'ports', 'sums')[feature % 3]}") for feature in range(7))
    positions = np.stack([np.arange(N_FEATURES) * 5 % 9, np.arange(N_FEATURES) % 4, np.arange(N_FEATURES) % 3], axis=1)
    config = {"architecture": "standard", "apply_b_dec_to_input": True, "normalize_activations": "none"}
    return SaeParts(arrays=arrays, config=config, texts=texts, positions=positions * 1.0)


def outputs(*, values_changed: bool = False) -> dict[str, Output]:
    """Run every step and return what each made; `values_changed` changes one value of the source."""
    store = MemoryStore()
    create_atlas(store)
    for profile in PROFILES:
        importer = importer_of(profile)
        if values_changed:
            values = importer.data.values.copy()
            values[0] += 1.0
            importer = replace(importer, data=replace(importer.data, values=values))
        import_source(store, importer)
        import_parts(store, PartsImporter(sae=profile, data=parts_of()))
    analyses = Registry("saeatlas.analyses", Analysis)
    build(store, *(SPECIAL.get(name, analyses[name])() for name in analyses), saes=("compact",))
    entries = head(store).entries
    found = {
        **{
            f"imported {part}": _output(store, entries, f"sae/compact/imported/{part}")
            for part in ("weights", "map", "explanations/toy")
        },
        "identity": _output(store, entries, "sae/compact/identity"),
        "documents": _output(store, entries, "corpus/toys/documents"),
        "tokens": _output(store, entries, "corpus/toys/tokens"),
        **{f"segment, {name}": _output(store, entries, f"sae/{name}/segment/") for name in PROFILES},
        **{name: _output(store, entries, f"sae/compact/{name}", DIGITS.get(name, 10)) for name in analyses},
    }
    merged = compact(store, "compact", profile="balanced").entries
    return {**found, "compact": _output(store, merged, "sae/compact/segment/")}


def _output(store: Store, entries: Mapping[str, Entry], prefix: str, digits: int | None = 10) -> Output:
    """Return what stands under one logical name, or under all that begin with a prefix."""
    content: dict[str, str] = {}
    versions = set()
    for name in sorted(name for name in entries if name == prefix or (prefix[-1] == "/" and name.startswith(prefix))):
        manifest = load_manifest(store, entries[name].path)
        versions.add(manifest.step_version)
        parts = _parts(store, entries[name].path, digits)
        content |= {f"{name.removeprefix(prefix)}/{part}".lstrip("/"): digest for part, digest in parts.items()}
    (version,) = versions
    return Output(version, content)


def _parts(store: Store, path: str, digits: int | None) -> dict[str, str]:
    manifest = load_manifest(store, path)
    # The origin is a key of the import and not what the segment holds.
    found: dict[str, Any] = {"attributes": {n: v for n, v in manifest.attributes.items() if n != "origin"}}
    for file in manifest.files:
        name = file.path
        if name.endswith(".parquet"):
            table = read_table(store, path, name.removesuffix(".parquet"))
            fields = [[field.name, str(field.type), field.nullable] for field in table.schema]
            found[name] = {"fields": fields, "columns": table.num_rows if digits is None else table.to_pydict()}
        elif name.endswith("zarr.json"):
            facts = json.loads(store.get(f"{path}/{name}"))
            if facts["node_type"] == "array":
                array = name.removesuffix("/zarr.json")
                reader = ArrayReader(store, f"{path}/{array}")
                found[array] = [str(reader.dtype), list(reader.shape), reader.read(0, reader.shape[0]).tolist()]
        elif name.endswith(".sqlite"):
            with closing(sqlite3.connect(":memory:")) as index:
                index.deserialize(store.get(f"{path}/{name}"))
                found[name] = index.execute("select word, n from words order by word").fetchall()
        elif name.endswith(".json"):
            found[name] = json.loads(store.get(f"{path}/{name}"))
    return {part: digest_bytes(canonical_json(_rounded(value, digits or 0)))[:16] for part, value in found.items()}


def _rounded(value: object, digits: int) -> object:
    """Write floats with so many significant digits that no platform's last bits show; with 0, only that it is one."""
    if isinstance(value, float):
        if not digits:
            return "number"
        return "0" if abs(value) < 10.0 ** -(digits + 2) else f"{value:.{digits}g}"
    if isinstance(value, Mapping):
        return {name: _rounded(inner, digits) for name, inner in value.items()}
    return [_rounded(inner, digits) for inner in value] if isinstance(value, list | tuple) else value


def load() -> dict[str, Output]:
    """Return what is recorded."""
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return {name: Output(one["version"], one["content"]) for name, one in record.items()}


def verdict(name: str, recorded: Output | None, found: Output) -> str:
    """Return what is wrong with what a step made and what to do, or nothing."""
    if recorded is None:
        return f"Step '{name}' is new. Record what it makes: {_HOW}"
    if found.version < recorded.version:
        return f"Step '{name}' has version {found.version} and had {recorded.version} before: versions only rise."
    if found.version > recorded.version:
        return f"Step '{name}' has version {found.version} now. Record what it makes: {_HOW}"
    names = recorded.content.keys() | found.content.keys()
    changed = sorted(part for part in names if recorded.content.get(part) != found.content.get(part))
    if not changed:
        return ""
    return (
        f"The output of step '{name}' changed in {', '.join(changed)}, and its version is still {found.version}: "
        "artifacts that users have would pass for the new ones. If the change is meant, raise the version of the "
        "analysis or step (segments, documents and tokens have that of each importer, so raise those of all "
        f"importers), and record what it makes now: {_HOW}"
    )


def main() -> int:
    """Record today's outputs where versions allow it."""
    recorded, found = load(), outputs()
    wrong = [
        verdict(name, recorded[name], output)
        for name, output in found.items()
        if name in recorded and output.version <= recorded[name].version
    ]
    if any(wrong):
        sys.stderr.write("\n".join(filter(None, wrong)) + "\n")
        return 1
    record = {name: {"version": one.version, "content": dict(one.content)} for name, one in sorted(found.items())}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
