"""Optional libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from saeatlas.errors import MissingExtra
from saeatlas.extras import require


def test_what_is_installed_is_imported() -> None:
    assert require("json.decoder", extra="analyses").JSONDecoder


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtra, match="'no_such_library' is needed to draw a map") as error:
        require("no_such_library.part", extra="plot", to="draw a map")
    assert error.value.hint == "Run: pip install 'saeatlas[plot]'"


def test_broken_library_raises_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text("import something_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_needs"):
        require("broken_library", extra="analyses")
    sys.modules.pop("broken_library", None)
