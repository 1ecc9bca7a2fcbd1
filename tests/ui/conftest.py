"""A small atlas served to a real browser, with everything that may not happen on any page watched for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, expect, sync_playwright
from watched_pages import PATIENCE, Pages, watched

import saeatlas
from saeatlas.analyses.clusters import Clusters
from saeatlas.analyses.coactivation import Coactivation
from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.neighbors import Neighbors
from saeatlas.analyses.search import Search
from saeatlas.analyses.search_documents import SearchDocuments
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.token_profile import TokenProfile
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.analyses.umap import Umap
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts
from saeatlas.testing.running_server import running_server

SIZE = {"width": 1280, "height": 800}
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    # No name resolves: a page that asks another machine for anything fails, and the failure is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_MISSING = (
    "Chromium is not installed: the pages were not looked at in a browser; "
    "install Debian's package 'chromium', or name another in SAEATLAS_CHROMIUM"
)


def _chromium() -> str:
    """Return the path of the browser, or skip: it is no Python package that a test could require."""
    found = os.environ.get("SAEATLAS_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(_MISSING)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium with WebGL in software."""
    path = _chromium()
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        except Error as error:
            raise RuntimeError(f"{path} does not start: {error}") from error
        yield started
        started.close()


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SAE 'toy' with everything, of which the last feature never fires, and 'map-only' without activations."""
    place = tmp_path_factory.mktemp("ui") / "small.atlas"
    made = make_atlas(place, n_rows=2000, n_features=64, k=4, n_documents=40, parts=True)
    made = saeatlas.build(made, PartsImporter(sae="map-only", data=make_parts(48, seed=1)))
    small = (Stats(), Histogram(), Examples(), TopTokens(), MetadataAssociation(), TokenProfile(), Neighbors())
    words = (Search(), SearchDocuments())
    saeatlas.build(made, *small, *words, Coactivation(), Umap(), Clusters(resamples=0), saes=("toy",))
    return place


@pytest.fixture(scope="session")
def server(atlas: Path) -> Iterator[str]:
    """Address of `saeatlas serve` on a free port; it must end well when it is told to stop."""
    command = [str(Path(sys.executable).parent / "saeatlas"), "serve", "--atlas", str(atlas), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield address[0]
                break
        process.terminate()
        said += process.stderr.readlines()
    assert process.returncode == 0, "".join(said)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    """Both themes, as the system asks for them."""
    return str(request.param)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has seen nothing, in the light theme; a test that wants another makes its own."""
    made = browser.new_context(viewport=SIZE, reduced_motion="reduce", color_scheme="light")
    yield made
    made.close()


@pytest.fixture
def pages(context: BrowserContext, server: str) -> Iterator[Pages]:
    """The pages, watched: after the test, nothing may have gone wrong."""
    with watched(context, server) as pages:
        yield pages


@pytest.fixture
def own_atlas(atlas: Path, tmp_path: Path) -> Path:
    """A copy of the atlas that a test may write labels into."""
    return Path(shutil.copytree(atlas, tmp_path / "own.atlas"))


@pytest.fixture
def own_pages(own_atlas: Path, context: BrowserContext) -> Iterator[Pages]:
    """The pages of that copy; they may use the clipboard."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    with running_server(str(own_atlas)) as address, watched(context, address) as pages:
        yield pages
