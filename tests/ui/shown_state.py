"""What the pages show and where the focus is, as facts that can be compared."""

from __future__ import annotations

import re
from typing import Any, Literal

from playwright.sync_api import Locator, Page
from watched_pages import Pages

__all__ = ["Stops", "asked", "first_number", "focused", "map_place", "order", "rest", "settled", "shared", "tab_to"]

MOST_TABS = 250

_SHARED = """() => {
  const state = window.__app.state(), list = (each) => ({ ...each, ids: each.ids && [...each.ids] });
  const { sort, columns, colourBy, sizeBy, clusterBy, projection, layers, focus, camera } = state;
  const selection = state.selection && list(state.selection), filters = state.filters.map(list);
  return { filters, selection, sort, columns, colourBy, sizeBy, clusterBy, projection, layers, focus, camera };
}"""

# What has the focus in words, and whether anything about it differs from its neighbours so that a person sees it.
_FOCUS = """() => {
  const node = document.activeElement, has = (style) => style.outlineStyle !== 'none' && style.outlineWidth !== '0px';
  const parts = [node, ...node.querySelectorAll(':scope > line, :scope > rect')];
  const isDrawn = parts.some((part) => has(getComputedStyle(part)) ||
    (part instanceof SVGElement && part !== node && getComputedStyle(part).strokeWidth === '2px'));
  const box = node.getBoundingClientRect(), label = node.labels?.[0] ?? node;
  return {
    tag: node.tagName, name: node.getAttribute('aria-label') ?? label.textContent.trim().slice(0, 60),
    isSeen: node.matches(':focus-visible') && isDrawn && box.width > 0 && box.height > 0,
  };
}"""


def shared(page: Page) -> dict[str, Any]:
    """Return what a share link must bring back: filters, selection, order, columns, colour, map and drawer."""
    found: dict[str, Any] = page.evaluate(_SHARED)
    return found


def order(page: Page) -> list[int]:
    """Return the features that the table shows, in its order."""
    found: list[int] = page.evaluate("() => [...window.__app.state().view.order]")
    return found


def asked(pages: Pages, path: str, **params: str | float) -> dict[str, Any]:
    """Ask the server what the pages should agree with."""
    answer = pages.page.request.get(f"{pages.address}/api/v1/{path}", params=dict(params))
    assert answer.ok, answer.text()
    found: dict[str, Any] = answer.json()
    return found


def settled(page: Page) -> None:
    """Wait until the address holds the state: it follows a gesture with a short delay."""
    page.wait_for_function(
        """() => new Promise((done) => {
          const at = location.href;
          setTimeout(() => done(location.href === at), 400);
        })"""
    )


def rest(page: Page) -> None:
    """Wait until the map neither moves nor loads."""
    page.wait_for_function("() => window.__app.map?.isAtRest()")


def map_place(page: Page, feature: int, sae: str = "toy") -> tuple[float, float]:
    """Return where a feature is on the page."""
    box = page.get_by_role("application").bounding_box()
    x, y, _ = page.evaluate("([sae, feature]) => window.__app.map.project(sae, feature)", [sae, feature])
    assert box is not None
    return box["x"] + x, box["y"] + y


def focused(page: Page) -> str:
    """Return the name of what has the focus: something that is seen to have it, and never the page as a whole."""
    found = page.evaluate(_FOCUS)
    assert found["tag"] != "BODY", "The focus is lost"
    assert found["isSeen"], f"Nobody sees that this has the focus: {found}"
    return str(found["name"])


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press Tab until something has the focus, which is always seen on the way."""
    way = []
    for _ in range(MOST_TABS):
        if target.count() and target.first.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press(key)
        way.append(focused_or_nothing(page))
    raise AssertionError(f"{key} does not lead to {target}; it led to {way[:80]}")


def focused_or_nothing(page: Page) -> str:
    """Return what `focused` does, and nothing where the focus has left the page at its end, to come in again."""
    is_outside = page.evaluate("() => document.activeElement === document.body")
    return "" if is_outside else focused(page)


class Stops:
    """Where a journey stops to have the page examined in both themes."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.found: list[str] = []

    def examine(self, name: str) -> None:
        """Note what is seriously wrong with the page as it is now."""
        themes: tuple[Literal["dark", "light"], ...] = ("dark", "light")
        page = self.pages.page
        for theme in themes:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.wait_for_function("(theme) => document.documentElement.dataset.theme === theme", arg=theme)
            self.found += [f"{name}, {theme}: {found}" for found in self.pages.serious()]


def first_number(text: str) -> float:
    """Return the first number of a text."""
    found = re.search(r"-?[\d,]+(\.\d+)?", text)
    assert found is not None, text
    return float(found[0].replace(",", ""))
