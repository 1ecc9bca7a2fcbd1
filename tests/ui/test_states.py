"""What is rare: nothing there, much missing, texts of all kinds, a server that goes away and an atlas that grows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from odd_atlas import ARABIC, BARE, HEBREW, HOSTILE, LABELS, LONG, MAP_ONLY, ODD, make_empty_atlas, make_odd_atlas
from playwright.sync_api import BrowserContext, Page, expect
from shown_state import Stops, asked, order, rest, shared
from watched_pages import Pages, watched

import saeatlas
from saeatlas.analyses.stats import Stats
from saeatlas.testing.running_server import running_server

NO_WEBGL = (
    "const get = HTMLCanvasElement.prototype.getContext;"
    "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
    "  return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); };"
)


@pytest.fixture(scope="module")
def odd_atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_odd_atlas(tmp_path_factory.mktemp("odd") / "odd.atlas")


@pytest.fixture(scope="module")
def odd_server(odd_atlas: Path) -> Iterator[str]:
    with running_server(str(odd_atlas)) as address:
        yield address


@pytest.fixture
def odd(odd_server: str, context: BrowserContext) -> Iterator[Pages]:
    with watched(context, odd_server) as pages:
        yield pages


@pytest.fixture
def growing(odd_atlas: Path, tmp_path: Path) -> Path:
    """A copy of the atlas that a test may change."""
    return Path(shutil.copytree(odd_atlas, tmp_path / "growing.atlas"))


def _unhurt(page: Page) -> None:
    """Nothing that a text says was done."""
    assert page.evaluate("() => [typeof window.hurt, document.querySelectorAll('img').length]") == ["undefined", 0]


def _examined(pages: Pages, name: str) -> None:
    stops = Stops(pages)
    stops.examine(name)
    assert stops.found == []


def test_empty_atlas_says_what_to_do(tmp_path: Path, context: BrowserContext) -> None:
    make_empty_atlas(tmp_path / "empty.atlas")
    with running_server(str(tmp_path / "empty.atlas")) as address, watched(context, address) as pages:
        page = pages.open("/", "home")
        main = page.get_by_role("main")
        expect(main).to_contain_text("This atlas holds no SAE yet")
        expect(main).to_contain_text("saeatlas import")
        expect(main).to_contain_text("This atlas holds no corpus")
        page.get_by_role("button", name="Choose an SAE").click()
        expect(page.get_by_role("navigation", name="SAEs")).to_be_visible()
        page.keyboard.press("Escape")
        _examined(pages, "empty home")
        pages.watch.allows_refusals = True
        page = pages.open("/s/toy/explore")
        expect(page.get_by_role("alert")).to_be_visible()


def test_sae_with_only_a_map_and_labels_shows_both(odd: Pages) -> None:
    page = odd.open(f"/s/{MAP_ONLY}/explore", "explore")
    expect(page.get_by_label("Status", exact=True)).to_contain_text("No activations")
    expect(page.get_by_role("gridcell", name=ARABIC)).to_be_visible()
    _examined(odd, "table of a map")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Map").click()
    odd.wait("map")
    rest(page)
    assert page.evaluate("() => window.__app.map.counts().shown") == 8
    page = odd.open(f"/s/{MAP_ONLY}/f/1", "feature")
    expect(page.locator("main > header")).to_contain_text(ARABIC)
    expect(page.get_by_role("region", name="Activations")).to_contain_text(re.compile("activations", re.IGNORECASE))
    _examined(odd, "feature of a map")


def test_sae_of_which_nothing_is_computed_says_so_in_every_part(odd: Pages) -> None:
    page = odd.open(f"/s/{BARE}/explore", "explore")
    assert order(page) == list(range(8))
    page = odd.open(f"/s/{BARE}/f/3", "feature")
    for name in ("Nearest by decoder", "Fires together with", "Labels"):
        expect(page.get_by_role("region", name=name)).not_to_have_text(name)
    for missing in odd_missing(odd):
        assert missing["reason"], missing
    _examined(odd, "feature of which nothing is known")
    page = odd.open(f"/s/{BARE}/map", "map")
    expect(page.get_by_role("region", name="Map", exact=True)).to_contain_text(f"There is no map of {BARE}")
    _examined(odd, "no map")


def odd_missing(pages: Pages) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(pages, f"saes/{BARE}/features/3")["missing"]
    assert found
    return found


def test_dead_feature_has_no_examples_and_no_chart(odd: Pages) -> None:
    page = odd.open(f"/s/{ODD}/f/7", "feature")
    expect(page.locator("main > header")).to_contain_text("dead: never fires")
    expect(page.get_by_role("region", name="Activation values")).to_contain_text("active at none of the 20 rows")
    expect(page.get_by_role("group", name=re.compile("^Example"))).to_have_count(0)
    _examined(odd, "dead feature")


@pytest.mark.parametrize("feature", LABELS)
def test_label_stands_as_it_was_written(odd: Pages, feature: int) -> None:
    text = LABELS[feature]
    page = odd.open(f"/s/{ODD}/explore?v=1&focus={feature}&cols=labels.text*labels.tags*stats.max", "explore")
    cell = page.get_by_role("gridcell", name=text, exact=True).first
    drawer = page.get_by_role("complementary", name=f"Feature {feature}")
    expect(drawer).to_contain_text(text)
    direction = "rtl" if text in {ARABIC, HEBREW} else "ltr"
    for shown in (cell, drawer.get_by_text(text).first):
        assert shown.evaluate("node => getComputedStyle(node).direction") == direction
    assert cell.get_attribute("title") == text
    page = odd.open(f"/s/{ODD}/f/{feature}", "feature")
    name = page.locator("main > header").get_by_text(text, exact=True)
    expect(name).to_be_visible()
    assert name.evaluate("node => getComputedStyle(node).direction") == direction
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    _unhurt(page)
    if text in {LONG.strip(), HOSTILE, HEBREW}:
        _examined(odd, f"label {text[:20]}")


@pytest.mark.parametrize("document", ["وثيقة", "文件", HOSTILE])
def test_document_of_any_script_opens_under_its_own_name(odd: Pages, document: str) -> None:
    page = odd.open(f"/c/world/d/{quote(document, safe='')}", "document")
    expect(page.get_by_role("heading", level=1)).to_contain_text(document)
    run = page.get_by_role("group", name=re.compile("^Document"))
    assert run.evaluate("node => getComputedStyle(node).direction") == ("rtl" if document == "وثيقة" else "ltr")
    _unhurt(page)
    _examined(odd, f"document {document}")


def test_hostile_label_is_text_wherever_it_is_shown(odd: Pages) -> None:
    page = odd.open(f"/s/{ODD}/explore?v=1&sel={quote(quote(HOSTILE, safe=''))}*0_1", "explore")
    expect(page.get_by_role("list", name="Filters and selection")).to_contain_text(HOSTILE)
    page.get_by_role("combobox", name="Search").fill("window")
    expect(page.get_by_role("option").filter(has_text="window").first).to_be_visible()
    _unhurt(page)
    page = odd.open(f"/s/{ODD}/f/0", "feature")
    expect(page.get_by_role("region", name="Labels").get_by_role("article")).to_contain_text(HOSTILE)
    with page.expect_download() as coming:
        page.get_by_role("button", name="Save Active values as SVG").click()
    picture = coming.value.path().read_text(encoding="utf-8")
    assert "&lt;img src=x" in picture
    assert "<img" not in picture
    _unhurt(page)
    page = odd.open(f"/s/{MAP_ONLY}/map?v=1&focus=0&colour=labels.text", "map")
    rest(page)
    expect(page.get_by_role("complementary", name="Feature 0")).to_contain_text(HOSTILE)
    _unhurt(page)


def test_table_beside_a_map_that_cannot_be_drawn_still_works(odd: Pages) -> None:
    odd.page.add_init_script(NO_WEBGL)
    page = odd.open(f"/s/{MAP_ONLY}/explore", "explore")
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("WebGL2")
    page.get_by_role("grid").get_by_role("rowheader").first.click()
    expect(page.get_by_role("complementary", name="Feature 0")).to_be_visible()
    _examined(odd, "map that cannot be drawn")


def test_server_that_goes_away_is_said_and_taken_up_again(odd_atlas: Path, context: BrowserContext) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(ExitStack())
        address = server.enter_context(running_server(str(odd_atlas)))
        pages = stack.enter_context(watched(context, address))
        page = pages.open(f"/s/{ODD}/explore?v=1&cols=stats.max", "explore")
        server.close()
        head = page.get_by_role("columnheader").filter(has=page.get_by_title(re.compile(r"^stats\.max")))
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", "descending")
        page.get_by_role("grid").get_by_role("rowheader").first.click()
        said = page.get_by_role("main").get_by_role("alert")
        expect(said).to_contain_text("The server does not answer")
        expect(said).to_contain_text("saeatlas serve")
        _examined(pages, "without a server")
        page.keyboard.press("g")
        page.keyboard.press("m")
        expect(page.get_by_role("heading", name="This cannot be shown")).to_be_visible()
        # Nothing but what was refused went wrong.
        assert pages.watch.found
        told = re.compile(
            "ERR_CONNECTION|console (error|warning): .*(dynamically imported|error boundary|preload)", re.DOTALL
        )
        assert [each for each in pages.watch.found if not told.search(each)] == []
        pages.watch.found.clear()
        stack.enter_context(running_server(str(odd_atlas), port=int(address.rsplit(":", 1)[1])))
        page.get_by_role("main").get_by_role("button", name="Try again").click()
        pages.wait("map")


def test_new_commit_is_offered_and_shown_with_the_filters_kept(growing: Path, context: BrowserContext) -> None:
    with running_server(str(growing)) as address, watched(context, address) as pages:
        page = pages.open(f"/s/{BARE}/explore?v=1&f=s*three*1_2_3", "explore")
        status = page.get_by_label("Status", exact=True)
        before = asked(pages, "saes")["commit"]
        expect(status).to_contain_text(f"Commit {before}")
        saeatlas.build(saeatlas.open(str(growing)), Stats(), saes=(BARE,))
        # As when somebody comes back to the page.
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        expect(status).to_contain_text(f"Commit {before + 1} is here")
        _examined(pages, "a newer commit")
        status.get_by_role("button", name="Show it").click()
        pages.wait("explore")
        expect(status).to_contain_text(f"Commit {before + 1}")
        expect(status.get_by_role("button", name="Show it")).to_have_count(0)
        assert "stats.max" in page.evaluate("() => window.__app.state().detail.columns.map(({ name }) => name)")
        assert shared(page)["filters"][0]["ids"] == order(page) == [1, 2, 3]


def test_what_did_not_change_is_not_sent_again(odd: Pages) -> None:
    page = odd.open(f"/s/{ODD}/explore", "explore")
    page = odd.open(f"/s/{ODD}/explore", "explore")
    sizes = page.evaluate(
        """() => performance.getEntriesByType('resource').map((entry) =>
             [new URL(entry.name).pathname, entry.transferSize, entry.encodedBodySize])"""
    )
    pinned = [line for line in sizes if "/api/v1/@" in line[0]]
    detail = [line for line in sizes if line[0] == f"/api/v1/saes/{ODD}"]
    assert pinned
    assert all(sent == 0 for _, sent, _ in pinned), "A pinned answer never changes, and is not even asked for"
    assert detail
    assert all(sent < body for _, sent, body in detail), "Only the head of a 304 came"
