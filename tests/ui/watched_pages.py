"""Pages in a browser, and what may not happen on any of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

__all__ = ["PATIENCE", "Pages", "Watch", "watched"]

PATIENCE = 60_000
"""Milliseconds to wait for what must come: other tests run at the same time, and software draws."""

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Watch:
    """What went wrong on a page; checked after every test."""

    address: str
    """Where the server is; every request must go there."""
    found: list[str] = field(default_factory=list)
    """Console errors and warnings, exceptions that nobody caught, and requests that left the machine."""
    allows_refusals: bool = False
    """Whether the test asks for what is not there, so that the server refuses it."""

    def attach(self, page: Page) -> None:
        """Watch a page."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._note(f"exception: {error}"))
        page.on("request", self._asked)
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)

    def _said(self, message: ConsoleMessage) -> None:
        # What was refused is noted with its address below; that software draws slowly is no news.
        is_known = message.text.startswith("Failed to load resource") or "GPU stall" in message.text
        if message.type in {"error", "warning"} and not is_known:
            self._note(f"console {message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self._note(f"request to another machine: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= (500 if self.allows_refusals else 400):
            self._note(f"status {response.status}: {response.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left while it loads gives up what it asked for.
        if request.failure not in {"net::ERR_ABORTED", None}:
            self._note(f"request failed: {request.url}: {request.failure}")

    def _note(self, text: str) -> None:
        self.found.append(text)


@dataclass
class Pages:
    """A browser on the served pages."""

    page: Page
    address: str
    watch: Watch

    def open(self, path: str, ready: str = "") -> Page:
        """Go to a path and wait until the page named `ready` says that its data are shown."""
        self.page.goto(self.address + path)
        if ready:
            self.wait(ready)
        return self.page

    def wait(self, ready: str) -> None:
        """Wait until a page says that its data are shown."""
        self.page.wait_for_selector(f'html[data-ready="{ready}"]', state="attached")

    def serious(self) -> list[str]:
        """Return what axe finds serious or critical on the page as it is now, with the elements."""
        if not self.page.evaluate("() => 'axe' in window"):
            # Over the debugging protocol, because the policy of the pages lets no foreign script in.
            self.page.evaluate(AXE.read_text(encoding="utf-8") + "; undefined")
        options = {"resultTypes": ["violations"]}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{one['impact']} {one['id']}: {one['help']}: {json.dumps([node['target'] for node in one['nodes']][:5])}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
        ]


@contextmanager
def watched(context: BrowserContext, address: str) -> Iterator[Pages]:
    """Give a page of a browser, watched: at the end of the block, nothing may have gone wrong on it."""
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    watch = Watch(address)
    watch.attach(page)
    yield Pages(page, address, watch)
    assert watch.found == []
