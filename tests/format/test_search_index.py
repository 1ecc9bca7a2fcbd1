"""An index finds the lines that have words, ranks them, and its bytes depend on the lines alone."""

from __future__ import annotations

import random
import sqlite3
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.errors import FormatError, InternalError, MissingExtra
from saeatlas.format.search_index import SearchIndexReader, SearchIndexWriter, Term
from saeatlas.storage import LocalStore, MemoryStore

Lines = dict[int, tuple[list[str], list[str]]]
LINES: Lines = {
    0: (["cat", "sat"], []),
    3: (["mat"], ["cat"]),
    7: (["cats", "on", "mat"], ["日本"]),
    9: ([], ["(", "sat"]),
}


def write(path: Path, lines: Lines) -> Path:
    with SearchIndexWriter(path, ("text", "token")) as index:
        for line, words in lines.items():
            index.add(line, words)
    return path


def reader(directory: Path, lines: Lines = LINES) -> SearchIndexReader:
    write(directory / "i.sqlite", lines)
    return SearchIndexReader(LocalStore(directory), "i.sqlite")


def found(index: SearchIndexReader, *terms: Term, is_any: bool = False) -> list[int]:
    return sorted(line for line, _ in index.best(terms, (1.0, 1.0), 100, is_any=is_any))


def test_words_beginnings_and_phrases(tmp_path: Path) -> None:
    index = reader(tmp_path)
    assert found(index, Term(("cat",))) == [0, 3]
    assert found(index, Term(("cat",), is_prefix=True)) == [0, 3, 7]
    assert found(index, Term(("cat",)), Term(("sat",))) == [0]
    assert found(index, Term(("cat",)), Term(("mat",)), is_any=True) == [0, 3, 7]
    assert found(index, Term(("on", "mat"))) == [7]
    assert found(index, Term(("mat", "on"))) == []
    assert found(index, Term(("日本",))) == [7]
    assert found(index, Term(("(",))) == [9]
    assert index.count([Term(("cat",), is_prefix=True)]) == 3


def test_an_identifier_counts_beside_its_parts(tmp_path: Path) -> None:
    apart = ["key", "value", "no", "section", "error"]
    lines: Lines = {
        1: (apart, []),
        2: (["valueerror", "value", "error", "of", "a", "section"], []),
        3: (["valueerror"], []),
    }
    index = reader(tmp_path, lines)
    parts = [Term((word,), is_prefix=True, whole="valueerror") for word in ("value", "error")]
    assert [line for line, _ in index.best(parts, (1.0, 1.0), 9)] == [2, 3, 1]
    assert index.count(parts) == 3
    assert index.has(Term(("none",), whole="valueerror"))
    assert not index.has(Term(("none",), whole="nothing"))


def test_whole_words_come_before_beginnings(tmp_path: Path) -> None:
    index = reader(tmp_path)
    assert index.best([Term(("cat",), is_prefix=True)], (1.0, 1.0), 1)[0][0] in {0, 3}


def test_columns_weigh_differently(tmp_path: Path) -> None:
    index = reader(tmp_path, {0: (["a", "x"], ["b", "y"]), 1: (["b", "x"], ["a", "y"]), 2: (["z"], ["z"])})
    assert index.best([Term(("a",))], (9.0, 1.0), 2)[0][0] == 0
    assert index.best([Term(("a",))], (1.0, 9.0), 2)[0][0] == 1


def test_matches_are_all_lines_with_the_scores_of_best(tmp_path: Path) -> None:
    index = reader(tmp_path)
    lines, scores = index.matches(Term(("cat",), is_prefix=True), (2.0, 1.0))
    best = dict(index.best([Term(("cat",), is_prefix=True)], (2.0, 1.0), 10))
    assert dict(zip(lines.tolist(), scores.tolist(), strict=True)) == best
    assert lines.tolist() == sorted(lines.tolist())


def test_near_words_are_sorted_by_slips_and_then_by_use(tmp_path: Path) -> None:
    index = reader(tmp_path)
    assert index.near("cta", 1) == [(1, -2, "cat")]
    assert index.near("mat", 1)[0] == (0, -2, "mat")
    assert {word for _, _, word in index.near("mat", 1)} == {"mat", "cat", "sat"}
    assert index.frequency("cat") == 2
    assert index.frequency("dog") == 0
    assert index.has(Term(("ca",), is_prefix=True))
    assert not index.has(Term(("ca",)))


def test_bytes_depend_on_the_lines_alone(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.sqlite", LINES), write(tmp_path / "b.sqlite", LINES)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sqlite", "b.sqlite"]


def test_index_in_memory_answers_as_one_in_a_file(tmp_path: Path) -> None:
    store = MemoryStore()
    store.put_new("i.sqlite", write(tmp_path / "i.sqlite", LINES).read_bytes())
    index = SearchIndexReader(store, "i.sqlite")
    assert found(index, Term(("cat",), is_prefix=True)) == [0, 3, 7]


def test_empty_index_finds_nothing(tmp_path: Path) -> None:
    index = reader(tmp_path, {})
    assert index.count([Term(("cat",))]) == 0
    assert index.best([Term(("cat",))], (1.0, 1.0), 5) == []
    assert index.near("cat", 1) == []


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "i.sqlite").write_bytes(b"SQLite format 3\x00" + b"\x00" * 5000)
    with pytest.raises(FormatError, match=r"i\.sqlite") as error:
        SearchIndexReader(LocalStore(tmp_path), "i.sqlite").count([Term(("a",))])
    assert error.value.kind == "corrupt-artifact"


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), SearchIndexWriter(tmp_path / "i.sqlite", ("text",)):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_missing_full_text_search_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Poor(sqlite3.Connection):
        def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:  # type: ignore[override]
            if "fts5" in sql:
                raise sqlite3.OperationalError("no such module: fts5")
            return super().execute(sql, values)  # type: ignore[arg-type]

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Poor, **k))
    with pytest.raises(MissingExtra, match="full-text"):
        SearchIndexWriter(tmp_path / "i.sqlite", ("text",))


@pytest.mark.parametrize("words", [(), ("",), ("a b",), ('a" OR "b',), ("a\x00",)])
def test_what_is_no_word_never_reaches_the_engine(tmp_path: Path, words: tuple[str, ...]) -> None:
    index = reader(tmp_path)
    with pytest.raises(InternalError):
        index.count([Term(words)])


_words = st.lists(st.sampled_from(["a", "ab", "abc", "b", "bc", "(", "日本"]), max_size=5)
_terms = st.lists(
    st.builds(
        Term,
        st.lists(st.sampled_from(["a", "ab", "b", "(", "日本"]), min_size=1, max_size=2).map(tuple),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


def has(words: list[str], term: Term) -> bool:
    """Look at every place, one by one."""
    n = len(term.words)
    for place in range(len(words) - n + 1):
        part = tuple(words[place : place + n])
        fits = part[-1].startswith(term.words[-1]) if term.is_prefix else part[-1] == term.words[-1]
        if part[:-1] == term.words[:-1] and fits:
            return True
    return False


@given(st.lists(st.tuples(_words, _words), min_size=1, max_size=6), _terms)
def test_found_lines_are_those_of_a_search_word_by_word(
    lines: list[tuple[list[str], list[str]]], terms: list[Term]
) -> None:
    from tempfile import TemporaryDirectory

    every = [[any(has(words, term) for words in line) for term in terms] for line in lines]
    with TemporaryDirectory() as directory:
        index = reader(Path(directory), dict(enumerate(lines)))
        assert found(index, *terms) == [line for line, hits in enumerate(every) if all(hits)]
        assert found(index, *terms, is_any=True) == [line for line, hits in enumerate(every) if any(hits)]
        assert index.count(terms) == sum(map(all, every))


def test_threads_get_the_same_answers(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    index = reader(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: found(index, Term(("cat",), is_prefix=True)), range(200)))
    assert answers == [[0, 3, 7]] * 200


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Zs", "Cc", "Zl", "Zp")), min_size=1, max_size=12))
def test_no_word_is_syntax(word: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as directory:
        index = reader(Path(directory), {0: ([word.lower()], []), 1: (["other"], [])})
        assert found(index, Term((word.lower(),))) == [0]


def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    source = random.Random(0)
    words = [f"w{number}" for number in range(2000)]
    tracemalloc.start()
    with SearchIndexWriter(tmp_path / "i.sqlite", ("text",)) as index:
        for line in range(20_000):
            index.add(line, (source.choices(words, k=20),))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
