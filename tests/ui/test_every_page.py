"""Every page opens, shows its data, asks no other machine, says nothing in the console, and is accessible."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from watched_pages import Pages

PATHS = {
    "home": "/",
    "explore": "/s/toy/explore",
    "map": "/s/toy/map",
    "feature": "/s/toy/f/3",
    "pair": "/s/toy/pair/3/5",
    "document": "/c/reviews/d/doc-001",
}
SPARSE = {
    "explore": "/s/map-only/explore",
    "map": "/s/map-only/map",
    "feature": "/s/map-only/f/3",
}


@pytest.mark.parametrize("name", PATHS)
def test_page_shows_its_data(pages: Pages, name: str) -> None:
    page = pages.open(PATHS[name], name)
    expect(page.locator("h1")).to_have_count(1)
    assert page.title()


@pytest.mark.parametrize("name", SPARSE)
def test_page_of_an_sae_without_activations_says_what_is_missing(pages: Pages, name: str) -> None:
    page = pages.open(SPARSE[name], name)
    assert page.locator("main").inner_text().strip()


def test_feature_that_never_fires_says_so(pages: Pages) -> None:
    page = pages.open("/s/toy/f/63", "feature")
    expect(page.locator("main")).to_contain_text("never")


@pytest.mark.parametrize(
    "path", ["/s/nope/explore", "/s/toy/f/64000", "/s/toy/pair/1/64000", "/c/nope/d/x", "/nowhere"]
)
def test_what_is_not_there_is_said_in_words(pages: Pages, path: str) -> None:
    pages.watch.allows_refusals = True
    page = pages.open(path)
    expect(page.get_by_role("main")).to_contain_text(
        re.compile(r"\b(no|not|nothing)\b", re.IGNORECASE), use_inner_text=True
    )


@pytest.mark.parametrize("name", PATHS)
def test_page_is_accessible_in_both_themes(pages: Pages, theme: str, name: str) -> None:
    pages.page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    pages.open(PATHS[name], name)
    assert pages.serious() == []


@pytest.mark.parametrize("name", PATHS)
def test_page_fits_its_window_sideways(pages: Pages, name: str) -> None:
    page = pages.open(PATHS[name], name)
    assert _overflow(page) <= 0


@pytest.mark.parametrize(("name", "role"), [("explore", "grid"), ("map", "application")])
def test_page_that_fills_its_window_is_there_on_paper(pages: Pages, name: str, role: Any) -> None:
    page = pages.open(PATHS[name], name)
    page.emulate_media(media="print")
    box = page.get_by_role(role).bounding_box()
    assert box is not None
    assert box["height"] > 400


def _overflow(page: Page) -> int:
    return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))
