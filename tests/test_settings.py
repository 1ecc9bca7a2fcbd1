from __future__ import annotations

import os
from pathlib import Path

import pytest

from saeatlas.errors import InvalidInput
from saeatlas.settings import Settings, available_cores, available_memory, cache_directory


def test_environment_sets_jobs_and_memory() -> None:
    settings = Settings.from_environment({"SAEATLAS_JOBS": "3", "SAEATLAS_MEMORY": "1000"})
    assert (settings.jobs, settings.memory_budget) == (3, 1000)


def test_default_stays_within_the_machine() -> None:
    settings = Settings.from_environment({})
    assert 1 <= settings.jobs <= available_cores() <= (os.cpu_count() or 1)
    assert 0 < settings.memory_budget <= available_memory()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_wrong_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="SAEATLAS_JOBS must be a whole number above 0"):
        Settings.from_environment({"SAEATLAS_JOBS": text})


def test_cache_is_where_the_environment_says_and_else_the_users() -> None:
    assert cache_directory({"SAEATLAS_CACHE": "here", "XDG_CACHE_HOME": "there"}) == Path("here")
    assert cache_directory({"XDG_CACHE_HOME": "there"}) == Path("there/saeatlas")
    assert cache_directory({}) == Path.home() / ".cache" / "saeatlas"
