"""What a job's process tells: whole states, now and then, in JSON whatever the numbers are."""

from __future__ import annotations

import json
import multiprocessing

import numpy as np
import pytest

from saeatlas.errors import InvalidInput, MissingExtra, NotFound
from saeatlas.progress import Progress
from saeatlas.server.job_worker import _Told, check_job


def test_events_become_states() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    progress = Progress(_Told(writer).listen)
    with progress.task("outer"), progress.task("inner", total=np.int64(8), unit="rows") as task:  # type: ignore[arg-type]
        for _ in range(1000):
            task.advance(np.float32(0.004))  # type: ignore[arg-type]
        progress.say("half of it")
    told = []
    while reader.poll():
        told.append(json.loads(reader.recv_bytes()))
    writer.close()
    reader.close()
    assert len(told) < 100
    assert [one["task"] for one in told[1]["progress"]] == ["outer", "inner"]
    assert {**told[1]["progress"][1], "done": 0} == {"task": "inner", "done": 0, "total": 8.0, "unit": "rows"}
    before_the_end = next(one for one in told if one["messages"])
    assert before_the_end["progress"][1]["done"] == pytest.approx(4.0, rel=1e-3)
    assert told[-1] == {"progress": [], "messages": ["half of it"]}


def test_analysis_is_made_from_what_a_job_says() -> None:
    assert check_job("stats", {"floor": 0.5}).params() == {"floor": 0.5}
    assert check_job("pagerank", {"families": ""}).params()["families"] == ""
    assert check_job("example-embeddings", {"embedder": "lsa"}) is not None
    with pytest.raises(NotFound):
        check_job("no-such", {})
    with pytest.raises(InvalidInput, match="families"):
        check_job("pagerank", {"families": "x.tsv"})
    with pytest.raises(InvalidInput, match="embedder"):
        check_job("example-embeddings", {"embedder": ["lsa"]})


def test_missing_library_is_said_before_the_job_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="umap"):
        check_job("umap", {})
