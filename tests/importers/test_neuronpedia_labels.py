"""Labels from Neuronpedia's bulk files, on disk and from a server that misbehaves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import Conflict, InvalidInput, SourceError
from saeatlas.format.artifact import load_manifest
from saeatlas.format.commit import head
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.version import create_atlas
from saeatlas.importers import neuronpedia_labels
from saeatlas.importers._http import Timing
from saeatlas.importers.neuronpedia_labels import NeuronpediaLabels
from saeatlas.importers.sae_weights import SaeWeights
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.local_server import Fault, LocalServer, Reply, Request

MODEL, SOURCE = "gemma-2-2b", "12-gemmascope-res-16k"
Line = dict[str, Any]


def line(number: int | str, text: str | None = None, **other: Any) -> Line:
    said = f" what {number} is about" if text is None else text
    known = {"typeName": "oai_token-act-pair", "explanationModelName": "gpt-4o-mini"}
    return {"modelId": MODEL, "layer": SOURCE, "index": number, "description": said, **known, **other}


def packed(lines: list[Line]) -> bytes:
    return gzip.compress("".join(json.dumps(one) + "\n" for one in lines).encode(), mtime=0)


def batches(n: int, size: int = 4) -> dict[str, bytes]:
    return {
        f"batch-{number}.jsonl.gz": packed([line(str(index)) for index in range(number * size, number * size + size)])
        for number in range(n)
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAEATLAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(neuronpedia_labels, "TIMING", Timing(sleep=lambda seconds: None))


def survey_error(source: Path | str, **fields: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        NeuronpediaLabels(str(source), sae="s", **fields).survey(SILENT)
    return caught.value


def bring(importer: NeuronpediaLabels, atlas: Atlas | None = None) -> tuple[Atlas, list[Line], dict[str, Any]]:
    """The atlas after an import, the lines of the table, and the attributes of the artifact."""
    store = atlas.store if atlas else MemoryStore()
    if atlas is None:
        create_atlas(store)
    import_parts(store, importer)
    opened = Atlas(store, head(store))
    (name,) = [name for name in head(store).entries if name.endswith("explanations/neuronpedia")]
    attributes = dict(load_manifest(store, head(store).entries[name].path).attributes)
    return opened, opened.sae(importer.sae).explanations.collect().to_dicts(), attributes


def test_all_features_are_read_not_the_first_thousand(tmp_path: Path) -> None:
    folder = write(tmp_path / "explanations", batches(9, 256))
    _, lines, attributes = bring(NeuronpediaLabels(str(folder), sae="s", n_features=2304))
    assert [one["feature"] for one in lines] == list(range(2304))
    assert (attributes["n_explained"], attributes["missing_batches"], attributes["failed_features"]) == (2304, [], [])


def test_index_may_be_a_number_or_its_digits(tmp_path: Path) -> None:
    folder = write(tmp_path, {"batch-0.jsonl.gz": packed([line(3), line("1")])})
    assert [one["feature"] for one in bring(NeuronpediaLabels(str(folder), sae="s"))[1]] == [1, 3]


def test_texts_stay_as_they_are_with_who_wrote_them_and_how(tmp_path: Path) -> None:
    lines = [
        line(0, " dates\n", explanationModelName="claude", typeName="np_max-act"),
        line(0, "numbers", explanationModelName=None, typeName=""),
        line(1, "héros 日本 🙂"),
    ]
    folder = write(tmp_path, {"batch-0.jsonl.gz": packed(lines)})
    _, found, attributes = bring(NeuronpediaLabels(str(folder), sae="s"))
    assert [(one["text"], one["explainer"], one["method"]) for one in found] == [
        (" dates\n", "claude", "np_max-act"),
        ("numbers", None, None),
        ("héros 日本 🙂", "gpt-4o-mini", "oai_token-act-pair"),
    ]
    assert {one["set"] for one in found} == {"neuronpedia"}
    assert attributes["explainers"] == ["claude", "gpt-4o-mini"]


def test_blank_texts_are_counted_as_absent_and_repeats_are_kept_once(tmp_path: Path) -> None:
    lines = [line(0, ""), line(1, "  \n"), line(2, None, description=None), line(3), line(3), line(3, "other")]
    folder = write(tmp_path, {"batch-0.jsonl.gz": packed(lines)})
    importer = NeuronpediaLabels(str(folder), sae="s", n_features=8)
    _, found, attributes = bring(importer)
    assert [(one["feature"], one["text"]) for one in found] == [(3, " what 3 is about"), (3, "other")]
    assert (attributes["n_blank"], attributes["n_repeated"]) == (3, 1)
    assert importer.survey(SILENT).notes == (
        "Labels of 'gemma-2-2b/12-gemmascope-res-16k' are about the SAE with L0 82",
        "1 of 8 features have a label; the others have none",
        "3 explanations have no text and count as absent",
        "1 explanations stand there twice and are kept once",
    )


def test_lines_of_the_database_with_more_members_are_read(tmp_path: Path) -> None:
    rich = line("7", embedding=[0.5] * 256, id="c1", authorId="a", umap_x=None, scores=None, score=None)
    folder = write(tmp_path, {"batch-0.jsonl.gz": packed([rich])})
    assert bring(NeuronpediaLabels(str(folder), sae="s"))[1][0]["feature"] == 7


@pytest.mark.parametrize("inner", ["", "explanations"])
def test_folder_may_be_that_of_the_batches_or_the_one_around_it(tmp_path: Path, inner: str) -> None:
    write(tmp_path / inner, batches(2))
    assert len(bring(NeuronpediaLabels(str(tmp_path), sae="s"))[1]) == 8


def test_one_file_is_read_alone_and_need_not_be_compressed(tmp_path: Path) -> None:
    write(tmp_path, batches(2))
    assert len(bring(NeuronpediaLabels(str(tmp_path / "batch-1.jsonl.gz"), sae="s"))[1]) == 4
    plain = tmp_path / "labels.jsonl"
    plain.write_bytes(gzip.decompress((tmp_path / "batch-1.jsonl.gz").read_bytes()).rstrip(b"\n"))
    assert len(bring(NeuronpediaLabels(str(plain), sae="s"))[1]) == 4


def test_identity_is_model_layer_and_the_canonical_sae(tmp_path: Path) -> None:
    importer = NeuronpediaLabels(str(write(tmp_path, batches(1))), sae="s")
    assert importer.survey(SILENT).identity == SaeIdentity(name="s", model=MODEL, layer=12, l0=82.0)
    renamed = replace(importer, known_as="google/gemma-2-2b", n_features=16_384)
    assert renamed.survey(SILENT).identity.model == "google/gemma-2-2b"
    assert renamed.survey(SILENT).identity.width == 16_384


def test_labels_of_another_layer_or_l0_do_not_join_an_sae(tmp_path: Path) -> None:
    first = NeuronpediaLabels(str(write(tmp_path / "a", batches(1))), sae="s")
    atlas, _, _ = bring(first)
    other = [line(0, layer="13-gemmascope-res-16k")]
    second = write(tmp_path / "b", {"batch-0.jsonl.gz": packed(other)})
    with pytest.raises(Conflict) as caught:
        import_parts(atlas.store, NeuronpediaLabels(str(second), sae="s"), replace=True)
    assert caught.value.kind == "identity-mismatch"
    assert "84.0" in caught.value.message


def test_same_labels_in_other_batches_are_the_same_labels(tmp_path: Path) -> None:
    one = NeuronpediaLabels(str(write(tmp_path / "a", batches(4, 2))), sae="s")
    other = NeuronpediaLabels(str(write(tmp_path / "b", batches(2, 4))), sae="s")
    assert one.survey(SILENT).parts[0].fingerprint == other.survey(SILENT).parts[0].fingerprint
    changed = packed([line(0, "x")])
    write(tmp_path / "b", {"batch-0.jsonl.gz": changed})
    assert one.survey(SILENT).parts[0].fingerprint != other.survey(SILENT).parts[0].fingerprint


@pytest.mark.parametrize(
    ("bad", "message", "kind"),
    [
        (b"{", "Line 2 of batch-0.jsonl.gz is not JSON", "source-error"),
        (b"\xff\xff", "Line 2 of batch-0.jsonl.gz is not JSON", "source-error"),
        (b"[" * 100_000, "Line 2 of batch-0.jsonl.gz is not JSON", "source-error"),
        (b"[1]", "Line 2 of batch-0.jsonl.gz is not an object: [1]", "source-error"),
        (json.dumps(line(0, index=True)).encode(), "no feature id as its index: True", "index-out-of-range"),
        (json.dumps(line(-1)).encode(), "no feature id as its index: -1", "index-out-of-range"),
        (json.dumps(line(1.0)).encode(), "no feature id as its index: 1.0", "index-out-of-range"),
        (json.dumps(line("٣")).encode(), "no feature id as its index", "index-out-of-range"),
        (json.dumps(line(16)).encode(), "about feature 16, and the SAE has features 0 to 15", "index-out-of-range"),
        (json.dumps(line(1, description=[])).encode(), "holds [] where a text should be", "source-error"),
        (json.dumps(line(1, typeName=3)).encode(), "holds 3 where a text should be", "source-error"),
        (json.dumps(line(1, modelId=None)).encode(), "does not say which model", "source-error"),
        (json.dumps(line(1, layer=12)).encode(), "does not say which model", "source-error"),
        (
            json.dumps(line(1, layer="13-gemmascope-res-16k")).encode(),
            "about 'gemma-2-2b/13-gemmascope-res-16k', and labels of 'gemma-2-2b/12-gemmascope-res-16k'",
            "identity-mismatch",
        ),
    ],
)
def test_bad_line_is_named(tmp_path: Path, bad: bytes, message: str, kind: str) -> None:
    data = gzip.compress(json.dumps(line(0)).encode() + b"\n" + bad + b"\n")
    error = survey_error(write(tmp_path, {"batch-0.jsonl.gz": data}), n_features=16)
    assert message in error.message
    assert error.kind == kind


def test_labels_of_another_sae_than_asked_for_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, batches(1))
    assert survey_error(folder, source_id="13-gemmascope-res-16k").kind == "identity-mismatch"
    assert survey_error(folder, model="gpt2-small").kind == "identity-mismatch"
    NeuronpediaLabels(str(folder), sae="s", model=MODEL, source_id=SOURCE).survey(SILENT)


@pytest.mark.parametrize("keep", [30, -4])
def test_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    data = batches(1, 200)["batch-0.jsonl.gz"]
    error = survey_error(write(tmp_path, {"batch-0.jsonl.gz": data[:keep]}))
    assert error.kind == "truncated-source"


def test_damaged_empty_and_pointer_files_are_refused(tmp_path: Path) -> None:
    good = batches(1, 200)["batch-0.jsonl.gz"]
    damaged = good[:60] + bytes(20) + good[80:]
    assert survey_error(write(tmp_path, {"batch-0.jsonl.gz": damaged})).kind == "truncated-source"
    assert survey_error(write(tmp_path, {"batch-0.jsonl.gz": b""})).kind == "empty-source"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    assert survey_error(write(tmp_path, {"batch-0.jsonl.gz": pointer})).kind == "wrong-file-type"


def test_line_without_end_is_refused_without_holding_it(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert "16000000 bytes or more" in survey_error(write(tmp_path, {"batch-0.jsonl.gz": bomb})).message


def test_missing_batches_are_named_and_refused_unless_allowed(tmp_path: Path) -> None:
    files = batches(6)
    del files["batch-1.jsonl.gz"], files["batch-4.jsonl.gz"]
    folder = write(tmp_path, files)
    assert survey_error(folder).message == "Batches of labels are missing: 1, 4"
    assert survey_error(folder, n_batches=8).message == "Batches of labels are missing: 1, 4, 6, 7"
    _, lines, attributes = bring(NeuronpediaLabels(str(folder), sae="s", allow_missing=True, n_features=24))
    assert len(lines) == 16
    assert attributes["missing_batches"] == [1, 4]
    assert "unknown: 1, 4" in NeuronpediaLabels(str(folder), sae="s", allow_missing=True).survey(SILENT).notes[-1]


def test_place_without_labels_is_refused(tmp_path: Path) -> None:
    assert survey_error(tmp_path).kind == "empty-source"
    assert survey_error(tmp_path / "none").kind == "empty-source"
    assert survey_error(write(tmp_path, {"batch-0.jsonl.gz": packed([line(0, "")])})).kind == "empty-source"
    write(tmp_path, {"batch-0.jsonl": gzip.decompress(packed([line(0)]))})
    assert "two files of batch 0" in survey_error(tmp_path).message


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("neuronpedia://gemma-2-2b", {}),
        ("neuronpedia:gemma-2-2b/12-x", {}),
        ("neuronpedia://gemma-2-2b/12-x", {"via": "api"}),
        ("explanations", {"via": "api", "n_features": 4}),
        ("explanations", {"n_features": -1}),
        ("neuronpedia://gemma-2-2b/{layer}-x", {}),
        ("neuronpedia://gemma-2-2b/12-x", {"tries": 0}),
    ],
)
def test_contradictions_are_refused_before_anything_is_asked(source: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        NeuronpediaLabels(source, sae="s", **fields).survey(SILENT)


def test_layers_give_an_import_each() -> None:
    sweep = NeuronpediaLabels("neuronpedia://gemma-2-2b/{layer}-gemmascope-res-16k", sae="l{layer}", layers="3,0-1")
    found = [(one.source, one.sae) for one in sweep.expand()]
    assert found == [(f"neuronpedia://gemma-2-2b/{n}-gemmascope-res-16k", f"l{n}") for n in (0, 1, 3)]
    with pytest.raises(InvalidInput, match="3 layers would all be"):
        replace(sweep, sae="one").expand()
    assert replace(sweep, sae="one", layers="3").expand()[0].sae == "one"
    with pytest.raises(InvalidInput, match="backwards"):
        replace(sweep, layers="5-0").expand()


class Bulk:
    """Bulk files as a web server has them."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = {f"/v1/{MODEL}/{SOURCE}/explanations/{name}": data for name, data in files.items()}
        self.none = 404

    def answer(self, request: Request) -> Reply:
        if request.path not in self.files:
            return Reply(self.none)
        return Reply(200, self.files[request.path])


@pytest.fixture
def bulk() -> Bulk:
    return Bulk(batches(3))


@pytest.fixture
def server(bulk: Bulk) -> Iterator[LocalServer]:
    with LocalServer(bulk.answer) as running:
        yield running


def at(server: LocalServer, **fields: Any) -> NeuronpediaLabels:
    return NeuronpediaLabels(f"neuronpedia://{MODEL}/{SOURCE}", sae="s", bulk_url=f"{server.url}/v1", **fields)


def test_labels_are_pending_until_they_are_here(server: LocalServer, tmp_path: Path) -> None:
    pending = at(server).pending()
    assert pending is not None
    assert (pending.parts, pending.size) == (("explanations/neuronpedia",), None)
    assert server.requests == []
    bring(at(server))
    assert at(server).pending() is None
    assert at(server, refresh=True).pending() is not None
    assert NeuronpediaLabels(str(tmp_path), sae="s").pending() is None


@pytest.mark.parametrize("status", [404, 403])
def test_batches_are_asked_for_until_there_are_no_more(server: LocalServer, bulk: Bulk, status: int) -> None:
    bulk.none = status
    assert [one["feature"] for one in bring(at(server))[1]] == list(range(12))
    assert len(server.requests) == 3 + 8


def test_what_was_downloaded_is_not_asked_for_again_until_refreshed(server: LocalServer, bulk: Bulk) -> None:
    atlas, _, _ = bring(at(server))
    server.requests.clear()
    bring(at(server), atlas)
    assert server.requests == []
    name = f"/v1/{MODEL}/{SOURCE}/explanations/batch-0.jsonl.gz"
    bulk.files[name] = packed([line(0, "new")])
    assert bring(at(server))[1][0]["text"] == " what 0 is about"
    assert bring(at(server, refresh=True))[1][0]["text"] == "new"


def test_interrupted_download_goes_on_with_the_next_batch(server: LocalServer) -> None:
    server.faults.append(Fault.status(500, path="batch-2", times=99))
    assert survey_error(at(server).source, bulk_url=f"{server.url}/v1").kind == "network-error"
    server.faults.clear()
    server.requests.clear()
    assert len(bring(at(server))[1]) == 12
    assert [request.path.rpartition("/")[2] for request in server.requests][:2] == [
        "batch-2.jsonl.gz",
        "batch-3.jsonl.gz",
    ]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(500, path="batch-1", times=2),
        Fault.status(429, path="batch-1", headers={"Retry-After": "1"}),
        Fault.broken(20, path="batch-1", times=2),
        Fault.body(lambda data: data[:-6], path="batch-1"),
    ],
    ids=["500", "429", "cut", "cut before it was sent"],
)
def test_server_that_misbehaves_is_asked_again(server: LocalServer, fault: Fault) -> None:
    server.faults.append(fault)
    assert len(bring(at(server))[1]) == 12


def test_batch_that_is_always_cut_short_is_refused_and_not_kept(server: LocalServer, tmp_path: Path) -> None:
    server.faults.append(Fault.body(lambda data: data[:-6], path="batch-1", times=99))
    assert survey_error(at(server).source, bulk_url=f"{server.url}/v1").kind == "truncated-source"
    kept = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert kept == ["batch-0.jsonl.gz"]


def test_gap_on_a_server_is_seen_and_asked_for_again(server: LocalServer, bulk: Bulk) -> None:
    name = f"/v1/{MODEL}/{SOURCE}/explanations/batch-1.jsonl.gz"
    data = bulk.files.pop(name)
    assert survey_error(at(server).source, bulk_url=f"{server.url}/v1").message == "Batches of labels are missing: 1"
    bulk.files[name] = data
    assert len(bring(at(server))[1]) == 12


def test_number_of_batches_shows_a_missing_end(server: LocalServer) -> None:
    bring(at(server))
    error = survey_error(at(server).source, bulk_url=f"{server.url}/v1", n_batches=5)
    assert error.message == "Batches of labels are missing: 3, 4"
    assert len(bring(at(server, n_batches=3))[1]) == 12


def test_address_of_a_folder_or_a_file_will_do(server: LocalServer) -> None:
    base = f"{server.url}/v1/{MODEL}/{SOURCE}"
    for source, count in ((base, 12), (f"{base}/explanations/", 12), (f"{base}/explanations/batch-2.jsonl.gz", 4)):
        assert len(bring(NeuronpediaLabels(source, sae="s"))[1]) == count


def test_address_without_labels_is_refused(server: LocalServer) -> None:
    error = survey_error("neuronpedia://gemma-2-2b/99-x", bulk_url=f"{server.url}/v1")
    assert error.kind == "empty-source"
    assert survey_error(f"{server.url}/v1/none/batch-0.jsonl.gz").kind == "empty-source"


def test_key_is_not_sent_for_bulk_files(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURONPEDIA_API_KEY", "sk-secret")
    bring(at(server))
    assert all("x-api-key" not in request.headers for request in server.requests)


def test_labels_of_features_that_an_sae_does_not_have_do_not_join_it(tmp_path: Path) -> None:
    store = MemoryStore()
    create_atlas(store)
    few = write(tmp_path / "few", {"batch-0.jsonl.gz": packed([line(3)])})
    many = write(tmp_path / "many", {"batch-0.jsonl.gz": packed([line(3), line(16)])})
    import_parts(store, NeuronpediaLabels(str(few), sae="s", n_features=16))
    with pytest.raises(SourceError, match="names feature 16, and SAE 's' has 16 features") as caught:
        import_parts(store, NeuronpediaLabels(str(many), sae="s"), replace=True)
    assert caught.value.kind == "index-out-of-range"


def test_labels_join_the_canonical_sae_and_not_the_first_by_name(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {"W_enc": (8, 16), "W_dec": (16, 8), "b_enc": (16,), "b_dec": (8,), "threshold": (16,)}
    repository = tmp_path / "gemma-scope-2b-pt-res"
    for l0 in (176, 82):
        folder = repository / f"layer_12/width_16k/average_l0_{l0}"
        folder.mkdir(parents=True)
        np.savez(folder / "params.npz", **{name: random.random(shape, np.float32) for name, shape in arrays.items()})
    labels = NeuronpediaLabels(str(write(tmp_path / "labels", batches(1))), sae="s")
    for l0 in ("82", "176"):
        store = MemoryStore()
        create_atlas(store)
        import_parts(store, SaeWeights(str(repository), sae="s", layers="12", l0=l0, layer=12, model=MODEL))
        if l0 == "82":
            import_parts(store, labels)
        else:
            with pytest.raises(Conflict, match="176"):
                import_parts(store, labels)
