"""How answers leave: tags, caches, forms, compression; and the same lines in JSON, in Arrow and in Python."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.server.app import create_app

ARROW = "application/vnd.apache.arrow.stream"
SAE = "/api/v1/saes/toy"
FEATURES = f"{SAE}/features"


def arrow(content: bytes) -> pa.Table:
    return pa.ipc.open_stream(io.BytesIO(content)).read_all()


TABLES = (
    "/features?columns=stats.max,stats.min,explanations.text&limit=1000",
    "/features/1/activations?limit=1000",
    "/features/1/tokens?n=20",
    "/features/1/neighbors?n=5",
    "/features/1/coactive?n=5",
    "/features/1/documents?limit=1000",
    "/projections/imported",
    "/graphs/neighbors",
    "/clusters/ward_3",
    "/labels",
)


def test_every_table_has_both_forms_and_its_envelope_in_the_arrow_metadata(client: TestClient) -> None:
    for path in TABLES:
        asked = client.get(SAE + path)
        table = arrow(client.get(SAE + path, headers={"accept": ARROW}).content)
        envelope = json.loads(table.schema.metadata[b"saeatlas"])
        assert {**envelope, "rows": None} == {**asked.json(), "rows": None}, path
        assert asked.headers.get("x-total-count") == (None if envelope["total"] is None else str(envelope["total"])), (
            path
        )
        assert table.to_pylist() == asked.json()["rows"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        (ARROW, ARROW),
        (f"application/json;q=0.5, {ARROW}", ARROW),
        (f"{ARROW};q=0.1, application/json", "application/json"),
        (f"{ARROW}, application/json", "application/json"),
        ("application/*", "application/json"),
        (f"*/*;q=0.1, {ARROW}", ARROW),
        ("text/html, */*", "application/json"),
    ],
)
def test_form_is_what_accept_likes_best(client: TestClient, accept: str, media: str) -> None:
    assert client.get(FEATURES, headers={"accept": accept}).headers["content-type"] == media


def test_form_in_the_address_overrules_accept(client: TestClient) -> None:
    assert (
        client.get(f"{FEATURES}?format=json", headers={"accept": ARROW}).headers["content-type"] == "application/json"
    )
    assert client.get(f"{SAE}?format=arrow").status_code == 422


def test_unchanged_answer_is_304_with_its_headers(client: TestClient) -> None:
    for path in ("/api/v1/saes", SAE, FEATURES, f"{FEATURES}/1", f"{FEATURES}/1/activations", f"{SAE}/labels"):
        first = client.get(path)
        again = client.get(path, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert first.headers["cache-control"] == "no-cache"


def test_forms_have_different_tags(client: TestClient) -> None:
    tags = {client.get(FEATURES, params={"format": form}).headers["etag"] for form in ("json", "arrow")}
    assert len(tags) == 2
    assert client.get(FEATURES).headers["vary"] == "accept, accept-encoding"


def test_pinned_answer_is_kept_for_ever_unless_labels_are_in_it(client: TestClient, atlas: Atlas) -> None:
    pinned = f"/api/v1/@{atlas.commit.number}/saes/toy"
    kept = {
        form: client.get(f"{pinned}/features", params=form).headers["cache-control"]
        for form in ("columns=stats.max", "")
    }
    # Without names of columns, the first label brings some.
    assert kept == {"columns=stats.max": "public, max-age=31536000, immutable", "": "no-cache"}
    assert client.get(f"{pinned}/features/1/labels").headers["cache-control"] == "no-cache"
    assert client.get(pinned).headers["cache-control"] == "no-cache"
    assert client.get(f"{pinned}/features?format=json").json() == client.get(f"{FEATURES}?format=json").json()


def test_label_changes_the_tag_of_what_shows_labels_and_of_nothing_else(tmp_path: Any, connect: Any) -> None:
    from saeatlas.testing.make_atlas import make_atlas

    client = connect(make_atlas(tmp_path / "a.atlas").url)
    paths = (f"{FEATURES}/1", SAE, f"{FEATURES}/1/activations", "/api/v1/saes")
    before = [client.get(path).headers["etag"] for path in paths]
    client.post(f"{FEATURES}/1/labels", json={"text": "dogs", "by": "ana"})
    after = [client.get(path).headers["etag"] for path in paths]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True, True]


def test_answer_is_compressed_for_a_client_that_is_far_and_asks(atlas: Atlas) -> None:
    far = TestClient(create_app(atlas.url), base_url="http://127.0.0.1", client=("203.0.113.9", 5))
    near = TestClient(create_app(atlas.url), base_url="http://127.0.0.1", client=("127.0.0.1", 5))
    plain = near.get(FEATURES, headers={"accept-encoding": "zstd, gzip"})
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in far.get(FEATURES, headers={"accept-encoding": "br"}).headers
    with far.stream("GET", FEATURES, headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    with far.stream("GET", FEATURES, headers={"accept-encoding": "gzip;q=0.5, zstd"}) as packed:
        raw = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "zstd"
    assert pa.decompress(raw, len(plain.content), codec="zstd", asbytes=True) == plain.content


def test_what_is_missing_is_null_and_never_nan(client: TestClient, atlas: Atlas) -> None:
    text = client.get(FEATURES, params={"limit": 1000}).text
    assert "NaN" not in text and "Infinity" not in text
    missing = atlas.sae().features.filter(pl.col("stats.max").is_null()).select("feature").collect()["feature"]
    rows = json.loads(text)["rows"]
    assert missing.len() and all(rows[feature]["stats.max"] is None for feature in missing)


def test_large_answer_comes_in_pieces_and_whole(client: TestClient) -> None:
    columns = ",".join(f"histogram.{scale}_{part}" for scale in ("linear", "log") for part in ("edges", "counts"))
    params = {"format": "arrow", "columns": columns}
    with client.stream("GET", FEATURES, params=params) as answer:
        assert int(answer.headers["content-length"]) == sum(map(len, answer.iter_raw()))


def test_head_is_get_without_the_body(client: TestClient) -> None:
    for path in ("/api/v1/saes", FEATURES, "/api/v1/saes/nope", "/openapi.json"):
        whole, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers["content-length"] == str(len(whole.content))
        assert head.headers.get("etag") == whole.headers.get("etag")
