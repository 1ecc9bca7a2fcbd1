"""Files in which other programs keep labels are read as what they say, and what they say beside is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_labels import new_atlas, said, written

import saeatlas as sa
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.label_exchange import ImportReport, import_labels
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas


@pytest.fixture
def atlas() -> sa.Atlas:
    return new_atlas()


def test_annotations_of_circuits_name_places_in_the_model(atlas: sa.Atlas, tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"Component": "resid", "Layer": "5", "Feature": "3", "Name": "resid_5/3", "Annotation": "verbs", "Notes": ""},
        {"Component": "resid", "Layer": 5, "Feature": "3", "Name": "resid_5/3", "Annotation": "verbs", "Notes": ""},
        {"Component": "resid", "Layer": "5", "Feature": "4", "Name": "resid_5/4"},
        {"Component": "Component", "Name": "Name", "Annotation": "Annotation", "notes": "Notes"},
        {"Name": "embed/99999", "Annotation": "'his'"},
        {"Component": "resid", "Layer": "5", "Feature": "7", "Name": "resid_5/7", "Annotation": "nouns", "notes": "x"},
    ]
    path = written(tmp_path / "a.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(NotFound, match="has no SAE named 'embed'") as caught:
        import_labels(atlas, path)
    assert "resid_5: 3" in caught.value.hint
    report = import_labels(atlas, path, saes={"resid_5": "toy"}, by="lab")
    assert report == ImportReport(
        shape="feature-circuits",
        n_lines=6,
        n_new=3,
        n_known=0,
        n_duplicates=0,
        n_repeated=1,
        n_behind=0,
        n_future=0,
        n_without_label=1,
        n_headings=1,
        n_categories=0,
        saes={"toy": 3},
        left_out={"embed": 1},
    )
    three = next(line for line in said(atlas) if line["feature"] == 3)
    assert (three["text"], three["by"], json.loads(three["extra"])) == (
        "verbs",
        "lab",
        {"Component": "resid", "Layer": 5},
    )
    assert import_labels(atlas, path, saes={"resid_5": "toy"}, by="lab").n_new == 0


def test_several_places_of_a_model_are_several_saes(tmp_path: Path) -> None:
    store = MemoryStore()
    make_atlas(store, n_rows=40, n_features=16, tokens=False, sae="one")
    atlas = make_atlas(store, n_rows=40, n_features=16, tokens=False, sae="two")
    data = '{"Name": "a_1/2", "Annotation": "x"}\n{"Name": "b_1/3", "Annotation": "y"}\n'
    path = written(tmp_path / "a.jsonl", data)
    with pytest.raises(InvalidInput, match="2 SAEs"):
        import_labels(atlas, path, saes="one")
    report = import_labels(atlas, path, saes={"a_1": "one", "b_1": "two"})
    assert report.saes == {"one": 1, "two": 1}
    assert atlas.sae("two").labels.current["feature"].to_pylist() == [3]
    with pytest.raises(NotFound, match="c_1"):
        import_labels(atlas, path, saes={"c_1": "one"})


def test_dashboard_keeps_what_it_knows(atlas: sa.Atlas, tmp_path: Path) -> None:
    data = {
        "3": {"name": "saves", "category": "mechanical", "notes": "n", "timestamp": "2024-05-06T07:08:09.123456"},
        "4": {"name": "", "category": "none", "notes": ""},
        "5": {"name": "x", "category": "none", "timestamp": 1700000000, "stability_score": 0.5},
    }
    report = import_labels(atlas, written(tmp_path / "feature_labels_full.json", json.dumps(data)))
    assert (report.n_new, report.n_without_label, report.shape) == (2, 1, "dashboard")
    three, five = atlas.sae().labels.current.to_pylist()
    assert (three["text"], three["category"], three["notes"], three["by"]) == ("saves", "mechanical", "n", "dashboard")
    assert three["at"] == "2024-05-06T07:08:09.123456Z"
    assert (five["category"], five["at"], json.loads(five["extra"])) == (
        None,
        "2023-11-14T22:13:20Z",
        {"stability_score": 0.5},
    )


def test_consolidated_file_keeps_members_that_nobody_expected(atlas: sa.Atlas, tmp_path: Path) -> None:
    entry = {
        "feature_id": 3,
        "model_type": "full",
        "dashboard_name": "old name",
        "dashboard_category": "auxiliary",
        "dashboard_notes": None,
        "research_label": "found",
        "research_state_path": "state/feature_3_full.json",
        "hypothesis_confidence": 0.75,
        "display_name": "shown",
        "source": "claude code (triage)",
        "last_updated": "2024-05-06T07:08:09+02:00",
        "importance_percentile": 97.5,
    }
    report = import_labels(atlas, written(tmp_path / "consolidated_full.json", json.dumps({"3": entry}, indent=2)))
    assert (report.n_new, report.shape) == (1, "consolidated")
    (line,) = atlas.sae().labels.current.to_pylist()
    assert (line["text"], line["category"], line["confidence"]) == ("shown", "auxiliary", 0.75)
    assert (line["by"], line["source"], line["at"]) == ("claude code (triage)",) * 2 + ("2024-05-06T05:08:09Z",)
    kept = {name: entry[name] for name in ("model_type", "dashboard_name", "research_label", "importance_percentile")}
    assert json.loads(line["extra"]) == {**kept, "research_state_path": entry["research_state_path"]}


def test_table_of_another_program_is_read(atlas: sa.Atlas, tmp_path: Path) -> None:
    data = "\ufefffeature_id,display_name,category,confidence,source,notes,mine\r\n3,saves,none,0.5,manual,,7\r\n"
    import_labels(atlas, written(tmp_path / "a.csv", data), by="ana")
    (line,) = said(atlas)
    assert (line["text"], line["category"], line["confidence"], line["source"]) == ("saves", None, 0.5, "manual")
    assert (line["by"], line["extra"]) == ("ana", '{"mine": "7"}')
