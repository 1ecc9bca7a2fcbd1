"""Weights, maps and explanations come in whole or not at all, and never to another SAE."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import AlreadyExists, Conflict, InvalidInput, SourceError, StepFailed
from saeatlas.format.commit import head
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importer import SaePart, SaeSurvey
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT, Progress
from saeatlas.storage import MemoryStore, Store
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts, make_parts


def empty() -> MemoryStore:
    store = MemoryStore()
    create_atlas(store)
    return store


def opened(store: Store) -> Atlas:
    return Atlas(store, head(store))


def test_sae_may_have_weights_and_no_activations() -> None:
    store = empty()
    report = import_parts(store, PartsImporter(sae="bare", data=make_parts(20)))
    sae = opened(store).sae()
    assert report.parts == {"weights": "made", "explanations/toy": "made", "map": "made"}
    assert sae.n_features == 20
    assert not sae.has_activations
    assert sae.weights is not None
    assert np.array_equal(sae.weights.decoder(3, 9), make_parts(20).arrays["decoder"][3:9])
    assert sae.explanations.collect().height == 16
    assert sae.map is not None
    assert sae.feature(19).id == 19
    assert "no activations" in repr(sae)


def test_second_import_of_the_same_reuses_and_makes_no_commit() -> None:
    store = empty()
    first = import_parts(store, PartsImporter(sae="bare", data=make_parts(20)))
    second = import_parts(store, PartsImporter(sae="bare", data=make_parts(20)))
    assert set(second.parts.values()) == {"reused"}
    assert second.commit == first.commit


def test_weights_join_the_activations_of_the_same_sae() -> None:
    store = make_atlas(MemoryStore(), n_features=20).store
    import_parts(store, PartsImporter(sae="toy", data=make_parts(20)))
    sae = opened(store).sae()
    assert sae.weights is not None
    assert sae.has_activations


def test_activations_join_weights_that_were_there_first() -> None:
    store = empty()
    import_parts(store, PartsImporter(sae="toy", data=make_parts(20)))
    make_atlas(store, n_features=20)
    assert opened(store).sae().weights is not None
    with pytest.raises(Conflict, match="20"):
        make_atlas(empty_with(make_parts(20)), n_features=24)


def empty_with(parts: SaeParts) -> MemoryStore:
    store = empty()
    import_parts(store, PartsImporter(sae="toy", data=parts))
    return store


def test_weights_of_another_width_are_refused_with_both_widths() -> None:
    store = make_atlas(MemoryStore(), n_features=20).store
    before = head(store)
    with pytest.raises(Conflict) as error:
        import_parts(store, PartsImporter(sae="toy", data=make_parts(15)))
    assert "20" in str(error.value)
    assert "15" in str(error.value)
    assert head(store) == before


def test_map_that_names_more_features_than_the_weights_is_refused() -> None:
    store = empty()
    everything = make_parts(20)
    import_parts(store, PartsImporter(sae="bare", data=replace(everything, arrays={}, texts=())))
    with pytest.raises(SourceError, match=r"12 features.*at least 20"):
        import_parts(store, PartsImporter(sae="bare", data=replace(make_parts(12), positions=None, texts=())))


def test_other_weights_under_the_same_name_need_to_be_asked_for() -> None:
    store = empty_with(make_parts(20))
    with pytest.raises(AlreadyExists, match="other weights"):
        import_parts(store, PartsImporter(sae="toy", data=make_parts(20, seed=1)))
    import_parts(store, PartsImporter(sae="toy", data=make_parts(20, seed=1)), replace=True)
    weights = opened(store).sae().weights
    assert weights is not None
    assert np.array_equal(weights.decoder(), make_parts(20, seed=1).arrays["decoder"])


def test_replaced_weights_take_away_what_was_made_from_them_and_what_was_made_from_that() -> None:
    from saeatlas.pipeline.registries import analyses

    registry = analyses()
    store = make_atlas(MemoryStore(), n_features=20, parts=True).store
    build(store, registry["neighbors"](), registry["inter-feature-similarity"](), registry["stats"]())
    there = set(opened(store).entries)
    assert {"sae/toy/neighbors", "sae/toy/inter-feature-similarity", "sae/toy/example-embeddings"} <= there
    import_parts(store, PartsImporter(sae="toy", data=make_parts(20, seed=1)), replace=True)
    gone = there - set(opened(store).entries)
    assert gone == {"sae/toy/neighbors", "sae/toy/inter-feature-similarity"}


def test_damaged_part_leaves_nothing() -> None:
    store = empty()
    parts = make_parts(20)
    decoder = parts.arrays["decoder"].copy()
    decoder[7, 2] = np.nan
    with pytest.raises(SourceError, match=r"'decoder' at \[7, 2\] is nan"):
        import_parts(store, PartsImporter(sae="bare", data=replace(parts, arrays={"decoder": decoder})))
    assert not head(store).entries


class OtherFacts(PartsImporter):
    """Says that the parts are of another model."""

    def survey(self, progress: Progress) -> SaeSurvey:
        found = super().survey(progress)
        return replace(found, identity=SaeIdentity(name=self.sae, model="another", width=found.identity.width))


def test_parts_of_another_identity_are_refused() -> None:
    store = make_atlas(MemoryStore(), n_features=20).store
    with pytest.raises(Conflict, match="another") as error:
        import_parts(store, OtherFacts(sae="toy", data=make_parts(20)), replace=True)
    assert error.value.kind == "identity-mismatch"


def test_facts_that_nothing_else_relies_on_are_replaced_with_the_parts() -> None:
    store = empty()
    import_parts(store, PartsImporter(sae="bare", data=make_parts(20)))
    with pytest.raises(Conflict):
        import_parts(store, OtherFacts(sae="bare", data=make_parts(15, seed=1)))
    import_parts(store, OtherFacts(sae="bare", data=make_parts(15, seed=1)), replace=True)
    sae = opened(store).sae()
    assert (sae.identity.model, sae.n_features) == ("another", 15)


def test_facts_stay_where_something_else_of_the_sae_relies_on_them() -> None:
    store = empty()
    import_parts(store, PartsImporter(sae="bare", data=make_parts(20)))
    before = head(store)
    with pytest.raises(Conflict) as error:
        import_parts(store, OtherFacts(sae="bare", data=replace(make_parts(15), texts=())), replace=True)
    assert error.value.kind == "identity-mismatch"
    assert head(store) == before


class Breaks(PartsImporter):
    """Fails at its second part."""

    def write(self, part: SaePart, directory: Path, progress: Progress) -> dict[str, Any]:
        if part.encoding == "explanations":
            raise ValueError("no")
        return super().write(part, directory, progress)


def test_all_parts_are_published_or_none() -> None:
    store = empty()
    with pytest.raises(StepFailed):
        import_parts(store, Breaks(sae="bare", data=make_parts(20)))
    assert not head(store).entries
    report = import_parts(store, PartsImporter(sae="bare", data=make_parts(20)))
    assert set(report.parts) == {"weights", "explanations/toy", "map"}


def test_one_build_imports_parts_and_computes_what_they_allow() -> None:
    from saeatlas.pipeline.registries import analyses

    atlas = build(empty(), PartsImporter(sae="bare", data=make_parts(20)), analyses()["neighbors"]())
    assert atlas.sae().table("neighbors") is not None
    with pytest.raises(InvalidInput, match="one source of each SAE"):
        build(empty(), PartsImporter(sae="bare", data=make_parts(20)), PartsImporter(sae="bare", data=make_parts(20)))


def test_silent_progress_is_enough_for_a_survey() -> None:
    survey = PartsImporter(sae="bare", data=make_parts(4)).survey(SILENT)
    assert survey.n_features == 4


def test_facts_learned_from_weights_do_not_make_segments_anew() -> None:
    from saeatlas.pipeline.importing import import_source
    from saeatlas.testing.make_atlas import Shape, make_importer

    importer = replace(make_importer(Shape(n_features=20)), n_features=None, identity={"model": "toy-model"})
    store = empty()
    import_source(store, importer)
    import_parts(store, PartsImporter(sae="toy", data=make_parts(20)))
    known = head(store)
    report = import_source(store, importer)
    assert (report.built, report.commit) == (0, known.number)
    assert opened(store).sae().n_features == 20


def test_width_known_from_weights_binds_activations_that_do_not_state_one() -> None:
    from saeatlas.pipeline.importing import import_source
    from saeatlas.testing.make_atlas import Shape, make_importer

    importer = replace(make_importer(Shape(n_features=40, n_rows=500)), n_features=None, identity={})
    with pytest.raises(SourceError, match="expected 0 to 19"):
        import_source(empty_with(make_parts(20)), importer)
