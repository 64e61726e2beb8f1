"""Two teams at the hub at once, each with a browser of its own."""

from __future__ import annotations

import json
import time

import pytest

from tests.browser.colours import brightness
from tests.browser.venue import Person, Venue
from tests.hub.site import PASSWORDS, TEAM_A, TEAM_B

pytestmark = pytest.mark.timeout(300)

WIDGETS = ("import goat\ngoat.panel()", "goat.board()")
BADGE = ".goat-own .goat-badge"
SIDE_BY_SIDE = """import goat
from ipywidgets import HBox

panel, board = goat.panel("task1"), goat.board()
panel.layout.width = board.layout.width = "50%"
HBox([panel, board], layout={"align_items": "flex-start"})"""


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


def test_panel_and_board_are_good_to_look_at_in_both_themes(venue: Venue, ada: Person) -> None:
    # Given a team in the middle of a full board, which has submitted more than once
    for number in range(6):
        venue.submit(venue.rival(number), 0.5 + number / 12)
    venue.put(TEAM_A, "answers.zip", venue.answers(0.97))
    venue.submit(TEAM_A, 0.6)
    ada.open(SIDE_BY_SIDE)
    ada.page.set_viewport_size({"width": 1480, "height": 1000})
    ada.command("application:toggle-left-area")
    ada.run_all()
    ada.until_board(lambda rows: len(rows) >= 7, "all teams")
    ada.ranked("answers.zip")
    ada.press("3 · Submit")
    ada.see(".goat-good-box >> text=public score")
    ada.page.locator(".goat-history input[type=checkbox]").first.check()
    ada.see("text=1 of 2 finals chosen")
    ada.page.wait_for_timeout(2000)  # until the mark of the last change has faded
    ada.page.mouse.move(700, 5)
    # Then both can be read, by light and by night
    for theme in ada.in_both_themes():
        ada.page.locator(".goat-panel h3").scroll_into_view_if_needed()
        ada.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
        ada.picture(f"hub-{theme}")
        for widget in ("panel", "board"):
            ada.picture(f"{widget}-{theme}", f".goat-{widget}")
            style = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
            text, paper = ada.page.locator(f".goat-{widget}").first.evaluate(style)
            assert abs(brightness(text) - brightness(paper)) > 125
    ada.command("application:toggle-left-area")
    ada.page.set_viewport_size({"width": 1280, "height": 1000})
