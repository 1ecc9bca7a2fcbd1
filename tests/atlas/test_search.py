"""What is planted is found: by words, beginnings, misspellings, in every script; and labels are found at once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from saeatlas.analyses.search import Search
from saeatlas.analyses.search_documents import SearchDocuments
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.search import Found, search
from saeatlas.atlas.search_query import MAX_QUERY, parse_query
from saeatlas.atlas.search_snippets import Matcher
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.search_index import Term
from saeatlas.pipeline.build import build
from saeatlas.pipeline.labelling import label
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts

TEXTS = (
    (0, "customers who ask for a refund"),
    (1, "refunds in bank statements"),
    (2, "the getUserName method and HTTPServerError"),
    (3, "日本語の文章について"),
    (4, "مُدَرِّسَة في المدرسة"),
    (5, "celebration 🎉 and fireworks"),
    (6, "<script>alert('x')</script> in HTML"),
    (7, "mentions of biblical verses"),
    (8, "a long story " + "of nothing at all " * 40 + "that ends with a zeppelin"),
    (9, "Ångström units and naïve cafés"),
)


@cache
def planted() -> Atlas:
    store = MemoryStore()
    make_atlas(store, n_features=16)
    import_parts(store, PartsImporter(sae="toy", data=replace(make_parts(16), texts=TEXTS)))
    return build(Atlas(store, head(store)), TopTokens(), Search(), SearchDocuments())


def copy_of(atlas: Atlas) -> MemoryStore:
    store = MemoryStore()
    for key in atlas.store.list(""):
        store.put_new(key, atlas.store.get(key))
    return store


def ids(query: str, **options: Any) -> list[int]:
    return [hit.feature for hit in search(planted(), query, kind="features", **options).features]


@pytest.mark.parametrize(
    ("query", "features"),
    [
        ("refund", [0, 1]),
        ("REFUND customers", [0]),
        ("refun", [1, 0]),
        ("user name", [2]),
        ("getUserName", [2]),
        ("getusername", [2]),
        ("server error", [2]),
        ("日本", [3]),
        ("日本語", [3]),
        ("文", [3]),
        ("مدرسة", [4]),
        ("🎉", [5]),
        ("script", [6]),
        ("bibl vers", [7]),
        ("angstrom", [9]),
        ("naive cafe", [9]),
        ('"bank statements"', [1]),
        ('"statements bank"', []),
        ("zeppelin", [8]),
    ],
)
def test_planted_features_are_found_in_their_order(query: str, features: list[int]) -> None:
    found = search(planted(), query, kind="features")
    assert [hit.feature for hit in found.features if hit.where == "explanation"] == features
    assert found.n_features >= len(features)


@pytest.mark.parametrize(
    ("query", "corrected", "feature"),
    [("refnud", "refund", 0), ("biblcal verse", "biblical verse", 7), ("Zepelin", "zeppelin", 8)],
)
def test_misspelt_words_are_corrected_and_it_is_said(query: str, corrected: str, feature: int) -> None:
    found = search(planted(), query, kind="features")
    assert (found.corrected, found.features[0].feature, found.query) == (corrected, feature, query)


def test_whole_words_come_before_beginnings() -> None:
    assert ids("refund")[0] == 0
    assert ids("refunds")[0] == 1


def test_where_nothing_has_all_words_some_of_them_do() -> None:
    found = search(planted(), "fireworks zeppelin", kind="features")
    assert (found.is_any, found.n_features) == (True, 2)
    assert not search(planted(), "refund customers", kind="features").is_any


def test_tokens_find_features_by_how_often_they_fire_on_them() -> None:
    atlas = planted()
    found = search(atlas, "dog", kind="features", limit=50)
    assert found.n_features == len(found.features)
    table = atlas.sae().table("top-tokens")
    assert table is not None
    fires = {line["feature"] for line in table.to_pylist() if line["string"] == " dog"}
    assert {hit.feature for hit in found.features} == fires
    assert all(hit.where == "token" for hit in found.features)
    assert all("".join(part.text for part in hit.snippet) == " dog" for hit in found.features)


def test_documents_are_found_by_text_metadata_and_id() -> None:
    atlas = planted()
    texts = [atlas.corpus().text(index) or "" for index in range(10)]
    found = search(atlas, "日本 dog", kind="documents", limit=20)
    assert {hit.index for hit in found.documents} == {
        i for i, text in enumerate(texts) if "日本" in text and "dog" in text
    }
    reviews = search(atlas, "review", kind="documents").documents
    assert {hit.index for hit in reviews} == {0, 3, 6, 9}
    assert ["".join(part.text for part in hit.snippet) for hit in reviews] == ["kind: review"] * 4
    assert search(atlas, "doc-004", kind="documents").documents[0].document == "doc-004"


def test_snippets_are_pieces_of_the_text() -> None:
    (hit,) = search(planted(), "zeppelin", kind="features").features
    shown = "".join(part.text for part in hit.snippet)
    assert shown.startswith("…")
    assert shown[1:] in TEXTS[8][1]
    assert [part.text for part in hit.snippet if part.is_match] == ["zeppelin"]
    assert len(shown) < 200
    (hit,) = search(planted(), "script", kind="features").features
    assert "".join(part.text for part in hit.snippet) == TEXTS[6][1]


def test_snippet_of_a_book_is_where_most_words_stand() -> None:
    matcher = Matcher([Term(("cat",)), Term(("dog",), is_prefix=True)])
    marked = matcher.mark("a cat " + "and so on " * 2000 + "a cat and dogs " + "and so on " * 20_000)
    assert marked is not None
    assert marked.n_terms == 2
    assert [part.text for part in marked.segments if part.is_match] == ["cat", "dogs"]
    assert matcher.mark("nothing of that") is None
    assert matcher.mark("cat " * 10_000) is not None


INJECTIONS = (
    '"', "'", '" OR "1"="1',
    "refund*", "NEAR(a b)", "a AND b OR NOT c", "text:refund", "{a b}: c", "-refund", "^refund",
    "refund); drop table lines; --", "%", "\\", "a\x00b", "\ud800x", "(((", "a" * 900, "🙂" * 30,
)  # fmt: skip


@pytest.mark.parametrize("query", INJECTIONS)
def test_nothing_in_a_query_is_syntax(query: str) -> None:
    assert isinstance(search(planted(), query), Found)


@pytest.mark.parametrize("query", ["", "  ", "\n", "\u200b", "x" * (MAX_QUERY + 1), "y" * 10_000])
def test_nothing_or_too_much_is_refused(query: str) -> None:
    with pytest.raises(InvalidInput):
        search(planted(), query)


def test_too_many_words_are_refused() -> None:
    with pytest.raises(InvalidInput, match="different words"):
        search(planted(), " ".join(f"w{number}" for number in range(40)))
    assert len(parse_query("same " * 100).terms) == 1


@pytest.mark.parametrize("limit", [0, -1, 1001, True])
def test_limits_are_checked(limit: int) -> None:
    with pytest.raises(InvalidInput):
        search(planted(), "a", limit=limit)


def test_limit_cuts_the_list_and_not_the_count() -> None:
    found = search(planted(), "refund", kind="features", limit=1)
    assert (len(found.features), found.n_features) == (1, len(ids("refund", limit=50)))


def test_labels_are_found_at_once_and_come_first() -> None:
    store = copy_of(planted())
    atlas = Atlas(store, head(store))
    label(atlas.sae().feature(12), "refund requests", by="ana")
    found = search(atlas, "refund", kind="features")
    assert (found.features[0].feature, found.features[0].where) == (12, "label")
    assert {hit.feature for hit in found.features} >= {0, 1, 12}
    assert "".join(part.text for part in found.features[0].snippet) == "refund requests"
    label(atlas.sae().feature(12), "something else", by="ana")
    assert [hit.feature for hit in search(atlas, "refund", kind="features").features] == ids("refund")


def test_a_word_in_the_label_and_one_in_the_explanation_are_both_of_the_feature() -> None:
    store = copy_of(planted())
    atlas = Atlas(store, head(store))
    label(atlas.sae().feature(0), "Zahlungsverkehr", by="ana", tags=("wichtig",))
    found = search(atlas, "zahlung refund", kind="features")
    assert ([hit.feature for hit in found.features], found.is_any) == ([0], False)
    assert [hit.feature for hit in search(atlas, "wichtig", kind="features").features] == [0]
    assert search(atlas, "zahlunsgverkehr", kind="features").corrected == "zahlungsverkehr"


def test_labels_are_searched_without_an_index_and_what_is_missing_is_said() -> None:
    store = MemoryStore()
    atlas = make_atlas(store)
    with pytest.raises(NotFound, match="saeatlas analyze search"):
        search(atlas, "refund")
    label(atlas.sae().feature(3), "refunds", by="bo")
    found = search(atlas, "refund")
    assert [hit.feature for hit in found.features] == [3]
    assert {(one.kind, one.name) for one in found.missing} == {("features", "toy"), ("documents", "reviews")}
    assert all("saeatlas analyze" in one.reason for one in found.missing)


def test_index_made_without_what_is_there_now_is_said() -> None:
    store = MemoryStore()
    make_atlas(store, n_features=16)
    import_parts(store, PartsImporter(sae="toy", data=replace(make_parts(16), texts=TEXTS)))
    atlas = build(Atlas(store, head(store)), Search())
    assert search(atlas, "refund", kind="features").missing == ()
    later = build(atlas, TopTokens())
    (missing,) = search(later, "refund", kind="features").missing
    assert "top-tokens" in missing.reason


def test_sae_and_its_corpus_can_be_chosen() -> None:
    with pytest.raises(NotFound, match="nope"):
        search(planted(), "refund", sae="nope")
    assert search(planted(), "refund", sae="toy") == search(planted(), "refund")


def test_saes_of_one_corpus_share_the_index_of_its_documents() -> None:
    store = copy_of(planted())
    make_atlas(store, n_features=16, sae="other")
    atlas = build(Atlas(store, head(store)), SearchDocuments(), saes=("other",))
    manifests = [atlas.manifest(f"sae/{name}/search-documents") for name in ("toy", "other")]
    assert manifests[0].digest == manifests[1].digest
    assert search(atlas, "dog", kind="documents").documents == search(planted(), "dog", kind="documents").documents


def test_ranking_is_the_same_for_labels_in_the_way_or_not() -> None:
    store = copy_of(planted())
    atlas = Atlas(store, head(store))
    plain = search(atlas, "refund bank", kind="features")
    label(atlas.sae().feature(15), "bank", by="ana")
    again = search(atlas, "refund bank", kind="features")
    assert [hit.feature for hit in again.features] == [hit.feature for hit in plain.features]
    assert again.features[0].score == pytest.approx(plain.features[0].score)


def test_hits_say_where_and_scores_fall() -> None:
    found = search(planted(), "the", limit=50)
    assert all(one.score >= other.score for one, other in zip(found.features, found.features[1:], strict=False))
    assert replace(found, features=(), documents=()).total == found.n_features + found.n_documents
