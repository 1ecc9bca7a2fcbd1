"""All checks together: what they examine, what they say, and that one that fails does not hide the others."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.cli.main import main
from saeatlas.errors import FormatError, NotFound
from saeatlas.format.commit import head
from saeatlas.health import CorpusCheck, Finding, SaeCheck, checks, diagnose
from saeatlas.health.decoder_rows import DecoderRows
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

Make = Callable[..., Atlas]


@pytest.fixture
def whole() -> Atlas:
    return make_atlas(MemoryStore(), n_rows=120, n_features=24, k=3, n_documents=9, parts=True)


def test_every_check_examines_what_is_there(whole: Atlas) -> None:
    found = diagnose(whole)
    assert {diagnosis.check for diagnosis in found} == set(checks())
    for diagnosis in found:
        is_of_corpus = issubclass(checks()[diagnosis.check], CorpusCheck)
        assert (diagnosis.corpus, diagnosis.sae) == (("reviews", None) if is_of_corpus else (None, "toy"))
        record = json.loads(json.dumps(diagnosis.to_json(), allow_nan=False))
        assert {"check", "sae", "verdict", "message", "remedy"} <= record.keys()
        assert record["verdict"] in {"ok", "suspect", "wrong", "not-applicable"}
        assert not record["message"].endswith(".")
        assert record["verdict"] not in {"suspect", "wrong"} or record["remedy"]


@pytest.mark.parametrize("name", list(checks()))
def test_check_is_a_frozen_plugin_with_defaults_and_a_page(name: str) -> None:
    cls: Any = checks()[name]
    assert issubclass(cls, SaeCheck | CorpusCheck)
    check = cls()
    for field in dataclasses.fields(check):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(check, field.name, None)
    page = Path(__file__).parents[2] / "docs" / "how-to" / "check-health.md"
    text = page.read_text(encoding="utf-8")
    assert f"| `{name}` |" in text
    assert [field.name for field in dataclasses.fields(check) if f"`{field.name}` (" not in text] == []


def test_one_sae_is_examined_with_its_corpus(whole: Atlas) -> None:
    make_atlas(whole.store, n_rows=120, n_features=24, k=3, n_documents=9, sae="other")
    atlas = Atlas(whole.store, head(whole.store))
    assert {diagnosis.sae for diagnosis in diagnose(atlas)} == {"toy", "other", None}
    assert {diagnosis.sae for diagnosis in diagnose(atlas, ["other"])} == {"other", None}
    with pytest.raises(NotFound, match="'third'"):
        diagnose(atlas, ["third"])


def test_check_that_cannot_read_is_a_finding_and_the_others_run(whole: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, sae: Any, progress: Any) -> Iterable[Finding]:
        raise FormatError("'decoder' is damaged", hint="Restore it.", kind="corrupt-artifact")

    monkeypatch.setattr(DecoderRows, "examine", fail)
    found = {diagnosis.check: diagnosis.finding for diagnosis in diagnose(whole)}
    assert set(found) == set(checks())
    assert found["decoder-rows"].verdict == "wrong"
    assert found["decoder-rows"].message == "The check could not be made: 'decoder' is damaged"
    assert found["decoder-rows"].numbers == {"error": "corrupt-artifact"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_atlas(tmp_path / "a.atlas", n_rows=120, n_features=24, k=3, n_documents=9, parts=True)
    return tmp_path / "a.atlas"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["doctor", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_doctor_prints_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--json", "--atlas", place)
    assert code == 0
    findings = json.loads(out)["findings"]
    (coherence,) = [found for found in findings if found["check"] == "coherence"]
    assert coherence.keys() >= {"check", "sae", "z", "lift", "verdict"}
    assert coherence["sae"] == "toy"


def test_doctor_prints_a_line_for_each_finding(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, "--sae", "toy", "--atlas", place)
    assert code == 0
    assert out.splitlines()[0].split("\t") == ["subject", "check", "verdict", "found", "what to do"]
    assert "corpus reviews\ttokens\tok" in out
    assert "suspect" in error


def test_strict_doctor_exits_with_1_when_something_is_suspect(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The synthetic weights have a row of zeros.
    assert run(capsys, "--strict", "--atlas", place)[0] == 1


def test_doctor_of_an_empty_atlas_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "empty.atlas")]) == 0
    code, out, error = run(capsys, "--strict", "--atlas", tmp_path / "empty.atlas")
    assert (code, len(out.splitlines())) == (0, 1)
    assert "Nothing to examine" in error
