"""The pages of a feature, of two features and of a document, by mouse and by keyboard."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from watched_pages import Pages, watched

from saeatlas.analyses.token_profile import TokenProfile

SVG = "{http://www.w3.org/2000/svg}"


def _values(page: Page) -> list[float]:
    """Values of the examples that are shown."""
    labels = page.get_by_role("group", name=re.compile("^Example with value")).all()
    return [float(re.findall(r"value ([\d.,]+) at", label.get_attribute("aria-label") or "")[0]) for label in labels]


def test_brush_moved_by_keys_drives_the_examples(pages: Pages) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    first = _values(page)
    highest = page.get_by_role("slider", name="Highest value")
    highest.focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    bound = float(highest.get_attribute("aria-valuenow") or "nan")
    expect(page.get_by_role("status").filter(has_text="Examples from")).to_be_visible()
    expect(page.get_by_text(re.compile("^values below"))).to_be_visible()
    expect(page.get_by_role("tabpanel")).to_have_attribute("aria-busy", "false")
    shown = _values(page)
    # Values are shown with three digits.
    assert shown
    assert max(shown) < bound * 1.005 < first[0]
    page.keyboard.press("Escape")
    expect(page.get_by_text("from all active rows of the corpus")).to_be_visible()


def test_link_brings_back_which_examples_are_shown(pages: Pages, browser: Browser) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    page.get_by_role("button", name="Values log").click()
    page.get_by_role("slider", name="Lowest value").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="Random").click()
    page.get_by_role("button", name="Draw others").click()
    page.get_by_label("Context").select_option("50")
    panel = page.get_by_role("tabpanel", name="Random")
    expect(panel).to_have_attribute("aria-busy", "false")
    said, values = page.get_by_role("status").filter(has_text="Examples from").inner_text(), _values(page)
    assert values
    other = browser.new_context(viewport=page.viewport_size, reduced_motion="reduce")
    with watched(other, pages.address) as theirs:
        theirs.page.goto(page.url)
        theirs.wait("feature")
        expect(theirs.page.get_by_role("tabpanel", name="Random")).to_have_attribute("aria-busy", "false")
        expect(theirs.page.get_by_role("status").filter(has_text="Examples from")).to_have_text(said)
        expect(theirs.page.get_by_role("button", name="Values log")).to_have_attribute("aria-pressed", "true")
        expect(theirs.page.get_by_label("Context")).to_have_value("50")
        assert _values(theirs.page) == values
        # What was asked about one feature is not asked about the next.
        theirs.page.keyboard.press("]")
        expect(theirs.page.locator("h1")).to_contain_text("Feature 4")
        expect(theirs.page.get_by_role("tab", name="Top")).to_have_attribute("aria-selected", "true")
        expect(theirs.page.get_by_text("from all active rows of the corpus")).to_be_visible()
    other.close()


def test_arrow_keys_read_the_tokens_of_an_example(pages: Pages) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    page.get_by_role("group", name=re.compile("^Example with value")).first.focus()
    page.keyboard.press("ArrowRight")
    tip = page.get_by_role("tooltip")
    expect(tip).to_contain_text("position")
    before = tip.inner_text()
    page.keyboard.press("ArrowLeft")
    assert tip.inner_text() != before
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)


def test_what_is_written_and_not_saved_is_there_again(pages: Pages) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    text = page.get_by_role("region", name="Labels").get_by_label("Label", exact=True)
    text.fill("half a thought")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("h1")).to_contain_text("Feature 4")
    expect(text).to_have_value("")
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("h1")).to_contain_text("Feature 3")
    expect(text).to_have_value("half a thought")


def test_keys_step_through_the_features(pages: Pages) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    page.keyboard.press("]")
    expect(page.locator("h1")).to_contain_text("Feature 4")
    page.keyboard.press("[")
    page.keyboard.press("[")
    expect(page.locator("h1")).to_contain_text("Feature 2")


def test_next_feature_is_the_next_one_of_the_table(pages: Pages) -> None:
    page = pages.open("/s/toy/f/3?v=1&f=r*stats.n_active*1**drop*&sort=-stats.max", "feature")
    expect(page.get_by_text(re.compile("by stats.max, largest first"))).to_be_visible()
    page.get_by_label("Go to id").fill("63")
    page.keyboard.press("Enter")
    expect(page.get_by_text("not among the 63 that the filters let through")).to_be_visible()


def test_names_of_all_columns_say_what_they_mean(pages: Pages) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    page.get_by_text(re.compile("columns of analyses$")).click()
    says = f"token-profile.entropy: {TokenProfile.descriptions['entropy']}"
    expect(page.get_by_title(says, exact=True)).to_be_visible()


def test_label_is_saved_by_keys_superseded_and_taken_back(pages: Pages) -> None:
    page = pages.open("/s/toy/f/7", "feature")
    page.keyboard.press("l")
    page.keyboard.type("شكوى <b>bold</b>")
    page.get_by_label("By", exact=True).fill("ana")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article").filter(has_text="شكوى <b>bold</b>")).to_be_visible()
    page.get_by_label("Label", exact=True).fill("second")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article").filter(has_text="second")).to_be_visible()
    page.get_by_text("History: 2 events").click()
    expect(page.get_by_text("superseded by a newer one")).to_be_visible()
    page.get_by_role("button", name="Retract").click()
    page.get_by_role("button", name="Retract it?").click()
    expect(page.get_by_text("History: 3 events")).to_be_visible()
    expect(page.locator("main > header")).not_to_contain_text("second")


@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_pictures_say_what_they_show(pages: Pages, tmp_path: Path, kind: str) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    with page.expect_download() as coming:
        page.get_by_role("button", name=f"Save Active values as {kind}").click()
    path = tmp_path / coming.value.suggested_filename
    coming.value.save_as(path)
    if kind == "PNG":
        assert path.read_bytes().startswith(b"\x89PNG")
        return
    picture = ET.fromstring(path.read_text(encoding="utf-8"))
    said = " ".join(text.text or "" for text in picture.iter(f"{SVG}text"))
    for part in ("Feature 3: Active values", "active of 2,000 rows", "inactive", "toy-model", "identity", "commit"):
        assert part in said
    bars = [bar.get("fill") for bar in picture.iter(f"{SVG}rect")]
    assert all(fill and fill.startswith("#") for fill in bars)


def test_document_opens_over_the_feature_with_others_drawn_in_it(pages: Pages) -> None:
    page = pages.open("/s/toy/f/3", "feature")
    page.get_by_title(re.compile("^Show the whole document")).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", checked=True)).to_have_count(1)
    dialog.get_by_role("checkbox", checked=False).first.check()
    expect(dialog.locator("[style*='linear-gradient']").first).to_be_visible()
    assert pages.serious() == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_pair_shows_the_numbers_that_python_gives(pages: Pages, atlas: Path) -> None:
    import saeatlas

    pair = saeatlas.open(str(atlas)).sae("toy").pair(0, 1)
    page = pages.open("/s/toy/pair/0/1", "pair")
    together = page.get_by_role("region", name="Together")
    expect(together).to_contain_text(f"{pair.n_both:,}")
    expect(together).to_contain_text(f"{pair.lift:.4g}")


def test_document_page_draws_the_strongest_feature(pages: Pages) -> None:
    page = pages.open("/c/reviews/d/doc-001", "document")
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)
    expect(page.get_by_role("group", name=re.compile("^Document doc-001"))).to_be_visible()
