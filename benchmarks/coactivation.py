"""Measure the analysis 'coactivation' against SciPy's sparse products, interleaved in one run, answers compared.

    python benchmarks/coactivation.py                    a million rows of 32 of 24,576 features
    python benchmarks/coactivation.py --rows 50000       a quick look

SciPy multiplies the transposed matrix by itself: once with the values, for the sums of products, and once with ones,
for the counts. Every measure comes from these two. On its side, reading the rows and all that follows are left out; on
ours, reading the atlas, the choice of partners and the tables are in. Compilation is paid before.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from generate import N_FEATURES, K, write_source
from measure import command, machine
from scipy import sparse

import saeatlas
from saeatlas.analyses.coactivation import Coactivation
from saeatlas.testing.analysis_contract import compute_tables

SAEATLAS = Path(sys.executable).parent / "saeatlas"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=N_FEATURES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder for generated data, kept; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.data or Path(temporary)
        sys.stdout.write(report(open_sae(folder, options.rows, options.features), options.repeats))


def open_sae(folder: Path, n_rows: int, n_features: int) -> saeatlas.SAE:
    """Make or reuse an atlas of generated activations."""
    activations, metadata = write_source(folder / str(n_features), n_rows, n_features=n_features)
    atlas = folder / f"coactivation-{n_rows}-{n_features}.atlas"
    if not atlas.exists():
        facts = ["--sae", "s", "--atlas", atlas, "--profile", "fast", "--n-features", n_features]
        command([SAEATLAS, "import", "h5-topk", activations, "--metadata", metadata, *map(str, facts)])
    return saeatlas.open(atlas).sae()


def matrix(sae: saeatlas.SAE) -> sparse.csr_matrix:
    """All active entries as SciPy wants them."""
    indptr, features, values = sae.activations.rows(0, sae.n_rows)
    found = sparse.csr_matrix(
        (values.astype(np.float64), features.astype(np.int32), indptr), (sae.n_rows, sae.n_features)
    )
    found.data[found.data <= 0] = 0
    found.eliminate_zeros()
    return found


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, seconds of processors, answer."""
    start, busy = time.perf_counter(), time.process_time()
    answer = call()
    return time.perf_counter() - start, time.process_time() - busy, answer


def report(sae: saeatlas.SAE, repeats: int) -> str:
    values = matrix(sae)
    ones = values.copy()
    ones.data[:] = 1.0
    ways: dict[str, Callable[[], Any]] = {
        "saeatlas, the whole analysis": lambda: compute_tables(Coactivation(), sae),
        "SciPy `X.T @ X`, sums of products": lambda: values.T @ values,
        "SciPy `X.T @ X`, counts": lambda: ones.T @ ones,
    }
    compute_tables(Coactivation(), sae)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeats):
        answers = []
        for name, call in ways.items():
            clock, busy, answer = timed(call)
            seconds[name].append((clock, busy))
            answers.append(answer)
        check(answers[0], answers[1].tocsr(), answers[2].tocsr(), sae.n_rows)
    medians = {name: tuple(np.median(taken, axis=0).tolist()) for name, taken in seconds.items()}
    return table(sae, medians, int(answers[2].sum() - answers[2].diagonal().sum()) // 2)


def check(tables: dict[str, pa.Table], dots: sparse.csr_matrix, counts: sparse.csr_matrix, n_rows: int) -> None:
    """Stop when the answers differ: in the partners of any feature, or in a line of 200 of them."""
    partners = np.diff(counts.indptr) - (counts.diagonal() > 0)
    if not np.array_equal(partners, np.asarray(tables["features"]["n_partners"])):
        raise SystemExit("the numbers of partners differ")
    mean, std = (np.asarray(tables["features"][name]) for name in ("mean", "std"))
    feature, partner, count, pearson = (
        np.asarray(tables["data"][name]) for name in ("feature", "partner", "count", "pearson")
    )
    for one in np.random.default_rng(0).choice(np.unique(feature), 200):
        lines = feature == one
        others = partner[lines]
        theirs = counts[[one]].toarray()[0, others], dots[[one]].toarray()[0, others]
        r = (theirs[1] / n_rows - mean[one] * mean[others]) / (std[one] * std[others])
        if not (np.array_equal(count[lines], theirs[0]) and np.allclose(pearson[lines], r, atol=1e-9)):
            raise SystemExit(f"the partners of feature {one} differ")


def table(sae: saeatlas.SAE, seconds: dict[str, tuple[float, float]], n_pairs: int) -> str:
    ours, *theirs = seconds.values()
    clock, busy = (sum(taken[i] for taken in theirs) for i in (0, 1))
    lines = [
        f"# Coactivation: {sae.n_rows:,} rows × {K} of {sae.n_features:,} features, {n_pairs:,} pairs in rows\n",
        f"Machine: {machine()}. saeatlas {saeatlas.__version__}. Medians; the ways take turns in one process.",
        f"Peak memory of all together: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB.\n",
        "| way | clock | processors |",
        "|---|---|---|",
        *(f"| {name} | {taken[0]:.2f} s | {taken[1]:.2f} s |" for name, taken in seconds.items()),
        f"| **both of SciPy's products, ours = 1** | **{clock / ours[0]:.1f} ×** | **{busy / ours[1]:.1f} ×** |",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
