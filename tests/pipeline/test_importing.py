from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import AlreadyExists, Conflict, InternalError, InvalidInput, SourceError, StepFailed
from saeatlas.format.artifact import load_manifest
from saeatlas.format.commit import head
from saeatlas.pipeline.build import build
from saeatlas.pipeline.importing import import_source
from saeatlas.progress import Event, Progress
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import Shape, make_arrays, make_atlas


@pytest.mark.parametrize("shard_rows", [0, 1, 7, 40, 120, 500])
def test_atlas_gives_back_what_was_imported(store: MemoryStore, kit: Any, shard_rows: int) -> None:
    shape = replace(kit.SHAPE, n_rows=30, ragged=True)
    import_source(store, kit.importer(shape, shard_rows=shard_rows))
    kit.assert_holds(store, make_arrays(shape))


def test_report_counts_listed_and_active(store: MemoryStore, kit: Any) -> None:
    values = make_arrays(kit.SHAPE).values
    report = import_source(store, kit.importer())
    found = (report.rows, report.listed, report.active, report.segments, report.built, report.reused, report.commit)
    assert found == (120, 360, int((values > 0).sum()), 3, 6, 0, 1)


def test_second_import_does_nothing(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    objects = list(store.list(""))
    report = import_source(store, kit.importer())
    assert (report.built, report.reused, report.commit, list(store.list(""))) == (0, 6, 1, objects)


def test_source_in_another_place_is_the_same_source(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    assert import_source(store, replace(kit.importer(), source="elsewhere/arrays")).built == 0


def test_another_profile_rebuilds_segments_only(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    before = kit.keys(store)
    report = import_source(store, kit.importer(profile="balanced"))
    changed = {name for name, key in kit.keys(store).items() if before[name] != key}
    assert (report.built, changed) == (3, {f"sae/toy/segment/0000{n}" for n in range(3)})


def test_fewer_segments_replace_all_old_ones(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(shard_rows=20))
    import_source(store, kit.importer(shard_rows=60))
    assert {name for name in kit.names(store) if "segment" in name} == {
        "sae/toy/segment/00000",
        "sae/toy/segment/00001",
    }
    kit.assert_holds(store, make_arrays(kit.SHAPE))


def test_other_segmentation_keeps_analyses_current(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(shard_rows=20), kit.Loud())
    import_source(store, kit.importer(shard_rows=60))
    assert "sae/toy/loud" in kit.names(store)


def test_other_values_are_refused(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    other = kit.with_data(kit.importer(), values=make_arrays(kit.SHAPE).values * 2)
    with pytest.raises(AlreadyExists, match="SAE 'toy' has other data") as caught:
        import_source(store, other)
    assert "--replace" in caught.value.hint
    kit.assert_holds(store, make_arrays(kit.SHAPE))


def test_other_values_are_refused_after_the_first_shard(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    n_objects = len(list(store.list("artifacts")))
    with pytest.raises(AlreadyExists):
        import_source(store, kit.with_data(kit.importer(), values=make_arrays(kit.SHAPE).values * 2))
    sealed = [key for key in store.list("artifacts") if key.endswith("artifact.json")]
    assert (len(sealed), len(list(store.list("artifacts"))) > n_objects) == (7, True)


def test_other_values_in_other_segments_are_refused(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(shard_rows=40))
    with pytest.raises(AlreadyExists):
        import_source(store, kit.with_data(kit.importer(shard_rows=50), values=make_arrays(kit.SHAPE).values * 2))


def test_more_rows_are_refused_before_any_work(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    objects = list(store.list(""))
    with pytest.raises(AlreadyExists, match="120 rows of activations, and the source 150"):
        import_source(store, kit.importer(replace(kit.SHAPE, n_rows=150)))
    assert list(store.list("")) == objects


def test_replace_takes_the_new_data_and_drops_old_analyses(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    shape = replace(kit.SHAPE, n_rows=50, seed=1)
    import_source(store, kit.importer(shape), replace=True)
    assert {name for name in kit.names(store) if name.startswith("sae/")} == {
        "sae/toy/identity",
        "sae/toy/segment/00000",
        "sae/toy/segment/00001",
    }
    kit.assert_holds(store, make_arrays(shape))


def test_tokens_of_other_documents_are_dropped(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    import_source(store, kit.importer(replace(kit.SHAPE, n_rows=50, tokens=False)), replace=True)
    assert "corpus/reviews/tokens" not in kit.names(store)


def test_other_identity_is_refused_with_both_sides_shown(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    with pytest.raises(Conflict, match=r"toy-model.*other-model") as caught:
        import_source(store, replace(kit.importer(), identity={"model": "other-model"}))
    assert caught.value.kind == "identity-mismatch"


def test_replace_does_not_attach_data_to_another_identity(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    with pytest.raises(Conflict, match="other-model"):
        import_source(store, replace(kit.importer(), identity={"model": "other-model"}), replace=True)


def test_new_facts_join_the_known_ones(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    import_source(store, replace(kit.importer(), identity={"hook": "blocks.3"}))
    identity = Atlas(store, head(store)).sae("toy").identity
    assert (identity.model, identity.hook, identity.revision) == ("toy-model", "blocks.3", None)


def test_every_segment_carries_the_identity(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    carried = {
        load_manifest(store, entry.path).attributes["identity"]["model"]  # type: ignore[index]
        for name, entry in head(store).entries.items()
        if "segment" in name
    }
    assert carried == {"toy-model"}


def test_two_saes_share_a_corpus(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(sae="a"))
    import_source(store, kit.importer(sae="b"))
    assert Atlas(store, head(store)).saes == ["a", "b"]


@pytest.mark.parametrize("replace_old", [False, True])
def test_corpus_of_another_sae_keeps_its_rows(store: MemoryStore, kit: Any, *, replace_old: bool) -> None:
    import_source(store, kit.importer(sae="a"))
    with pytest.raises(Conflict, match="Corpus 'reviews', which 'a' use") as caught:
        import_source(store, kit.importer(replace(kit.SHAPE, n_rows=50), sae="b"), replace=replace_old)
    assert (caught.value.kind, Atlas(store, head(store)).saes) == ("corpus-mismatch", ["a"])


def test_replace_renews_metadata_that_two_saes_share(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(sae="a"))
    import_source(store, kit.importer(sae="b"))
    import_source(store, kit.with_data(kit.importer(sae="b"), columns={"mood": list("abcdef")}), replace=True)
    assert "mood" in Atlas(store, head(store)).corpus("reviews").documents.attributes["metadata_columns"]


@pytest.mark.parametrize(
    ("field", "value", "kind", "message"),
    [
        ("features", 32, "index-out-of-range", "Row 83, slot 1: feature id 32 is out of range, expected 0 to 31"),
        ("features", -2, "index-out-of-range", "Row 83, slot 1: feature id -2 is out of range, expected 0 to 31"),
        ("values", np.nan, "not-finite", "Row 83, slot 1: the value is nan, expected a finite number"),
        ("values", np.inf, "not-finite", "Row 83, slot 1: the value is inf, expected a finite number"),
    ],
)
def test_bad_entry_is_named(store: MemoryStore, kit: Any, field: str, value: float, kind: str, message: str) -> None:
    array = getattr(make_arrays(kit.SHAPE), field).copy()
    array[83 * 3 + 1] = value
    with pytest.raises(SourceError) as caught:
        import_source(store, kit.with_data(kit.importer(), **{field: array}))
    assert (caught.value.message, caught.value.kind, head(store).number) == (message, kind, 0)
    assert caught.value.notes == ("While making 'sae/toy/segment/00002'",)


def test_duplicate_feature_is_named(store: MemoryStore, kit: Any) -> None:
    features = make_arrays(kit.SHAPE).features.copy()
    features[83 * 3 + 2] = features[83 * 3]
    with pytest.raises(SourceError, match=f"Row 83, slot 2: feature id {features[249]} is listed twice") as caught:
        import_source(store, kit.with_data(kit.importer(), features=features))
    assert caught.value.kind == "duplicate-index"


def test_replace_never_moves_rows_of_another_sae_to_other_documents(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(sae="a"))
    arrays = make_arrays(kit.SHAPE)
    moved = kit.with_data(kit.importer(sae="b"), documents=np.roll(arrays.documents, 1))
    with pytest.raises(Conflict, match="which 'a' use") as caught:
        import_source(store, moved, replace=True)
    assert caught.value.kind == "corpus-mismatch"


def test_one_build_joins_no_sae_to_documents_of_another_source(store: MemoryStore, kit: Any) -> None:
    longer = kit.importer(replace(kit.SHAPE, n_rows=150), sae="b")
    with pytest.raises(InvalidInput, match="'a' and 'b' bring documents of their own for corpus 'reviews'"):
        build(store, kit.importer(sae="a"), longer)
    assert head(store).number == 0


def test_one_build_imports_an_sae_once(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(InvalidInput, match="SAE 'a' is imported twice"):
        build(store, kit.importer(sae="a"), kit.importer(sae="a", shard_rows=20))


def test_known_width_binds_a_source_that_states_none(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    features = make_arrays(kit.SHAPE).features.copy()
    features[7] = 32
    unsaid = replace(kit.with_data(kit.importer(), features=features), n_features=None)
    with pytest.raises(SourceError, match="feature id 32 is out of range, expected 0 to 31"):
        import_source(store, unsaid, replace=True)


def test_absurd_feature_of_an_unknown_width_is_refused_before_memory_is_taken(store: MemoryStore, kit: Any) -> None:
    features = make_arrays(kit.SHAPE).features.astype(np.int64)
    features[7] = 2**32 - 1
    importer = replace(kit.with_data(kit.importer(), features=features), n_features=0, identity={})
    with pytest.raises(SourceError, match="feature id 4294967295 is out of range, expected 0 to 16777215") as caught:
        import_source(store, importer)
    assert caught.value.kind == "index-out-of-range"


def test_source_without_rows_is_refused(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(SourceError, match="no rows") as caught:
        import_source(store, kit.importer(replace(kit.SHAPE, n_rows=0)))
    assert caught.value.kind == "empty-source"


def test_documents_must_cover_the_rows(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(SourceError, match="120 rows, and the documents 119") as caught:
        import_source(store, kit.with_data(kit.importer(), documents=make_arrays(kit.SHAPE).documents[:-1]))
    assert caught.value.kind == "shape-mismatch"


def test_name_must_fit_a_path(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(InvalidInput, match="Not a name for an SAE"):
        import_source(store, kit.importer(sae="../x"))


def test_shards_must_cover_the_rows(store: MemoryStore, kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(kit.importer()), "shards", lambda *_: (range(40), range(50, 120)))
    with pytest.raises(InternalError, match="do not cover"):
        import_source(store, kit.importer())


def test_interrupted_import_goes_on_at_its_shard(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(SourceError):
        import_source(store, kit.faulty(90))
    assert head(store).number == 0
    report = import_source(store, kit.faulty(-1))
    assert (report.reused, report.built) == (5, 1)
    kit.assert_holds(store, make_arrays(kit.SHAPE))


def test_ctrl_c_keeps_finished_shards(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        import_source(store, kit.faulty(90, "interrupt"))
    assert import_source(store, kit.faulty(-1)).built == 1


def test_bug_in_an_importer_names_the_step_and_the_cause(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(StepFailed, match="'sae/toy/segment/00002' stopped: ZeroDivisionError") as caught:
        import_source(store, kit.faulty(90, "bug"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_old_commit_stays_readable_after_a_failed_import(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(sae="first"))
    with pytest.raises(SourceError):
        import_source(store, kit.faulty(90))
    kit.assert_holds(store, make_arrays(kit.SHAPE), "first")


def test_progress_counts_every_row_once_and_closes_what_it_opens(store: MemoryStore, kit: Any) -> None:
    events: list[Event] = []
    import_source(store, kit.importer(), progress=Progress(events.append))
    rows = sum(event.amount for event in events if event.what == "advance" and event.task.endswith("Read rows"))
    opened = sorted(event.task for event in events if event.what == "start")
    assert (rows, opened) == (120, sorted(event.task for event in events if event.what == "end"))


def test_make_atlas_adds_to_an_atlas(store: MemoryStore) -> None:
    make_atlas(store, 50)
    assert make_atlas(store, 50, sae="second").saes == ["second", "toy"]


def test_make_arrays_depend_on_the_shape_only() -> None:
    one, two = make_arrays(Shape(seed=3)), make_arrays(Shape(seed=3))
    assert one.fingerprint("features", "values", "texts") == two.fingerprint("features", "values", "texts")


def test_texts_and_spans_agree() -> None:
    arrays = make_arrays(Shape(interleaved=True))
    assert arrays.spans is not None
    assert arrays.tokens is not None
    for row in range(arrays.n_rows):
        text = arrays.texts[int(arrays.documents[row])] or ""
        assert text[slice(*arrays.spans[row])] == arrays.vocabulary[int(arrays.tokens[row])]
