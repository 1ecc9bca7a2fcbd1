"""The table of features over HTTP: what Python finds, in both forms, in pages that miss nothing."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.feature_table import FeatureQuery, feature_page
from saeatlas.atlas.predicates import Predicate

PATH = "/api/v1/saes/toy/features"
ARROW = "application/vnd.apache.arrow.stream"


def lines(client: TestClient, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def where(*clauses: dict[str, Any]) -> str:
    return json.dumps(clauses)


def test_columns_come_as_asked_after_the_feature(client: TestClient, atlas: Atlas) -> None:
    found = lines(client, columns="stats.max,stats.n_active", limit=1000)
    frame = atlas.sae().features.select("feature", "stats.max", "stats.n_active").collect()
    assert found == frame.to_dicts()


def test_without_columns_all_but_lists_come(client: TestClient, atlas: Atlas) -> None:
    kinds = atlas.sae().features.collect_schema()
    assert list(lines(client)[0]) == [name for name, kind in kinds.items() if not kind.is_nested()]


def test_list_comes_when_it_is_named(client: TestClient) -> None:
    (line,) = lines(client, columns="histogram.linear_counts", ids="1")
    assert len(line["histogram.linear_counts"]) == 40


def test_json_has_100_lines_and_arrow_all_unless_asked(connect: Any) -> None:
    client = connect()
    body = client.get(PATH, params={"limit": 7}).json()
    assert (len(body["rows"]), body["total"]) == (7, 64)
    table = pa.ipc.open_stream(io.BytesIO(client.get(PATH, headers={"accept": ARROW}).content)).read_all()
    assert table.num_rows == 64


def test_arrow_says_what_the_json_says(client: TestClient) -> None:
    params = {"columns": "stats.max,explanations.text", "sort": "stats.max", "descending": True, "limit": 9}
    asked = client.get(PATH, params=params).json()
    answer = client.get(PATH, params=params | {"format": "arrow"})
    table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert table.to_pylist() == asked["rows"]
    assert {**json.loads(table.schema.metadata[b"saeatlas"]), "rows": asked["rows"]} == asked
    assert answer.headers["x-total-count"] == "64"


@pytest.mark.parametrize("sort", ["", "stats.max", "explanations.text", "explanations.n", "weights.nothing"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_put_together_are_the_whole_table(client: TestClient, sort: str, *, descending: bool) -> None:
    if sort == "weights.nothing":
        sort = "feature"
    params: dict[str, Any] = {"columns": sort or "feature", "sort": sort, "descending": descending}
    whole = lines(client, limit=1000, **params)
    found, after = [], ""
    for _ in range(100):
        body = client.get(PATH, params=params | {"limit": 5, "after": after}).json()
        assert body["total"] == 64
        found += body["rows"]
        after = body["next"]
        if after is None:
            break
    assert found == whole


def test_missing_values_come_last_in_both_orders(client: TestClient) -> None:
    for descending in (False, True):
        values = [line["stats.max"] for line in lines(client, columns="stats.max", sort="stats.max", limit=99)]
        known = [value for value in values if value is not None]
        assert None in values and values[: len(known)] == known, descending


def test_place_in_another_order_is_refused(client: TestClient) -> None:
    after = client.get(PATH, params={"sort": "stats.max", "limit": 3}).json()["next"]
    for params in ({"after": after}, {"after": after, "sort": "stats.min"}, {"after": "x"}, {"after": "WzEsMiwzXQ"}):
        assert client.get(PATH, params=params).status_code == 422


@pytest.mark.parametrize("sort", ["", "stats.max", "explanations.text"])
@pytest.mark.parametrize(
    "place", [b'["%s", "\\ud800", 3]', b"[" * 9_000, b'["%s", NaN, 3]', b'["%s", 1e999, 3]', b"9" * 5_000]
)
def test_place_that_no_page_gave_is_refused_or_found_and_never_an_error(
    client: TestClient, sort: str, place: bytes
) -> None:
    given = client.get(PATH, params={"sort": sort, "limit": 1}).json()["next"]
    order = json.loads(base64.urlsafe_b64decode(given + "=="))[0]
    after = base64.urlsafe_b64encode(place.replace(b"%s", order.encode())).decode().rstrip("=")
    assert client.get(PATH, params={"sort": sort, "after": after}).status_code in {200, 422}


def test_ids_choose_features_and_an_unknown_one_is_refused(client: TestClient) -> None:
    assert [line["feature"] for line in lines(client, ids="9,3,3")] == [3, 9]
    assert client.get(PATH, params={"ids": "3,64"}).status_code == 422


@pytest.mark.parametrize(
    ("clause", "sql"),
    [
        ({"column": "stats.max", "op": "gt", "value": 2}, '"stats.max" > 2'),
        ({"column": "stats.n_active", "op": "le", "value": 2.5}, '"stats.n_active" <= 2.5'),
        ({"column": "stats.n_active", "op": "eq", "value": 3}, '"stats.n_active" = 3'),
        ({"column": "stats.n_active", "op": "ne", "value": 3}, '"stats.n_active" <> 3'),
        ({"column": "stats.max", "op": "between", "value": [1, 2.5]}, '"stats.max" between 1 and 2.5'),
        ({"column": "feature", "op": "in", "value": [1, 5, 10**25, 2.5]}, "feature in (1, 5)"),
        ({"column": "stats.max", "op": "missing"}, '"stats.max" is null'),
        ({"column": "explanations.text", "op": "present"}, '"explanations.text" is not null'),
        ({"column": "explanations.text", "op": "contains", "value": "DOGS"}, "\"explanations.text\" ilike '%dogs%'"),
        ({"column": "explanations.text", "op": "lt", "value": "m"}, "\"explanations.text\" < 'm'"),
        ({"column": "feature", "op": "gt", "value": -(10**30)}, "feature >= 0"),
        ({"any": [{"column": "feature", "op": "lt", "value": 2}, {"column": "stats.max", "op": "missing"}]},
         'feature < 2 or "stats.max" is null'),
    ],
)  # fmt: skip
def test_condition_holds_where_sql_says(client: TestClient, atlas: Atlas, clause: dict[str, Any], sql: str) -> None:
    want = atlas.sae().features.filter(pl.sql_expr(sql)).select("feature").collect()["feature"].to_list()
    found = [line["feature"] for line in lines(client, where=where(clause), columns="feature", limit=99)]
    assert found == want


@pytest.mark.parametrize(
    "clause",
    [
        {"column": "stats.max", "op": "gt", "value": "five"},
        {"column": "stats.max", "op": "gt"},
        {"column": "stats.max", "op": "gt", "value": True},
        {"column": "stats.max", "op": "in", "value": 3},
        {"column": "stats.max", "op": "between", "value": [1]},
        {"column": "stats.max", "op": "missing", "value": 1},
        {"column": "stats.max", "op": "contains", "value": "x"},
        {"column": "stats.max", "op": "like", "value": "x"},
        {"column": "stats.max", "op": "gt", "value": 10**400},
        {"column": "explanations.text", "op": "eq", "value": 3},
        {"column": "explanations.text", "op": "in", "value": [3]},
        {"column": "histogram.linear_edges", "op": "eq", "value": 3},
        {"column": "histogram.linear_edges", "op": "contains", "value": "3"},
        {"column": "labels.tags", "op": "eq", "value": "x"},
        {"column": "labels.tags", "op": "contains", "value": 3},
        {"column": "labels.tags", "op": "contains"},
        {"column": "stats.maximum", "op": "missing"},
        {"column": "stats.max; drop", "op": "missing"},
        {"any": []},
        {"column": "stats.max", "op": "missing", "other": 1},
        [],
        3,
    ],
)
def test_condition_that_does_not_fit_is_refused(client: TestClient, clause: Any) -> None:
    answer = client.get(PATH, params={"where": where(clause)})
    assert (answer.status_code, answer.json()["kind"]) == (422, "invalid-input")


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('[{"any":[]}]', "0.any.any"),
        ('[{"any":[{"column":"stats.max","op":"nope","value":1}]}]', "0.any.any.0.op"),
        ('[{"any":[{"column":"stats.max","op":"gt","valeu":1}]}]', "0.any.any.0.valeu"),
        ('[{"column":"stats.max","op":"nope"}]', "0.condition.op"),
        ("[5]", "0.condition"),
    ],
)
def test_wrong_condition_is_named_where_it_is_wrong(client: TestClient, condition: str, said: str) -> None:
    answer = client.get(PATH, params={"where": condition})
    assert (answer.status_code, answer.json()["kind"]) == (422, "invalid-input")
    assert f"conditions: {said}: " in answer.json()["detail"]


@pytest.mark.parametrize("bound", ["1", True, None, [1]])
def test_bound_of_groups_that_is_no_number_is_refused(client: TestClient, bound: Any) -> None:
    body = {"metric": "stats.max", "thresholds": [bound]}
    assert client.post(f"{PATH.removesuffix('/features')}/groups", json=body).status_code == 422
    whole = {"metric": "stats.max", "thresholds": [1, 2.5]}
    assert client.post(f"{PATH.removesuffix('/features')}/groups", json=whole).status_code == 200


def test_not_a_number_in_a_condition_is_refused(client: TestClient) -> None:
    text = '[{"column": "stats.max", "op": "gt", "value": NaN}]'
    assert client.get(PATH, params={"where": text}).status_code == 422


@given(
    least=st.integers(0, 63),
    limit=st.integers(0, 12),
    sort=st.sampled_from(["stats.max", "stats.n_active", ""]),
    down=st.booleans(),
)
def test_page_is_a_slice_of_the_sorted_table(atlas: Atlas, least: int, limit: int, sort: str, *, down: bool) -> None:
    predicate = Predicate("feature", "ge", least)
    sae = atlas.sae()
    columns = (sort or "stats.max",)
    every = feature_page(sae, FeatureQuery(predicates=(predicate,), sort=sort, is_descending=down, columns=columns))
    page = feature_page(
        sae, FeatureQuery(predicates=(predicate,), sort=sort, is_descending=down, columns=columns, limit=limit)
    )
    assert (page.total, every.total) == (64 - least, 64 - least)
    assert page.lines.equals(every.lines.head(limit))
    assert (page.next is None) == (limit == 0 or limit >= 64 - least)


def test_columns_of_labels_appear_with_the_first_label(tmp_path: Any, connect: Any) -> None:
    from saeatlas.testing.make_atlas import make_atlas

    client = connect(make_atlas(tmp_path / "a.atlas").url)
    before = client.get(PATH)
    assert client.get(PATH, params={"columns": "labels.text"}).status_code == 422
    client.post(f"{PATH}/5/labels", json={"text": "dogs", "by": "ana"})
    after = client.get(PATH, params={"where": where({"column": "labels.text", "op": "contains", "value": "dog"})})
    assert [line["feature"] for line in after.json()["rows"]] == [5]
    assert after.json()["labels_position"] > 0
    assert client.get(PATH, headers={"if-none-match": before.headers["etag"]}).status_code == 200
