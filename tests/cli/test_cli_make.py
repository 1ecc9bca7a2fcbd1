from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from saeatlas.cli.main import main
from saeatlas.format.canonical import write_document

Run = Callable[..., tuple[int, str, str]]


def importing(source: Path, atlas: Path, *more: object, sae: str = "s") -> list[object]:
    files = ["import", "h5-topk", source / "acts.h5", "--metadata", source / "meta.npz"]
    return [*files, "--sae", sae, "--atlas", atlas, *more]


def listing(directory: Path) -> dict[str, int]:
    return {str(path.relative_to(directory)): path.stat().st_size for path in directory.rglob("*") if path.is_file()}


def test_import_makes_the_atlas_and_reports(cli: Run, source: Path, tmp_path: Path) -> None:
    code, out, _ = cli(*importing(source, tmp_path / "new dir ü" / "a.atlas", "--json"))
    report = json.loads(out)
    assert code == 0
    assert (report["rows"], report["listed"], report["segments"], report["reused"]) == (600, 2400, 1, 0)


def test_second_import_reuses_everything(cli: Run, source: Path, tmp_path: Path) -> None:
    first = json.loads(cli(*importing(source, tmp_path / "a.atlas", "--json"))[1])
    second = json.loads(cli(*importing(source, tmp_path / "a.atlas", "--json"))[1])
    assert (second["built"], second["reused"]) == (0, first["built"])


def test_report_for_a_person_names_what_was_done(cli: Run, source: Path, tmp_path: Path) -> None:
    out = cli(*importing(source, tmp_path / "a.atlas"))[1]
    facts = dict(line.split("\t") for line in out.splitlines())
    assert facts.keys() >= {"rows", "listed", "active", "segments", "time", "reused"}


def test_import_plan_writes_nothing(cli: Run, source: Path, tmp_path: Path) -> None:
    code, out, _ = cli(*importing(source, tmp_path / "a.atlas", "--plan", "--json"))
    assert code == 0
    assert {step["action"] for step in json.loads(out)["steps"]} == {"run"}
    assert list(tmp_path.iterdir()) == []


def test_bad_source_makes_no_atlas(cli: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "acts.h5").write_text("hello")
    shutil.copy(source / "meta.npz", tmp_path)
    code, out, err = cli(*importing(tmp_path, tmp_path / "a.atlas"))
    assert (code, out) == (6, "")
    assert err.startswith("error: ")
    assert "hint: " in err
    assert not (tmp_path / "a.atlas").exists()


def test_bad_rows_leave_the_atlas_as_it_was(cli: Run, source: Path, copied: Path, tmp_path: Path) -> None:
    shutil.copy(source / "meta.npz", tmp_path)
    shutil.copy(source / "acts.h5", tmp_path)
    with h5py.File(tmp_path / "acts.h5", "r+") as file:
        file["z_val"][17, 2] = np.nan
    before = cli("show", "artifacts", "--json")
    code, _, err = cli(*importing(tmp_path, copied, sae="bad"))
    assert code == 6
    assert "17" in err
    assert "Traceback" not in err
    assert cli("show", "artifacts", "--json") == before


def test_a_directory_with_other_things_is_not_made_an_atlas(cli: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert cli(*importing(source, tmp_path))[0] == 9
    assert cli("init", tmp_path)[0] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_other_data_under_the_same_name_needs_replace(cli: Run, source: Path, copied: Path, tmp_path: Path) -> None:
    shutil.copy(source / "meta.npz", tmp_path)
    shutil.copy(source / "acts.h5", tmp_path)
    with h5py.File(tmp_path / "acts.h5", "r+") as file:
        file["z_val"][:] = file["z_val"][:] * 2
    command = importing(tmp_path, copied, "--corpus", "meta", sae="tiny")
    code, _, err = cli(*command)
    assert code == 4
    assert "--replace" in err
    assert cli(*command, "--replace")[0] == 0


def test_unknown_importer_is_a_usage_error(cli: Run, tmp_path: Path) -> None:
    code, _, err = cli("import", "h5-topkk", "x", "--sae", "s")
    assert code == 2
    assert "h5-topk" in err


def test_init_makes_an_empty_atlas(cli: Run, tmp_path: Path) -> None:
    assert cli("init", tmp_path / "a.atlas")[0] == 0
    assert json.loads(cli("show", "--atlas", tmp_path / "a.atlas", "--json")[1])["saes"] == []


def test_analyze_computes_several_and_then_reuses_them(cli: Run, copied: Path) -> None:
    first = json.loads(cli("analyze", "stats", "histogram", "--json")[1])
    again = json.loads(cli("analyze", "stats", "histogram", "--json")[1])
    assert [line["action"] for line in first["artifacts"]] == ["made", "made"]
    assert [line["action"] for line in again["artifacts"]] == ["reused", "reused"]
    assert again["commit"] == first["commit"]


def test_analyze_takes_the_fields_of_the_analysis(cli: Run, copied: Path) -> None:
    assert cli("analyze", "stats", "--floor", "0.5")[0] == 0
    made = json.loads(cli("show", "artifacts", "--json")[1])
    assert [line["params"] for line in made if line["name"] == "sae/tiny/stats"] == [{"floor": 0.5}]


def test_analyze_plan_says_why(cli: Run, copied: Path) -> None:
    cli("analyze", "stats")
    code, out, err = cli("analyze", "stats", "--floor", "1", "--plan")
    assert code == 0
    assert "parameter 'floor' changed" in out
    assert "Nothing was run" in err


def test_further_analysis_that_does_not_exist_is_not_found(cli: Run, copied: Path) -> None:
    code, _, err = cli("analyze", "stats", "nonsense")
    assert code == 3
    assert "histogram" in err


def test_answers_are_the_same_before_and_after_the_analyses(cli: Run, copied: Path) -> None:
    asked = [
        ["feature", "show", "7", "--full", "--json"],
        ["feature", "examples", "7", "--pick", "random", "--n", "4", "--json"],
        ["feature", "top-tokens", "7", "--json"],
    ]
    before = [json.loads(cli(*question)[1]) for question in asked]
    assert cli("build")[0] == 0
    after = [json.loads(cli(*question)[1]) for question in asked]
    # The number of the commit is what they are about, and the analyses are a new one.
    assert after[0].pop("commit") == before[0].pop("commit") + 1
    assert after == before


def test_build_brings_all_up_to_date_once(cli: Run, copied: Path) -> None:
    code, out, _ = cli("build", "--json")
    assert code == 0
    made = {line["name"] for line in json.loads(out) if line["action"] == "made"}
    names = ("stats", "histogram", "examples", "top-tokens", "metadata-association", "coactivation", "report-card")
    assert {f"{name} of 'tiny'" for name in names} <= made
    again = json.loads(cli("build", "--json")[1])
    assert {line["name"] for line in again if line["action"] == "reused"} == made
    assert {line["action"] for line in again} == {"reused", "left out"}


def test_build_leaves_out_what_lacks_tokens_and_says_so(cli: Run, source: Path, tmp_path: Path) -> None:
    cli(*importing(source, tmp_path / "a.atlas"))
    code, out, err = cli("build", "--atlas", tmp_path / "a.atlas", "--plan")
    assert code == 0
    assert "top-tokens" not in out
    code, out, err = cli("build", "--atlas", tmp_path / "a.atlas")
    assert code == 0
    assert "analyze top-tokens of 's' left out: Corpus" in err
    assert "top-tokens of 's'\tleft out" in out


def test_verify_deep_is_quiet_about_a_whole_atlas(cli: Run, atlas: Path) -> None:
    code, out, err = cli("verify", "--deep")
    assert (code, out) == (0, "")
    assert "every digest holds" in err


def test_verify_names_the_damaged_file(cli: Run, copied: Path) -> None:
    victim = max((path for path in copied.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(bytes(data))
    code, out, err = cli("verify", "--deep")
    assert code == 9
    assert str(victim.relative_to(copied)) in out
    assert err.startswith("error: ")


def test_verify_says_that_a_newer_atlas_needs_an_upgrade(cli: Run, copied: Path) -> None:
    place = copied / "atlas.json"
    place.chmod(0o644)
    place.write_bytes(write_document({**json.loads(place.read_bytes()), "format": 2}))
    code, _, err = cli("verify")
    assert (code, "hint: Upgrade" in err) == (9, True)


def test_gc_dry_run_deletes_nothing(cli: Run, copied: Path) -> None:
    cli("analyze", "stats")
    cli("analyze", "stats", "--floor", "1")
    before = listing(copied)
    code, out, _ = cli("gc", "--dry-run", "--keep", "1", "--min-age", "0s", "--json")
    assert code == 0
    assert len(json.loads(out)["artifacts"]) == 1
    assert listing(copied) == before


def test_gc_deletes_what_no_kept_commit_lists(cli: Run, copied: Path) -> None:
    cli("analyze", "stats")
    cli("analyze", "stats", "--floor", "1")
    assert cli("gc", "--keep", "1", "--min-age", "0s")[0] == 0
    assert len(json.loads(cli("show", "commits", "--json")[1])) == 1
    assert cli("verify", "--deep")[0] == 0


def test_gc_keeps_what_is_young(cli: Run, copied: Path) -> None:
    cli("analyze", "stats")
    now = time.time()
    for path in copied.rglob("*"):
        os.utime(path, (now, now))
    assert json.loads(cli("gc", "--keep", "1", "--min-age", "1h", "--json")[1])["commits"] == []


@pytest.mark.parametrize("text", ["", "5", "h", "5 weeks", "-1h"])
def test_bad_durations_are_refused(cli: Run, copied: Path, text: str) -> None:
    assert cli("gc", f"--min-age={text}")[0] == 2


def test_compact_changes_the_storage_and_no_answer(cli: Run, source: Path, tmp_path: Path) -> None:
    atlas = tmp_path / "a.atlas"
    cli(*importing(source, atlas, "--shard-rows", "200"))
    question = ["feature", "activations", "7", "--atlas", atlas, "--json"]
    before = cli(*question)
    report = json.loads(cli("compact", "--profile", "balanced", "--atlas", atlas, "--json")[1])
    assert (report["segments_before"], report["segments"]) == (3, 1)
    assert cli(*question) == before


def test_plugins_are_listed_by_kind(cli: Run) -> None:
    found = json.loads(cli("plugins", "--json")[1])
    assert {(line["kind"], line["name"]) for line in found} >= {("importers", "h5-topk"), ("analyses", "stats")}
    assert all(line["help"] for line in found)
    assert "stats" not in cli("plugins", "importers")[1]


def test_jobs_below_one_are_refused(cli: Run, copied: Path) -> None:
    assert cli("build", "--jobs", "-1")[0] == 2


def test_two_processes_import_the_same(cli: Run, source: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "1.atlas", tmp_path / "2.atlas"
    cli(*importing(source, one, "--shard-rows", "300"))
    assert main([*map(str, importing(source, two, "--shard-rows", "300", "--jobs", "2"))]) == 0
    answers = [cli("feature", "activations", "7", "--atlas", atlas, "--json")[1] for atlas in (one, two)]
    assert answers[0] == answers[1]
