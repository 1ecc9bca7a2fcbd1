"""The map: what is seen is what is picked, by mouse and by keyboard, and nothing of it stays behind."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from shown_state import asked, map_place, rest, settled
from watched_pages import Pages

MAP = "/s/toy/map"
PLACED = 63
FLAT = f"{MAP}?v=1&proj=umap-2d"
SPACE = f"{MAP}?v=1&proj=umap-3d"

_EXACT = """(sae) => {
  const map = window.__app.map, n = window.__app.state().detail.n_features, seen = [];
  for (let id = 0; id < n; id++) { const at = map.project(sae, id); if (at) seen.push([id, ...at]); }
  const box = document.querySelector('[role=application]').getBoundingClientRect(), wrong = [];
  let n_tested = 0;
  for (const [id, x, y, depth] of seen) {
    if (x < 2 || y < 2 || x > box.width - 2 || y > box.height - 2) continue;
    // Only a point that no other comes near can be said to be the one there, whatever is drawn over what.
    if (seen.some(([other, u, v]) => other !== id && Math.hypot(u - x, v - y) < 31)) continue;
    n_tested += 1;
    const hit = map.pick(x, y);
    if (!hit || hit.sae !== sae || hit.feature !== id) wrong.push([id, hit]);
  }
  return { n_tested, wrong };
}"""


def shown(pages: Pages, path: str) -> Page:
    page = pages.open(path, "map")
    rest(page)
    return page


def counts(page: Page, *, with_pixels: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("(pixels) => window.__app.map.counts(pixels)", with_pixels)
    return found


def edges(page: Page, *, are_drawn: bool) -> int:
    """Wait until edges are drawn, or none is, and count them."""
    page.wait_for_function("(drawn) => window.__app.map.counts(false).edges > 0 === drawn", arg=are_drawn)
    return int(counts(page)["edges"])


def lonely(page: Page) -> int:
    """A feature that no other is near to, away from what lies over the map."""
    found = page.evaluate(
        """() => {
          const map = window.__app.map, seen = [];
          for (let id = 0; id < 64; id++) { const at = map.project('toy', id); if (at) seen.push([id, ...at]); }
          const gaps = seen.filter(([, x]) => x < 900).map(([id, x, y]) =>
            [Math.min(...seen.filter(([other]) => other !== id).map(([, u, v]) => Math.hypot(u - x, v - y))), id]);
          return gaps.sort((a, b) => b[0] - a[0])[0][1];
        }"""
    )
    return int(found)


@pytest.mark.parametrize("path", [FLAT, SPACE])
def test_map_draws_every_feature_that_has_a_place(pages: Pages, path: str) -> None:
    page = shown(pages, path)
    found = counts(page, with_pixels=True)
    assert found["shown"] == PLACED
    assert found["pixels"] > 500
    # The feature that never fires has no direction, and so no place, which is said.
    assert page.get_by_text("1 without a place").is_visible()


@pytest.mark.parametrize("path", [FLAT, SPACE])
def test_what_is_picked_is_what_is_there(pages: Pages, path: str) -> None:
    page = shown(pages, path)
    n_tested = 0
    for feature in (0, 9, 20, 31, 40, 51):
        found = page.evaluate(_EXACT, "toy")
        assert found["wrong"] == []
        n_tested += found["n_tested"]
        page.mouse.move(*map_place(page, feature))
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(200)
        rest(page)
    assert n_tested > 5


def test_hover_tells_which_feature_it_is_and_click_opens_the_drawer(pages: Pages) -> None:
    page = shown(pages, FLAT)
    feature = lonely(page)
    page.mouse.move(*map_place(page, feature))
    page.wait_for_selector(f"[data-feature='{feature}']", state="attached")
    assert page.evaluate("window.__app.state().hover") == {"sae": "toy", "feature": feature}
    page.mouse.click(*map_place(page, feature))
    assert page.evaluate("window.__app.state().focus") == feature


def test_tip_stays_in_the_window(pages: Pages) -> None:
    page = shown(pages, f"{FLAT}&colour=stats.max")
    page.get_by_role("complementary", name="Legend").get_by_text("Legend").click()
    page.keyboard.press("Escape")
    found = page.evaluate(
        """() => Array.from({ length: 64 }, (_, id) => [id, window.__app.map.project('toy', id)])
          .filter(([, at]) => at !== null).sort((a, b) => b[1][0] - a[1][0])[0][0]"""
    )
    page.mouse.move(*map_place(page, found))
    tip = page.locator(f"[data-feature='{found}'] > div")
    tip.wait_for()
    box, size = tip.bounding_box(), page.viewport_size
    assert box is not None and size is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]


def test_double_click_opens_the_page_of_a_feature(pages: Pages) -> None:
    page = shown(pages, FLAT)
    feature = lonely(page)
    page.mouse.dblclick(*map_place(page, feature))
    pages.wait("feature")
    assert page.url.split("?")[0].endswith(f"/s/toy/f/{feature}")


def test_box_selects_the_features_in_it_under_a_name(pages: Pages) -> None:
    page = shown(pages, FLAT)
    page.get_by_role("button", name="Box").click()
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    left, top = box["x"] + 2, box["y"] + 2
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 4, steps=4)
    page.mouse.up()
    inside = page.evaluate(
        """(half) => Array.from({ length: 64 }, (_, id) => id).filter((id) => {
          const at = window.__app.map.project('toy', id); return at && at[0] > 2 && at[0] < half; })""",
        box["width"] / 2,
    )
    selection = page.evaluate("(() => { const s = window.__app.state().selection; return [s.name, [...s.ids]]; })()")
    assert selection == ["Box", inside]


def test_filter_leaves_a_grey_ground(pages: Pages) -> None:
    page = shown(pages, f"{FLAT}&f=s*some*1_2_3")
    found = counts(page)
    assert (found["shown"], found["ground"]) == (3, PLACED - 3)


def test_legend_filters_on_click(pages: Pages) -> None:
    page = shown(pages, FLAT)
    first = page.get_by_role("complementary", name="Legend").get_by_role("button").first
    first.click()
    page.wait_for_timeout(300)
    found = counts(page)
    assert 0 < found["shown"] < PLACED
    assert found["shown"] + found["ground"] == PLACED


def test_keys_step_to_the_next_feature_and_say_it(pages: Pages) -> None:
    page = shown(pages, FLAT)
    page.get_by_role("application").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        rest(page)
    feature = page.evaluate("window.__app.state().hover.feature")
    said = page.get_by_role("status").all_inner_texts()
    assert any(text.startswith(f"Feature {feature} of toy") for text in said), said
    page.keyboard.press("Enter")
    pages.wait("feature")
    assert page.url.split("?")[0].endswith(f"/s/toy/f/{feature}")


def test_edges_are_those_of_the_selection_until_all_are_asked_for(pages: Pages) -> None:
    page = shown(pages, FLAT)
    assert counts(page)["edges"] == 0
    page.keyboard.press("e")
    everything = edges(page, are_drawn=True)
    page.keyboard.press("e")
    edges(page, are_drawn=False)
    page.mouse.click(*map_place(page, lonely(page)))
    assert edges(page, are_drawn=True) < everything


def test_camera_is_in_the_address_and_comes_back(pages: Pages) -> None:
    page = shown(pages, SPACE)
    assert "cam=" not in page.url
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 380, box["y"] + 340, steps=3)
    page.mouse.up()
    page.wait_for_timeout(700)
    rest(page)
    assert "cam=" in page.url
    before = page.evaluate("window.__app.map.project('toy', 5)")
    page = shown(pages, page.url.removeprefix(pages.address))
    after = page.evaluate("window.__app.map.project('toy', 5)")
    assert after == pytest.approx(before, abs=0.05)


def test_nothing_is_drawn_while_nothing_happens(pages: Pages) -> None:
    page = shown(pages, SPACE)
    page.wait_for_timeout(400)
    before = counts(page)["frames"]
    page.wait_for_timeout(800)
    assert counts(page)["frames"] == before


def test_map_leaves_no_context_behind(pages: Pages) -> None:
    page = shown(pages, FLAT)
    for _ in range(20):
        page.get_by_role("link", name="Table", exact=True).click()
        pages.wait("explore")
        page.get_by_role("link", name="Map", exact=True).click()
        pages.wait("map")
    assert page.evaluate("window.__app.liveContexts()") == 1


def test_lost_context_is_said_and_comes_back(pages: Pages) -> None:
    page = shown(pages, FLAT)
    lose = "document.querySelector('[role=application] canvas').getContext('webgl2').getExtension('WEBGL_lose_context')"
    page.evaluate(f"window.lost = {lose}; window.lost.loseContext()")
    page.get_by_role("alert").wait_for()
    page.evaluate("window.lost.restoreContext()")
    page.get_by_role("alert").wait_for(state="detached")
    rest(page)
    assert counts(page, with_pixels=True)["pixels"] > 500


def test_browser_without_webgl_is_told_and_led_to_the_table(pages: Pages) -> None:
    pages.page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return kind === 'webgl2' ? null : get.call(this, kind, ...rest); };"
    )
    page = pages.open(MAP)
    page.get_by_role("alert").get_by_role("link", name="table").click()
    pages.wait("explore")


def test_layers_stand_on_one_map_and_are_told_apart(pages: Pages) -> None:
    page = shown(pages, f"{MAP}?v=1&proj=imported&layers=map-only")
    found = counts(page)
    n_layer = {"toy": 64, "map-only": 48}
    assert found["shown"] == sum(n_layer.values())
    for sae in n_layer:
        x, y, _ = page.evaluate("(sae) => window.__app.map.project(sae, 7)", sae)
        assert page.evaluate("([x, y]) => window.__app.map.pick(x, y)", [x, y])["sae"] == sae


def test_arrangement_and_edges_are_in_the_address(pages: Pages) -> None:
    page = shown(pages, f"{MAP}?v=1&proj=umap-2d&layers=map-only")
    beside = page.evaluate("window.__app.map.project('map-only', 7)")
    page.get_by_role("button", name="Layers: 2").click()
    page.get_by_role("radio", name="stacked").check()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Edges").click()
    drawn = edges(page, are_drawn=True)
    rest(page)
    stacked = page.evaluate("window.__app.map.project('map-only', 7)")
    assert stacked != pytest.approx(beside, abs=1)
    settled(page)
    page = shown(pages, page.url.removeprefix(pages.address))
    assert edges(page, are_drawn=True) == drawn
    assert page.evaluate("window.__app.map.project('map-only', 7)") == pytest.approx(stacked, abs=0.05)


def test_words_mark_what_they_find_and_enter_selects_it(pages: Pages) -> None:
    page = shown(pages, FLAT)
    hits = asked(pages, "search", q="verbs", sae="toy", kind="features", limit=1000)
    found = {hit["feature"] for hit in hits["hits"]}
    assert 1 < len(found) < PLACED
    page.get_by_role("searchbox", name="Mark").fill("verbs")
    expect(page.get_by_role("toolbar").get_by_role("status")).to_have_text(str(len(found)))
    settled(page)
    page = shown(pages, page.url.removeprefix(pages.address))
    expect(page.get_by_role("toolbar").get_by_role("status")).to_have_text(str(len(found)))
    page.get_by_role("searchbox", name="Mark").press("Enter")
    expect(page.get_by_role("list", name="Filters and selection")).to_contain_text(f"{len(found)} selected")
    assert set(page.evaluate("[...window.__app.state().selection.ids]")) == found


@pytest.mark.parametrize("path", [FLAT, SPACE])
def test_discs_are_whole_in_the_first_view(pages: Pages, path: str) -> None:
    page = shown(pages, path)
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    places = page.evaluate(
        "Array.from({ length: 64 }, (_, id) => window.__app.map.project('toy', id)).filter((at) => at !== null)"
    )
    assert len(places) == PLACED
    assert min(min(x, y, box["width"] - x, box["height"] - y) for x, y, _ in places) >= 16


def test_fly_camera_moves_while_a_key_is_held(pages: Pages) -> None:
    page = shown(pages, SPACE)
    before = page.evaluate("window.__app.map.project('toy', 5)")
    page.keyboard.press("v")
    page.get_by_role("application").focus()
    page.keyboard.down("w")
    page.wait_for_timeout(400)
    page.keyboard.up("w")
    rest(page)
    after = page.evaluate("window.__app.map.project('toy', 5)")
    assert after is None or after[2] < before[2] - 0.05


def test_picture_is_named_for_what_it_shows(pages: Pages) -> None:
    page = shown(pages, FLAT)
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename.startswith("toy-Map-umap-2d-")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_colour_and_size_follow_a_column_and_missing_is_in_the_legend(pages: Pages) -> None:
    page = shown(pages, f"{FLAT}&colour=stats.max&size=stats.density")
    legend = page.get_by_role("complementary", name="Legend")
    assert legend.get_by_text("stats.max").is_visible()
    assert legend.get_by_text("stats.density").is_visible()
    assert legend.get_by_text("missing", exact=True).is_visible()
