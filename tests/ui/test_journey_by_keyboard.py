"""The same journey by keyboard alone: what has the focus is always seen, and never lost."""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from shown_state import asked, focused, order, rest, settled, shared, tab_to
from watched_pages import Pages, watched

N = 64
BY_HAND = {
    *("check", "clear", "click", "dblclick", "dispatch_event", "drag_and_drop", "drag_to", "fill", "focus", "hover"),
    *("mouse", "press_sequentially", "select_option", "select_text", "set_checked", "tap", "touchscreen", "uncheck"),
}
"""What moves a mouse or a finger, or puts focus and values where keys did not."""


def test_this_journey_uses_nothing_but_keys() -> None:
    found = []
    for node in ast.walk(ast.parse(Path(__file__).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute):
            continue
        keys = node.attr not in {"press", "type"} or ast.unparse(node.value).endswith(".keyboard")
        if node.attr in BY_HAND or not keys:
            found.append(ast.unparse(node))
    assert found == []


def test_journey_by_keyboard(own_pages: Pages, browser: Browser, tmp_path: Path) -> None:
    _from_home_to_the_table(own_pages)
    _bounds_and_missing(own_pages)
    _columns_and_order(own_pages)
    _rows_and_their_label(own_pages)
    _share(own_pages, browser)
    _download(own_pages, tmp_path)
    _help_and_theme(own_pages)
    _search(own_pages)
    _map(own_pages)
    _feature(own_pages)
    _label(own_pages)
    _document(own_pages)
    _neighbour_and_pair(own_pages)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def _title(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(text)


def _passing(page: Page, n: int) -> None:
    expect(page.get_by_role("main")).to_contain_text(re.compile(rf"(?<!\d){n} of {N}(?!\d)"))


def _row(page: Page) -> int:
    """Return the feature whose row is the active one."""
    return int((page.get_by_role("grid").get_attribute("aria-activedescendant") or "").removeprefix("feature-"))


def _to_the_rows(page: Page, key: str = "Tab") -> None:
    tab_to(page, page.get_by_role("grid"), key)


def _from_home_to_the_table(pages: Pages) -> None:
    page = pages.open("/", "home")
    press(page, "Tab")
    assert focused(page) == "Skip to the content"
    tab_to(page, page.get_by_role("heading", name="toy").get_by_role("link"))
    press(page, "Enter")
    pages.wait("explore")
    _passing(page, N)


def _bounds_and_missing(pages: Pages) -> None:
    page = pages.page
    tab_to(page, page.get_by_role("slider", name="Smallest stats.n_active"))
    press(page, *["PageUp"] * 3, *["ArrowRight"] * 4, "ArrowLeft")
    [bound] = shared(page)["filters"]
    where = f'[{{"column": "stats.n_active", "op": "ge", "value": {bound["low"]}}}]'
    n = asked(pages, "saes/toy/features", where=where)["total"]
    assert 0 < n < N
    _passing(page, n)
    assert float(page.get_by_role("slider", name="Smallest stats.n_active").get_attribute("aria-valuenow") or "nan") > 0
    press(page, "Home")
    _passing(page, N)
    tab_to(page, page.get_by_role("region", name="Filter stats.mean").get_by_role("button", name=re.compile("missing")))
    press(page, "Enter")
    _passing(page, N - 1)
    assert "left out" in focused(page)


def _columns_and_order(pages: Pages) -> None:
    page = pages.page
    _to_the_rows(page)
    press(page, "c")
    dialog = page.get_by_role("dialog")
    assert focused(page) == "Search columns"
    page.keyboard.type("std")
    group = dialog.get_by_role("group", name="stats", exact=True)
    tab_to(page, group.get_by_role("checkbox", name=re.compile("^std")))
    press(page, "Space", "Escape")
    expect(dialog).to_have_count(0)
    assert focused(page) == "Features of toy"
    head = page.get_by_role("columnheader").filter(has=page.get_by_title(re.compile(r"^stats\.std")))
    tab_to(page, head.get_by_role("button"))
    press(page, "Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    rows = asked(pages, "saes/toy/features", columns="stats.std", sort="stats.std", descending="true")["rows"]
    assert order(page) == [row["feature"] for row in rows if row["feature"] != N - 1]
    _to_the_rows(page, "Shift+Tab")


def _rows_and_their_label(pages: Pages) -> None:
    page = pages.page
    shown = order(page)
    press(page, "Home", "j", "j", "k")
    assert _row(page) == shown[1]
    press(page, "x", "j", "j", "X")
    chips = page.get_by_role("list", name="Filters and selection")
    expect(chips).to_contain_text("3 selected")
    assert sorted(shown[1:4]) == shared(page)["selection"]["ids"]
    press(page, "o")
    expect(page.get_by_role("complementary", name=f"Feature {shown[3]}")).to_be_visible()
    press(page, "Escape")
    assert shared(page)["focus"] is None
    assert shared(page)["selection"] is not None
    press(page, "l")
    dialog = page.get_by_role("dialog")
    assert focused(page) == "Label"
    page.keyboard.type("three by keys")
    tab_to(page, dialog.get_by_label("By", exact=True))
    page.keyboard.type("ben")
    press(page, "Enter")
    expect(dialog).to_have_count(0)
    assert focused(page) == "Features of toy"
    expect(page.get_by_role("gridcell", name="three by keys")).to_have_count(3)
    assert {row["feature"] for row in asked(pages, "saes/toy/labels")["rows"]} == set(shown[1:4])
    press(page, "Enter")
    pages.wait("feature")
    _title(page, f"Feature {shown[3]} ")
    page.go_back()
    pages.wait("explore")
    assert order(page) == shown


def _share(pages: Pages, browser: Browser) -> None:
    page = pages.page
    settled(page)
    tab_to(page, page.get_by_role("button", name=re.compile("^(Share|Copied)$")), "Shift+Tab")
    press(page, "Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    other = browser.new_context(viewport=page.viewport_size, reduced_motion="reduce")
    with watched(other, pages.address) as theirs:
        theirs.page.goto(link)
        theirs.wait("explore")
        assert shared(theirs.page) == shared(page)
        assert order(theirs.page) == order(page)
    other.close()


def _download(pages: Pages, tmp_path: Path) -> None:
    page = pages.page
    tab_to(page, page.get_by_role("button", name="Download"))
    press(page, "Enter")
    tab_to(page, page.get_by_role("button", name=re.compile("^The 3 selected")))
    with page.expect_download() as coming:
        press(page, "Enter")
    assert focused(page) == "Download"
    path = tmp_path / coming.value.suggested_filename
    coming.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        saved = [int(row["feature"]) for row in csv.DictReader(file)]
    selected = set(shared(page)["selection"]["ids"])
    assert selected <= set(order(page))
    assert saved == [feature for feature in order(page) if feature in selected], "In the table's order"


def _help_and_theme(pages: Pages) -> None:
    page = pages.page
    tab_to(page, page.get_by_role("button", name=re.compile("^Theme")), "Shift+Tab")
    for theme in ("light", "dark", "light"):
        press(page, "Enter")
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
    button = focused(page)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    for group in ("Pages", "Table"):
        expect(dialog.get_by_role("region", name=group, exact=True)).to_be_visible()
    assert focused(page)
    press(page, "Escape")
    expect(dialog).to_have_count(0)
    assert focused(page) == button


def _search(pages: Pages) -> None:
    page = pages.page
    press(page, "/")
    assert focused(page) == "Search"
    page.keyboard.type("refunds")
    expect(page.get_by_role("option").filter(has_text="refunds").first).to_be_visible()
    press(page, "ArrowDown", "ArrowUp", "Shift+Enter")
    expect(page.get_by_role("list", name="Filters and selection")).to_contain_text("Search: refunds")
    search = page.get_by_role("combobox", name="Search")
    expect(search).not_to_be_focused()
    press(page, "/")
    page.keyboard.type("17")
    expect(page.get_by_role("option").first).to_contain_text("17")
    press(page, "Enter")
    pages.wait("feature")
    _title(page, "Feature 17 ")
    expect(search).not_to_be_focused()


def _map(pages: Pages) -> None:
    page = pages.page
    press(page, "g", "m")
    pages.wait("map")
    choice = page.get_by_role("toolbar").get_by_role("combobox").first
    tab_to(page, choice)
    before = choice.input_value()
    press(page, "ArrowDown")
    expect(choice).not_to_have_value(before)
    assert shared(page)["projection"] == choice.input_value()
    tab_to(page, page.get_by_role("application"))
    rest(page)
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        press(page, key)
        rest(page)
    feature = page.evaluate("() => window.__app.state().hover.feature")
    expect(page.get_by_role("status").filter(has_text=f"Feature {feature} of toy")).to_have_count(1)
    assert focused(page).startswith(f"Map of {N} features")
    press(page, "Space")
    drawer = page.get_by_role("complementary", name=f"Feature {feature}")
    expect(drawer).to_be_visible()
    press(page, "Escape")
    expect(drawer).to_have_count(0)
    assert focused(page).startswith(f"Map of {N} features")
    press(page, "Enter")
    pages.wait("feature")
    _title(page, f"Feature {feature} ")


def _feature(pages: Pages) -> None:
    page = pages.page
    tab_to(page, page.get_by_label("Go to id"))
    page.keyboard.type("2")
    press(page, "Enter")
    _title(page, "Feature 2 ")
    tab_to(page, page.get_by_role("slider", name=re.compile("^Highest value")))
    for _ in range(10):
        press(page, "ArrowLeft")
    expect(page.get_by_role("status").filter(has_text="Examples from")).to_be_visible()
    expect(page.get_by_text(re.compile("^values below"))).to_be_visible()
    press(page, "Escape")
    expect(page.get_by_text("from all active rows of the corpus")).to_be_visible()
    tab_to(page, page.get_by_role("tab", name="Top"))
    press(page, "ArrowRight")
    expect(page.get_by_role("tab", name="Quantiles")).to_be_focused()
    expect(page.get_by_role("heading", name=re.compile("^Part 1 of 4"))).to_be_visible()
    press(page, "ArrowLeft")
    expect(page.get_by_role("tab", name="Top")).to_be_focused()
    assert focused(page) == "Top"


def _label(pages: Pages) -> None:
    page = pages.page
    labels = page.get_by_role("region", name="Labels")
    before = len(asked(pages, "saes/toy/features/2/labels")["history"])
    press(page, "l")
    page.keyboard.type("first thought")
    press(page, "Enter")
    card = labels.get_by_role("article").filter(has_text="first thought")
    expect(card).to_be_visible()
    assert focused(page)
    tab_to(page, card.get_by_role("button", name="Edit"), "Shift+Tab")
    press(page, "Enter")
    expect(labels.get_by_label("Label", exact=True)).to_be_focused()
    press(page, "Control+a")
    page.keyboard.type("second thought")
    press(page, "Enter")
    expect(labels.get_by_role("article").filter(has_text="second thought")).to_be_visible()
    assert focused(page)
    tab_to(page, labels.get_by_text(re.compile(f"^History: {before + 2} events")))
    press(page, "Enter")
    expect(labels.get_by_role("article").filter(has_text="first thought")).to_contain_text("superseded by a newer one")
    assert [label["text"] for label in asked(pages, "saes/toy/features/2/labels")["current"]] == ["second thought"]


def _document(pages: Pages) -> None:
    page = pages.page
    opener = page.get_by_title(re.compile("^Show the whole document")).first
    tab_to(page, opener, "Shift+Tab")
    name = focused(page)
    press(page, "Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text(name)
    tab_to(page, dialog.get_by_role("checkbox", checked=False))
    press(page, "Space")
    expect(dialog.get_by_role("checkbox", checked=True)).to_have_count(2)
    press(page, "Escape")
    expect(dialog).to_have_count(0)
    assert focused(page) == name


def _neighbour_and_pair(pages: Pages) -> None:
    page = pages.page
    press(page, "]")
    page.wait_for_function("() => !document.querySelector('h1').innerText.startsWith('Feature 2 ')")
    press(page, "[")
    _title(page, "Feature 2 ")
    tab_to(page, page.get_by_role("region", name="Nearest by decoder").get_by_role("link").first)
    feature = focused(page).split()[0]
    press(page, "Enter")
    _title(page, f"Feature {feature} ")
    tab_to(page, page.get_by_role("link", name=re.compile("^Compare feature")).first)
    press(page, "Enter")
    pages.wait("pair")
    expect(page.get_by_role("region", name="Together")).to_be_visible()
    press(page, "g", "t")
    pages.wait("explore")
    assert shared(page)["filters"]
    press(page, "Escape")
    assert shared(page)["selection"] is None
    press(page, "g", "h")
    pages.wait("home")
