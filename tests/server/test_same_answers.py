"""JSON, Arrow, Python and the client give the same answer, for every resource that there is."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import polars as pl
import pyarrow as pa
import pytest

import saeatlas
from saeatlas.analyses.coactivation import Coactivation
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.search import Search
from saeatlas.analyses.search_documents import SearchDocuments
from saeatlas.analyses.token_profile import TokenProfile
from saeatlas.atlas.atlas import Atlas, open_atlas
from saeatlas.atlas.clusterings import clustering_of
from saeatlas.atlas.column_histograms import column_histograms
from saeatlas.atlas.document_view import view_document
from saeatlas.atlas.feature_table import FeatureQuery, query_features
from saeatlas.atlas.graphs import graph_of
from saeatlas.atlas.groups import Split, group_features
from saeatlas.atlas.projections import projection_of
from saeatlas.client.atlas import RemoteAtlas, connect
from saeatlas.errors import InvalidInput, SaeatlasError
from saeatlas.pipeline.labelling import label
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.running_server import running_server

ARROW = "application/vnd.apache.arrow.stream"
SAE = "/api/v1/saes/toy"
F = f"{SAE}/features/3"
COLUMNS = ("stats.n_active", "stats.max", "stats.mean", "clusters.ward_3", "explanations.text")
NGRAMS = ["kind", "size", "rank", "text", "count", "n_contexts", "share", "n_documents"]
FEATURES = FeatureQuery(sort="stats.max", columns=COLUMNS)
WHERE = [{"column": "stats.n_active", "op": "gt", "value": 3}]


@dataclass(frozen=True)
class Case:
    """One resource, asked in every way."""

    path: str
    """As the OpenAPI document has it, from the version on."""
    url: str
    """What is asked."""
    here: Callable[[Atlas], Any]
    """The answer in Python: a table, or the members of an object that Python knows too."""
    there: Callable[[RemoteAtlas], Any]
    """The same through the client."""


def sae_case(path: str, resource: str, here: Callable[[Any], Any], there: Callable[[Any], Any]) -> Case:
    return Case(f"/saes/{{sae}}{path}", SAE + resource, lambda a: here(a.sae()), lambda a: there(a.sae()))


def feature_case(resource: str, ask: Callable[[Any], Any], query: str = "") -> Case:
    """A resource of a feature that both handles are asked for in the same words."""
    return sae_case(
        f"/features/{{feature}}/{resource}",
        f"/features/3/{resource}{query}",
        lambda sae: ask(sae.feature(3)),
        lambda sae: ask(sae.feature(3)),
    )


BEST = frozenset({"tokens", "neighbors", "coactive"})
"""Lists of the best `n`, whose number in all is not known while there may be more."""
TABLES = {
    "activations": feature_case("activations", lambda f: f.activations()),
    "listed activations of a span": feature_case(
        "activations", lambda f: f.activations(listed=True, start=20, stop=90), "?listed=true&start=20&stop=90"
    ),
    "documents of a feature": feature_case("documents", lambda f: f.documents()),
    "tokens": feature_case("tokens", lambda f: f.top_tokens(5), "?n=5"),
    "neighbors": feature_case("neighbors", lambda f: f.similar(4), "?n=4"),
    "coactive": feature_case("coactive", lambda f: f.coactive(6, by="lift", min_count=2), "?n=6&by=lift&min_count=2"),
    "ngrams": sae_case(
        "/features/{feature}/ngrams",
        "/features/3/ngrams?n=500",
        lambda sae: sae.table("token-profile", "ngrams").filter(pa.compute.field("feature") == 3).select(NGRAMS),
        lambda sae: sae.feature(3).ngrams(500),
    ),
    "features": sae_case(
        "/features",
        f"/features?sort=stats.max&columns={','.join(COLUMNS)}",
        lambda sae: query_features(sae, FEATURES).to_arrow(),
        lambda sae: sae.find(columns=COLUMNS, sort="stats.max"),
    ),
    "features as a lazy frame": sae_case(
        "/features",
        f"/features?columns={','.join(COLUMNS)}",
        lambda sae: sae.features.select("feature", *COLUMNS).collect(),
        lambda sae: sae.features.select("feature", *COLUMNS).collect(),
    ),
    "labels": sae_case("/labels", "/labels", lambda sae: sae.labels.current, lambda sae: sae.labels.current),
    "projections": sae_case(
        "/projections/{name}",
        "/projections/imported",
        lambda sae: projection_of(sae, "imported")[1],
        lambda sae: sae.projection("imported"),
    ),
    "clusters": sae_case(
        "/clusters/{name}",
        "/clusters/ward_3",
        lambda sae: clustering_of(sae, "ward_3"),
        lambda sae: sae.clusters("ward_3"),
    ),
    "graphs": sae_case(
        "/graphs/{name}",
        "/graphs/neighbors",
        lambda sae: graph_of(sae, "neighbors")[1],
        lambda sae: sae.graph("neighbors"),
    ),
    "documents": Case(
        "/corpora/{corpus}/documents",
        "/api/v1/corpora/reviews/documents",
        lambda a: a.corpus().table(),
        lambda a: a.corpus().table(),
    ),
    "vocabulary": Case(
        "/corpora/{corpus}/vocabulary",
        "/api/v1/corpora/reviews/vocabulary",
        lambda a: a.corpus().tokens.vocabulary(),
        lambda a: a.corpus().vocabulary(),
    ),
}


def bundle(sae: Any) -> dict[str, Any]:
    feature = sae.feature(3)
    return {
        "n_features": sae.n_features,
        "identity": sae.identity.to_json(),
        "stats": without(asdict(feature.stats()), "sae", "feature"),
        "tokens": feature.top_tokens(20).to_pylist(),
        "neighbors": [line | {"text": ANY} for line in feature.similar(3).to_pylist()],
    }


def example(found: Any) -> dict[str, Any]:
    """The members of an example that the API has."""
    names = ("row", "document", "document_index", "position", "value", "stratum", "rank", "metadata", "window_start")
    return {
        **{name: getattr(found, name) for name in (*names, "context_available", "reason")},
        "tokens": [token.string for token in found.tokens],
        "values": [token.value for token in found.tokens],
        "visible": [token.visible for token in found.tokens],
    }


def histogram(feature: Any) -> dict[str, Any]:
    return without(asdict(feature.histogram(7, "log")), "sae", "feature", "n_rows")


def breakdowns(feature: Any) -> dict[str, Any]:
    return {"breakdowns": [without(asdict(feature.breakdown("stars")), "sae", "feature")]}


def document(atlas: Atlas) -> dict[str, Any]:
    view = view_document(atlas.corpus(), "doc-002")
    names = ("document", "index", "n_rows", "text", "metadata", "tokens")
    return {**{name: getattr(view, name) for name in names}, "rows": view.rows.tolist()}


def pair(sae: Any) -> dict[str, Any]:
    found = sae.pair(3, 5)
    names = ("n_rows", "n_a", "n_b", "n_both", "lift", "pmi", "jaccard", "pearson")
    return {**{name: getattr(found, name) for name in names}, "decoder_cosine": found.cosine().value}


def found(answer: Any) -> dict[str, Any]:
    """The answer to a search as the API writes it."""
    kinds = [("features", hit) for hit in answer.features] + [("documents", hit) for hit in answer.documents]
    hits = [{"kind": kind, **asdict(hit)} for kind, hit in kinds]
    return {**without(asdict(answer), "features", "documents"), "hits": hits, "total": answer.total}


def label_texts(found: Any) -> dict[str, Any]:
    return {
        part: [{"id": one.id, "text": one.said.text, "by": one.by} for one in getattr(found, part)]
        for part in ("current", "history")
    }


OBJECTS = {
    "saes": Case(
        "/saes",
        "/api/v1/saes",
        lambda a: {"saes": [{"name": name, "n_features": a.sae(name).n_features} for name in a.saes]},
        lambda a: {"saes": [{"name": name, "n_features": a.sae(name).n_features} for name in a.saes]},
    ),
    "sae": sae_case(
        "", "", lambda s: {"name": s.name, "n_rows": s.n_rows, "identity": s.identity.to_json()}, lambda s: s.detail
    ),
    "feature": sae_case("/features/{feature}", "/features/3", bundle, lambda s: s.feature(3).page),
    "examples": feature_case(
        "examples",
        lambda f: {"examples": [example(one) for one in f.examples(pick="quantiles", n=2, strata=3, seed=5)]},
        "?pick=quantiles&n=2&strata=3&seed=5",
    ),
    "examples of a range": feature_case(
        "examples", lambda f: {"examples": [example(one) for one in f.examples(low=0.5, high=1.5)]}, "?low=0.5&high=1.5"
    ),
    "histogram": feature_case("histogram", histogram, "?bins=7&scale=log"),
    "breakdown": feature_case("breakdown", breakdowns, "?by=stars"),
    "history of labels": sae_case(
        "/features/{feature}/labels",
        "/features/3/labels",
        lambda sae: label_texts(sae.labels.of(3)),
        lambda sae: sae.feature(3).labels,
    ),
    "pair": sae_case("/pairs/{a}/{b}", "/pairs/3/5", pair, lambda sae: sae.pair(3, 5).detail),
    "histograms": sae_case(
        "/histograms",
        "/histograms?columns=stats.max,stats.mean&bins=5",
        lambda sae: {"histograms": [asdict(one) for one in column_histograms(sae, COLUMNS[1:3], 5)]},
        lambda sae: {"histograms": sae.histograms(COLUMNS[1:3], bins=5)},
    ),
    "search": Case(
        "/search",
        "/api/v1/search?q=refunds&kind=features",
        lambda a: found(a.search("refunds", kind="features")),
        lambda a: found(a.search("refunds", kind="features")),
    ),
    "corpora": Case(
        "/corpora",
        "/api/v1/corpora",
        lambda a: {"corpora": [{"name": name} for name in a.corpora]},
        lambda a: {"corpora": [{"name": name} for name in a.corpora]},
    ),
    "corpus": Case(
        "/corpora/{corpus}",
        "/api/v1/corpora/reviews",
        lambda a: {"n_documents": a.corpus().n_documents, "metadata_columns": list(a.corpus().metadata_columns)},
        lambda a: a.corpus().detail,
    ),
    "document": Case(
        "/corpora/{corpus}/documents/{document}",
        "/api/v1/corpora/reviews/documents/doc-002",
        document,
        lambda a: a.corpus().document("doc-002"),
    ),
}
ELSEWHERE = {
    # No part of an atlas: the server itself, what it runs, and what it keeps for its pages.
    "/commits",
    "/health",
    "/jobs",
    "/jobs/{job}",
    "/jobs/{job}/events",
    "/labels/categories",
    "/plugins",
    "/saes/{sae}/features/{feature}/effects",  # needs an unembedding: tests/server/test_relations.py
    "/saes/{sae}/sets/{given}",
}


class _Any:
    """Equal to whatever the server says."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


ANY = _Any()


def without(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def lines(table: Any) -> list[dict[str, Any]]:
    """Lines of a table, however it came; NaN, which JSON has not, is missing."""
    if isinstance(table, pl.DataFrame):
        table = table.to_arrow()
    found = table if isinstance(table, list) else table.to_pylist()
    return [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in line.items()}
        for line in found
    ]


def check_known(known: Any, found: Any, where: str = "answer") -> None:
    """Everything that is known is in what was found, with the same value."""
    if is_dataclass(known) and not isinstance(known, type):
        known = asdict(known)
    if isinstance(known, Mapping):
        assert set(known) <= set(found), where
        for name, value in known.items():
            check_known(value, found[name], f"{where}.{name}")
    elif isinstance(known, list | tuple) or hasattr(known, "tolist"):
        known = known.tolist() if hasattr(known, "tolist") else known
        assert len(known) == len(found), where
        for index, (one, other) in enumerate(zip(known, found, strict=True)):
            check_known(one, other, f"{where}[{index}]")
    else:
        assert known == found, where


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, atlas: Atlas) -> Iterator[SimpleNamespace]:
    """An atlas with labels, its server, a client and a plain connection."""
    import shutil

    place = tmp_path_factory.mktemp("same") / "a.atlas"
    shutil.copytree(atlas.url, place)
    more = (Coactivation(k=8), MetadataAssociation(), TokenProfile(), Search(), SearchDocuments())
    here = saeatlas.build(open_atlas(place), *more)
    for text, by in (("first", "ana"), ("second", "bo"), ("third", "ana")):
        label(here.sae().feature(3), text, by=by)
    with running_server(str(place)) as address, connect(address) as there, httpx.Client(base_url=address) as http:
        yield SimpleNamespace(here=here, there=there, http=http)


@pytest.mark.parametrize("name", TABLES)
def test_table_is_the_same_in_json_arrow_python_and_client(served: SimpleNamespace, name: str) -> None:
    case = TABLES[name]
    as_json, as_arrow = (
        served.http.get(case.url, headers={"accept": accept}) for accept in ("application/json", ARROW)
    )
    expected = lines(case.here(served.here))
    arrow = pa.ipc.open_stream(io.BytesIO(as_arrow.content)).read_all()
    assert expected
    assert lines(as_json.json()["rows"]) == expected
    assert lines(arrow) == expected
    assert lines(case.there(served.there)) == expected
    total = as_json.json()["total"]
    # Of lists of the best, there may be more.
    assert total == len(expected) or (total is None and name in BEST)
    assert as_arrow.headers.get("x-total-count") == (None if total is None else str(total))


@pytest.mark.parametrize("name", OBJECTS)
def test_object_is_the_same_in_json_python_and_client(served: SimpleNamespace, name: str) -> None:
    case = OBJECTS[name]
    found = served.http.get(case.url).json()
    known = case.here(served.here)
    check_known(known, found)
    check_known(known, case.there(served.there))


@pytest.mark.parametrize(("a", "b"), [(3, 5), (0, 63), (63, 62)])
def test_pair_of_the_client_reads_as_that_of_python(served: SimpleNamespace, a: int, b: int) -> None:
    here, there = (atlas.sae().pair(a, b) for atlas in (served.here, served.there))
    names = [name for name in vars(there) if name not in {"sae", "a", "b", "detail"}]
    assert len(names) == 10
    assert [getattr(there, name) for name in names] == [getattr(here, name) for name in names]
    assert (there.a.id, there.b.id) == (here.a.id, here.b.id)
    for by in ("decoder", "encoder"):
        assert there.cosine(by) == here.cosine(by)
    for scale in ("linear", "log"):
        assert there.joint(7, scale) == here.joint(7, scale)
    for pair in (here, there):
        with pytest.raises(InvalidInput, match="decoder and the encoder"):
            pair.cosine("sideways")


@pytest.mark.parametrize("question", [{}, {"pick": "random", "seed": 7}, {"pick": "quantiles", "n": 2}, {"low": 1.0}])
def test_examples_of_the_client_are_those_of_python(served: SimpleNamespace, question: dict[str, Any]) -> None:
    for feature in (0, 3, 63):
        here, there = (atlas.sae().feature(feature).examples(**question) for atlas in (served.here, served.there))
        assert here == there


@pytest.mark.parametrize(
    "question",
    [
        {"query": "first"},
        {"query": "refunsd"},
        {"query": "refund nosuchword", "limit": 2},
        {"query": "doc", "kind": "documents"},
        {"query": "fi", "sae": "toy", "kind": "features"},
    ],
)
def test_search_of_the_client_is_that_of_python(served: SimpleNamespace, question: dict[str, Any]) -> None:
    here, there = (atlas.search(**question) for atlas in (served.here, served.there))
    assert here == there


@pytest.mark.parametrize("where", [[], WHERE])
def test_groups_are_the_same(served: SimpleNamespace, where: list[dict[str, object]]) -> None:
    there = served.there.sae().groups("stats.n_active", [2, 10], where=where)
    body = {"metric": "stats.n_active", "thresholds": [2, 10], "where": where}
    assert served.http.post(f"{SAE}/groups", json=body).json()["groups"] == there
    if not where:
        here, _ = group_features(served.here.sae(), Split("stats.n_active", (2.0, 10.0)))
        assert [group.features.tolist() for group in here] == [group["features"] for group in there]


def test_conditions_choose_the_same_features_here_and_there(served: SimpleNamespace) -> None:
    frame = served.here.sae().features.filter(pl.col("stats.n_active") > 3).collect()
    assert served.there.sae().find(WHERE)["feature"].to_pylist() == frame["feature"].to_list()
    remote = served.there.sae().features.filter(pl.col("stats.n_active") > 3).head(5).collect()
    assert remote.equals(frame.head(5))


@pytest.mark.parametrize(
    "ask",
    [
        lambda a: a.sae("nope"),
        lambda a: a.sae().feature(64),
        lambda a: a.sae().feature(-1),
        lambda a: a.corpus("nope"),
        lambda a: a.sae().feature(3).breakdown("nope"),
        lambda a: a.sae().feature(3).activations(start=9, stop=3),
        lambda a: a.sae().feature(3).similar(0),
        lambda a: a.sae().feature(3).examples(n=-1),
    ],
)
def test_errors_are_of_the_same_class_and_kind(served: SimpleNamespace, ask: Callable[[Any], Any]) -> None:
    errors = []
    for atlas in (served.here, served.there):
        with pytest.raises(SaeatlasError) as caught:
            ask(atlas)
        errors.append((type(caught.value), caught.value.kind))
    assert errors[0] == errors[1]


def test_every_resource_of_the_atlas_is_compared(served: SimpleNamespace) -> None:
    document = served.http.get("/api/v1/openapi.json").json()
    there = {path.removeprefix("/api/v1") for path, ways in document["paths"].items() if "get" in ways}
    compared = {case.path for case in (*TABLES.values(), *OBJECTS.values())}
    assert {path for path in there if not path.startswith("/compat/")} - ELSEWHERE == compared


def test_empty_atlas_is_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("empty") / "a.atlas"
    make_atlas(place, tokens=False)
    here = open_atlas(place).sae()
    with running_server(str(place)) as address, connect(address) as there:
        assert lines(there.sae().features.collect()) == lines(here.features.collect())
        with pytest.raises(SaeatlasError, match="tokens"):
            there.sae().feature(3).top_tokens()
