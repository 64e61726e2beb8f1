"""The widgets by keyboard and screen reader, in Chromium: names, roles, order, contrast, what is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.hackathon import Hackathon
from tests.browser.lab import Lab
from tests.browser.test_lab import FIRST

CONTRAST = """(root) => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3]));
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(element.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const element of root.querySelectorAll('*')) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const shown = element.checkVisibility() && !element.closest('.goat-sr, svg, style, :disabled');
    if (!text || !shown) continue;
    const paper = behind(element);
    const ink = over(rgba(getComputedStyle(element).color), paper);
    const [one, two] = [light(ink), light(paper)].sort((a, b) => b - a);
    found.push([(one + 0.05) / (two + 0.05), element.className, element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""

FOCUSED = """() => {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  const ring = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== 'none';
  const inside = e.closest('.goat-board') ? 'board' : e.closest('.goat-panel') ? 'panel' : '';
  const name = e.getAttribute('aria-label') || e.textContent.trim().slice(0, 20);
  const role = e.getAttribute('role') || e.tagName.toLowerCase();
  return [inside, role, name, ring || style.boxShadow !== 'none'];
}"""


@pytest.fixture
def shown(lab: Lab, site: Hackathon) -> Lab:
    """A panel and a board of thirty teams, one's own among them."""
    for number in range(29):
        site.result(f"team-{number:02d}", 0.02 + number / 500)
    for seed, noise in ((1, 0.06), (2, 0.04)):
        site.result("team_awesome", noise, seed=seed)
    lab.open(
        "import goat\nfrom goat.baselines.image_reconstruction import do_nothing\n"
        "d = goat.data(quiet=True)\ndo_nothing(d.eval_inputs, 'answers')\ngoat.panel()",
        "goat.board()",
    )
    lab.command("notebook:run-all-cells")
    lab.page.wait_for_selector(f".goat-board {FIRST}", timeout=60_000)
    lab.page.wait_for_selector(".goat-history .goat-body .goat-row", timeout=60_000)
    lab.page.add_style_tag(content=".Toastify { display: none }")
    return lab


def nodes(lab: Lab, selector: str) -> list[dict[str, Any]]:
    """Chromium's accessibility tree below an element, flat: role, name, and where it is hidden."""
    session = lab.page.context.new_cdp_session(lab.page)
    session.send("DOM.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    found = session.send("Accessibility.queryAXTree", {"nodeId": node})["nodes"]
    return [
        {"role": one["role"]["value"], "name": one.get("name", {}).get("value", "")}
        for one in found
        if not one.get("ignored")
    ]


@pytest.mark.timeout(400)
def test_the_widgets_speak_and_take_the_keyboard(shown: Lab, site: Hackathon) -> None:
    page = shown.page
    board = page.locator(".goat-board")
    # Given the board: a table with a caption, column headers, row headers, and the own row marked
    table = board.get_by_role("grid")
    assert re.search(r"30 teams · score in dB", table.aria_snapshot().splitlines()[0])
    headers = table.get_by_role("columnheader").evaluate_all(
        "all => all.map(e => e.ariaLabel || e.textContent)"
    )
    assert headers == [
        *("Rank", "Places gained", "Team", "Score"),
        *("Scored submissions", "Submitted (your time)"),
    ]
    assert table.get_by_role("rowheader").first.inner_text() == "team-00"
    board.get_by_role("button", name="Find my team").click()
    assert "team_awesome" in board.locator("[aria-current=true]").inner_text()
    assert board.locator("[aria-current=true]").count() == 1
    # Then everything that can be worked has a name
    for widget in (".goat-panel", ".goat-board"):
        named = [one for one in nodes(shown, widget) if one["role"] in WORKED]
        assert len(named) > 3, widget
        assert [one for one in named if not re.search(r"[A-Za-z]{2}", one["name"])] == []
    pressed = page.get_by_role("button", pressed=True)
    assert pressed.inner_text() == "Test run"
    page.get_by_role("button", name="Ranked").click()
    page.wait_for_selector("button[aria-pressed=true] >> text=Ranked")
    # And the keyboard goes through the board in the order in which it is seen, and one sees where
    board.get_by_role("tab", selected=True).first.focus()
    order = []
    for _ in range(5):
        order.append(page.evaluate(FOCUSED))
        page.keyboard.press("Tab")
    assert [role for _, role, _, _ in order] == ["tab", "tab", "button", "input", "grid"]
    assert all(inside == "board" for inside, *_ in order), order
    assert all(ringed for *_, ringed in order[1:]), order
    # And a chart says in words what it shows
    board.get_by_role("tab", name="Table").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".goat-chart .main-svg", timeout=60_000)
    said = board.get_by_role("img").first.get_attribute("aria-label")
    assert "Best score over time" in said
    assert "You: rank" in said
    page.keyboard.press("End")
    assert "Distribution of the scores of 30 teams" in board.get_by_role("img").first.get_attribute(
        "aria-label"
    )
    page.keyboard.press("Home")
    # When somebody takes the lead, it is told; so is the own verdict
    site.result("newcomer", 0.005)
    page.wait_for_selector(".goat-board .goat-sr >> text=New best", state="attached", timeout=30_000)
    page.get_by_label("Path").fill("answers")
    page.get_by_label("Path").press("Tab")
    page.get_by_role("button", name="3 · Submit").click()
    page.wait_for_selector(
        ".goat-panel .goat-herald .goat-sr >> text=public score", state="attached", timeout=60_000
    )
    # And the words can be read in both themes, at any width
    for theme in ("Light", "Dark"):
        shown.theme(theme)
        for widget in (".goat-panel", ".goat-board"):
            faint = [one for one in page.locator(widget).first.evaluate(CONTRAST) if one[0] < 4.5]
            assert faint == [], (theme, widget)
    shown.command("application:toggle-left-area")
    for width in (1200, 730, 490):
        page.set_viewport_size({"width": width, "height": 1000})
        for widget in (".goat-panel", ".goat-board"):
            fits = page.locator(widget).first.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
            assert fits, (width, widget)
    assert shown.errors == []


WORKED = {"button", "checkbox", "combobox", "textbox", "searchbox", "tab", "grid", "listbox", "radio"}
