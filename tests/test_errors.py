"""Every error has an exit code, an HTTP status and a kind, and crosses process boundaries whole."""

from __future__ import annotations

import ast
import pickle
import re
import traceback
from collections import Counter
from pathlib import Path

import pytest

import saeatlas.errors
from saeatlas.errors import (
    KINDS,
    InternalError,
    InvalidInput,
    MissingExtra,
    NotFound,
    SaeatlasError,
    StorageError,
    error_classes,
)

SOURCE = Path(saeatlas.errors.__file__)
CLASSES = sorted(SaeatlasError.__subclasses__(), key=lambda cls: cls.__name__)


@pytest.fixture(params=CLASSES, ids=lambda cls: cls.__name__)
def error_class(request: pytest.FixtureRequest) -> type[SaeatlasError]:
    found: type[SaeatlasError] = request.param
    return found


def test_table_names_every_public_class() -> None:
    public = {name for name in saeatlas.errors.__all__ if name[0].isupper() and not name.isupper()}
    assert error_classes().keys() == public - {"SaeatlasError"}


def test_no_error_is_defined_elsewhere() -> None:
    assert {cls.__module__ for cls in CLASSES} == {"saeatlas.errors"}


def test_no_error_has_subclasses(error_class: type[SaeatlasError]) -> None:
    assert error_class.__subclasses__() == []


def test_class_states_its_own_codes(error_class: type[SaeatlasError]) -> None:
    assert {"default_kind", "exit_code", "http_status"} <= vars(error_class).keys()


def test_exit_code_is_free_for_use(error_class: type[SaeatlasError]) -> None:
    assert 2 <= error_class.exit_code < 126


def test_exit_codes_are_unique() -> None:
    assert Counter(code for code, _ in error_classes().values()).most_common(1)[0][1] == 1


def test_status_is_an_error_of_http(error_class: type[SaeatlasError]) -> None:
    assert 400 <= error_class.http_status < 600


def test_default_kind_is_known(error_class: type[SaeatlasError]) -> None:
    assert error_class("x").kind in KINDS


def test_default_kinds_are_unique() -> None:
    assert len({cls.default_kind for cls in CLASSES}) == len(CLASSES)


def test_kinds_are_written_once() -> None:
    assignment = re.search(r"^KINDS.*?^\)", SOURCE.read_text(), re.MULTILINE | re.DOTALL)
    assert assignment
    words = re.findall(r'"([^"]+)"', assignment[0])
    assert Counter(words) == Counter(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_kind_is_kebab_case(kind: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind)


def test_every_kind_in_the_source_is_known() -> None:
    used = {
        keyword.value.value
        for path in SOURCE.parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in error_classes()
        for keyword in node.keywords
        if keyword.arg == "kind" and isinstance(keyword.value, ast.Constant)
    }
    assert used - {""} <= KINDS


def test_unknown_kind_is_a_bug() -> None:
    with pytest.raises(InternalError, match="no-such-kind"):
        InvalidInput("x", kind="no-such-kind")


def test_error_reads_as_its_message(error_class: type[SaeatlasError]) -> None:
    assert str(error_class("Asked for 'x', found 'y'", hint="Do z")) == "Asked for 'x', found 'y'"


def test_error_survives_pickling(error_class: type[SaeatlasError]) -> None:
    error = error_class("What happened", hint="What to do", kind="over-budget")
    error.add_note("while importing")
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), found.message, found.hint, found.kind, found.notes, str(found)) == (
        error_class,
        "What happened",
        "What to do",
        "over-budget",
        ("while importing",),
        "What happened",
    )


def test_traceback_shows_the_hint_below_the_message(error_class: type[SaeatlasError]) -> None:
    lines = "".join(traceback.format_exception(error_class("Asked for 'x', found 'y'", hint="Do z"))).splitlines()
    assert lines[-2:] == [f"saeatlas.errors.{error_class.__name__}: Asked for 'x', found 'y'", "hint: Do z"]


def test_traceback_of_an_error_without_a_hint_ends_with_its_message(error_class: type[SaeatlasError]) -> None:
    assert "hint" not in "".join(traceback.format_exception(error_class("Asked for 'x', found 'y'")))


@pytest.mark.parametrize(
    ("error_class", "builtin"),
    [(InvalidInput, ValueError), (NotFound, KeyError), (StorageError, OSError), (MissingExtra, ImportError)],
)
def test_error_is_what_python_would_raise(error_class: type[SaeatlasError], builtin: type[Exception]) -> None:
    assert issubclass(error_class, builtin)
