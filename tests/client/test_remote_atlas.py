"""A remote atlas stays what it was, and an SAE stays the one that it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import saeatlas
from saeatlas.analyses.stats import Stats
from saeatlas.client.atlas import connect
from saeatlas.errors import Conflict, InvalidInput, NotFound
from saeatlas.server.settings import ServerSettings
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts
from saeatlas.testing.running_server import running_server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SimpleNamespace]:
    here = make_atlas(tmp_path / "a.atlas")
    with running_server(here.url) as address, connect(address) as there:
        yield SimpleNamespace(here=here, there=there, address=address)


def test_atlas_that_is_held_never_changes(served: SimpleNamespace) -> None:
    columns = served.there.sae().columns
    saeatlas.build(served.here, Stats())
    assert "stats.max" not in columns
    assert served.there.sae().find().column_names == ["feature", *columns]
    newest = served.there.newest()
    assert newest.commit == served.there.commit + 1
    assert "stats.max" in newest.sae().columns


def test_identity_is_that_of_the_atlas(served: SimpleNamespace) -> None:
    sae = served.there.sae("toy")
    assert sae.identity == served.here.sae("toy").identity
    assert sae.identity_digest == sae.identity.digest()
    assert served.there.sae("toy", identity_digest=sae.identity_digest) is sae


def test_another_sae_of_the_same_name_is_refused(served: SimpleNamespace) -> None:
    with pytest.raises(Conflict) as caught:
        served.there.sae("toy", identity_digest="0" * 64)
    assert caught.value.kind == "identity-mismatch"


def test_sae_whose_identity_changed_is_refused_after_a_newer_commit(served: SimpleNamespace) -> None:
    saeatlas.build(served.here, PartsImporter(sae="other", data=make_parts(8)))
    newest = served.there.newest()
    newest._known["other"] = "1" * 64
    with pytest.raises(Conflict, match="another SAE"):
        newest.sae("other")
    assert newest.sae("toy").name == "toy"


def test_another_atlas_at_the_address_is_refused(served: SimpleNamespace, tmp_path: Path) -> None:
    port = int(served.address.rsplit(":", 1)[1])
    other = make_atlas(tmp_path / "b.atlas")
    with running_server(other.url) as address, connect(address) as there:
        assert int(address.rsplit(":", 1)[1]) != port
        there._atlas_id = "00000000"
        with pytest.raises(Conflict, match="Another atlas"):
            there.newest()


def test_choice_of_an_sae_needs_a_name_where_there_are_several(served: SimpleNamespace) -> None:
    saeatlas.build(served.here, PartsImporter(sae="other", data=make_parts(8)))
    newest = served.there.newest()
    with pytest.raises(NotFound, match="no name was given") as caught:
        newest.sae()
    assert caught.value.hint == "Known: other, toy"


def test_sae_without_activations_says_so(served: SimpleNamespace) -> None:
    saeatlas.build(served.here, PartsImporter(sae="other", data=make_parts(8)))
    sae = served.there.newest().sae("other")
    for ask in (lambda: sae.n_rows, lambda: sae.corpus, lambda: sae.feature(3).stats()):
        with pytest.raises(NotFound, match="activations"):
            ask()


def test_label_is_in_the_log_and_is_told(served: SimpleNamespace) -> None:
    sae = served.there.sae()
    made = sae.label([3, 5], "dates", by="ana", tags=["x"])
    assert made["n_features"] == 2
    assert served.here.sae().labels.of(5).current[0].said.text == "dates"
    assert [one["text"] for one in sae.feature(3).labels["current"]] == ["dates"]
    assert sae.labels.find(by="ana")["feature"].to_pylist() == [3, 5]
    assert (sae.labels.find(tag="x").num_rows, sae.labels.find(tag="none").num_rows) == (2, 0)
    assert sae.label(4, "times", by="bo")["features"] == [4]


def test_token_is_needed_where_the_server_asks_for_one(tmp_path: Path) -> None:
    here = make_atlas(tmp_path / "a.atlas")
    with running_server(here.url, ServerSettings(token="t" * 20)) as address:
        with pytest.raises(InvalidInput) as caught:
            connect(address)
        assert caught.value.kind == "unauthorized"
        with connect(address, "t" * 20) as there:
            assert there.sae().feature(3).stats() == here.sae().feature(3).stats()


def test_nouns_say_what_they_are(served: SimpleNamespace) -> None:
    sae = served.there.sae()
    assert "toy" in repr(served.there)
    assert "64 features" in repr(sae)
    assert "toy/3" in repr(sae.feature(3))
    assert "10 documents" in repr(sae.corpus)


def test_documents_are_found_by_id_and_by_index(served: SimpleNamespace) -> None:
    corpus = served.there.corpus()
    assert corpus.document("doc-002")["rows"] == corpus.document(2)["rows"]
    assert corpus.table(["id"]).num_rows == corpus.n_documents == 10
