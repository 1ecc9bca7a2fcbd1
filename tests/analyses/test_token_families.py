"""Families of tokens: planted effects are found, chance is not, and what earlier tools got wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats as oracle

from saeatlas.analyses import token_families
from saeatlas.analyses.token_families import TokenFamilies
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound, SourceError
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays
from saeatlas.testing.make_atlas import make_atlas

HEAD = "family\tlevel\ttoken\tencoding\n"
LADDER = HEAD + "".join(f"speed\t{level}\tspeed_{level}\tcumulative\n" for level in (3, 6, 12))
UNARY = "stealth\t\tstealth\texclusive\n"


def arrays(texts: Sequence[Sequence[str]], activations: np.ndarray) -> SparseArrays:
    """Documents of tokens; activations [documents, features] stand at their first rows."""
    words = [word for text in texts for word in text]
    vocabulary = tuple(sorted(set(words)))
    lengths = np.array([len(text) for text in texts])
    dense = np.zeros((len(words), activations.shape[1]))
    dense[np.cumsum(lengths) - lengths] = activations
    listed = dense != 0
    return SparseArrays(
        features=np.nonzero(listed)[1],
        values=dense[listed],
        indptr=np.concatenate([[0], np.cumsum(listed.sum(1))]),
        documents=np.repeat(np.arange(len(texts)), lengths),
        ids=tuple(f"d{number}" for number in range(len(texts))),
        tokens=np.array([vocabulary.index(word) for word in words]),
        vocabulary=vocabulary,
    )


def sae_of(data: SparseArrays, n_features: int) -> Any:
    store = MemoryStore()
    create_atlas(store)
    import_source(store, ArraysImporter(sae="toy", corpus="texts", data=data, n_features=n_features, shard_rows=97))
    return Atlas(store, head(store)).sae()


def declared(folder: Path, text: str, name: str = "families.tsv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def compare(folder: Path, table: str, texts: Any, activations: np.ndarray, **parameters: Any) -> dict[str, Any]:
    analysis = TokenFamilies(families=declared(folder, table), **parameters)
    found = compute_tables(analysis, sae_of(arrays(texts, activations), activations.shape[1]))
    return {name: table.to_pylist() for name, table in found.items()}


def of_level(found: dict[str, Any], family: str, level: int | None, *, is_absent: bool = False) -> Any:
    (line,) = (
        line
        for line in found["levels"]
        if (line["feature"], line["family"], line["level"], line["is_absent"]) == (0, family, level, is_absent)
    )
    return line


@cache
def random_case() -> tuple[tuple[tuple[str, ...], ...], np.ndarray, np.ndarray]:
    """Documents, activations [120, 5], and the level of each document: 0, 3, 6 or 12."""
    rng = np.random.default_rng(0)
    level = np.array([0, 3, 6, 12])[rng.integers(0, 4, 120)]
    texts = tuple(
        (*(f"speed_{rung}" for rung in (3, 6, 12) if rung <= top), "a", *("b" * rng.integers(0, 9)))
        + (("stealth",) if rng.random() < 0.3 else ())
        for top in level.tolist()
    )
    activations = np.where(rng.random((120, 5)) < 0.5, rng.lognormal(size=(120, 5)), 0.0)
    activations[:, 4] = 0.0
    return texts, activations, level


def test_levels_equal_numpy_over_all_documents(tmp_path: Path) -> None:
    texts, activations, level = random_case()
    found = compare(tmp_path, LADDER + UNARY, texts, activations)
    assert len(found["levels"]) == 5 * (4 + 2)
    has_stealth = np.array(["stealth" in text for text in texts])
    for line in found["levels"]:
        own = {"speed": level, "stealth": np.where(has_stealth, -1, 0)}[line["family"]]
        wanted = 0 if line["is_absent"] else -1 if line["level"] is None else line["level"]
        column = activations[:, line["feature"]]
        mine, absent = column[own == wanted], column[own == 0]
        assert (line["n_documents"], line["n_active"]) == (mine.size, (mine > 0).sum())
        assert line["mean"] == pytest.approx(mine.mean())
        assert line["std"] == pytest.approx(mine.std(ddof=1))
        assert line["rate"] == (mine > 0).mean()
        interval = oracle.binomtest(int((mine > 0).sum()), mine.size).proportion_ci(method="wilson")
        assert (line["rate_low"], line["rate_high"]) == pytest.approx(tuple(interval), abs=1e-12)
        if not mine.any():
            assert (line["mean_low"], line["mean_active"], line["delta_low"]) == (None, None, None)
            continue
        assert line["mean_active"] == pytest.approx(mine[mine > 0].mean())
        expected = oracle.t.interval(0.95, mine.size - 1, mine.mean(), oracle.sem(mine))
        assert (line["mean_low"], line["mean_high"]) == pytest.approx(expected)
        if line["is_absent"]:
            assert line["delta"] is None
        else:
            expected = oracle.ttest_ind(mine, absent, equal_var=False).confidence_interval()
            assert (line["delta_low"], line["delta_high"]) == pytest.approx(tuple(expected))


def test_numbers_of_a_family_equal_scipy(tmp_path: Path) -> None:
    texts, activations, level = random_case()
    found = compare(tmp_path, LADDER + UNARY, texts, activations)
    lengths = np.array([len(text) for text in texts])
    for line in found["data"]:
        own = level if line["family"] == "speed" else np.array(["stealth" in text for text in texts]).astype(int)
        column = activations[:, line["feature"]]
        fires, present = column > 0, own > 0
        assert (line["n_documents"], line["n_present"]) == (120, present.sum())
        assert (line["n_active"], line["n_active_present"]) == (fires.sum(), (fires & present).sum())
        assert line["mean_present"] == pytest.approx(column[present].mean())
        assert line["delta"] == pytest.approx(column[present].mean() - column[~present].mean())
        if not fires.any():
            assert [line[name] for name in ("cramers_v", "p", "q", "trend_rho", "partial_p", "lift")] == [None] * 6
            continue
        table = np.array([[(fires == f)[own == o].sum() for o in np.unique(own)] for f in (True, False)])
        chi = oracle.chi2_contingency(table, correction=False)
        assert (line["cramers_v"], line["p"]) == pytest.approx((np.sqrt(chi.statistic / 120), chi.pvalue))
        rho = oracle.spearmanr(column, own)
        assert (line["trend_rho"], line["trend_p"]) == pytest.approx((rho.statistic, rho.pvalue))
        r = [oracle.rankdata(x) for x in (column, own, lengths)]
        residual = [x - np.polyval(np.polyfit(r[2], x, 1), r[2]) for x in r[:2]]
        assert line["partial_rho"] == pytest.approx(np.corrcoef(*residual)[0, 1])
        assert line["lift"] == pytest.approx((present & fires).sum() / fires.sum() / present.mean())
        interval = oracle.ttest_ind(column[present], column[~present], equal_var=False).confidence_interval()
        assert (line["delta_low"], line["delta_high"]) == pytest.approx(tuple(interval))


def test_level_is_the_highest_of_a_ladder(tmp_path: Path) -> None:
    # On ladders an earlier tool took the first level of a document, which all have, in one place, elsewhere the last.
    texts = [["speed_3"], ["speed_3", "speed_6"], ["speed_3", "speed_6", "speed_12"], ["a"]]
    found = compare(tmp_path, LADDER, texts, np.array([[1.0], [2.0], [4.0], [0.0]]))
    assert [of_level(found, "speed", level)["mean"] for level in (3, 6, 12)] == [1.0, 2.0, 4.0]
    first = {text[0] for text in texts if text[0].startswith("speed")}
    assert first == {"speed_3"}
    assert found["families"][0]["n_irregular"] == 0


def test_level_that_is_not_declared_is_an_error(tmp_path: Path) -> None:
    # An earlier tool counted such documents as documents without the family.
    texts = [["speed_3"], ["speed_15"], ["a"]]
    activations = np.array([[1.0], [9.0], [0.0]])
    with pytest.raises(SourceError, match=r"'speed_15'.*level 15 of family 'speed'"):
        compare(tmp_path, HEAD + "speed\t3\tspeed_3\tcumulative\n", texts, activations)
    silent = compare(tmp_path, HEAD + "speed\t3\tspeed_3\tcumulative\n", texts, activations, pattern="")
    assert of_level(silent, "speed", None, is_absent=True)["mean"] == 4.5
    whole = compare(
        tmp_path, HEAD + "speed\t3\tspeed_3\tcumulative\nspeed\t15\tspeed_15\tcumulative\n", texts, activations
    )
    assert of_level(whole, "speed", None, is_absent=True)["mean"] == 0.0


def test_declared_token_that_the_vocabulary_lacks_is_an_error_unless_allowed(tmp_path: Path) -> None:
    texts = [["speed_3"], ["speed_3", "speed_6"]]
    with pytest.raises(SourceError, match="'speed_12'"):
        compare(tmp_path, LADDER, texts, np.ones((2, 1)))
    found = compare(tmp_path, LADDER, texts, np.ones((2, 1)), allow_missing=True)
    assert (found["families"][0]["n_missing"], found["families"][0]["n_irregular"]) == (1, 0)
    empty = of_level(found, "speed", 12)
    assert (empty["n_documents"], empty["mean"], empty["rate"], empty["delta"]) == (0, None, None, None)


def test_baseline_is_over_all_documents_and_not_over_active_ones(tmp_path: Path) -> None:
    # The family makes the feature fire, always with the same value. Means over active documents, as an earlier tool
    # gave them, show no difference at all.
    texts = [["stealth", "a"]] * 40 + [["a", "b"]] * 40
    activations = np.zeros((80, 1))
    activations[:30] = activations[40:44] = 2.0
    (line,) = compare(tmp_path, HEAD + UNARY, texts, activations)["data"]
    assert line["mean_active_present"] == line["mean_active_absent"] == 2.0
    assert (line["rate_present"], line["rate_absent"]) == (0.75, 0.1)
    assert (line["mean_present"], line["mean_absent"], line["delta"]) == (1.5, 0.2, 1.3)
    assert line["delta_low"] > 0.9
    assert line["q"] < 1e-6


def test_spread_that_is_too_large_to_compute_is_missing(tmp_path: Path) -> None:
    texts = [["stealth", "a"], ["a", "b"]] * 4
    found = compare(tmp_path, HEAD + UNARY, texts, 1e200 * np.arange(1.0, 9.0)[:, None])
    (line,), level = found["data"], of_level(found, "stealth", None)
    assert (line["mean_present"], line["delta_low"], line["delta_high"]) == (4e200, None, None)
    assert (level["mean"], level["std"], level["mean_low"], level["mean_high"]) == (4e200, None, None, None)


def test_documents_that_break_the_encoding_are_counted(tmp_path: Path) -> None:
    texts = [["speed_3"], ["speed_6"], ["speed_3", "speed_12"], ["speed_3", "speed_6", "speed_12"], ["a"]]
    assert compare(tmp_path, LADDER, texts, np.ones((5, 1)))["families"][0]["n_irregular"] == 2
    exclusive = compare(tmp_path, LADDER.replace("cumulative", "exclusive"), texts, np.ones((5, 1)))
    assert exclusive["families"][0]["n_irregular"] == 2
    assert of_level(exclusive, "speed", 12)["n_documents"] == 2


def test_several_tokens_may_have_one_level(tmp_path: Path) -> None:
    table = HEAD + "no\t\tnot\texclusive\nno\t\tnever\texclusive\n"
    found = compare(tmp_path, table, [["not"], ["never"], ["not", "never"], ["a"]], np.ones((4, 1)))
    family = found["families"][0]
    assert (family["n_present"], family["n_irregular"], family["n_tokens"], family["levels"]) == (3, 0, 2, [])
    assert of_level(found, "no", None)["n_documents"] == 3


def test_documents_without_known_tokens_are_in_no_cell(tmp_path: Path) -> None:
    sae = sae_of(arrays([["stealth"], ["a"], ["a", "b"]], np.array([[1.0], [0.0], [5.0]])), 1)
    tokens = sae.corpus.tokens

    class Blind:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokens, name)

        def read(self, start: int, stop: int) -> np.ndarray:
            return np.where(np.arange(start, stop) >= 2, np.uint32(0xFFFFFFFF), tokens.read(start, stop))

    sae.corpus.__dict__["tokens"] = Blind()
    found = compute_tables(TokenFamilies(families=declared(tmp_path, HEAD + UNARY)), sae)
    line, family = found["data"].to_pylist()[0], found["families"].to_pylist()[0]
    assert (line["n_documents"], line["n_active"], line["mean_absent"]) == (2, 1, 0.0)
    assert (family["n_documents"], family["n_unknown"]) == (2, 1)


def chance(*, by_length: bool) -> tuple[list[list[str]], np.ndarray]:
    """Families and features that have nothing to do with each other, but for the length of documents if wanted."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 40, 300) if by_length else np.full(300, 8)
    texts = [["a"] * int(n) + ["stealth"] * int(rng.random() < 0.02 + n / 50) for n in lengths]
    if not by_length:
        texts = [text[:8] if len(text) > 8 else text for text in ([*t[-1:], *t[:-1]] for t in texts)]
    fires = rng.random((300, 400)) < (0.02 + lengths / 50)[:, None]
    return texts, np.where(fires, rng.lognormal(size=(300, 400)), 0.0)


@pytest.mark.parametrize("by_length", [False, True])
def test_chance_gives_uniform_p(tmp_path: Path, by_length: bool) -> None:  # noqa: FBT001  # a parameter of the test
    texts, activations = chance(by_length=by_length)
    found = compare(tmp_path, HEAD + UNARY, texts, activations)["data"]
    p = [line["partial_p"] for line in found if line["partial_p"] is not None]
    assert len(p) > 350
    assert oracle.kstest(p, "uniform").pvalue > 0.001
    assert sum(line["partial_q"] < 0.05 for line in found if line["partial_q"] is not None) <= 2


def test_length_alone_makes_nearly_everything_rise_together(tmp_path: Path) -> None:
    texts, activations = chance(by_length=True)
    found = compare(tmp_path, HEAD + UNARY, texts, activations)["data"]
    assert np.mean([line["trend_q"] < 0.05 for line in found]) > 0.9
    assert np.mean([line["q"] < 0.05 for line in found]) > 0.9


def test_planted_effect_survives_the_length(tmp_path: Path) -> None:
    texts, activations = chance(by_length=True)
    has = np.array(["stealth" in text for text in texts])
    activations[:, 0] = np.where(has, activations[:, 0] + 1.0, activations[:, 0])
    found = compare(tmp_path, HEAD + UNARY, texts, activations)["data"]
    assert found[0]["partial_q"] < 1e-6
    assert min(found, key=lambda line: line["partial_p"] if line["partial_p"] is not None else 1.0)["feature"] == 0


def test_tests_that_promise_too_much_are_left_out(tmp_path: Path) -> None:
    # One of two active documents is one of three with the family, of 400: the t approximation gives 1e-40.
    texts = [["stealth", "a"]] * 3 + [["a", "b"]] * 397
    activations = np.zeros((400, 1))
    activations[[2, 9]] = 1.0
    (line,) = compare(tmp_path, HEAD + UNARY, texts, activations)["data"]
    assert oracle.spearmanr(activations[:, 0], np.arange(400) < 3).pvalue < 1e-10
    assert (line["trend_p"], line["trend_q"], line["partial_p"]) == (None, None, None)
    assert line["p"] == pytest.approx(2 * oracle.hypergeom.sf(0, 400, 2, 3))


@pytest.mark.parametrize("pool", ["max", "mean", "sum"])
def test_pool_says_how_rows_become_a_document(tmp_path: Path, pool: Any) -> None:
    data = arrays([["stealth", "a", "b"], ["a"]], np.ones((2, 1)))
    data = replace(data, features=np.zeros(3, int), values=np.array([1.0, 3.0, -2.0]), indptr=np.array([0, 1, 2, 3, 3]))
    analysis = TokenFamilies(families=declared(tmp_path, HEAD + UNARY), pool=pool)
    line = compute_tables(analysis, sae_of(data, 1))["data"].to_pylist()[0]
    assert line["mean_present"] == pytest.approx({"max": 3.0, "mean": 4 / 3, "sum": 4.0}[pool])


def test_formats_of_the_table_say_the_same(tmp_path: Path) -> None:
    texts, activations, _ = random_case()
    rows = [line.split("\t") for line in (LADDER + UNARY).splitlines()]
    csv = "\ufeff" + "".join(",".join(f'"{cell}"' for cell in row) + "\r\n" for row in rows)
    columns = {name: [row[i] or None for row in rows[1:]] for i, name in enumerate(rows[0])}
    columns["level"] = [None if level is None else int(level) for level in columns["level"]]
    pq.write_table(pa.table(columns), tmp_path / "families.parquet")
    paths = [
        declared(tmp_path, LADDER + UNARY),
        declared(tmp_path, csv, "families.csv"),
        str(tmp_path / "families.parquet"),
    ]
    sae = sae_of(arrays(texts, activations), 5)
    tsv, *others = (compute_tables(TokenFamilies(families=path), sae) for path in paths)
    assert all(other[name].equals(tsv[name]) for other in others for name in tsv)


def test_lines_do_not_depend_on_how_many_are_spelled_out_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, activations, _ = random_case()
    whole = compare(tmp_path, LADDER + UNARY, texts, activations)
    monkeypatch.setattr(token_families, "_LINES_AT_ONCE", 7)
    assert compare(tmp_path, LADDER + UNARY, texts, activations) == whole


def test_content_of_the_table_is_part_of_the_recipe(tmp_path: Path) -> None:
    path = declared(tmp_path, LADDER)
    before = TokenFamilies(families=path).params()
    assert TokenFamilies(families=path).params() == before
    declared(tmp_path, LADDER + UNARY)
    assert TokenFamilies(families=path).params() != before


def test_table_must_be_given() -> None:
    with pytest.raises(InvalidInput, match="not given") as caught:
        TokenFamilies().params()
    assert "family, level, token and encoding" in caught.value.hint


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "no column 'family'"),
        ("family\tlevel\ttoken\n", "no column 'encoding'"),
        (HEAD, "no lines"),
        (HEAD + "x\t1\t\tcumulative\n", "no token in line 1"),
        (HEAD + "\t1\ta\tcumulative\n", "no family in line 1"),
        (HEAD + "x\t1\ta\tladder\n", "'ladder' in line 1"),
        (HEAD + "x\t1\ta\n", "'' in line 1"),
        (HEAD + "x\tone\ta\tcumulative\n", "'one' in line 1"),
        (HEAD + "x\t1.5\ta\tcumulative\n", "whole number"),
        (HEAD + "x\tinf\ta\tcumulative\n", "finite"),
        (HEAD + "x\t1\ta\tcumulative\nx\t2\ta\tcumulative\n", "declared twice"),
        (HEAD + "x\t1\ta\tcumulative\nx\t2\tb\texclusive\n", "at once"),
        (HEAD + "x\t1\ta\tcumulative\nx\t\tb\tcumulative\n", "tokens without"),
        (HEAD.strip() + "\tweight\nx\t1\ta\tcumulative\t-1\n", "at least 0"),
    ],
    ids=str,
)
def test_table_that_says_nothing_clear_is_refused(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        TokenFamilies(families=declared(tmp_path, table)).params()


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 is not enough")
    (tmp_path / "x.tsv").write_bytes(b"family\tlevel\ttoken\tencoding\nx\t1\t\xff\xfe\tcumulative\n")
    (tmp_path / "x.json").write_text("{}")
    for name in ("x.parquet", "x.tsv", "x.json", "missing.tsv"):
        with pytest.raises(SourceError, match=r"x\.|missing"):
            TokenFamilies(families=str(tmp_path / name)).params()


@pytest.mark.parametrize("pattern", ["(", "(.+)_[0-9]+"])
def test_pattern_that_names_no_family_and_level_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="pattern"):
        TokenFamilies(pattern=pattern)


def test_corpus_without_tokens_says_so(tmp_path: Path) -> None:
    sae = make_atlas(MemoryStore(), n_rows=9, n_features=5, k=2, tokens=False).sae()
    with pytest.raises(NotFound, match="no tokens"):
        compute_tables(TokenFamilies(families=declared(tmp_path, LADDER)), sae)
