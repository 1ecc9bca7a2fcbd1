from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from saeatlas.atlas.atlas import create
from saeatlas.cli import main as program
from saeatlas.cli.target import atlas_place, open_or_create, split_reference
from saeatlas.errors import FormatError, InvalidInput, NotFound, SourceError

Run = Callable[..., tuple[int, str, str]]


def failing(error: BaseException) -> Callable[[list[str]], int]:
    def run(tokens: list[str]) -> int:
        raise error

    return run


def test_an_error_is_a_message_and_a_hint_with_the_code_of_its_class(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    error = SourceError("'a.h5' ends early", hint="Copy it again.")
    error.add_note("while reading shard 3")
    monkeypatch.setattr(program, "_run", failing(error))
    assert cli("x") == (6, "", "error: 'a.h5' ends early\nnote: while reading shard 3\nhint: Copy it again.\n")


def test_messages_from_data_are_escaped(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_run", failing(NotFound("No document '\x1b[2J'")))
    assert cli("x")[2] == "error: No document '\\x1b[2J'\n"


def test_an_unexpected_exception_is_reported_as_a_bug(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_run", failing(ZeroDivisionError("division by zero")))
    code, out, err = cli("x")
    assert (code, out) == (70, "")
    assert "ZeroDivisionError" in err
    assert "Traceback" not in err
    assert "report" in err


def test_debug_lets_the_traceback_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_run", failing(ZeroDivisionError()))
    monkeypatch.setenv("SAEATLAS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        program.main(["x"])


@pytest.mark.parametrize("given", ["1.5", "2.0", "0x10", "0b1", "1e3", "1_000", "٣", ""])
@pytest.mark.parametrize(
    "command",
    [("feature", "top-tokens", "0", "--n"), ("analyze", "neighbors", "--k"), ("analyze", "clusters", "--cuts")],
)
def test_whole_number_is_taken_as_it_is_or_refused(cli: Run, command: tuple[str, ...], given: str) -> None:
    code, _, err = cli(*command, given, "--atlas", "nowhere")
    assert code == 2
    assert "whole number" in err
    assert repr(given) in err


def test_interrupt_is_130(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_run", failing(KeyboardInterrupt()))
    code, _, err = cli("x")
    assert code == 130
    assert err.startswith("error: Interrupted\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m saeatlas.cli.main plugins | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() in {"0", "141"}


def test_output_that_takes_no_more_is_an_error_of_storage(atlas: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "saeatlas.cli.main", "feature", "activations", "3", "--json", "--atlas", str(atlas)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 10
    assert done.stderr.startswith("error: Cannot write the answer: No space left on device")
    assert len(done.stderr.splitlines()) == 2


def test_atlas_that_another_program_makes_meanwhile_is_opened(tmp_path: Path) -> None:
    assert open_or_create(str(tmp_path / "a"), lambda: create(tmp_path / "a")).commit.number == 0


def test_directory_where_the_making_of_an_atlas_stopped_is_used(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / uuid.uuid4().hex).write_text("{")
    assert open_or_create(str(tmp_path), lambda: None).commit.number == 0


def test_directory_with_a_staging_of_somebody_else_is_not_made_an_atlas(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "precious").write_text("")
    with pytest.raises(FormatError, match="not an atlas"):
        open_or_create(str(tmp_path), lambda: None)


@pytest.mark.parametrize(
    "arguments", [["plugns"], ["plugins", "--nope"], ["plugins", "weird"], ["feature", "show"], ["init"]]
)
def test_usage_errors_are_2_in_the_same_form(cli: Run, arguments: list[str]) -> None:
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "hint: See: saeatlas" in err


def test_help_is_on_standard_output_and_0(cli: Run) -> None:
    code, out, err = cli("--help")
    assert (code, err) == (0, "")
    assert "Make and fill an atlas" in out


def test_version(cli: Run) -> None:
    code, out, _ = cli("--version")
    assert code == 0
    assert out[0].isdigit()


def make_marker(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "atlas.json").write_text("{}")


def test_named_atlas_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAEATLAS_ATLAS", "environment")
    assert atlas_place("given", here=tmp_path) == "given"
    assert atlas_place("", here=tmp_path) == "environment"


def test_current_directory_that_is_an_atlas_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAEATLAS_ATLAS", raising=False)
    make_marker(tmp_path)
    assert atlas_place("", here=tmp_path) == os.fspath(tmp_path)


def test_the_only_atlas_in_the_current_directory_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAEATLAS_ATLAS", raising=False)
    make_marker(tmp_path / "a.atlas")
    (tmp_path / "empty.atlas").mkdir()
    assert atlas_place("", here=tmp_path) == os.fspath(tmp_path / "a.atlas")


def test_several_atlases_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAEATLAS_ATLAS", raising=False)
    make_marker(tmp_path / "a.atlas")
    make_marker(tmp_path / "b.atlas")
    with pytest.raises(NotFound, match=r"a\.atlas, b\.atlas"):
        atlas_place("", here=tmp_path)


def test_no_atlas_says_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAEATLAS_ATLAS", raising=False)
    with pytest.raises(NotFound) as caught:
        atlas_place("", here=tmp_path)
    assert "--atlas" in caught.value.hint


@pytest.mark.parametrize(("text", "parts"), [("s/7", ("s", 7)), ("7", ("", 7)), (" a.b-c/00012 ", ("a.b-c", 12))])
def test_references(text: str, parts: tuple[str, int]) -> None:
    assert split_reference(text) == parts


@pytest.mark.parametrize("text", ["", "s", "s/", "s/x", "-1", "s/-1", "s/1.5", "s/٣", "s/" + "9" * 30])
def test_bad_references_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="names no feature"):
        split_reference(text)


def test_tracebacks_of_workers_are_not_shown(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    error = SourceError("broken")
    error.add_note("Traceback (most recent call last):\n  File ...")
    monkeypatch.setattr(program, "_run", failing(error))
    assert cli("x")[2] == "error: broken\n"
