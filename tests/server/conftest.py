"""A small atlas with everything in it, and a client that talks to its server without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from saeatlas.analyses.clusters import Clusters
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.neighbors import Neighbors
from saeatlas.analyses.report_card import ReportCard
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas
from saeatlas.pipeline.build import build
from saeatlas.server.app import create_app
from saeatlas.server.settings import ServerSettings
from saeatlas.testing.make_atlas import make_atlas

BASE = "http://127.0.0.1:8101"
ANALYSES = (Stats(), Histogram(), TopTokens(), Neighbors(k=3), Clusters(cuts=(3,), resamples=2), ReportCard())


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """64 features, 200 rows, 10 documents, tokens, weights, explanations, a map, and six analyses."""
    made = make_atlas(tmp_path_factory.mktemp("served") / "a.atlas", parts=True, ragged=True, listed_zeros=0.1)
    return build(made, *ANALYSES)


Connect = Callable[..., TestClient]


def _connect(url: str, **settings: Any) -> TestClient:
    app = create_app(url, ServerSettings(**settings))
    return TestClient(app, base_url=BASE, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def connect(atlas: Atlas) -> Connect:
    """Make a client of a server of its own; what the server does not expect is a 500 and no exception here."""
    return lambda url=atlas.url, **settings: _connect(str(url), **settings)


@pytest.fixture(scope="session")
def client(atlas: Atlas) -> Iterator[TestClient]:
    """A client of the atlas; tests that write have their own."""
    with _connect(atlas.url) as connected:
        yield connected
