"""A researcher goes through every page by mouse: from the table to features, the map and a label, and shares it."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect
from shown_state import Stops, asked, first_number, map_place, order, rest, settled, shared
from watched_pages import Pages, watched

import saeatlas
from saeatlas.analyses.stats import Stats

SVG = "{http://www.w3.org/2000/svg}"
N = 64


def test_journey_by_mouse(own_pages: Pages, browser: Browser, own_atlas: Path, tmp_path: Path) -> None:
    stops = Stops(own_pages)
    _from_home_to_the_table(own_pages)
    _sort(own_pages)
    _leave_missing_out_and_take_them_alone(own_pages)
    low = _drag_a_bound(own_pages)
    _choose_columns(own_pages)
    _label_two_at_once(own_pages, stops)
    _download(own_pages, tmp_path, low)
    _share(own_pages, browser)
    _select_on_the_map(own_pages, browser, stops)
    _find_a_feature_by_words(own_pages)
    _read_a_feature(own_pages, stops)
    _read_its_document(own_pages, stops)
    _follow_a_neighbour_and_come_back(own_pages)
    _say_what_it_is(own_pages)
    _compare_two(own_pages, stops, own_atlas, tmp_path)
    _change_the_theme(own_pages.page)
    assert stops.found == []


def _centre(target: Locator) -> tuple[float, float]:
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


def _passing(page: Page, n: int) -> None:
    """Wait until the table says that so many of its features pass."""
    expect(page.get_by_role("main")).to_contain_text(re.compile(rf"(?<!\d){n} of {N}(?!\d)"))


def _from_home_to_the_table(pages: Pages) -> None:
    page = pages.open("/", "home")
    page.get_by_role("heading", name="toy").get_by_role("link").click()
    pages.wait("explore")
    status = page.get_by_label("Status", exact=True)
    expect(status).to_contain_text(f"{N} features")
    expect(status).to_contain_text("2,000 rows of reviews, exact")
    expect(status).to_contain_text(f"Commit {asked(pages, 'saes')['commit']}")
    page.get_by_role("button", name=re.compile("report card")).click()
    expect(page.get_by_role("region", name="About toy")).to_contain_text("toy-model")
    page.keyboard.press("Escape")


def _sort(pages: Pages) -> None:
    page = pages.page
    head = page.get_by_role("columnheader").filter(has=page.get_by_title(re.compile(r"^stats\.max")))
    rows = asked(pages, "saes/toy/features", columns="stats.max", where='[{"column":"stats.max","op":"present"}]')[
        "rows"
    ]
    ascending = [row["feature"] for row in sorted(rows, key=lambda row: float(row["stats.max"]))]
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert order(page) == [*ascending[::-1], N - 1], "Missing values come last"
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert order(page) == [*ascending, N - 1], "Missing values come last"
    assert first_number(page.get_by_role("rowheader").first.inner_text()) == ascending[0]


def _leave_missing_out_and_take_them_alone(pages: Pages) -> None:
    page = pages.page
    bar = page.get_by_role("region", name="Filter stats.mean").get_by_role("button", name=re.compile("missing"))
    for n in (N - 1, 1, N):
        bar.click()
        _passing(page, n)


def _drag_a_bound(pages: Pages) -> float:
    page = pages.page
    rail = page.get_by_role("region", name="Filter stats.n_active")
    handle = rail.get_by_role("slider", name="Smallest stats.n_active")
    start = _centre(handle)
    axis = rail.get_by_role("img").bounding_box()
    assert axis is not None
    _drag(page, start, (axis["x"] + axis["width"] * 0.6, start[1]))
    [bound] = shared(page)["filters"]
    where = f'[{{"column":"stats.n_active","op":"ge","value":{bound["low"]}}}]'
    n = asked(pages, "saes/toy/features", where=where)["total"]
    assert 0 < n < N
    _passing(page, n)
    expect(page.get_by_role("list", name="Filters and selection")).to_contain_text("stats.n_active")
    assert len(order(page)) == n
    return float(bound["low"])


def _choose_columns(pages: Pages) -> None:
    page = pages.page
    page.get_by_role("button", name="Columns", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("standard deviation")
    box = dialog.get_by_role("group", name="stats", exact=True).get_by_role("checkbox", name=re.compile("^std"))
    expect(box).to_have_accessible_description(Stats.descriptions["std"])
    expect(dialog.get_by_text(Stats.descriptions["std"])).to_be_visible()
    box.check()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)
    says = f"stats.std: {Stats.descriptions['std']}"
    expect(page.get_by_role("columnheader").get_by_title(says, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Filter stats.std").get_by_title(says, exact=True)).to_be_visible()


def _label_two_at_once(pages: Pages, stops: Stops) -> None:
    page = pages.page
    two = order(page)[:2]
    for feature in two:
        page.get_by_role("checkbox", name=f"Select feature {feature}", exact=True).click()
    chips = page.get_by_role("list", name="Filters and selection")
    expect(chips).to_contain_text("2 selected")
    chips.get_by_role("button", name="Label …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label", exact=True).fill("two at once")
    dialog.get_by_label("By", exact=True).fill("ana")
    stops.examine("label the selection")
    dialog.get_by_role("button", name="Label all of them").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("gridcell", name="two at once")).to_have_count(2)
    assert {row["feature"] for row in asked(pages, "saes/toy/labels")["rows"]} == set(two)
    chips.get_by_title(re.compile("Press to rename")).click()
    page.get_by_label("Name of the selection").fill("my two")
    page.keyboard.press("Enter")
    expect(chips).to_contain_text("my two")
    stops.examine("table with filter and selection")


def _download(pages: Pages, tmp_path: Path, low: float) -> None:
    page = pages.page
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as coming:
        page.get_by_role("button", name="CSV", exact=True).click()
    path = tmp_path / coming.value.suggested_filename
    coming.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["feature"]) for row in rows] == order(page)
    assert all(float(row["stats.n_active"]) >= low for row in rows)
    assert {"labels.text", "stats.std"} <= set(rows[0])


def _share(pages: Pages, browser: Browser) -> None:
    """What the link holds is seen by somebody else who opens it."""
    page = pages.page
    settled(page)
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    before, shown = shared(page), page.evaluate("document.documentElement.dataset.ready")
    other = browser.new_context(viewport=page.viewport_size, reduced_motion="reduce")
    with watched(other, pages.address) as theirs:
        theirs.page.goto(link)
        theirs.wait(shown)
        assert shared(theirs.page) == before
        assert order(theirs.page) == order(page)
    other.close()


def _select_on_the_map(pages: Pages, browser: Browser, stops: Stops) -> None:
    page = pages.page
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Map").click()
    pages.wait("map")
    expect(page.get_by_role("list", name="Filters and selection")).to_contain_text("my two")
    page.get_by_role("toolbar").get_by_label(re.compile("^Map")).select_option("umap-2d")
    page.wait_for_function("() => window.__app.state().projection === 'umap-2d'")
    rest(page)
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    left, top, right, bottom = box["x"] + 4, box["y"] + 4, box["x"] + box["width"] - 4, box["y"] + box["height"] - 30
    tools = page.get_by_role("toolbar")
    tools.get_by_role("button", name="Lasso").click()
    page.mouse.move(left, top)
    page.mouse.down()
    for at in ((right, top), (right, bottom), (left, bottom), (left, top + 8)):
        page.mouse.move(*at, steps=3)
    page.mouse.up()
    expect(page.get_by_role("list", name="Filters and selection")).to_contain_text("Lasso")
    inside = set(shared(page)["selection"]["ids"])
    assert inside, "Everything in sight is in the lasso"
    assert inside <= set(order(page)), "What the filter hides is not selected"
    tools.get_by_role("button", name="Lasso").click()
    feature = min(inside)
    page.mouse.move(*map_place(page, feature))
    page.wait_for_function("() => window.__app.state().hover !== null")
    page.mouse.click(*map_place(page, feature))
    page.wait_for_function("() => window.__app.state().focus !== null")
    drawer = page.get_by_role("complementary", name=re.compile(r"^Feature \d+"))
    expect(drawer.get_by_role("region", name="Examples with the largest values")).to_be_visible()
    rest(page)
    stops.examine("map with a selection and the drawer")
    _share(pages, browser)
    feature = shared(page)["focus"]
    drawer.get_by_role("link", name="Open page").click()
    pages.wait("feature")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Feature {feature} ")


def _find_a_feature_by_words(pages: Pages) -> None:
    page = pages.page
    search = page.get_by_role("combobox", name="Search")
    search.click()
    search.fill("refunds")
    found = page.get_by_role("option").filter(has_text="refunds").first
    feature = int(first_number(found.inner_text()))
    found.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Feature {feature} ")
    expect(page.get_by_role("main")).to_contain_text("refunds")


def _values(page: Page) -> list[float]:
    labels = page.get_by_role("group", name=re.compile("^Example with value")).all()
    return [first_number((label.get_attribute("aria-label") or "").split("value")[1]) for label in labels]


def _read_a_feature(pages: Pages, stops: Stops) -> None:
    page = pages.page
    page.get_by_label("Go to id").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Feature 2 ")
    chart = page.get_by_role("group", name=re.compile("^Active values"))
    expect(chart).to_be_visible()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    first, level = _values(page), box["y"] + box["height"] / 2
    _drag(page, (box["x"] + box["width"] * 0.25, level), (box["x"] + box["width"] * 0.5, level))
    said = page.get_by_role("status").filter(has_text="Examples from")
    expect(said).to_be_visible()
    low, high = (float(text.replace(",", "")) for text in re.findall(r"[\d.,]+\d", said.inner_text())[:2])
    # What was shown before stays, marked as busy, until the examples of the range are there.
    expect(page.get_by_role("tabpanel", name="Top")).to_have_attribute("aria-busy", "false")
    shown = _values(page)
    assert shown
    # Values are shown with few digits.
    assert low * 0.995 <= min(shown) <= max(shown) <= high * 1.005
    assert max(shown) < max(first)
    page.get_by_role("button", name="All values").click()
    expect(page.get_by_text("from all active rows of the corpus")).to_be_visible()
    page.get_by_role("tab", name="Quantiles").click()
    expect(page.get_by_role("heading", name=re.compile("^Part 1 of 4"))).to_be_visible()
    page.get_by_role("tab", name="Random").click()
    expect(page.get_by_role("heading", name=re.compile("^Part 1 of 4"))).to_have_count(0)
    page.get_by_role("button", name="Values log").click()
    stops.examine("feature")


def _read_its_document(pages: Pages, stops: Stops) -> None:
    page = pages.page
    page.get_by_role("tab", name="Top").click()
    link = page.get_by_title(re.compile("^Show the whole document")).first
    name = link.inner_text()
    link.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text(name)
    others = dialog.get_by_role("checkbox", checked=False)
    others.first.check()
    expect(dialog.get_by_role("checkbox", checked=True)).to_have_count(2)
    expect(dialog.locator("[style*='linear-gradient']").first).to_be_visible()
    stops.examine("document over a feature")
    dialog.get_by_role("link", name="Own page").click()
    pages.wait("document")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.go_back()
    pages.wait("feature")
    expect(page.get_by_role("dialog")).to_have_count(0)


def _follow_a_neighbour_and_come_back(pages: Pages) -> None:
    page = pages.page
    title = page.get_by_role("heading", level=1)
    near = page.get_by_role("region", name="Nearest by decoder")
    link = near.get_by_role("link", name=re.compile(r"^\d+")).first
    feature = int(first_number(link.inner_text()))
    link.click()
    expect(title).to_contain_text(f"Feature {feature} ")
    page.go_back()
    expect(title).to_contain_text("Feature 2 ")
    page.go_forward()
    expect(title).to_contain_text(f"Feature {feature} ")
    page.go_back()
    expect(title).to_contain_text("Feature 2 ")


def _say_what_it_is(pages: Pages) -> None:
    page = pages.page
    labels = page.get_by_role("region", name="Labels")
    before = asked(pages, "saes/toy/features/2/labels")["history"]
    labels.get_by_label("Label", exact=True).fill("first thought")
    labels.get_by_role("button", name="Save label").click()
    card = labels.get_by_role("article").filter(has_text="first thought")
    expect(card).to_be_visible()
    card.get_by_role("button", name="Edit").click()
    labels.get_by_label("Label", exact=True).fill("second thought")
    labels.get_by_role("button", name="Replace label").click()
    expect(labels.get_by_role("article").filter(has_text="second thought")).to_be_visible()
    labels.get_by_text(re.compile(f"^History: {len(before) + 2} events")).click()
    expect(labels.get_by_role("article").filter(has_text="first thought")).to_contain_text("superseded by a newer one")
    history = asked(pages, "saes/toy/features/2/labels")
    assert [label["text"] for label in history["current"]] == ["second thought"]
    assert len(history["history"]) == len(before) + 2


def _compare_two(pages: Pages, stops: Stops, atlas: Path, tmp_path: Path) -> None:
    page = pages.page
    page.get_by_role("region", name="Fires together with").get_by_role(
        "link", name=re.compile("^Compare")
    ).first.click()
    pages.wait("pair")
    _, _, _, _, a, b = page.url.split("?")[0].rsplit("/", 5)
    pair = saeatlas.open(str(atlas)).sae("toy").pair(int(a), int(b))
    together = page.get_by_role("region", name="Together")
    expect(together).to_contain_text(f"{pair.n_both:,}")
    expect(together).to_contain_text(f"{pair.lift:.4g}")
    stops.examine("pair")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Save Joint values as SVG").click()
    path = tmp_path / coming.value.suggested_filename
    coming.value.save_as(path)
    picture = ET.fromstring(path.read_text(encoding="utf-8"))
    said = " ".join("".join(text.itertext()) for text in picture.iter(f"{SVG}text"))
    digest = asked(pages, "saes/toy")["identity_digest"]
    commit = asked(pages, "saes")["commit"]
    for part in (f"Features {a} and {b}", f"{pair.n_both:,} row", "toy-model", digest[:12], f"commit {commit}"):
        assert part in said
    page.go_back()
    pages.wait("feature")
    page.go_forward()
    pages.wait("pair")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Features {a} and {b}")


def _change_the_theme(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    button = page.get_by_role("button", name=re.compile("^Theme"))
    seen = []
    for _ in range(3):
        button.click()
        seen.append((button.get_attribute("aria-label"), page.evaluate("document.documentElement.dataset.theme")))
    assert seen == [("Theme: light", "light"), ("Theme: dark", "dark"), ("Theme: as the system", "light")]
    button.click()
    button.click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
