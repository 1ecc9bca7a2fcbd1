"""What docs/format.md says can be checked by someone who has read nothing else: json, zarr and arithmetic."""

from __future__ import annotations

import hashlib
import json
import struct
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

ATLASES = sorted(Path(__file__).parent.glob("format_*/atlas"))
DOCUMENTS = [p for a in ATLASES for p in (a / "atlas.json", *a.glob("commits/*.json"), *a.rglob("artifact.json"))]
SEALS = [path for path in DOCUMENTS if path.name == "artifact.json"]
SEGMENTS = [path.parent for path in SEALS if json.loads(path.read_bytes())["encoding-type"] == "segment"]
MASK = (1 << 64) - 1
# zarr-python says so of every pcodec array; other readers of zarr v3 may not have the codec.
pytestmark = pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr")


def short(path: Path) -> str:
    return "/".join(path.parts[-2:])


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def fingerprint(row: int, feature: int, value: float) -> int:
    (bits,) = struct.unpack("<Q", struct.pack("<d", value + 0.0))
    low = mix(mix(mix(row + 0x9E3779B97F4A7C15 & MASK) + feature & MASK) ^ bits)
    high = mix(mix(mix(row + 0xD1B54A32D192ED03 & MASK) + feature + 0xA0761D6478BD642F & MASK) ^ bits)
    return (high << 64) + low


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@cache
def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "artifact.json").read_bytes())["attributes"]
    return found


@cache
def entries(folder: Path) -> dict[int, list[tuple[int, float]]]:
    """Feature to its local rows and values."""
    group = zarr.open_group(folder, mode="r")
    bounds, rows, values = (group[f"feature/{name}"][:].tolist() for name in ("indptr", "row", "value"))
    return {f: list(zip(rows[a:b], values[a:b], strict=True)) for f, (a, b) in enumerate(pairwise(bounds))}


@pytest.mark.parametrize("path", DOCUMENTS, ids=short)
def test_checksum_covers_every_byte(path: Path) -> None:
    data = path.read_bytes()
    checksum = json.loads(data)["checksum"]
    assert digest(data.replace(checksum.encode(), b"0" * 64)) == checksum


@pytest.mark.parametrize("path", SEALS, ids=short)
def test_key_and_digest_are_what_is_said_to_be_hashed(path: Path) -> None:
    seal = json.loads(path.read_bytes())
    recipe = {name: seal[name] for name in ("step", "params", "inputs")} | {"version": seal["step-version"]}
    assert digest(canonical(recipe)) == seal["key"]
    assert digest(canonical([[f["path"], f["size"], f["sha256"]] for f in seal["files"]])) == seal["digest"]
    assert path.parent.name == f"{seal['step']}-{seal['key'][:16]}"
    assert seal["content"] == (seal["attributes"]["fingerprint"] if path.parent in SEGMENTS else seal["digest"])
    assert seal["files"] == sorted(seal["files"], key=lambda file: file["path"])


@pytest.mark.parametrize("folder", SEGMENTS, ids=short)
def test_fingerprint_is_the_sum_of_the_entries(folder: Path) -> None:
    first = facts(folder)["first_row"]
    total = sum(fingerprint(first + row, f, value) for f, of in entries(folder).items() for row, value in of)
    assert f"{total % (1 << 128):032x}" == facts(folder)["fingerprint"]


@pytest.mark.parametrize("folder", SEGMENTS, ids=short)
def test_summary_and_strongest_follow_from_the_entries(folder: Path) -> None:
    group = zarr.open_group(folder, mode="r")
    summary = {name: group[f"summary/{name}"][:] for name in ("count", "active", "sum", "sum_squares", "max")}
    bounds, top_rows, top_values = (group[f"top/{name}"][:].tolist() for name in ("indptr", "row", "value"))
    assert len(bounds) == facts(folder)["n_features"] + 1
    for feature, of in entries(folder).items():
        active = [value for _, value in of if value > 0]
        assert (summary["count"][feature], summary["active"][feature]) == (len(of), len(active))
        # Added one after the other by ascending row.
        total = squares = 0.0
        for value in active:
            total, squares = total + value, squares + value * value
        assert (summary["sum"][feature], summary["sum_squares"][feature]) == (total, squares)
        largest = max((value for _, value in of), default=np.nan)
        np.testing.assert_array_equal(summary["max"][feature], largest)
        part = slice(bounds[feature], bounds[feature + 1])
        strongest = sorted(of, key=lambda entry: (-entry[1], entry[0]))[:64]
        assert list(zip(top_rows[part], top_values[part], strict=True)) == strongest


@pytest.mark.parametrize("folder", SEGMENTS, ids=short)
def test_attributes_follow_from_the_entries(folder: Path) -> None:
    said, values = facts(folder), [value for of in entries(folder).values() for _, value in of]
    assert said["n_listed"] == len(values)
    assert said["n_active"] == sum(value > 0 for value in values)
    assert (said["min"], said["max"]) == (min(values, default=None), max(values, default=None))
    wanted = next(t for t in ("float16", "float32", "float64") if (np.array(values).astype(t) == values).all())
    assert said["value_dtype"] == wanted
    group = zarr.open_group(folder, mode="r")
    assert group["feature/value"].dtype == group["row/value"].dtype == group["top/value"].dtype == wanted
    assert ("indptr" in group["row"]) == (said["k"] is None)
    assert group["row/feature"].ndim == 1


@pytest.mark.parametrize("folder", [f for f in SEGMENTS if facts(f)["profile"] == "fast"], ids=short)
def test_uncompressed_array_is_its_elements_and_an_index(folder: Path) -> None:
    rows = [row for of in entries(folder).values() for row, _ in of]
    data = (folder / "feature" / "row" / "c" / "0").read_bytes()
    assert np.frombuffer(data, "<u4", len(rows)).tolist() == rows
    index, checksum = data[4 * len(rows) : -4], data[-4:]
    assert struct.unpack("<QQ", index) == (0, 4 * len(rows))
    assert int.from_bytes(checksum, "little") == crc32c(index)


@pytest.mark.parametrize("folder", [f for f in SEGMENTS if not facts(f)["n_listed"]], ids=short)
def test_array_without_rows_has_no_shard(folder: Path) -> None:
    assert not (folder / "feature" / "row" / "c").exists()
    assert (folder / "feature" / "indptr" / "c" / "0").exists()


@pytest.mark.parametrize("atlas", ATLASES, ids=short)
def test_content_of_all_activations_is_what_analyses_were_made_from(atlas: Path) -> None:
    checked = 0
    for path in atlas.rglob("artifact.json"):
        seal = json.loads(path.read_bytes())
        if seal["encoding-type"] != "table":
            continue
        own = [facts(folder) for folder in SEGMENTS if folder.is_relative_to(atlas)]
        own = [said for said in own if said["sae"] == seal["attributes"]["sae"]]
        total = sum(int(said["fingerprint"], 16) for said in own) % (1 << 128)
        n_features = max(*(said["n_features"] for said in own), own[0]["identity"]["width"] or 0)
        n_rows = sum(said["n_rows"] for said in own)
        assert seal["inputs"]["activations"] == f"{total:032x}-{n_rows}-{n_features}"
        checked += 1
    assert checked >= 5


def test_there_is_something_to_check() -> None:
    assert len(SEGMENTS) >= 5
    assert {facts(folder)["profile"] for folder in SEGMENTS} == {"fast", "balanced", "compact"}
    assert [folder for folder in SEGMENTS if not facts(folder)["n_listed"]]
