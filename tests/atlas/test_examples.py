"""Examples: which rows are picked, what surrounds them, and what the model could not see."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.atlas.windows import is_visible
from saeatlas.errors import InvalidInput


def picked(feature: Any, **question: Any) -> list[tuple[int, int | None, int]]:
    return [(e.row, e.stratum, e.rank) for e in feature.examples(before=0, after=0, **question)]


def test_top_comes_strongest_first(source: Any, atlas: Any) -> None:
    examples = atlas.sae().feature(9).examples(pick="top", n=7)
    active = np.flatnonzero(source.active(9))
    expected = active[np.lexsort((active, -source.dense[active, 9]))][:7]
    assert [e.row for e in examples] == expected.tolist()
    assert [e.value for e in examples] == source.dense[expected, 9].tolist()
    assert [e.rank for e in examples] == list(range(7))


@pytest.mark.parametrize("strata", [1, 3, 4])
def test_every_stratum_gives_its_share(source: Any, atlas: Any, strata: int) -> None:
    active = np.flatnonzero(source.active(9))
    order = active[np.lexsort((active, -source.dense[active, 9]))]
    got = picked(atlas.sae().feature(9), pick="quantiles", n=2, strata=strata)
    assert Counter(stratum for _, stratum, _ in got) == dict.fromkeys(range(strata), 2)
    for row, stratum, _ in got:
        assert stratum is not None
        part = order[stratum * order.size // strata : (stratum + 1) * order.size // strata]
        assert row in part


def test_quantiles_of_few_rows_give_each_row_once(source: Any, atlas: Any) -> None:
    got = picked(atlas.sae().feature(3), pick="quantiles", n=100)
    assert sorted(row for row, _, _ in got) == np.flatnonzero(source.active(3)).tolist()


def test_random_examples_are_active_rows_and_repeat_with_the_seed(source: Any, atlas: Any) -> None:
    feature = atlas.sae().feature(9)
    first = picked(feature, pick="random", n=5, seed=1)
    assert first == picked(feature, pick="random", n=5, seed=1)
    assert first != picked(feature, pick="random", n=5, seed=2)
    assert all(source.active(9)[row] for row, _, _ in first)
    assert len({row for row, _, _ in first}) == 5


def test_random_examples_are_uniform_over_active_rows(source: Any, atlas: Any) -> None:
    feature = atlas.sae().feature(8)
    active = np.flatnonzero(source.active(8))
    counts = Counter(
        feature.sae.activations.feature(8)[0].size and row for seed in range(300) for row in draws(feature, seed)
    )
    expected = 300 * 3 / active.size
    assert set(counts) == set(active.tolist())
    # Chi-square of a uniform draw: mean about its degrees of freedom; 3 times that is out of the question.
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 3 * active.size


def draws(feature: Any, seed: int) -> list[int]:
    from saeatlas.atlas.examples import Question, live_rows

    return live_rows(feature.sae, feature.id, Question("random", 3, seed)).rows.tolist()  # type: ignore[no-any-return]


def test_silent_feature_has_no_examples(atlas: Any) -> None:
    feature = atlas.sae().feature(5)
    assert [feature.examples(pick=pick) for pick in ("top", "quantiles", "random")] == [[], [], []]


@pytest.mark.parametrize("seed", range(3))
def test_context_is_the_document_around_the_row(make: Any, seed: int) -> None:
    source, atlas = make(seed)
    for example in atlas.sae().feature(9).examples(n=100, before=3, after=2):
        rows = source.rows_of(example.document_index)
        assert example.document == f"d{example.document_index}"
        assert rows[example.position] == example.row
        low, high = max(0, example.position - 3), min(rows.size, example.position + 3)
        assert [token.position for token in example.tokens] == list(range(low, high))
        words = ["red ", "green ", "blue ", "déjà ", "of "]
        assert [token.string for token in example.tokens] == [words[t] for t in source.tokens[rows[low:high]]]
        values = [None if np.isnan(v) else v for v in source.dense[rows[low:high], 9]]
        assert [token.value for token in example.tokens] == values


def test_natural_text_is_cut_from_the_document(source: Any, atlas: Any) -> None:
    for example in atlas.sae().feature(9).examples(n=100, before=2, after=2):
        text = source.text(example.document_index)
        assert example.is_natural_text
        assert example.text is not None
        assert example.text in text
        active = next(token for token in example.tokens if token.position == example.position)
        assert example.text_active == text[active.start : active.end] == active.string.rstrip()


def test_without_spans_strings_are_joined(source: Any, remake: Any) -> None:
    changed, atlas = remake(source, has_spans=False)
    for example in atlas.sae().feature(9).examples(n=100, before=2, after=2):
        assert not example.is_natural_text
        assert example.text == "".join(token.string for token in example.tokens)
        assert example.text in changed.text(example.document_index)
        assert {token.start for token in example.tokens} == {None}


def test_without_tokens_the_reason_is_given_and_the_rest_stays(source: Any, remake: Any) -> None:
    _, atlas = remake(source, has_tokens=False)
    example = atlas.sae().feature(9).examples(n=1)[0]
    assert not example.context_available
    assert "without tokens" in example.reason
    assert example.text is None
    assert (example.tokens, example.value, example.metadata["kind"]) == (
        (),
        3.0,
        f"k{example.document_index % 2}",
    )


@pytest.mark.parametrize(("status", "word"), [(1, "no text"), (2, "not as many"), (3, "no tokens")])
def test_document_with_doubtful_tokens_shows_none(source: Any, remake: Any, status: int, word: str) -> None:
    top = source.dense[:, 9] == 3.0
    document = int(source.documents[np.flatnonzero(top)[0]])
    _, atlas = remake(source, status={document: status})
    for example in atlas.sae().feature(9).examples(n=100):
        assert example.context_available == (example.document_index != document)
        assert (word in example.reason) == (example.document_index == document)


def test_metadata_of_the_document_is_attached_missing_as_none(source: Any, atlas: Any) -> None:
    for example in atlas.sae().feature(9).examples(n=100):
        index = example.document_index
        assert example.metadata == {"stars": None if index == 1 else index % 3, "kind": f"k{index % 2}"}


def test_tokens_before_the_window_and_after_the_active_one_are_not_visible(atlas: Any) -> None:
    for example in atlas.sae().feature(9).examples(n=100, before=9, after=9):
        assert example.window_start == example.position - example.position % 4
        for token in example.tokens:
            assert token.visible == (example.window_start <= token.position <= example.position)


def test_unknown_window_leaves_the_past_unknown(source: Any, remake: Any) -> None:
    _, atlas = remake(source, window=None)
    for example in atlas.sae().feature(9).examples(n=100):
        assert example.window_start is None
        for token in example.tokens:
            expected = None if token.position < example.position else token.position == example.position
            assert token.visible is expected


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([None, 4, 16]),
    st.sampled_from([None, "causal", "bidirectional"]),
)
def test_visibility_is_known_only_from_known_facts(position: int, active: int, window: Any, attention: Any) -> None:
    # What every reading of the unknown facts agrees on is known; the rest is not.
    windows = [window] if window else [1, 4, 1000]
    kinds = [attention] if attention else ["causal", "bidirectional"]
    answers = {
        active // w == position // w and (kind == "bidirectional" or position <= active)
        for w in windows
        for kind in kinds
    }
    assert is_visible(position, active, window, attention) == (answers.pop() if len(answers) == 1 else None)


@pytest.mark.parametrize(
    "wrong", [{"pick": "best"}, {"n": -1}, {"n": 1.5}, {"before": -1}, {"seed": -1}, {"strata": 0}]
)
def test_questions_out_of_range_are_refused(atlas: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        atlas.sae().feature(9).examples(**wrong)


@pytest.mark.parametrize("pick", ["top", "quantiles", "random"])
def test_more_than_there_is_gives_all_there_is(atlas: Any, pick: str) -> None:
    feature = atlas.sae().feature(9)
    assert len(picked(feature, pick=pick, n=10**30)) == feature.stats().n_active


@pytest.mark.parametrize("wrong", [{"strata": 10**9, "pick": "quantiles"}, {"seed": 2**64, "pick": "random"}])
def test_questions_beyond_what_can_be_computed_are_refused(atlas: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"from [01] to"):
        atlas.sae().feature(9).examples(**wrong)


def test_all_tokens_are_fewer_than_any_number_of_them(atlas: Any) -> None:
    feature = atlas.sae().feature(9)
    assert feature.top_tokens(10**30).equals(feature.top_tokens(1000))
