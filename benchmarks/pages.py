"""Measure the server and the pages: one run, answers counted, times as ratios where a ratio was aimed at.

    python benchmarks/pages.py                                        10 million rows, 131,072 features, some minutes
    python benchmarks/pages.py --rows 200000 --features 4096 --seconds 5     a quick look

Writes a Markdown report to standard output and, with --out, to a file. The server is a process of its own, asked over
loopback; the load comes from another process. With --data the atlases are kept and used again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from browser import Timed, measure_pages
from generate import document_lengths, write_source
from load import ARROW, Direct
from measure import machine, resident
from wide import SAE, write_wide

import saeatlas
from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.settings import Settings

BIN = Path(sys.executable).parent
STAGES = ("stats.n_active", "stats.max", "stats.mean", "stats.std", "stats.skewness")
TWELVE = (
    "stats.n_active", "stats.density", "stats.sum", "stats.mean", "stats.std", "stats.min", "stats.median",
    "stats.max", "stats.skewness", "stats.kurtosis", "weights.decoder_norm", "token-profile.entropy",
)  # fmt: skip
REPEATS = 21


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    port: int
    pid: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(atlas: Path, port: int) -> Iterator[Served]:
    """Run `saeatlas serve` for the length of a block."""
    command = [BIN / "saeatlas", "serve", "--atlas", atlas, "--port", port]
    with subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Serving" in line:
                break
        try:
            yield Served(port, process.pid)
        finally:
            process.terminate()
            process.communicate()


def tall(folder: Path, n_rows: int) -> Path:
    """Make an atlas of many rows with tokens, unless it is there."""
    path = folder / f"tall-{n_rows}.atlas"
    if path.exists():
        return path
    activations, metadata = write_source(folder, n_rows)
    tokens = folder / f"tokens-{n_rows}.parquet"
    lengths = document_lengths(n_rows, 0)
    random = np.random.default_rng(1)
    share = 1 / np.arange(1, 5001) ** 0.9
    ids = random.choice(5000, n_rows, p=share / share.sum())
    documents = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(lengths.size, dtype=np.int32), lengths)),
        pa.array([f"document-{i:010d}" for i in range(lengths.size)]),
    )
    positions = np.arange(n_rows) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    strings = pa.DictionaryArray.from_arrays(pa.array(ids.astype(np.int32)), pa.array([f" w{i}" for i in range(5000)]))
    pq.write_table(pa.table({"document": documents, "position": positions, "id": ids, "string": strings}), tokens)
    partial = path.with_suffix(".partial")
    command = ["import", "h5-topk", activations, "--metadata", metadata, "--tokens", tokens]
    subprocess.run(
        [str(part) for part in (BIN / "saeatlas", *command, "--sae", "tall", "--atlas", partial)], check=True
    )
    settings = Settings(memory_budget=6_000_000_000)
    things = (Stats(), Histogram(), Examples(), TopTokens(), MetadataAssociation())
    saeatlas.build(saeatlas.open(partial), *things, settings=settings)
    partial.rename(path)
    return path


def wide(folder: Path, n_features: int) -> Path:
    """Make the atlas of many features, unless it is there."""
    path = folder / f"wide-{n_features}.atlas"
    if not path.exists():
        write_wide(path.with_suffix(".partial"), n_features, max(20_000, 3 * n_features))
        path.with_suffix(".partial").rename(path)
    return path


def many_rows(atlas: Path, port: int) -> list[Timed]:
    """Activations against a ping, and the data of a feature page."""
    counts = saeatlas.open(atlas).sae().activations.counts
    n_rows = saeatlas.open(atlas).sae().n_rows
    large = int(np.argmin(np.abs(counts - min(500_000, n_rows // 20))))
    some = [int(f) for f in np.random.default_rng(3).integers(0, counts.size, 40)]
    with serve(atlas, port) as served:
        http = Direct("127.0.0.1", served.port)
        root = "/api/v1/saes/tall/features"
        taken: dict[str, list[float]] = {"ping": [], "activations": []}
        size = 0
        for _ in range(REPEATS):
            taken["ping"].append(once(http, "/api/v1/health")[0])
            seconds, size = once(http, f"{root}/{large}/activations", ARROW)
            taken["activations"].append(seconds)
        ping, answer = (float(np.median(taken[name])) for name in ("ping", "activations"))
        pages = [once(http, f"{root}/{feature}")[0] for feature in some]
        pages_again = [once(http, f"{root}/{feature}")[0] for feature in some]
        frequent = [once(http, f"{root}/{feature}")[0] for feature in (large, int(np.argmax(counts))) for _ in range(5)]
        http.close()
    return [
        Timed("ping", milli(ping), "–"),
        Timed(
            f"{counts[large]:,} activations as Arrow, {size / 1e6:.1f} MB",
            f"{milli(answer)} = {answer / ping:.1f} × ping",
            "≤ 10 × ping",
        ),
        Timed(f"data of a feature page, {n_rows:,} rows, 40 features for the first time", spread(pages), "≤ 20 ms"),
        Timed("the same 40 again", spread(pages_again), "≤ 20 ms"),
        Timed(f"two frequent features, of {counts[large]:,} and {counts.max():,} rows", spread(frequent), "≤ 20 ms"),
    ]


def many_features(served: Served) -> list[Timed]:
    """The table of features, and groups within groups."""
    http = Direct("127.0.0.1", served.port)
    root = f"/api/v1/saes/{SAE}"
    table = f"{root}/features?columns={','.join(TWELVE)}"
    stages = [{"metric": metric, "thresholds": [2, 20]} for metric in STAGES]
    body = json.dumps({"stages": stages, "with_features": False}).encode()
    with_ids = json.dumps({"stages": stages}).encode()
    first = once(http, table, ARROW)[0]
    tables = [once(http, table, ARROW) for _ in range(REPEATS)]
    counts = [once(http, f"{root}/groups", body=body)[0] for _ in range(REPEATS)]
    ids = [once(http, f"{root}/groups", body=with_ids)[0] for _ in range(REPEATS)]
    http.close()
    return [
        Timed(f"table × {len(TWELVE)} columns as Arrow, {tables[0][1] / 1e6:.1f} MB, first", milli(first), "–"),
        Timed("the same again", spread([seconds for seconds, _ in tables]), "≤ 100 ms"),
        Timed("groups of 5 stages, counts", spread(counts), "≤ 100 ms"),
        Timed("groups of 5 stages, with ids", spread(ids), "≤ 100 ms"),
    ]


def under_load(served: Served, n_features: int, clients: int, seconds: float) -> list[Timed]:
    """Many clients over random features, and what the server holds before and after."""
    path = f"/api/v1/saes/{SAE}/features/{{id}}"
    command = [sys.executable, Path(__file__).parent / "load.py", "127.0.0.1", served.port, path, "--ids", n_features]
    found, memory = {}, []
    # The first round fills caches, which have a size; the second shows whether anything else grows.
    for share in (0.25, 0.5, 1.0):
        options = ["--clients", clients, "--seconds", seconds * share]
        done = subprocess.run([str(part) for part in (*command, *options)], check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        memory.append(resident(served.pid) / 1e6)
    errors = found["n"] - found["statuses"].get("200", 0)
    ratio = found["p99"] / found["p50"]
    return [
        Timed(f"{clients} clients, {seconds:.0f} s: answers, of them errors", f"{found['n']:,}, {errors}", "0 errors"),
        Timed("answers a second", f"{found['per_second']:,.0f}", "–"),
        Timed("p50, p99", f"{milli(found['p50'])}, {milli(found['p99'])} = {ratio:.1f} × p50", "p99 ≤ 50 × p50"),
        Timed("memory after each of three rounds", " → ".join(f"{one:,.0f} MB" for one in memory), "flat"),
    ]


def once(http: Direct, path: str, accept: str = "application/json", body: bytes | None = None) -> tuple[float, int]:
    """Return seconds and bytes of one answer."""
    start = time.perf_counter()
    answer = http.get(path, accept, body)
    return time.perf_counter() - start, len(answer)


def milli(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def spread(seconds: list[float]) -> str:
    return f"{milli(float(np.median(seconds)))} (most {milli(max(seconds))})"


def table(title: str, lines: list[Timed]) -> str:
    rows = [
        "| what | found | goal |",
        "|---|---|---|",
        *(f"| {one.what} | {one.found} | {one.goal} |" for one in lines),
    ]
    return f"### {title}\n\n" + "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--features", type=int, default=131_072)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--port", type=int, default=8811)
    parser.add_argument("--only", choices=["server", "pages"], help="leave out the other half")
    parser.add_argument("--data", type=Path, help="folder for generated data, kept; default: a temporary one")
    parser.add_argument("--out", type=Path, help="write the report here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report = run(options, options.data or Path(temporary))
    sys.stdout.write(report)
    if options.out:
        options.out.write_text(report)


def run(options: argparse.Namespace, folder: Path) -> str:
    """Make what is missing, measure, and return the report."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [f"Machine: {machine()}. saeatlas {saeatlas.__version__}. Medians.\n"]
    if options.only != "pages":
        parts.append(table("Many rows", many_rows(tall(folder, options.rows), options.port)))
    atlas = wide(folder, options.features)
    with serve(atlas, options.port) as served:
        if options.only != "pages":
            parts.append(table(f"{options.features:,} features", many_features(served)))
        if options.only != "server":
            parts.append(table("Pages, Chromium, WebGL in software", measure_pages(served.address, SAE)))
        if options.only != "pages":
            load = under_load(served, options.features, options.clients, options.seconds)
            parts.append(table("Load on the feature page's data", load))
    return "\n".join(parts)


if __name__ == "__main__":
    main()
