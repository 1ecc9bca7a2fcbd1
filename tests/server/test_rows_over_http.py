"""Rows of a feature over HTTP equal the dense arrays the atlas was made from; pages miss nothing and repeat nothing."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.server.models import paging
from saeatlas.testing.make_atlas import Shape, make_arrays, make_atlas

PATH = "/api/v1/saes/toy/features"
ARROW = "application/vnd.apache.arrow.stream"
SHAPE = {"n_rows": 300, "n_features": 20, "k": 5, "listed_zeros": 0.2, "ragged": True}


@pytest.fixture(scope="module", params=[False, True], ids=["contiguous", "interleaved"])
def served(request: Any, tmp_path_factory: pytest.TempPathFactory, connect: Any) -> tuple[Any, TestClient]:
    """Dense values with NaN where nothing is listed, document and position of each row, and a client."""
    shape = SHAPE | {"interleaved": request.param}
    made = make_atlas(tmp_path_factory.mktemp("rows") / "a.atlas", shard_rows=110, **shape)
    arrays = make_arrays(Shape(**shape))
    dense = np.full((300, 20), np.nan)
    rows = np.repeat(np.arange(300), np.diff(arrays.indptr))
    dense[rows, arrays.features] = arrays.values
    documents = np.asarray(arrays.documents)
    positions = np.array([int((documents[:row] == documents[row]).sum()) for row in range(300)])
    return (dense, documents, positions), connect(made.url)


def get(client: TestClient, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"{PATH}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def arrow(client: TestClient, path: str, **query: Any) -> pa.Table:
    answer = client.get(f"{PATH}/{path}", params=query, headers={"accept": ARROW})
    assert answer.status_code == 200, answer.text
    return pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()


def expected(oracle: Any, feature: int, *, listed: bool = False) -> list[dict[str, Any]]:
    dense, documents, positions = oracle
    column = dense[:, feature]
    rows = np.flatnonzero(~np.isnan(column) if listed else np.nan_to_num(column, nan=-1) > 0)
    return [
        {
            "row": int(row),
            "document": f"doc-{documents[row]:03d}",
            "position": int(positions[row]),
            "value": float(column[row]),
        }
        for row in rows
    ]


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("feature", [0, 1, 7, 19])
def test_activations_are_those_of_the_dense_array(served: Any, feature: int, listed: Any) -> None:
    oracle, client = served
    wanted = expected(oracle, feature, listed=listed)
    found = get(client, f"{feature}/activations", listed=listed)
    assert found["rows"] == wanted
    assert (found["total"], found["next"]) == (len(wanted), None)
    assert found["basis"] == {"n_rows": 300, "exact": True, "sampled": None}
    table = arrow(client, f"{feature}/activations", listed=listed)
    assert table.to_pylist() == wanted
    about = json.loads(table.schema.metadata[b"saeatlas"])
    assert {name: about[name] for name in ("total", "basis")} == {name: found[name] for name in ("total", "basis")}


def test_basis_of_a_span_is_its_rows(served: Any) -> None:
    _, client = served
    found = get(client, "0/activations", start=20, stop=90)
    assert found["basis"] == {"n_rows": 70, "exact": True, "sampled": None}


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_pages_of_activations_join_to_the_whole(served: Any, limit: int) -> None:
    oracle, client = served
    rows, after, totals = [], None, set()
    while True:
        query = {"limit": limit, "start": 20, "stop": 250} | ({} if after is None else {"after": after})
        page = get(client, "2/activations", **query)
        rows += page["rows"]
        totals.add(page["total"])
        after = page["next"]
        if after is None:
            break
    wanted = [line for line in expected(oracle, 2) if 20 <= line["row"] < 250]
    assert rows == wanted
    assert totals == {len(wanted)}


def test_json_has_a_page_without_a_limit_and_arrow_everything(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle, client = served
    monkeypatch.setattr(paging, "PAGE", 2)
    wanted = expected(oracle, 0)
    page = get(client, "0/activations")
    assert (page["rows"], page["total"], page["next"]) == (wanted[:2], len(wanted), str(wanted[1]["row"]))
    assert arrow(client, "0/activations").num_rows == len(wanted)
    documents = get(client, "0/documents")
    rest = get(client, "0/documents", after=documents["next"], limit=1000)
    whole = arrow(client, "0/documents").to_pylist()
    assert documents["rows"] + rest["rows"] == whole
    assert documents["total"] == len(whole) == len({line["document"] for line in wanted})
    assert sum(line["count"] for line in whole) == len(wanted)


def test_a_limit_of_nothing_is_no_line_and_the_total(served: Any) -> None:
    _, client = served
    found = get(client, "0/activations", limit=0)
    assert (found["rows"], found["total"] > 0) == ([], True)
    assert arrow(client, "0/activations", limit=0).num_rows == 0


@pytest.mark.parametrize("pick", ["top", "quantiles", "random"])
@pytest.mark.parametrize(("low", "high"), [(None, None), (0.5, None), (None, 1.0), (0.5, 1.5), (99.0, None)])
def test_examples_of_a_range_are_the_rows_of_the_range(served: Any, pick: str, low: Any, high: Any) -> None:
    oracle, client = served
    query = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    found = get(client, "0/examples", pick=pick, n=1000 if pick != "quantiles" else 300, before=2, after=1, **query)
    column = np.nan_to_num(oracle[0][:, 0], nan=-1)
    inside = (column > 0) & (column >= (low or 0)) & (column < (high or np.inf))
    assert sorted(line["row"] for line in found["examples"]) == np.flatnonzero(inside).tolist()
    assert found["n_matching"] == int(inside.sum())
    assert (found["low"], found["high"], found["basis"]["exact"]) == (low, high, True)
    for line in found["examples"]:
        same = np.flatnonzero(oracle[1] == oracle[1][line["row"]])
        shown = same[line["first_position"] : line["first_position"] + len(line["tokens"])]
        dense = oracle[0][shown, 0]
        assert line["values"] == [None if np.isnan(value) else value for value in dense.tolist()]
        assert line["row"] in shown


@pytest.mark.parametrize("tokens", [True, False])
def test_texts_of_examples_are_those_of_python(tmp_path: Any, connect: Any, tokens: Any) -> None:
    made = make_atlas(tmp_path / "a.atlas", tokens=tokens)
    found = get(connect(made.url), "0/examples", texts=True)["examples"]
    for line, one in zip(found, made.sae().feature(0).examples(), strict=True):
        if not tokens:
            assert line["text"] is one.text is None
            continue
        named = {name: line["text"][name] for name in ("before", "active", "after")}
        assert named == {"before": one.text_before, "active": one.text_active, "after": one.text_after}
        assert line["text"]["spans"] == [[token.start, token.end] for token in one.tokens]
    assert all(line["text"] is None for line in get(connect(made.url), "0/examples")["examples"])


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("0/activations", {"start": 5, "stop": 3}, 422),
        ("0/activations", {"stop": 301}, 422),
        ("0/activations", {"limit": -1}, 422),
        ("0/activations", {"after": "x"}, 422),
        ("0/activations", {"after": 10**30}, 422),
        ("0/activations", {"listed": "perhaps"}, 422),
        ("0/activations", {"format": "csv"}, 422),
        ("0/examples", {"pick": "best"}, 422),
        ("0/examples", {"low": "nan"}, 422),
        ("0/examples", {"high": "inf"}, 422),
        ("0/examples", {"low": 2, "high": 1}, 422),
        ("0/examples", {"n": 1000, "before": 1000}, 422),
        ("0/examples", {"n": 10**9}, 422),
        ("0/examples", {"format": "arrow"}, 422),
        ("0/histogram", {"bins": 0}, 422),
        ("0/histogram", {"scale": "cubic"}, 422),
        ("0/tokens", {"n": -1}, 422),
        ("0/coactive", {"by": "love"}, 422),
        ("0/neighbors", {}, 404),
        ("0/ngrams", {}, 404),
        ("0/effects", {}, 404),
        ("0/breakdown", {"by": "nope"}, 404),
        ("99/activations", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_a_problem(served: Any, path: str, query: Any, status: int) -> None:
    answer = served[1].get(f"{PATH}/{path}", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert {"kind", "detail", "hint", "instance"} <= set(answer.json())


def test_breakdown_by_every_column_is_each_of_them(tmp_path: Any, connect: Any) -> None:
    made: Atlas = make_atlas(tmp_path / "a.atlas")
    client = connect(made.url)
    every = get(client, "3/breakdown")
    assert [one["column"] for one in every["breakdowns"]] == ["stars", "length", "kind"]
    for one in every["breakdowns"]:
        assert get(client, "3/breakdown", by=one["column"])["breakdowns"] == [one]
        assert sum(level["n_rows"] for level in one["levels"]) == made.corpus().n_rows
