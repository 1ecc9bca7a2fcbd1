"""Measure the analyses of tokens against loops over tokens, interleaved in one run, with the answers compared.

    python benchmarks/tokens.py                                     100,000 rows, about a minute
    python benchmarks/tokens.py --rows 20000 --features 64          a quick look
    python benchmarks/tokens.py --rows 1000000 --sample 2           larger

The loops are plain Python as readers of such files are written: one after the other, every token is asked whether it
lists the feature; what is found is counted in dictionaries. They are spared reading files and tokenising texts again,
and look for a feature once for all their answers. saeatlas computes all features; the loops do a sample of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from generate import document_lengths, frequencies
from measure import machine

import saeatlas
from saeatlas.analyses.pagerank import PageRank
from saeatlas.analyses.token_profile import TokenProfile
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays

N_TOKENS = 5_000
WINDOW, TOP = 5, 500
SIZES = (2, 3, 4)
LEAST_ROWS = 50

Answer = dict[str, Any]
Job = tuple[Callable[[], Any], Callable[["Source", int], Answer], Callable[[Answer, int], Answer]]
"""Our analysis of all features, the loop for one, and what of our tables the loop answers."""


@dataclass(frozen=True)
class Source:
    """Activations as k slots per row, and the texts of documents as lists of tokens."""

    features: npt.NDArray[np.int64]
    """[rows, k]."""
    values: npt.NDArray[np.float32]
    """[rows, k]."""
    texts: list[list[str]]
    """Tokens of each document."""
    places: list[tuple[int, int]]
    """Document and position of each row."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=1024)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--sample", type=int, default=4, help="features that the loops do")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the report here too")
    options = parser.parse_args()
    source, sae = make(options.rows, options.features, options.k)
    counts = sae.activations.active_counts
    order = np.argsort(counts)[np.searchsorted(np.sort(counts), LEAST_ROWS) :]
    sample = order[np.linspace(0, order.size - 1, options.sample).astype(int)].tolist()
    fires = ", ".join(f"{int(counts[feature]):,}" for feature in sample)
    report = [
        f"### Tokens of {options.features:,} features on {options.rows:,} rows × {options.k}\n",
        f"Machine: {machine()}. saeatlas {saeatlas.__version__}. Medians of {options.repeats}.\n",
        f"The loops did features that fire on {fires} rows; their answers were equal to ours.\n",
        "| analysis | saeatlas, all features | a feature | loop, a feature | ours = 1 |",
        "|---|---|---|---|---|",
    ]
    jobs: dict[str, Job] = {
        "token-profile": (lambda: compute_tables(TokenProfile(min_contexts=1), sae), profile_loop, profile_of),
        "pagerank": (lambda: compute_tables(PageRank(), sae), pagerank_loop, pagerank_of),
    }
    for name, job in jobs.items():
        ours, theirs = measure(source, sample, options.repeats, job)
        each = ours / options.features
        report.append(f"| {name} | {ours:.2f} s | {1e3 * each:.2f} ms | {theirs:.2f} s | {theirs / each:,.0f} × |")
    text = "\n".join(report) + "\n"
    sys.stdout.write(text)
    if options.out:
        options.out.write_text(text)


def measure(source: Source, sample: Sequence[int], repeats: int, job: Job) -> tuple[float, float]:
    """Return the seconds of all features and those of the loop for one, taking turns; the answers must be equal."""
    all_features, loop, answer_of = job
    all_features()  # Compiles.
    ours, theirs = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        tables = all_features()
        ours.append(time.perf_counter() - start)
        lines = {name: table.to_pylist() for name, table in tables.items()}
        for feature in sample:
            start = time.perf_counter()
            expected = loop(source, feature)
            theirs.append(time.perf_counter() - start)
            compare(answer_of(lines, feature), expected, feature)
    return statistics.median(ours), statistics.median(theirs)


def compare(found: Answer, expected: Answer, feature: int) -> None:
    """Stop unless all that both answer is equal; of tokens, our tables keep the best only."""
    for name, numbers in expected.items():
        mine = found[name]
        wanted = set(mine) if name == "stability" else set(numbers)
        if not mine or set(mine) != wanted or not wanted <= set(numbers):
            raise SystemExit(f"feature {feature}: the answers to '{name}' are about other things")
        for key in wanted:
            if not np.allclose(mine[key], numbers[key], rtol=1e-5, atol=1e-9):
                raise SystemExit(f"feature {feature}: '{name}' of {key!r} is {mine[key]} here and {numbers[key]} there")


def make(n_rows: int, n_features: int, k: int) -> tuple[Source, SAE]:
    """Draw activations and tokens whose frequencies fall as in real ones, and import them into memory."""
    rng = np.random.default_rng(0)
    rates = frequencies(n_features, k)
    race = rng.exponential(size=(n_rows, n_features)) / rates
    features = np.argpartition(race, k - 1, axis=1)[:, :k]
    values = rng.lognormal(0.0, 0.75, features.shape).astype(np.float32)
    values[rng.random(values.shape) < 0.05] = 0.0
    lengths = document_lengths(n_rows, 0)
    documents = np.repeat(np.arange(lengths.size), lengths)
    shares = 1.0 / np.arange(1, N_TOKENS + 1)
    tokens = rng.choice(N_TOKENS, n_rows, p=shares / shares.sum())
    vocabulary = tuple(f" w{token}" for token in range(N_TOKENS))
    data = SparseArrays(
        features=features.ravel(),
        values=values.ravel(),
        indptr=np.arange(n_rows + 1) * k,
        documents=documents,
        ids=tuple(f"d{number}" for number in range(lengths.size)),
        tokens=tokens,
        vocabulary=vocabulary,
    )
    store = MemoryStore()
    create_atlas(store)
    import_source(
        store, ArraysImporter(sae="loops", corpus="words", data=data, n_features=n_features, batch_rows=65_536)
    )
    places = [(document, position) for document, length in enumerate(lengths.tolist()) for position in range(length)]
    words = np.array(vocabulary, dtype=object)[tokens]
    texts = [part.tolist() for part in np.split(words, np.cumsum(lengths)[:-1])]
    return Source(features, values, texts, places), Atlas(store, head(store)).sae()


def scan(source: Source, feature: int) -> list[tuple[int, float]]:
    """Ask every row for the feature."""
    found = []
    for row in range(len(source.features)):
        ids = source.features[row]
        if feature in ids:
            value = float(source.values[row][ids.tolist().index(feature)])
            if value > 0:
                found.append((row, value))
    return found


def profile_loop(source: Source, feature: int) -> Answer:
    active = scan(source, feature)
    of_token = defaultdict(list)
    bins = [0] * 5
    for row, value in active:
        document, position = source.places[row]
        of_token[source.texts[document][position]].append(value)
        relative = position / max(len(source.texts[document]) - 1, 1)
        bins[min(int(relative * 5 + 1e-9), 4)] += 1
    stability = {}
    for token, values in of_token.items():
        mean = sum(values) / len(values)
        stability[token] = len(values), mean, (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
    strongest = sorted(active, key=lambda entry: (-entry[1], entry[0]))[:TOP]
    counts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for row, _ in strongest:
        document, position = source.places[row]
        text = source.texts[document]
        low, high = max(0, position - WINDOW), min(len(text), position + WINDOW + 1)
        for size in SIZES:
            for start in range(low, high - size + 1):
                counts["anywhere", size]["".join(text[start : start + size])] += 1
            if position >= size:
                counts["left", size]["".join(text[position - size : position])] += 1
            if position + size < len(text):
                counts["right", size]["".join(text[position + 1 : position + 1 + size])] += 1
    best = {key: counter.most_common(1)[0][1] for key, counter in counts.items()}
    return {"bins": dict(enumerate(bins)), "stability": stability, "most": best}


def profile_of(lines: Answer, feature: int) -> Answer:
    """Pick from our tables what the loop answers; the tables keep the best tokens only, so those are compared."""
    data = lines["data"][feature]
    tokens = [line for line in lines["tokens"] if line["feature"] == feature]
    grams: dict[tuple[str, int], int] = {}
    for line in lines["ngrams"]:
        if line["feature"] == feature and line["kind"] != "characters":
            key = line["kind"], line["size"]
            grams[key] = max(grams.get(key, 0), line["count"])
    return {
        "bins": dict(enumerate(data["position_counts"])),
        "stability": {line["string"]: (line["count"], line["mean"], line["std"] or 0.0) for line in tokens},
        "most": grams,
    }


def pagerank_loop(source: Source, feature: int) -> Answer:
    """Add up every pair of tokens of every document, then iterate over the edges; dangling nodes cannot be in it."""
    strength: dict[int, float] = {}
    for row, value in scan(source, feature):
        document = source.places[row][0]
        strength[document] = max(strength.get(document, 0.0), value)
    edges: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for document, value in strength.items():
        tokens = set(source.texts[document])
        for u in tokens:
            for v in tokens:
                if u != v:
                    edges[u][v] += value
    out = {u: sum(weights.values()) for u, weights in edges.items()}
    scores = dict.fromkeys(edges, 1.0 / len(edges))
    for _ in range(100):
        fresh = dict.fromkeys(edges, 0.15 / len(edges))
        for u, weights in edges.items():
            for v, weight in weights.items():
                fresh[v] += 0.85 * scores[u] * weight / out[u]
        change = sum(abs(fresh[u] - scores[u]) for u in edges)
        scores = fresh
        if change < 1e-6:
            break
    best = sorted(scores.values(), reverse=True)[: PageRank().k]
    return {"scores": dict(enumerate(best))}


def pagerank_of(lines: Answer, feature: int) -> Answer:
    return {"scores": dict(enumerate(line["score"] for line in lines["data"] if line["feature"] == feature))}


if __name__ == "__main__":
    main()
