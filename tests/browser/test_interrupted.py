"""What goes on, and what comes back, when something between a team and its score breaks off."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.browser.venue import Person, Venue
from tests.hub.site import TEAM_A, TEAM_B
from tests.scoring_service.supervise.processes import wait_for

pytestmark = pytest.mark.timeout(300)

PANEL, BOARD = "import goat\ngoat.panel()", "goat.board()"
SUBMIT = "result = goat.submit('second.zip')\nprint('rank', result.rank)"
WAITING = ".goat-history .goat-state[data-state='QUEUED']"
SCORED = ".goat-history .goat-state[data-state='EVALUATED']"
GOOD = ".goat-good-box >> text=public score"


@pytest.fixture
def held(venue: Venue) -> Iterator[None]:
    """No worker: what is submitted waits until ``release``."""
    venue.switch("worker", on=False)
    yield
    if not venue.site.up.pid_of("worker"):
        venue.switch("worker", on=True)


def release(venue: Venue) -> float:
    venue.switch("worker", on=True)
    return time.monotonic()


def begin(venue: Venue, person: Person, repair: float, *cells: str) -> int:
    """Panel and board on the screen, and a submission by the panel's buttons that waits.

    Returns how many submissions the team had before.
    """
    with venue.client(person.team) as client:
        before = len(client.submissions("task1"))
    venue.put(person.team, "first.zip", venue.answers(repair))
    venue.put(person.team, "second.zip", venue.answers(repair - 0.005))
    person.open(PANEL, BOARD, *cells)
    person.run_cell(0)
    person.run_cell(1)
    person.see(".goat-board .goat-summary >> text=score in dB")
    person.ranked("first.zip")
    person.press("3 · Submit")
    person.page.wait_for_function(
        "n => document.querySelectorAll('.goat-history .goat-body .goat-row').length === n", arg=before + 1
    )
    return before


def count(venue: Venue, team: str) -> dict[str, int]:
    """How many of a team's submissions are in which state."""
    with venue.client(team) as client:
        states = [item.state for item in client.submissions("task1")]
    return {state: states.count(state) for state in set(states)}


@pytest.mark.usefixtures("held")
def test_a_page_that_is_reloaded_while_submissions_wait_goes_on(venue: Venue, ada: Person) -> None:
    # Given a submission of the panel that waits
    before = begin(venue, ada, 0.35, SUBMIT)
    # When the page is reloaded
    ada.save()
    began = time.monotonic()
    ada.reload()
    # Then panel and board are there with their state
    ada.see_again(WAITING)
    ada.see(".goat-panel >> text=queued, 1st in line")
    ada.see(".goat-board .goat-summary >> text=score in dB")
    print(f"widgets back after a reload: {time.monotonic() - began:.1f} s")
    assert ada.page.get_by_placeholder("folder or file with your answers").input_value() == "first.zip"
    # When a cell submits as well, which keeps the kernel busy, and the page is reloaded again
    ada.run_cell(2)
    ada.see(".jp-OutputArea >> text=queued, 2nd in line")
    assert ada.status() == "busy"
    ada.save()
    ada.reload()
    # Then what the cell had said is there, and the scores come to panel and board
    ada.see(".jp-OutputArea >> text=queued, 2nd in line")
    began = release(venue)
    ada.see_again(GOOD)
    ada.page.wait_for_function(f'n => document.querySelectorAll("{SCORED}").length === n', arg=before + 2)
    ada.until_board(lambda rows: TEAM_A in rows, "the result")
    print(f"scores on the screen after {time.monotonic() - began:.1f} s")
    ada.until_idle()
    assert ada.kernel("print(result.state)").strip() == "EVALUATED"
    assert count(venue, TEAM_A) == {"EVALUATED": before + 2}
    # And they go on being live
    rival = venue.rival(3)
    venue.submit(rival, 0.2 + time.time() % 1 / 100)
    ada.until_board(lambda rows: rival in rows, "a new result")


def test_after_a_restart_of_the_kernel_one_cell_brings_everything_back(venue: Venue, bob: Person) -> None:
    # Given a team with a history, and panel and board on its screen
    before = begin(venue, bob, 0.45)
    bob.see(GOOD)
    bob.until_board(lambda rows: TEAM_B in rows, "the result")
    seen = dict(bob.board())
    # When the kernel is restarted, and the cells run again
    bob.restart_kernel()
    bob.command("notebook:clear-all-cell-outputs")
    bob.run_cell(0)
    bob.run_cell(1)
    # Then history and board are as they were, and live
    bob.page.wait_for_function(f'n => document.querySelectorAll("{SCORED}").length === n', arg=before + 1)
    assert bob.until_board(lambda rows: rows == seen, "the board as before") < 60
    rival = venue.rival(4)
    venue.submit(rival, 0.25 + time.time() % 1 / 100)
    bob.until_board(lambda rows: rival in rows, "a new result")


@pytest.mark.usefixtures("held")
def test_a_service_that_is_killed_is_said_and_nothing_is_lost(venue: Venue, ada: Person) -> None:
    # Given a submission that waits, and a board
    before = begin(venue, ada, 0.55)
    ada.listen()
    # When the service is killed
    venue.kill("api")
    # Then the widgets say so in a sentence, and that it is over when it is over
    ada.until_said("connection to the service")
    began = time.monotonic()
    venue.until_back("api")
    ada.page.wait_for_selector(".goat-board .goat-problem", state="hidden")
    print(f"widgets live again after {time.monotonic() - began:.1f} s; they said: {ada.said()}")
    # And what waited is scored, once
    release(venue)
    ada.see(GOOD)
    ada.until_board(lambda rows: TEAM_A in rows, "the result")
    assert count(venue, TEAM_A) == {"EVALUATED": before + 1}
    assert not any("Traceback" in text or "Error" in text for text in ada.said())


@pytest.mark.usefixtures("held")
def test_a_hub_and_a_proxy_that_are_killed_take_nothing_with_them(venue: Venue, bob: Person) -> None:
    # Given a notebook at work: something in its memory, a submission that waits
    before = begin(venue, bob, 0.65)
    bob.kernel("answer = 42")
    process = bob.kernel("import os; print(os.getppid())")
    # When hub and proxy are killed, and meanwhile the submission is scored and a rival takes the lead
    venue.kill("hub")
    venue.kill("proxy")
    release(venue)
    rival = venue.rival(5)
    venue.submit(rival, 0.7 + time.time() % 1 / 100)
    venue.until_back("hub")
    # Then the open page goes on by itself: what happened is on it
    began = time.monotonic()
    bob.until_board(lambda rows: TEAM_B in rows and rival in rows, "what happened meanwhile", seconds=120)
    bob.see(GOOD)
    print(f"the page goes on {time.monotonic() - began:.1f} s after the hub does")
    assert bob.kernel("print(answer)").strip() == "42"
    assert bob.kernel("import os; print(os.getppid())") == process
    assert count(venue, TEAM_B) == {"EVALUATED": before + 1}
    # And a reload asks for no second login
    bob.save()
    bob.reload()
    bob.until_board(lambda rows: rival in rows, "the board")
    bob.page.goto(f"{venue.hub}/hub/home")
    assert "/hub/home" in bob.page.url


@pytest.mark.usefixtures("held")
def test_a_proxy_that_is_killed_alone_is_back_within_seconds(venue: Venue, ada: Person) -> None:
    ada.open(PANEL, BOARD)
    ada.run_all()
    ada.see(".goat-board .goat-summary >> text=score in dB")
    venue.kill("proxy")
    began = time.monotonic()
    wait_for(lambda: ada.get("/api/status") == 200, "the way to the team's server", seconds=100)
    print(f"the proxy knows the way again after {time.monotonic() - began:.1f} s")
    rival = venue.rival(5)
    release(venue)
    venue.submit(rival, 0.75 + time.time() % 1 / 100)
    with venue.client(TEAM_A) as client:
        wait_for(lambda: client.leaderboard("task1").rows[0].team_name == rival, "the rival's result")
        best = client.leaderboard("task1").rows[0].score
    ada.until_board(
        lambda rows: abs(rows.get(rival, 0) - best) < 1e-3, "what happened meanwhile", seconds=100
    )
    assert ada.kernel("print(40 + 2)").strip() == "42"
