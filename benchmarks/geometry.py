"""Measure neighbours against the bare matrix products, and maps against umap-learn alone; answers are compared.

    python benchmarks/geometry.py                                   16,384 features of 2,304 numbers, ten minutes
    python benchmarks/geometry.py --features 2048 --d 256 --repeats 1         a quick run

Directions are planted: groups within groups, as noisy as decoders are. Contenders take turns in one process after a
small run of each that compiles what is compiled. Writes a Markdown report to standard output and, with --out, to a
file.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from measure import machine

import saeatlas
from saeatlas.analyses.umap import Umap
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.kernels.map_quality import map_neighbors, ranks_of, recall, trustworthiness
from saeatlas.kernels.neighbors import Neighbors, nearest
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

BLOCK = 2048
K = (10, 25)
SOURCE_3 = {
    "n_neighbors": 40,
    "min_dist": 0.02,
    "metric": "cosine",
    "n_components": 3,
    "spread": 1.0,
    "repulsion_strength": 1.5,
    "random_state": 42,
    "n_jobs": -1,
    "low_memory": False,
}
Contenders = Mapping[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=16_384)
    parser.add_argument("--d", type=int, default=2_304)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["neighbors", "umap"], help="measure one of the two")
    parser.add_argument("--out", type=Path, help="write the report here too")
    options = parser.parse_args()
    rows = planted(options.features, options.d)
    parts = [
        f"# Geometry: {options.features:,} directions of {options.d:,} numbers\n",
        f"Machine: {machine()}. saeatlas {saeatlas.__version__}. Medians of {options.repeats}, in turns.\n",
    ]
    if options.only != "umap":
        parts.append(neighbors(rows, options.repeats))
    if options.only != "neighbors":
        parts.append(maps(rows, options.repeats))
    report = "\n".join(parts)
    sys.stdout.write(report)
    if options.out:
        options.out.write_text(report)


def planted(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Rows of length 1, float32: groups of uneven size within larger ones, each with its own noise."""
    random = np.random.default_rng(seed)
    n_groups = max(4, n // 55)
    around = random.normal(size=(max(2, n_groups // 10), d))
    centres = 0.6 * around[random.integers(0, len(around), n_groups)] + 0.8 * random.normal(size=(n_groups, d))
    group = random.choice(n_groups, n, p=random.dirichlet(np.ones(n_groups)))
    noise = random.uniform(1.0, 2.5, n_groups)[group][:, None]
    rows = centres[group] + noise * random.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def in_turns(contenders: Contenders, repeats: int) -> dict[str, tuple[float, object]]:
    """Median seconds of each contender, and its last answer."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    answers: dict[str, object] = {}
    for _ in range(repeats):
        for name, call in contenders.items():
            start = time.perf_counter()
            answers[name] = call()
            seconds[name].append(time.perf_counter() - start)
    return {name: (float(np.median(taken)), answers[name]) for name, taken in seconds.items()}


def neighbors(rows: np.ndarray, repeats: int) -> str:
    """Compare the exact search with the products that it needs, and with all of them."""
    n = len(rows)
    room = np.empty(BLOCK * BLOCK, np.float32)

    def product(i: int, j: int) -> None:
        one, other = rows[i : i + BLOCK], rows[j : j + BLOCK]
        np.dot(one, other.T, out=room[: len(one) * len(other)].reshape(len(one), len(other)))

    def half() -> None:
        for i in range(0, n, BLOCK):
            for j in range(i, n, BLOCK):
                product(i, j)

    def whole() -> None:
        for i in range(0, n, BLOCK):
            for j in range(0, n, BLOCK):
                product(i, j)

    def search(k: int) -> Neighbors:
        return nearest(lambda start, stop: rows[start:stop], n, k)

    search(K[0])
    contenders: dict[str, Callable[[], object]] = {"products above the diagonal": half, "all products": whole}
    contenders |= {f"neighbours, k = {k}": (lambda k=k: search(k)) for k in K}
    found = in_turns(contenders, repeats)
    base, everything = found["products above the diagonal"][0], found["all products"][0]
    lines = [
        "## Neighbours\n",
        "| | s | of the speed of the products it needs | of all products |",
        "|---|---|---|---|",
        *(f"| {name} | {s:.2f} | {base / s:.0%} | {everything / s:.0%} |" for name, (s, _) in found.items()),
    ]
    for k in K:
        answer = found[f"neighbours, k = {k}"][1]
        assert isinstance(answer, Neighbors)
        lines.append(f"\nk = {k}: {check(rows, answer, k)}")
    return "\n".join([*lines, ""])


def check(rows: np.ndarray, answer: Neighbors, k: int) -> str:
    """Compare the answer for some features with a sort of all cosines in float64."""
    wide = rows.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    probes = np.random.default_rng(1).choice(len(rows), min(200, len(rows)), replace=False)
    same, error = 0, 0.0
    for row in probes:
        cosine = wide @ wide[row]
        cosine[row] = -np.inf
        want = np.argsort(-cosine, kind="stable")[:k]
        span = slice(*answer.indptr[row : row + 2])
        same += int(np.array_equal(answer.ids[span], want))
        error = max(error, float(np.abs(answer.cosines[span] - cosine[answer.ids[span]]).max()))
    return (
        f"{same} of {probes.size} features have the neighbours of a full sort in float64; cosines within {error:.0e}."
    )


def maps(rows: np.ndarray, repeats: int) -> str:
    """Compare the analysis, with its quality measured, with source 3's call of umap-learn for three dimensions."""
    with warnings.catch_warnings():
        # It says that TensorFlow is missing, and that it ignores n_jobs because of the seed.
        warnings.simplefilter("ignore")
        import umap

        sae = sae_of(rows)
        contenders: dict[str, Callable[[], object]] = {
            "umap-learn, 3-D": lambda: umap.UMAP(**SOURCE_3).fit_transform(rows),
            "3-D, quality on 2,000 features": lambda: Umap(dimensions="3").compute(sae, SILENT),
            "2-D and 3-D, quality on 2,000 features": lambda: Umap().compute(sae, SILENT),
            "2-D and 3-D, quality of all features": lambda: Umap(quality_sample=0).compute(sae, SILENT),
        }
        small = rows[:600]
        umap.UMAP(**SOURCE_3).fit_transform(small)
        umap.UMAP(**SOURCE_3, force_approximation_algorithm=True).fit_transform(small)
        Umap().compute(sae_of(small), SILENT)
        found = in_turns(contenders, repeats)
    base = found["umap-learn, 3-D"][0]
    lines = ["## Maps\n", "| | s | times as fast | trustworthiness, recall (k = 15; 40) |", "|---|---|---|---|"]
    for name, (seconds, answer) in found.items():
        lines.append(f"| {name} | {seconds:.1f} | {base / seconds:.1f} | {faithfulness(rows, answer)} |")
    return "\n".join([*lines, ""])


def faithfulness(rows: np.ndarray, answer: object) -> str:
    """Measure the map in three dimensions, whoever drew it, in the same way."""
    if isinstance(answer, dict):
        answer = np.column_stack([answer["data"][name].to_numpy() for name in ("x3", "y3", "z3")])
    ids = np.arange(len(rows))
    near = map_neighbors(np.asarray(answer, np.float64), ids, 40)
    ranks = ranks_of(ids, near, lambda start, stop: rows[start:stop], len(rows))
    parts = [ranks[:, :k] for k in (15, 40)]
    return "; ".join(f"{trustworthiness(part, len(rows) - 1).mean():.4f}, {recall(part).mean():.4f}" for part in parts)


def sae_of(rows: np.ndarray) -> SAE:
    """An SAE with these decoder rows, in memory."""
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="planted", data=SaeParts(arrays={"decoder": rows})))
    return Atlas(store, head(store)).sae()


if __name__ == "__main__":
    main()
