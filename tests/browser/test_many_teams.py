"""A board of five hundred teams in a real browser, while the event goes on around it."""

from __future__ import annotations

import pytest

from tests.browser.hackathon import FIELDS, Hackathon
from tests.browser.lab import Lab
from tests.scoring_service.crowd import crowd

ROWS = ".goat-body .goat-row"
MIDDLE = f"{ROWS}[aria-rowindex='252']"


@pytest.mark.timeout(300)
def test_five_hundred_teams_are_few_elements_and_what_the_organiser_changes_appears(
    lab: Lab, site: Hackathon
) -> None:
    page = lab.page
    board = page.locator(".goat-board")
    # Given five hundred teams, the board scrolled to the middle
    site.team("team_awesome")
    crowd(site.world.services, 500)
    lab.open("import goat\ngoat.board()")
    lab.run_all()
    page.wait_for_selector(".goat-summary >> text=500 teams", timeout=60_000)
    page.wait_for_selector(f"{ROWS} >> text=team_0001")
    grid = page.locator(".goat-grid").first
    grid.evaluate("e => { e.scrollTop = 250 * e.scrollHeight / 500 }")
    page.wait_for_selector(MIDDLE)
    assert page.locator(ROWS).count() < 60
    scrolled = grid.evaluate("e => e.scrollTop")
    # When ten teams join at the top
    for number in range(10):
        site.result(f"late_{number}", 0.001 + number / 10_000)
    page.wait_for_selector(".goat-summary >> text=510 teams", timeout=30_000)
    # Then only what is in view is in the page, and it stays where it was read
    assert page.locator(ROWS).count() < 60
    assert grid.evaluate("e => e.scrollTop") == scrolled
    assert page.locator(f"{MIDDLE} .goat-name").inner_text() == "team_0240"
    # And the own team is found, ten places lower
    board.get_by_role("button", name="Find my team").click()
    own = page.locator(f"{ROWS}.goat-active")
    assert own.inner_text().split()[:4] == ["11", "▼", "10", "team_awesome"]
    # When the organiser renames the challenge, and then reveals the final scores
    site.world.apply(title="Another title", event_fields=FIELDS)
    board.get_by_role("tab", name="Another title").wait_for(timeout=30_000)
    site.world.services.events.reveal("task1", True, actor="admin")
    final = board.get_by_role("tab", name="Final: Another title")
    final.wait_for(timeout=30_000)
    final.click()
    # Then the final board is there, of those who have a final score
    page.wait_for_selector(".goat-notice >> text=The final ranking", timeout=30_000)
    page.wait_for_selector(".goat-summary >> text=10 teams")
    assert lab.external() == []
