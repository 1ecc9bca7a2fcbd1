"""Import, verification, compaction and transposition, timed."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path

import duckdb
import h5py
import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from measure import command, size_of

from saeatlas.format.segment_stream import feature_ranges
from saeatlas.kernels.canonical_rows import CanonicalRows, canonical_rows
from saeatlas.kernels.transpose import Rows, transpose

__all__ = ["report", "transposition"]

BATCH = 65_536


def report(program: Path, activations: Path, metadata: Path, work: Path, n_listed: int) -> str:
    """Import as a user would, verify deeply, compact to every profile; leave the atlases for the reading benchmarks."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    fast = work / "fast.atlas"
    lines = []

    def step(name: str, *arguments: str | Path, of: Path) -> float:
        seconds, peak = command([program, *arguments, "--atlas", of])
        size = size_of(of / "artifacts") / n_listed
        lines.append(f"| {name} | {seconds:.1f} s | {n_listed / seconds / 1e6:.1f} | {peak:.2f} GB | {size:.2f} |")
        return seconds

    source = ("import", "h5-topk", activations, "--metadata", metadata, "--sae", "bench")
    first = step("import (HDF5 → both orientations)", *source, of=fast)
    second = step("verify --deep", "verify", "--deep", of=fast)
    total = n_listed / (first + second) / 1e6
    for profile in ("fast", "balanced", "compact"):
        atlas = work / ("merged.atlas" if profile == "fast" else f"{profile}.atlas")
        shutil.copytree(fast, atlas)
        seconds, peak = command([program, "compact", "--profile", profile, "--atlas", atlas])
        command([program, "gc", "--keep", "1", "--min-age", "0s", "--atlas", atlas])
        segments = [p for p in (atlas / "artifacts" / "bench").iterdir() if not p.name.startswith("identity")]
        size = sum(map(size_of, segments)) / n_listed
        lines.append(
            f"| compact to one segment, {profile} | {seconds:.1f} s | {n_listed / seconds / 1e6:.1f} "
            f"| {peak:.2f} GB | {size:.2f} |"
        )
    head = "## Ingest\n\n| work | time | million non-zeros a second | peak memory | bytes per non-zero |\n"
    head += "|---|---|---|---|---|\n"
    return head + "\n".join(lines) + f"\n\nHDF5 to a verified atlas: {total:.1f} million non-zeros a second.\n"


def transposition(activations: Path) -> str:
    """Row-major to feature-major in memory: ours, SciPy's tocsc, DuckDB's ORDER BY."""
    n = 1_000_000
    with h5py.File(activations) as file:
        index, value = file["z_idx"][:n], file["z_val"][:n]
    n, k = index.shape
    indptr = np.arange(0, n * k + 1, k, dtype=np.int64)
    rows = canonical_rows(index.ravel(), value.ravel(), indptr, empty_feature=-1)
    if not isinstance(rows, CanonicalRows):
        raise SystemExit(f"the source is not right: {rows}")
    features, values = rows.features.astype(np.uint16), rows.values
    n_features = int(features.max()) + 1
    parts = [
        Rows(
            start,
            indptr[: BATCH + 1][: n - start + 1],
            *(a[start * k : (start + BATCH) * k] for a in (features, values)),
        )
        for start in range(0, n, BATCH)
    ]
    cut = partial(feature_ranges, value_dtype=values.dtype)
    matrix = sp.csr_matrix((values, features.astype(np.int32), indptr), shape=(n, n_features))
    frame = pa.table({"f": features, "r": np.repeat(np.arange(n, dtype=np.uint32), k), "v": values})
    connection = duckdb.connect()
    connection.register("frame", frame)
    ways = {
        "saeatlas": lambda: sum(rows.size for _, rows, _ in transpose(parts, n_features, values.dtype, cut)),
        "scipy tocsc": matrix.tocsc,
        "DuckDB ORDER BY": lambda: connection.sql("select * from frame order by f, r").to_arrow_table(),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(4):
        for name, call in ways.items():
            if name.startswith("DuckDB") and turn > 1:
                continue
            start = time.perf_counter()
            call()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    base = float(np.median(seconds["saeatlas"]))
    lines = [f"| {n_} | {n * k / np.median(s) / 1e6:.1f} | {np.median(s) / base:.1f} × |" for n_, s in seconds.items()]
    head = "## Transposition (row-major → feature-major)\n\n| way | million non-zeros a second | time, ours = 1 |\n"
    return head + "|---|---|---|\n" + "\n".join(lines) + "\n"
