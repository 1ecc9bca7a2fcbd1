"""A step whose output changes gets another version, so that no old artifact passes for a new one."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import step_outputs
from step_outputs import Output, load, outputs, verdict

from saeatlas.format.codecs import PROFILES
from saeatlas.pipeline.analysis import Analysis
from saeatlas.registry import Registry

RECORDED = load()
ANALYSES = Registry("saeatlas.analyses", Analysis)
ONE = Output(1, {"data": "abc"})


@cache
def found() -> dict[str, Output]:
    return outputs()


@pytest.mark.parametrize("name", RECORDED)
def test_output_is_that_of_its_version(name: str) -> None:
    message = verdict(name, RECORDED[name], found()[name])
    assert not message, message


def test_every_step_is_recorded() -> None:
    assert found().keys() == RECORDED.keys()
    segments = {f"segment, {profile}" for profile in PROFILES}
    analyses = set(ANALYSES)
    imported = {"imported weights", "imported map", "imported explanations/toy"}
    assert RECORDED.keys() == {"identity", "documents", "tokens", "compact"} | imported | segments | analyses


def test_every_output_has_parts() -> None:
    assert all(len(output.content) >= 2 for output in RECORDED.values())
    assert "00001/feature/value" in RECORDED["segment, compact"].content


def test_one_other_value_shows_in_what_depends_on_it() -> None:
    changed = outputs(values_changed=True)
    differing = {name for name, output in changed.items() if output.content != found()[name].content}
    reads_rows = {
        name
        for name, plugin in ANALYSES.items()
        if "activations" in step_outputs.SPECIAL.get(name, plugin)().requires()
    }
    assert {"stats", "histogram", "compact", *(f"segment, {profile}" for profile in PROFILES)} <= differing
    assert not differing & {name for name in found() if name.startswith("imported ")}
    assert not differing & {"identity", "documents", "tokens"}
    assert reads_rows <= differing


def test_last_bits_of_a_float_do_not_show() -> None:
    assert step_outputs._rounded([1 / 3, 1e-17, {"a": float("nan")}, 7], 10) == ["0.3333333333", "0", {"a": "nan"}, 7]


@pytest.mark.parametrize(
    ("recorded", "now", "words"),
    [
        (ONE, ONE, ""),
        (ONE, Output(1, {"data": "abd"}), "changed in data, and its version is still 1"),
        (ONE, Output(1, {"data": "abc", "more": "x"}), "changed in more"),
        (ONE, Output(2, {"data": "abd"}), "Record what it makes"),
        (ONE, replace(ONE, version=0), "versions only rise"),
        (None, ONE, "is new"),
    ],
)
def test_verdict_says_what_to_do(recorded: Output | None, now: Output, words: str) -> None:
    message = verdict("stats", recorded, now)
    assert words in message
    assert bool(words) == bool(message)


def test_other_output_is_not_recorded_under_the_same_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(step_outputs, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(step_outputs, "outputs", lambda: {"stats": ONE})
    assert step_outputs.main() == 0
    before = (tmp_path / "record.json").read_text()
    monkeypatch.setattr(step_outputs, "outputs", lambda: {"stats": Output(1, {"data": "other"})})
    assert step_outputs.main() == 1
    assert "raise the version" in capsys.readouterr().err
    assert (tmp_path / "record.json").read_text() == before
