"""`saeatlas feature coactive` against NumPy, before and after the analysis, for a person and for a program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Run = Callable[..., tuple[int, str, str]]


def dense(source: Path) -> np.ndarray:
    with h5py.File(source / "acts.h5") as file:
        features, values = file["z_idx"][:], file["z_val"][:]
    table = np.zeros((len(features), 32))
    np.put_along_axis(table, features, values, axis=1)
    return np.maximum(table, 0)


def ask(cli: Run, *arguments: object) -> list[dict[str, Any]]:
    code, out, err = cli(*arguments, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, list)
    return found


def test_list_has_every_partner_with_the_numbers_of_numpy(cli: Run, copied: Path, source: Path) -> None:
    table = dense(source)
    active = table > 0
    before = ask(cli, "feature", "coactive", "tiny/7", "--n", 200)
    assert cli("analyze", "coactivation")[0] == 0
    assert ask(cli, "feature", "coactive", "tiny/7", "--n", 200) == before
    both = (active[:, [7]] & active).sum(0)
    both[7] = 0
    assert sorted(line["feature"] for line in before) == np.flatnonzero(both).tolist()
    for line in before:
        other = line["feature"]
        assert line["count"] == both[other]
        assert np.isclose(line["lift"], both[other] * 600 / (active[:, 7].sum() * active[:, other].sum()))
        assert np.isclose(line["pearson"], np.corrcoef(table[:, 7], table[:, other])[0, 1])
        assert np.isclose(line["jaccard"], both[other] / (active[:, 7] | active[:, other]).sum())
    assert len({line["feature"] for line in before}) == len(before)


def test_order_is_the_one_asked_for(cli: Run, atlas: Path) -> None:
    found = ask(cli, "feature", "coactive", "tiny/7", "--by", "lift", "--min-count", 1, "--n", 5)
    lifts = [line["lift"] for line in found]
    assert len(lifts) == 5
    assert lifts == sorted(lifts, reverse=True)


def test_a_feature_that_never_fires_has_none(cli: Run, atlas: Path) -> None:
    assert ask(cli, "feature", "coactive", "tiny/0") == []


def test_piped_it_is_a_table(cli: Run, atlas: Path) -> None:
    code, out, _ = cli("feature", "coactive", "tiny/7", "--n", 3)
    heading, *lines = out.splitlines()
    assert code == 0
    assert heading.split("\t")[:3] == ["rank", "feature", "count"]
    assert len(lines) == 3


def test_an_unknown_order_is_refused(cli: Run, atlas: Path) -> None:
    code, _, err = cli("feature", "coactive", "tiny/7", "--by", "cosine")
    assert code != 0
    assert "pearson" in err
