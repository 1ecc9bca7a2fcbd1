"""Labels that earlier versions wrote mean today what they meant then, to us and to a stranger."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from read_labels_independently import current, read_log

import saeatlas as sa
from saeatlas.format.labels import SCHEMA
from saeatlas.pipeline.label_exchange import import_labels
from saeatlas.pipeline.labelling import retract
from saeatlas.pipeline.verify import verify
from saeatlas.testing.make_atlas import make_atlas

GOLDEN = {path.name: path for path in sorted(Path(__file__).parent.glob("labels_*"))}
every_schema = pytest.mark.parametrize("name", GOLDEN)


def expected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN[name] / "expected.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def opened(name: str, tmp_path: Path) -> sa.Atlas:
    atlas = make_atlas(tmp_path / "a.atlas", n_rows=40, n_features=16, tokens=False)
    shutil.copytree(GOLDEN[name] / "labels", tmp_path / "a.atlas" / "labels")
    return atlas


def test_every_schema_has_golden_labels() -> None:
    assert list(GOLDEN) == [f"labels_{number}" for number in range(1, SCHEMA + 1)]


@every_schema
def test_golden_labels_mean_what_they_meant(name: str, opened: sa.Atlas) -> None:
    labels = opened.sae().labels
    assert labels.current.to_pylist() == expected(name)["current"]
    assert labels.history.to_pylist() == expected(name)["history"]
    assert [[one.name, one.colour, one.description, one.parent] for one in labels.categories] == expected(name)[
        "categories"
    ]
    assert (verify(opened, deep=True).ok, verify(opened).notes) == (True, ())


@every_schema
def test_golden_labels_are_gone_on_with(name: str, opened: sa.Atlas) -> None:
    before = opened.sae().labels.events()
    event = sa.label(opened.sae().feature(3), "said today", by="ana")
    assert opened.sae().labels.events() == (*before, event)


@every_schema
def test_stranger_reads_golden_labels(name: str) -> None:
    held = current(read_log(GOLDEN[name] / "labels" / "toy"))
    found = sorted((feature, label["id"], label.get("text")) for feature, labels in held.items() for label in labels)
    assert found == sorted((line["feature"], line["id"], line["text"]) for line in expected(name)["current"])


def test_stranger_reads_what_is_written_today(tmp_path: Path) -> None:
    sae = make_atlas(tmp_path / "a.atlas", n_rows=40, n_features=16, tokens=False).sae()
    first = sa.label(sae, "x", by="ana", features=[1, 2, 3], confidence=1)
    sa.label(sae.feature(2), "日本", by="bo", supersedes=[first.id])
    with (tmp_path / "a.atlas" / "labels" / "toy" / "log.jsonl").open("ab") as file:
        file.write(b'{"half')
    retract(sae.feature(3), by="ana")
    (tmp_path / "a.csv").write_text("feature,text,by,at\n9,y,,\n1,old,ana,2020-01-01\n", encoding="utf-8")
    import_labels(sae.atlas, tmp_path / "a.csv", by="cy")
    events = read_log(tmp_path / "a.atlas" / "labels" / "toy")
    assert [event for event in events if event["action"] == "identity"] == [
        {"schema": 1, "action": "identity", "identity": sae.identity.digest(), "facts": sae.identity.to_json()}
    ]
    held = {feature: [label["id"] for label in labels] for feature, labels in current(events).items()}
    ours: dict[int, list[str]] = {}
    for line in reversed(sae.labels.current.to_pylist()):
        ours.setdefault(line["feature"], []).append(line["id"])
    assert held == ours


def test_stranger_writes_what_we_read(tmp_path: Path) -> None:
    import hashlib

    sae = make_atlas(tmp_path / "a.atlas", n_rows=40, n_features=16, tokens=False).sae()
    event = {
        "text": "by hand",
        "id": "01939b5e-8a3c-7cc3-98c5-0f5e0a6b7d11",
        "at": "2025-01-31T12:00:00Z",
        "action": "label",
        "schema": 1,
        "by": "stranger",
        "sae": "toy",
        "identity": "f" * 64,
        "features": [3],
        "checksum": "0" * 64,
    }
    # In a layout of their own: the checksum covers the bytes, not a form of them.
    line = json.dumps(event, separators=(" , ", ": "))
    line = line.replace("0" * 64, hashlib.sha256(line.encode()).hexdigest())
    (tmp_path / "a.atlas" / "labels" / "toy").mkdir(parents=True)
    (tmp_path / "a.atlas" / "labels" / "toy" / "any name.jsonl").write_text(line + "\n", encoding="utf-8")
    (label,) = sae.labels.of(3).current
    assert (label.said.text, label.identity_changed) == ("by hand", True)
