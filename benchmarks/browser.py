"""How long the pages take in Debian's Chromium with WebGL in software, which is slower than any graphics card."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["Timed", "measure_pages"]

FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
]
# When each page says that its data are shown, in milliseconds since it was asked for.
READY = """
window.__ready = {};
new MutationObserver(() => {
  const page = document.documentElement.dataset.ready;
  if (page && !(page in window.__ready)) window.__ready[page] = performance.now();
}).observe(document, { attributes: true, subtree: true, attributeFilter: ['data-ready'] });
"""
# From doing something until the frame after the one that shows it begins.
PAINTED = """
async ([selector, type, key]) => {
  const element = document.querySelector(selector);
  const start = performance.now();
  if (type === 'click') element.click();
  else element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  const next = () => new Promise((done) => requestAnimationFrame(done));
  await next();
  await next();
  return performance.now() - start;
}
"""
PLACE = "(sae) => JSON.stringify(window.__app.map.project(sae, 77))"
FRAMES = """
async () => {
  const times = [];
  while (!window.__stop) times.push(await new Promise((done) => requestAnimationFrame(done)));
  return times.slice(1).map((time, index) => time - times[index]);
}
"""


@dataclass(frozen=True)
class Timed:
    """One measurement."""

    what: str
    found: str
    goal: str


def measure_pages(address: str, sae: str, column: str = "stats.max", repeats: int = 9) -> list[Timed]:
    """Open, filter, sort and turn; every value is a median."""
    path = os.environ.get("SAEATLAS_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        found = [_opened(browser, f"{address}/s/{sae}/explore", "explore", "open → table in use", "≤ 1.5 s")]
        found += _table(browser, f"{address}/s/{sae}/explore", column, repeats)
        found += _map(browser, f"{address}/s/{sae}/map", sae)
        found.append(_opened(browser, f"{address}/s/{sae}/f/77", "feature", "open → feature page", "–"))
        browser.close()
    return found


def _page(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(READY)
    return page


def _open(page: Page, address: str, name: str) -> float:
    page.goto(address)
    page.wait_for_function(f"() => window.__ready?.['{name}'] !== undefined")
    return float(page.evaluate(f"() => window.__ready['{name}']"))


def _opened(browser: Browser, address: str, name: str, what: str, goal: str) -> Timed:
    times = []
    for _ in range(4):
        page = _page(browser)
        times.append(_open(page, address, name))
        page.context.close()
    # The first one fills the server's caches.
    return Timed(what, f"{times[0] / 1000:.2f} s cold, {np.median(times[1:]) / 1000:.2f} s", goal)


def _table(browser: Browser, address: str, column: str, repeats: int) -> list[Timed]:
    page = _page(browser)
    _open(page, address, "explore")
    heap = _heap(page)
    sort = f'button[title^="{column}"]'
    handle = f'[role="slider"][aria-label="Smallest {column}"]'
    found = [Timed(f"sort by {column} → paint", _painted(page, (sort, "click", ""), repeats), "≤ 100 ms")]
    if not page.locator(handle).count():
        page.get_by_label("Filter by another column").first.select_option(column)
    page.wait_for_selector(handle)
    found.append(
        Timed(
            "drag of a bound → paint", _painted(page, (handle, "key", "ArrowRight"), repeats), "≤ 100 ms, map beside it"
        )
    )
    rows = page.locator('[role="row"]').count()
    found.append(Timed("rows in the document", str(rows), "≤ 60"))
    found.append(
        Timed("JavaScript heap, columns included", f"{heap:.0f} MB, {_heap(page):.0f} MB after use", "≤ 150 MB")
    )
    page.context.close()
    return found


def _painted(page: Page, what: tuple[str, str, str], repeats: int) -> str:
    times = [float(page.evaluate(PAINTED, list(what))) for _ in range(repeats)]
    return f"{np.median(times):.0f} ms (most {max(times):.0f})"


def _map(browser: Browser, address: str, sae: str) -> list[Timed]:
    page = _page(browser)
    ready = _open(page, address, "map")
    box: Any = page.locator("canvas").first.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    place = page.evaluate(PLACE, sae)
    page.mouse.move(*middle)
    page.mouse.down()
    page.evaluate("() => { window.__frames = (" + FRAMES + ")(); }")
    for step in range(120):
        page.mouse.move(middle[0] + 2 * step, middle[1] + step / 2)
    frames = np.array(page.evaluate("() => { window.__stop = true; return window.__frames; }"))
    if page.evaluate(PLACE, sae) == place:
        raise SystemExit("the map did not turn")
    page.mouse.up()
    page.context.close()
    busy = float(np.median(frames))
    return [
        Timed("open → map", f"{ready / 1000:.2f} s", "–"),
        Timed("map: frame while turning, software", f"{busy:.0f} ms ({1000 / busy:.0f} a second)", "≥ 8 a second"),
    ]


def _heap(page: Page) -> float:
    """Return megabytes of objects and of the buffers behind arrays of numbers."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")
    return (float(used["usedSize"]) + float(used["backingStorageSize"])) / 1e6
