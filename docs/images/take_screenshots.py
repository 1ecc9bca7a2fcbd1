"""Take the pictures of the pages that the documentation shows, from a demo atlas.

    python docs/images/take_screenshots.py saeatlas-demo/demo.atlas

The atlas is copied first. In the copy, features get labels by a rule that the reader can check: a label of a theme goes
to the features of which most active rows are on the tokens of that theme, and its confidence is that share. Ids differ
from one Python to another, and so pictures do; the rule stays true. Needs `saeatlas[check,demo]` and Chromium.
"""
# ruff: noqa: INP001  # A script beside its pictures, and no package.

from __future__ import annotations

import argparse
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import polars as pl

import saeatlas as sa
from saeatlas.testing.running_server import running_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from saeatlas.client.sae import RemoteSAE

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1280, 800
MOST_BYTES = 250_000
_LEAST_SHARE = 0.6
_FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
_CATEGORIES = {"punctuation": "#56b4e9", "grammar": "#e69f00", "programs": "#009e73", "values": "#cc79a7"}


class Theme(NamedTuple):
    """What a feature may be about."""

    text: str
    category: str
    tokens: frozenset[str]


def _theme(text: str, category: str, tokens: str) -> Theme:
    return Theme(text, category, frozenset(tokens.split()))


THEMES = (
    _theme("says what is returned", "programs", "return returns returned returning"),
    _theme("calling, and what is called", "programs", "call calls called calling"),
    _theme("lines of text", "programs", "line lines ##line"),
    _theme("files and directories", "programs", "file files directory directories path paths"),
    _theme("classes and their instances", "programs", "class classes ##class instance instances object objects"),
    _theme("functions and methods", "programs", "function functions method methods"),
    _theme("names", "programs", "name names named ##name"),
    _theme("errors that are raised", "programs", "raise raises raised exception exceptions error errors"),
    _theme("arguments and parameters", "programs", "argument arguments parameter parameters option options"),
    _theme("true and false", "values", "true false"),
    _theme("numbers in digits", "values", "0 1 2 3 4 5 6 7 8 9 10 ##0 ##1 ##2 ##3 ##4 ##5 ##6 ##7 ##8 ##9 00 000"),
    _theme("strings and texts", "values", "string strings text texts str character characters"),
    _theme("lists, tuples, dictionaries", "values", "list lists tuple tuples dictionary dictionaries dict set sets"),
    _theme("time", "values", "time times ##time date seconds"),
    _theme("what has to be: should, must", "grammar", "should must"),
    _theme("and, or", "grammar", "and or either"),
    _theme("the reader and the writer: you, we", "grammar", "you your we i my our"),
    _theme("it, they: what was named before", "grammar", "it its they them their this that which"),
    _theme("articles", "grammar", "a an the"),
    _theme("has, contains", "grammar", "has have contain contains containing"),
    _theme("is, are, be", "grammar", "is are be was were been being"),
    _theme("all, any, every", "grammar", "all any every each"),
    _theme("to, into, from", "grammar", "to into from"),
    _theme("brackets that open", "punctuation", "( [ {"),
    _theme("brackets that close", "punctuation", ") ] }"),
    _theme("quotes around code", "punctuation", "' \" `"),
    _theme("ends of sentences", "punctuation", ". ! ?"),
    _theme("commas", "punctuation", ","),
    _theme("underscores and hyphens in names", "punctuation", "_ -"),
    _theme("signs that compare: < > =", "punctuation", "> < ="),
)


def _share(found: dict[str, float], theme: Theme) -> float:
    return min(1.0, sum(found.get(token, 0.0) for token in theme.tokens))


def label_by_tokens(sae: RemoteSAE, tops: pl.DataFrame) -> list[int]:
    """Label the features that are about one theme, and return those about calls, the surest first."""
    shares: dict[int, dict[str, float]] = {}
    for feature, token, share in tops.select("feature", "string", "share").iter_rows():
        shares.setdefault(feature, {})[token] = share
    calls: list[tuple[float, int]] = []
    for feature, found in shares.items():
        share, theme = max(((_share(found, one), one) for one in THEMES), key=lambda pair: pair[0])
        if share < _LEAST_SHARE:
            continue
        words = " ".join(token for token in found if token in theme.tokens)
        said = f"{share:.0%} of its active rows are on: {words}"
        label = {"category": theme.category, "tags": ["tokens"], "confidence": round(share, 2)}
        sae.label([feature], theme.text, by="docs", notes=said, **label)
        if theme.text == "calling, and what is called":
            calls.append((share, feature))
    return [feature for _, feature in sorted(calls, reverse=True)]


def picture(page: Page, name: str) -> None:
    """Save what is seen, in at most 256 colours, within the size that a repository bears."""
    from PIL import Image

    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    place = HERE / f"{name}.png"
    image.save(place, optimize=True)
    if place.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{place} has {place.stat().st_size:,} bytes; at most {MOST_BYTES:,} are wanted")


def wait(page: Page, ready: str, *, has_map: bool = False) -> None:
    """Wait until a page shows its data, and the map on it is at rest."""
    page.wait_for_selector(f'html[data-ready="{ready}"]', state="attached", timeout=60_000)
    if has_map:
        page.wait_for_function("() => window.__app?.map?.isAtRest()", timeout=60_000)
    page.wait_for_timeout(1_000)


def opened(browser: Browser, scheme: Literal["light", "dark"]) -> Page:
    """Return a page of a browser that has seen nothing."""
    return browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, reduced_motion="reduce")


def take(browser: Browser, address: str, sae: str, marked: list[int]) -> None:
    """Take the three pictures: the table beside the map, the page of a feature, the map in the dark."""
    page = opened(browser, "light")
    query = [
        "v=1&proj=umap-2d&cluster=ward_10&colour=labels.category&sort=-stats.max",
        "cols=top-tokens.strings*labels.text*stats.density*stats.max",
        "f=r*stats.density*0.002**drop*",
        f"sel=calls*{'_'.join(str(one) for one in marked)}",
    ]
    page.goto(f"{address}/s/{sae}/explore?{'&'.join(query)}")
    wait(page, "explore")
    page.keyboard.press("m")
    wait(page, "explore", has_map=True)
    page.get_by_text("Legend").click()
    wait(page, "explore", has_map=True)
    picture(page, "explore")

    page.goto(f"{address}/s/{sae}/f/{marked[0]}")
    wait(page, "feature")
    picture(page, "feature")

    page = opened(browser, "dark")
    page.goto(f"{address}/s/{sae}/map?v=1&proj=umap-3d&colour=clusters.ward_10&cluster=ward_30")
    wait(page, "map", has_map=True)
    picture(page, "map")


def main() -> None:
    """Copy the atlas, label it, serve it, and look at it."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("atlas", type=Path)
    given = parser.parse_args()
    path = os.environ.get("SAEATLAS_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is not installed; name it in SAEATLAS_CHROMIUM")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "demo.atlas"
        shutil.copytree(given.atlas, copy, ignore=shutil.ignore_patterns("labels"))
        with running_server(str(copy)) as address, sa.connect(address) as atlas, sync_playwright() as playwright:
            sae = atlas.sae()
            for name, colour in _CATEGORIES.items():
                atlas.connection.post("/api/v1/labels/categories", {"name": name, "colour": colour, "by": "docs"})
            tops = pl.DataFrame(sa.open(str(copy)).sae().table("top-tokens"))
            marked = label_by_tokens(sae, tops)
            browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
            take(browser, address, sae.name, marked)
            browser.close()


if __name__ == "__main__":
    main()
