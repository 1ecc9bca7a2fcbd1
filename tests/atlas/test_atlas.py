"""Opening an atlas, its SAEs and corpora; features of rows, spans and documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saeatlas as sa
from saeatlas.errors import AlreadyExists, FormatError, InvalidInput, NotFound
from saeatlas.format.canonical import write_document
from saeatlas.storage import LocalStore


def test_new_atlas_is_empty_and_opens_again(tmp_path: Path) -> None:
    place = tmp_path / "an atlas ü"
    made = sa.create(place)
    assert (made.saes, made.corpora, made.commit.number) == ([], [], 0)
    assert sa.open(place).entries == {}


def test_atlas_is_not_made_twice(tmp_path: Path) -> None:
    sa.create(tmp_path)
    with pytest.raises(AlreadyExists):
        sa.create(tmp_path)


def test_directory_that_is_no_atlas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        sa.open(tmp_path)


def test_atlas_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    sa.create(tmp_path)
    (tmp_path / "atlas.json").write_bytes(write_document({"format": 2, "id": "0"}))
    with pytest.raises(FormatError) as caught:
        sa.open(tmp_path)
    assert caught.value.kind == "unsupported-format"


def test_older_commit_shows_what_it_held(tmp_path: Path, source: Any, remake: Any) -> None:
    _, atlas = remake(source, LocalStore(tmp_path / "a", create=True))
    assert atlas.commit.number == 2
    assert "corpus/c/tokens" not in sa.open(tmp_path / "a", commit=1).entries
    assert "corpus/c/tokens" in sa.open(str(tmp_path / "a")).entries
    with pytest.raises(NotFound):
        sa.open(tmp_path / "a", commit=9)


def test_flipped_byte_of_a_seal_is_a_format_error(tmp_path: Path, source: Any, remake: Any) -> None:
    remake(source, LocalStore(tmp_path / "a", create=True))
    (seal,) = (tmp_path / "a").glob("artifacts/*segment-00000*/artifact.json")
    seal.write_bytes(seal.read_bytes()[:-40])
    with pytest.raises(FormatError):
        sa.open(tmp_path / "a").sae().feature(0)


def test_only_sae_needs_no_name(atlas: Any) -> None:
    assert atlas.sae() is atlas.sae("s")
    assert atlas.corpus() is atlas.corpus("c")
    assert atlas.sae().corpus is atlas.corpus()


def test_unknown_names_list_the_known(atlas: Any) -> None:
    for ask, known in ((atlas.sae, "s"), (atlas.corpus, "c")):
        with pytest.raises(NotFound) as caught:
            ask("nope")
        assert caught.value.hint == f"Known: {known}"
    with pytest.raises(NotFound, match="holds no"):
        atlas.manifest("sae/s/stats")


def test_empty_atlas_has_no_sae_to_choose(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no SAE"):
        sa.create(tmp_path).sae()


def test_representations_say_what_is_there(atlas: Any) -> None:
    assert "SAEs: s; corpora: c" in repr(atlas)
    assert repr(atlas.sae()) == "SAE('s', 12 features seen (width unknown), 60 rows)"
    assert repr(atlas.corpus()) == "Corpus('c', 9 documents, 60 rows, with tokens)"
    assert "3 segments" in repr(atlas.sae().activations)


def test_identity_states_what_is_known(atlas: Any) -> None:
    assert (atlas.sae().identity.model, atlas.sae().identity.width) == ("hand", None)


@pytest.mark.parametrize("row", [0, 20, 59])
def test_features_at_a_row_come_strongest_first(source: Any, atlas: Any, row: int) -> None:
    listed = np.flatnonzero(~np.isnan(source.dense[row]))
    order = listed[np.lexsort((listed, -source.dense[row, listed]))]
    table = atlas.sae().features_at(row)
    assert table["feature"].to_pylist() == order.tolist()
    assert table["value"].to_pylist() == source.dense[row, order].tolist()


@pytest.mark.parametrize(("start", "stop"), [(None, None), (1, 3), (2, 2), (3, None)])
@pytest.mark.parametrize("document", ["d0", 3])
def test_features_in_a_span_sum_the_active_values(
    source: Any, atlas: Any, document: Any, start: int | None, stop: int | None
) -> None:
    rows = source.rows_of(int(str(document).removeprefix("d")))[start:stop]
    part = np.nan_to_num(source.dense[rows], nan=-1.0)
    expected = []
    for feature in range(12):
        values = part[:, feature][part[:, feature] > 0]
        if values.size:
            expected.append((feature, values.size, values.sum(), values.max(), values.size / rows.size))
    expected.sort(key=lambda line: (-line[3], line[0]))
    got = atlas.sae().features_in(document, start, stop).to_pylist()
    assert [(g["feature"], g["count"], g["sum"], g["max"], g["share"]) for g in got] == expected


def test_span_beyond_its_document_is_refused(atlas: Any) -> None:
    with pytest.raises(InvalidInput, match="do not lie within document 'd0'"):
        atlas.sae().features_in("d0", 0, 999)


def test_document_without_rows_has_no_features(atlas: Any) -> None:
    assert atlas.sae().features_in("d8").num_rows == 0


@pytest.mark.parametrize(("document", "error"), [("dx", NotFound), (9, NotFound), (-1, NotFound), (True, InvalidInput)])
def test_unknown_document_is_refused(atlas: Any, document: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        atlas.corpus().index_of(document)


def test_rows_are_located_in_the_order_given(source: Any, atlas: Any) -> None:
    rows = [59, 0, 20, 20]
    got = atlas.corpus().locate(rows)
    assert [(p.row, p.document, p.index, p.position) for p in got] == [
        (row, f"d{source.documents[row]}", source.documents[row], source.positions[row]) for row in rows
    ]


def test_corpus_gives_text_and_metadata(source: Any, atlas: Any) -> None:
    corpus = atlas.corpus()
    assert corpus.metadata_columns == ("stars", "kind")
    assert corpus.metadata("d1") == {"stars": None, "kind": "k1"}
    assert corpus.text(3) == source.text(3)
    assert corpus.table(["id"])["id"].to_pylist() == [f"d{i}" for i in range(9)]


def test_sae_without_activations_says_so(source: Any, remake: Any) -> None:
    from dataclasses import replace

    _, atlas = remake(source)
    kept = {name: entry for name, entry in atlas.entries.items() if "segment" not in name}
    bare = sa.Atlas(atlas.store, replace(atlas.commit, entries=kept))
    with pytest.raises(NotFound, match="has no activations"):
        _ = bare.sae().n_rows
