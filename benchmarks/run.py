"""Measure saeatlas against other ways to do the same job, interleaved in one run, with the answers compared.

    make bench                                          one million rows, a few minutes
    python benchmarks/run.py --rows 10000000            the run that the documentation reports

Writes a Markdown report to standard output and, with --out, to a file. Nothing here is a test: times vary between
machines, ratios within one run do not vary much.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ingest
import numpy as np
import rivals
from generate import N_FEATURES, K, write_source
from measure import command, drop_cache, interleave, machine, size_of

import saeatlas

SAEATLAS = Path(sys.executable).parent / "saeatlas"
SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "500k": 500_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, help="folder for generated data, kept; default: a temporary one")
    parser.add_argument("--out", type=Path, help="write the report here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report = run(options.rows, options.data or Path(temporary))
    sys.stdout.write(report)
    if options.out:
        options.out.write_text(report)


def run(n_rows: int, data: Path) -> str:
    """Make or reuse the data, measure everything, and return the report."""
    activations, metadata = write_source(data, n_rows)
    parts = [
        f"# Benchmark: {n_rows:,} rows × {K} of {N_FEATURES:,} features ({n_rows * K:,} non-zeros)\n",
        f"Machine: {machine()}. saeatlas {saeatlas.__version__}. Medians; contenders take turns in one process.\n",
        ingest.report(SAEATLAS, activations, metadata, data / "work", n_rows * K),
    ]
    atlas = saeatlas.open(data / "work" / "fast.atlas")
    merged = saeatlas.open(data / "work" / "merged.atlas")
    packed = saeatlas.open(data / "work" / "balanced.atlas")
    counts = atlas.sae().activations.counts
    folder = raw_arrays(data / f"raw-{n_rows}", counts, merged.sae().activations.feature)
    probes = choose(counts)
    parts.append(cold(probes, rivals.RawPread(folder), merged, packed, data / "work"))
    raw = rivals.RawMmap(folder)
    parts += [
        features(probes, raw, {"fast, as imported": atlas, "fast, merged": merged, "balanced, merged": packed}, n_rows),
        against_others(probes, raw, merged, activations, data / "rivals", n_rows),
        around(probes, merged),
        start_up(data / "work" / "merged.atlas", probes),
        ingest.transposition(activations),
    ]
    shutil.rmtree(data / "rivals", ignore_errors=True)
    return "\n".join(parts)


def choose(counts: np.ndarray) -> dict[str, list[int]]:
    """For each size, the features whose number of non-zeros is nearest; sizes beyond the largest are left out."""
    probes = {}
    for name, size in SIZES.items():
        nearest = np.argsort(np.abs(np.log((counts + 1) / size)))[:6]
        if counts[nearest[0]] > size / 2:
            probes[name] = [int(f) for f in nearest]
    return probes


def raw_arrays(folder: Path, counts: np.ndarray, read: rivals.Read) -> Path:
    if not (folder / "indptr.npy").exists():
        rivals.write_raw(folder, counts, ((f, read(f)) for f in range(counts.size)))
    return folder


def same(left: rivals.Answer, right: rivals.Answer) -> None:
    """Stop the benchmark when two contenders do not give the same answer."""
    if not (np.array_equal(left[0], right[0]) and np.allclose(left[1], right[1])):
        raise SystemExit("two contenders give different answers")


def table(title: str, header: list[str], lines: Iterator[list[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def micro(seconds: float) -> str:
    return (
        f"{seconds * 1e6:,.1f} µs"
        if seconds < 1e-3
        else f"{seconds * 1e3:,.1f} ms"
        if seconds < 1
        else f"{seconds:,.1f} s"
    )


def features(probes: dict[str, list[int]], raw: rivals.RawMmap, atlases: dict[str, saeatlas.Atlas], n_rows: int) -> str:
    """Warm reads against copies from memory-mapped arrays."""
    reads = {name: a.sae().activations for name, a in atlases.items()}
    rng = np.random.default_rng(1)
    some = [int(f) for f in rng.choice(N_FEATURES, 50, replace=False)]
    flat_features, flat_values = row_arrays(reads["fast, merged"], n_rows)

    def lines() -> Iterator[list[str]]:
        for name, chosen in probes.items():
            for activations in reads.values():
                same(raw.feature(chosen[0]), activations.feature(chosen[0]))
            calls: dict[str, Callable[[int], object]] = {"raw": raw.feature, **{n: a.feature for n, a in reads.items()}}
            yield line(f"feature of {name}", interleave(calls, chosen, 41 if name != "500k" else 15))
        fifty = {
            "raw": lambda _: [raw.feature(f) for f in some],
            **{n: (lambda _, a=a: [a.feature(f) for f in some]) for n, a in reads.items()},
        }
        yield line("50 random features", interleave(fifty, [0], 41))
        for span in (128, 100_000):
            starts = [int(s) for s in rng.integers(0, n_rows - span, 6)]
            spans: dict[str, Callable[[int], object]] = {
                "raw": lambda s, n=span: (np.array(flat_features[s : s + n]), np.array(flat_values[s : s + n])),
                **{n: (lambda s, a=a, n=span: a.rows(s, s + n)) for n, a in reads.items()},
            }
            yield line(f"{span:,} tokens", interleave(spans, starts, 21))

    def line(name: str, timing: dict[str, float]) -> list[str]:
        base = timing["raw"]
        return [name, micro(base), *(f"{micro(timing[n])} ({timing[n] / base:.2f} ×)" for n in reads)]

    return table("Warm reads against raw mmap + copy", ["query", "raw", *reads], lines())


def row_arrays(activations: object, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Row-major arrays [n_rows, K] as memory maps in temporary files: the floor for reading tokens."""
    folder = Path(tempfile.mkdtemp())
    ids = np.lib.format.open_memmap(folder / "ids.npy", "w+", np.uint16, (n_rows, K))
    values = np.lib.format.open_memmap(folder / "values.npy", "w+", np.float32, (n_rows, K))
    for start in range(0, n_rows, 1 << 18):
        _, features_, values_ = activations.rows(start, min(start + (1 << 18), n_rows))  # type: ignore[attr-defined]
        ids[start : start + (1 << 18)] = features_.reshape(-1, K)
        values[start : start + (1 << 18)] = values_.reshape(-1, K)
    maps = np.load(folder / "ids.npy", mmap_mode="r"), np.load(folder / "values.npy", mmap_mode="r")
    shutil.rmtree(folder)  # The maps stay readable; the space is given back when the process ends.
    return maps


def cold(
    probes: dict[str, list[int]], raw: rivals.RawPread, merged: saeatlas.Atlas, packed: saeatlas.Atlas, work: Path
) -> str:
    """Reads after the system was asked to forget the files, against one positioned read per array."""
    reads = {"fast": merged.sae().activations, "balanced": packed.sae().activations}
    places = {"fast": work / "merged.atlas", "balanced": work / "balanced.atlas"}

    files = {
        "raw": raw.files,
        **{name: list(place.glob("artifacts/*/*/feature/*/c/0")) for name, place in places.items()},
    }
    calls: dict[str, Callable[[int], object]] = {"raw": raw.feature, **{n: a.feature for n, a in reads.items()}}
    other = int(np.flatnonzero(np.diff(raw.indptr))[-1])

    def lines() -> Iterator[list[str]]:
        for name, chosen in probes.items():
            taken: dict[str, list[float]] = {contender: [] for contender in calls}
            for feature in chosen * 5:
                for contender, call in calls.items():
                    for file in files[contender]:
                        drop_cache(file)
                    call(other)  # The code and the directory entries are warm, the bytes that are asked for are not.
                    taken[contender].append(once(call, feature))
            medians = {contender: float(np.median(seconds)) for contender, seconds in taken.items()}
            base = medians.pop("raw")
            yield [name, micro(base), *(f"{micro(m)} ({m / base:.2f} ×)" for m in medians.values())]

    return table("Cold reads against raw pread", ["feature of", "raw", *reads], lines())


def once(call: Callable[[int], object], item: int) -> float:
    start = time.perf_counter()
    call(item)
    return time.perf_counter() - start


def against_others(
    probes: dict[str, list[int]], raw: rivals.RawMmap, merged: saeatlas.Atlas, source: Path, folder: Path, n_rows: int
) -> str:
    """How many times longer other layouts take for the same answer."""
    ours = merged.sae().activations.feature
    chosen = [f for group in probes.values() for f in group[:2]]
    loop_rows = min(n_rows, 50_000)
    readers = {
        "NumPy scan of the HDF5 file": rivals.scan_hdf5(source),
        "dense Zarr [feature, row]": rivals.dense_zarr(folder / "dense.zarr", chosen, n_rows, ours),
        "two .npy files per feature": rivals.feature_files(folder / "files", chosen, ours),
        "CSC .h5ad through anndata": rivals.csc_h5ad(folder / "csc.h5ad", raw, n_rows),
    }
    loop = rivals.loop_hdf5(source, loop_rows)

    def lines() -> Iterator[list[str]]:
        for name, group in probes.items():
            pair = group[:2]
            for read in readers.values():
                same(ours(pair[0]), read(pair[0]))
            base = interleave({"ours": ours}, pair, 31)["ours"]
            quick = interleave({n: r for n, r in readers.items() if "scan" not in n}, pair, 5)
            scan = min(once(readers["NumPy scan of the HDF5 file"], f) for f in pair)
            loop_seconds = once(loop, pair[0]) * n_rows / loop_rows
            times = {"NumPy scan of the HDF5 file": scan, **quick, "per-token loop*": loop_seconds}
            yield [name, micro(base), *(f"{micro(s)} ({s / base:,.0f} ×)" for s in times.values())]

    header = ["feature of", "saeatlas", *readers, "per-token loop*"]
    note = f"\\* measured over {loop_rows:,} rows, scaled to all rows.\n\nFiles: " + ", ".join(
        f"{p.name} {size_of(p) / 1e9:.2f} GB" for p in [source, folder / "csc.h5ad"] if p.exists()
    )
    return table("Against other ways to store activations (warm)", header, lines()) + f"\n{note}\n"


def around(probes: dict[str, list[int]], merged: saeatlas.Atlas) -> str:
    """Rows to documents: a linear merge against a search and a count."""
    from saeatlas.kernels.documents import per_run

    sae = merged.sae()
    largest = list(probes.values())[-1]
    documents = sae.corpus.documents
    n_documents = documents.n_documents
    of_row = documents.row_documents(0, sae.n_rows)
    found = {feature: sae.activations.feature(feature) for feature in largest}

    def ours(feature: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, values = found[feature]
        sums = per_run(documents.runs.first_row, documents.runs.document, rows, values)
        return sums.documents, sums.count, sums.sum

    def gather(feature: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, values = found[feature]
        place = of_row[rows]
        count = np.bincount(place, minlength=n_documents)
        total = np.bincount(place, values, n_documents)
        np.maximum.reduceat(values, np.flatnonzero(np.diff(place, prepend=-1)))
        where = np.flatnonzero(count)
        return where, count[where], total[where]

    for one, other in zip(ours(largest[0]), gather(largest[0]), strict=True):
        if not np.allclose(one, other):
            raise SystemExit("two contenders give different answers")
    timing = interleave({"saeatlas": ours, "NumPy gather + bincount": gather}, largest, 21)
    base = timing["saeatlas"]
    lines = iter([[name, micro(seconds), f"{seconds / base:.1f} ×"] for name, seconds in timing.items()])
    size = f"{np.mean([found[f][0].size for f in largest]):,.0f}"
    return table(f"{size} activations to count, sum and maximum per document", ["way", "time", "ours = 1"], lines)


def start_up(atlas: Path, probes: dict[str, list[int]]) -> str:
    """A process of its own for one answer: Python alone, with NumPy, and the command."""
    feature = str(next(iter(probes.values()))[0])
    ways: dict[str, list[str | Path]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
        "saeatlas feature show --json": [SAEATLAS, "feature", "show", feature, "--atlas", atlas, "--json"],
    }
    seconds = {name: [command(arguments)[0] for _ in range(7)] for name, arguments in ways.items()}
    lines = iter([[name, f"{float(np.median(taken)):.2f} s"] for name, taken in seconds.items()])
    return table("A cold process that answers one question", ["process", "time"], lines)


if __name__ == "__main__":
    main()
