"""`saeatlas search` on the command line: tables for people and pipes, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from saeatlas.analyses.search import Search
from saeatlas.analyses.search_documents import SearchDocuments
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts

Run = Callable[..., tuple[int, str, str]]
TEXTS = ((0, "customers who ask for a payment"), (6, "\x1b[31mred\x1b[0m payments\n<b>bold</b>"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = make_atlas(tmp_path_factory.mktemp("found") / "a.atlas", n_features=16)
    import_parts(made.store, PartsImporter(sae="toy", data=replace(make_parts(16), texts=TEXTS)))
    return build(made, TopTokens(), Search(), SearchDocuments()).url


def test_words_find_features_and_documents(cli: Run, place: str) -> None:
    code, out, err = cli("search", "customer", "paymnet", "--atlas", place)
    assert code == 0
    assert "Searched for: customer payment" in err
    assert "toy/0" in out
    assert "»customers« who ask for a »payment«" in out


def test_json_has_everything(cli: Run, place: str) -> None:
    code, out, _ = cli("search", "payment", "--features", "--json", "--atlas", place)
    found = json.loads(out)
    assert (code, found["n_features"], found["n_documents"]) == (0, 2, 0)
    assert [hit["feature"] for hit in found["features"]] == [0, 6]


def test_documents_alone(cli: Run, place: str) -> None:
    code, out, _ = cli("search", "--documents", "review", "--atlas", place)
    assert code == 0
    assert "Documents: 4" in out
    assert "Features" not in out


def test_controls_in_the_data_do_not_reach_the_terminal(cli: Run, place: str) -> None:
    for options in ((), ("--json",)):
        _, out, _ = cli("search", "red", *options, "--atlas", place)
        assert "\x1b" not in out


def test_without_an_index_the_command_says_what_to_run(cli: Run, tmp_path: Path) -> None:
    code, out, err = cli("search", "x", "--atlas", make_atlas(tmp_path / "b.atlas").url)
    assert (code, out) == (3, "")
    assert "saeatlas analyze search" in err


@pytest.mark.parametrize("words", [(), (" ",), ("x" * 2000,)])
def test_nothing_to_look_for_is_refused(cli: Run, place: str, words: tuple[str, ...]) -> None:
    code, _, err = cli("search", *words, "--atlas", place)
    assert code == 2
    assert err
