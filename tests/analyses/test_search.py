"""The indexes hold what they say, follow what they are made from, and are written once for each corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from saeatlas.analyses.search import Search
from saeatlas.analyses.search_documents import SearchDocuments
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas, open_atlas
from saeatlas.errors import NotFound
from saeatlas.format.commit import head
from saeatlas.kernels.words import words_of
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import MemoryStore, Store
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts

TEXTS = ((1, "mentions of getUserName"), (3, "日本"))


def explained(store: Store, texts: tuple[tuple[int, str], ...] = TEXTS) -> Atlas:
    parts = make_parts(16)
    import_parts(store, PartsImporter(sae="toy", data=replace(parts, texts=texts)), replace=True)
    return Atlas(store, head(store))


def test_counts_are_those_of_the_words() -> None:
    atlas = explained(make_atlas(MemoryStore(), n_features=16).store)
    lines = compute_tables_after_writing(Search(), atlas)
    assert {line["feature"]: line["explanation_words"] for line in lines} == {1: 6, 3: 3}
    assert {line["token_words"] for line in lines} == {0}


def test_a_token_counts_by_its_share_of_the_rows() -> None:
    atlas = build(make_atlas(MemoryStore(), n_features=16), TopTokens())
    table = atlas.sae().table("top-tokens")
    assert table is not None
    want: dict[int, int] = {}
    for line in table.to_pylist():
        times = max(1, int(line["share"] * 10))
        want[line["feature"]] = want.get(line["feature"], 0) + times * len(words_of(line["string"]))
    found = compute_tables_after_writing(Search(), atlas)
    assert {line["feature"]: line["token_words"] for line in found} == {f: n for f, n in want.items() if n}


def test_documents_count_texts_and_named_metadata() -> None:
    atlas = make_atlas(MemoryStore(), n_documents=6)
    corpus = atlas.corpus()
    for line in compute_tables_after_writing(SearchDocuments(), atlas):
        index = line["document"]
        values = [value for value in corpus.metadata(index).values() if isinstance(value, str | int)]
        assert line["text_words"] == len(words_of(corpus.text(index) or "", has_punctuation=False))
        assert line["metadata_words"] == sum(len(words_of(str(value))) for value in values)


def compute_tables_after_writing(analysis: Search | SearchDocuments, atlas: Atlas) -> list[dict[str, int]]:
    lines: list[dict[str, int]] = compute_tables(analysis, atlas.sae())["data"].to_pylist()
    return lines


def test_nothing_to_search_is_said_before_the_run() -> None:
    atlas = make_atlas(MemoryStore())
    with pytest.raises(NotFound, match="neither explanations nor"):
        Search().peak_bytes(atlas.sae())
    with pytest.raises(NotFound, match="neither explanations nor"):
        Search().compute(atlas.sae(), None)  # type: ignore[arg-type]


def test_other_explanations_make_the_index_stale() -> None:
    store = make_atlas(MemoryStore(), n_features=16).store
    atlas = build(explained(store), Search(), SearchDocuments())
    assert atlas.sae().why_no_table("search") == ""
    later = explained(store, ((1, "something else"),))
    assert "saeatlas analyze search" in later.sae().why_no_table("search")
    assert later.sae().why_no_table("search-documents") == ""


def test_second_sae_takes_the_file_of_the_first(tmp_path: Path) -> None:
    make_atlas(tmp_path / "a.atlas", sae="one")
    atlas = make_atlas(tmp_path / "a.atlas", sae="two")
    build(atlas, SearchDocuments(), saes=("one",))
    build(atlas, SearchDocuments(), saes=("two",))
    made = open_atlas(tmp_path / "a.atlas")
    files = [tmp_path / "a.atlas" / made.entries[f"sae/{name}/search-documents"].path for name in ("one", "two")]
    one, two = (folder / "documents.sqlite" for folder in files)
    assert one.samefile(two)
    assert made.manifest("sae/one/search-documents").digest == made.manifest("sae/two/search-documents").digest


def test_manifest_names_the_file() -> None:
    atlas = build(make_atlas(MemoryStore()), SearchDocuments())
    attributes = atlas.manifest("sae/toy/search-documents").attributes
    assert attributes["files"] == ["documents.sqlite"]
    assert attributes["tables"] == ["data"]
