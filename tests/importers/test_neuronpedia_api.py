"""Labels from Neuronpedia's API: what is asked, what is kept, and what a server that misbehaves does to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import SaeatlasError, SourceError
from saeatlas.format.artifact import load_manifest
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.importers import neuronpedia_labels
from saeatlas.importers._http import Timing
from saeatlas.importers.neuronpedia_labels import NeuronpediaLabels
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT, Event, Progress
from saeatlas.storage import MemoryStore
from saeatlas.testing.local_server import Fault, LocalServer, Reply, Request

MODEL, SOURCE = "gemma-2-2b", "12-gemmascope-res-16k"
N = 12
SECRET = "sk-np-secret"


class Api:
    """Features as the server has them; those without an entry are not known to it."""

    def __init__(self) -> None:
        self.features: dict[int, dict[str, Any]] = {index: feature(index) for index in range(N) if index != 5}

    def answer(self, request: Request) -> Reply:
        head_, _, index = request.path.rpartition("/")
        if head_ != f"/api/feature/{MODEL}/{SOURCE}" or int(index) not in self.features:
            return Reply(404, b'{"error": "Not found"}')
        return Reply(200, json.dumps(self.features[int(index)]).encode())


def feature(index: int, **other: Any) -> dict[str, Any]:
    said = {"description": f" label of {index}", "explanationModelName": "gpt-4o-mini", "typeName": "oai"}
    # The members that the service has: no 'label', no 'topLogits', and no score on an explanation.
    known = {"modelId": MODEL, "layer": SOURCE, "index": str(index), "pos_str": [" a"], "explanations": [said]}
    return {**known, **other}


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    timing = Timing(found.sleep, lambda: found.seconds, lambda: found.seconds, lambda: 1.0)
    monkeypatch.setattr(neuronpedia_labels, "TIMING", timing)
    monkeypatch.setenv("SAEATLAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEURONPEDIA_API_KEY", raising=False)
    return found


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def server(api: Api, clock: Clock) -> Iterator[LocalServer]:
    with LocalServer(api.answer) as running:
        yield running


def at(server: LocalServer, **fields: Any) -> NeuronpediaLabels:
    chosen = {"n_features": N, "tries": 2, **fields}
    return NeuronpediaLabels(f"neuronpedia://{MODEL}/{SOURCE}", sae="s", via="api", api_url=server.url, **chosen)


def bring(importer: NeuronpediaLabels, store: MemoryStore | None = None) -> tuple[dict[int, str], dict[str, Any]]:
    """The labels by feature, and the attributes of the artifact."""
    if store is None:
        store = MemoryStore()
        create_atlas(store)
    import_parts(store, importer, replace=True)
    lines = Atlas(store, head(store)).sae("s").explanations.collect().to_dicts()
    (name,) = [name for name in head(store).entries if name.endswith("explanations/neuronpedia")]
    attributes = dict(load_manifest(store, head(store).entries[name].path).attributes)
    return {line["feature"]: line["text"] for line in lines}, attributes


def numbers(requests: list[Request]) -> list[int]:
    return [int(request.path.rpartition("/")[2]) for request in requests]


def test_each_feature_is_asked_for_once_and_an_unknown_one_has_no_label(server: LocalServer) -> None:
    labels, attributes = bring(at(server))
    assert labels == {index: f" label of {index}" for index in range(N) if index != 5}
    assert attributes["failed_features"] == []
    assert numbers(server.requests) == list(range(N))


def test_labels_are_pending_until_every_feature_has_its_answer(server: LocalServer) -> None:
    assert at(server).pending() is not None
    server.faults.append(Fault.status(500, path="/3", times=2))
    bring(at(server))
    assert at(server).pending() is not None
    bring(at(server))
    assert at(server).pending() is None


def test_scores_that_are_null_or_not_there_change_nothing(server: LocalServer, api: Api) -> None:
    first = {"description": "first", "scores": None, "score": None}
    second = {"description": "second", "scores": [{"value": None}], "score": 3}
    api.features[2]["explanations"] = [first, second]
    labels, _ = bring(at(server))
    assert labels[2] == "second"  # The last of two in the table: both are kept, in the order of the server.
    api.features[2]["explanations"] = []
    assert 2 not in bring(at(server, refresh=True))[0]


def test_explanation_without_a_text_is_no_label_and_counted(server: LocalServer, api: Api) -> None:
    api.features[2]["explanations"] = [{"description": " "}, {"description": None}, {}]
    labels, attributes = bring(at(server))
    assert 2 not in labels
    assert attributes["n_blank"] == 3


def test_both_forms_of_retry_after_are_kept_to(server: LocalServer, clock: Clock) -> None:
    soon = {"Date": formatdate(1_000, usegmt=True), "Retry-After": formatdate(1_090, usegmt=True)}
    server.faults += [
        Fault.status(429, path="/3", headers={"Retry-After": "30"}),
        Fault.status(429, path="/7", headers=soon),
    ]
    events: list[Event] = []
    at(server).survey(Progress(events.append))
    assert clock.waits == [30, 90]
    said = [event.text for event in events if event.what == "message"]
    assert said == ["Waiting 30 seconds: the server asks for it", "Waiting 90 seconds: the server asks for it"]


def test_budget_of_an_hour_is_kept_and_counts_every_try(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(500, path="/1"))
    bring(at(server, requests_per_hour=6))
    assert len(server.requests) == N + 1
    assert clock.waits == [1.0, 3599.0, 1.0, 3599.0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(500, path="/4"),
        Fault.broken(9, path="/4"),
        Fault.body(lambda body: body[:-3], path="/4"),
        Fault.body(lambda body: body.replace(b'"index": "4"', b'"index": "3"'), path="/4"),
        Fault.body(lambda body: body.replace(b"12-gemma", b"13-gemma"), path="/4"),
        Fault.body(lambda body: b"null", path="/4"),
        Fault.body(lambda body: body.replace(b'"explanations"', b'"labels"'), path="/4"),
        Fault.body(lambda body: body.replace(b'" label of 4"', b"7"), path="/4"),
        Fault.body(lambda body: b"[" * 100_000, path="/4"),
    ],
    ids=["500", "cut", "half a JSON", "other index", "other SAE", "null", "no list", "no text", "deep JSON"],
)
def test_answer_that_is_none_is_asked_for_again_and_then_recorded_as_failed(server: LocalServer, fault: Fault) -> None:
    server.faults.append(fault)
    labels, attributes = bring(at(server))
    assert labels[4] == " label of 4"
    fault.times = 2
    labels, attributes = bring(at(server, refresh=True))
    assert 4 not in labels
    assert attributes["failed_features"] == [4]
    assert attributes["n_explained"] == N - 2


def test_slow_answer_is_asked_for_again(server: LocalServer) -> None:
    server.faults.append(Fault.silence(path="/4"))
    assert 4 in bring(at(server, timeout=0.1))[0]


def test_failed_features_are_unknown_and_asked_for_the_next_time_and_only_they(server: LocalServer) -> None:
    server.faults += [Fault.status(500, path="/3", times=2), Fault.status(500, path="/8", times=2)]
    store = MemoryStore()
    create_atlas(store)
    importer = at(server)
    labels, attributes = bring(importer, store)
    assert attributes["failed_features"] == [3, 8]
    assert not {3, 8} & set(labels)
    note = importer.survey(SILENT).notes[-1]
    assert note.startswith("The answers of 2 features never came, so they are unknown: 3, 8.")
    assert len(server.requests) == N + 2  # One command surveys more than once, and asks once.
    server.requests.clear()
    labels, attributes = bring(at(server), store)
    assert attributes["failed_features"] == []
    assert set(labels) == set(range(N)) - {5}
    assert numbers(server.requests) == [3, 8]


def test_run_that_stops_goes_on_where_it_was(server: LocalServer, tmp_path: Path) -> None:
    server.faults.append(Fault.status(429, path="/6", times=99, headers={"Retry-After": "99999"}))
    with pytest.raises(SourceError) as caught:
        at(server).survey(SILENT)
    assert caught.value.kind == "network-error"
    (place,) = (tmp_path / "cache").rglob("answers.jsonl")
    with place.open("ab") as file:
        file.write(b'{"index": 6, "explana')  # What a process leaves that dies while it writes.
    server.faults.clear()
    server.requests.clear()
    assert set(bring(at(server))[0]) == set(range(N)) - {5}
    assert numbers(server.requests) == list(range(6, N))


def test_wider_question_asks_for_the_rest_only(server: LocalServer) -> None:
    bring(at(server, n_features=4))
    server.requests.clear()
    assert set(bring(at(server))[0]) == set(range(N)) - {5}
    assert numbers(server.requests) == list(range(4, N))
    assert set(bring(at(server, n_features=3))[0]) == {0, 1, 2}


def test_server_that_is_down_stops_the_import(server: LocalServer) -> None:
    server.faults.append(Fault.status(502, times=10_000))
    with pytest.raises(SourceError, match="The server does not answer") as caught:
        at(server, n_features=1000).survey(SILENT)
    assert caught.value.kind == "network-error"
    assert len(server.requests) == 40
    server.requests.clear()
    with pytest.raises(SourceError, match="The server does not answer"):
        at(server, n_features=3).survey(SILENT)


def test_wrong_ids_are_suspected_early_and_give_no_labels(server: LocalServer, api: Api) -> None:
    api.features.clear()
    events: list[Event] = []
    with pytest.raises(SourceError) as caught:
        at(server, n_features=150).survey(Progress(events.append))
    assert caught.value.kind == "empty-source"
    said = [event.text for event in events if event.what == "message"]
    assert said == ["The server knows none of the first 100 features: are the ids right?"]


def test_key_of_the_environment_is_sent_and_kept_nowhere(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURONPEDIA_API_KEY", SECRET)
    server.faults.append(Fault.status(500, path="/2", times=2))
    events: list[Event] = []
    importer = at(server)
    survey = importer.survey(Progress(events.append))
    _, attributes = bring(importer)
    assert {request.headers["x-api-key"] for request in server.requests} == {SECRET}
    assert SECRET not in repr([importer, vars(importer), survey, attributes, events])
    kept = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept and not any(SECRET.encode() in data for data in kept)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_stops_without_being_shown(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("NEURONPEDIA_API_KEY", SECRET)
    server.faults.append(Fault.status(status, times=99))
    with pytest.raises(SaeatlasError, match="refuses the key") as caught:
        at(server).survey(SILENT)
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    assert len(server.requests) == 1


def test_without_a_key_none_is_sent(server: LocalServer) -> None:
    bring(at(server))
    assert all("x-api-key" not in request.headers for request in server.requests)
