"""Two teams at the hub at once, each with a browser of its own."""

from __future__ import annotations

import json
import time

import pytest

from tests.browser.venue import Person, Venue
from tests.hub.site import PASSWORDS, TEAM_A, TEAM_B

pytestmark = pytest.mark.timeout(300)

WIDGETS = ("import goat\ngoat.panel()", "goat.board()")
BADGE = ".goat-own .goat-badge"


def test_two_teams_submit_and_both_boards_move_without_a_reload(
    venue: Venue, ada: Person, bob: Person
) -> None:
    # Given some rivals on the board, and two teams with panel and board on their screens
    for number in range(4):
        venue.submit(venue.rival(number), 0.3 + number / 10)
    venue.put(TEAM_A, "answers.zip", venue.answers(0.9))
    venue.put(TEAM_B, "answers.zip", venue.answers(1.0))
    for person in (ada, bob):
        person.open(*WIDGETS, "result = goat.submit('answers.zip')\nprint('rank', result.rank)")
        person.run_cell(0)
        person.run_cell(1)
        person.until_board(lambda rows: len(rows) >= 4, "the rivals")
    for person in (ada, bob):
        person.page.evaluate("() => { window.neverReloaded = true }")
    # When one submits with the panel's buttons, then both boards show it
    ada.ranked("answers.zip")
    ada.press("3 · Submit")
    ada.see(".goat-good-box >> text=public score")
    scored = time.monotonic()
    for person in (ada, bob):
        person.until_board(lambda rows: TEAM_A in rows, "the first team's result")
    print(f"panel's verdict to both boards: {time.monotonic() - scored:.2f} s")
    # When the other submits in a cell, then both boards show that too
    bob.run_cell(2)
    bob.see(".jp-OutputArea-output >> text=/rank 1/")
    scored = time.monotonic()
    for person in (ada, bob):
        person.until_board(lambda rows: TEAM_B in rows, "the other team's result")
        assert [name for name, _ in person.board()][:2] == [TEAM_B, TEAM_A]
        assert person.page.evaluate("() => window.neverReloaded") is True
    print(f"cell's verdict to both boards: {time.monotonic() - scored:.2f} s")
    # And each has its own team marked, no password in any cell, nothing asked of anybody else
    for person, team in ((ada, TEAM_A), (bob, TEAM_B)):
        marked = person.page.locator(".goat-own")
        assert team in marked.inner_text()
        assert person.page.locator(BADGE).inner_text() == "you"
        person.save()
        saved = json.loads((venue.home_of(team) / "book.ipynb").read_text())
        assert not any(password in json.dumps(saved) for password in PASSWORDS.values())
        assert person.external() == []
        assert person.errors == []
