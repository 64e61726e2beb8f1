"""What goes wrong on the day: a sentence in the widget, nothing frozen, nothing lost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.notebook import READY
from tests.browser.venue import Person, Venue
from tests.hub.site import PASSWORDS, TEAM_A, TEAM_B
from tests.scoring_service.supervise.processes import wait_for

pytestmark = pytest.mark.timeout(300)

PANEL, BOARD = "import goat\ngoat.panel()", "goat.board()"
PROBLEM = ".goat-board .goat-problem"
SUMMARY = ".goat-board .goat-summary >> text=score in dB"
DAY_S = 24 * 3600


@pytest.fixture
def stranger(venue: Venue, ada: Person) -> Iterator[Person]:
    """Somebody at the login page."""
    context = ada.page.context.browser.new_context()
    person = Person(venue, context.new_page(), TEAM_A)
    person.page.goto(venue.hub)
    yield person
    context.close()


def show(person: Person) -> None:
    """Panel and board on the screen."""
    person.open(PANEL, BOARD)
    person.run_all()
    person.see(".goat-panel h3 >> text=Restore the photographs")
    person.see(SUMMARY)


def healed(person: Person) -> None:
    """The board has nothing to complain of."""
    person.page.wait_for_selector(PROBLEM, state="hidden")


def test_wrong_passwords_and_silent_programs_are_sentences(
    venue: Venue, stranger: Person, ada: Person
) -> None:
    show(ada)
    # A wrong password
    stranger.log_in("wrong")
    stranger.see("text=Invalid username or password")
    # A hub without its service: on the login page, in the widgets; the hub lives
    venue.switch("api", on=False)
    try:
        ada.see(f"{PROBLEM} >> text=if it stays so, tell the organiser")
        stranger.log_in(PASSWORDS[TEAM_A])
        stranger.see("text=The scoring service does not answer")
        ada.ranked("answers")
        ada.press("3 · Submit")
        stranger.page.goto(f"{venue.hub}/hub/login")
        stranger.see("text=Sign in")
        ada.picture("service-away", ".goat-board")
    finally:
        venue.switch("api", on=True)
    healed(ada)
    # A service without its hub, that knows no notebook's token any more
    venue.switch("hub", on=False)
    try:
        venue.kill("api")
        venue.until_back("api")
        ada.see(f"{PROBLEM} >> text=The hub does not answer")
    finally:
        venue.switch("hub", on=True)
    venue.until_back("hub")
    healed(ada)


def test_a_banned_team_is_told_in_its_open_notebook(venue: Venue, bob: Person) -> None:
    show(bob)
    venue.put(TEAM_B, "answers.zip", venue.answers(0.15))
    venue.ban(TEAM_B, on=True)
    banned = time.monotonic()
    try:
        bob.ranked("answers.zip")
        bob.press("3 · Submit")
        bob.see(".goat-panel .goat-bad-box >> text=banned")
        print(f"told {time.monotonic() - banned:.1f} s after the ban")
        bob.picture("banned", ".goat-panel")
    finally:
        venue.ban(TEAM_B, on=False)
    # What it had done is still there, and after a word with the organiser it goes on
    with venue.client(TEAM_B) as client:
        wait_for(lambda: not client.me().banned, "the end of the ban")
    bob.press("3 · Submit")
    bob.see(".goat-good-box >> text=public score")


def test_files_of_every_size_arrive_or_are_shown_another_way(
    venue: Venue, ada: Person, tmp_path: Path
) -> None:
    show(ada)
    # A file over the limit of a websocket's message arrives whole
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(12 << 20))
    ada.choose_file(large)
    ada.see(".goat-said >> text=uploads/large.bin is here")
    assert (venue.home_of(TEAM_A) / "uploads/large.bin").read_bytes() == large.read_bytes()
    # One that is too large for a browser is steered to a path
    huge = tmp_path / "huge.zip"
    with huge.open("wb") as file:
        file.truncate(100_000_001)
    ada.choose_file(huge)
    ada.see(".goat-said >> text=Drag it into the file browser")
    # And what is not there, or no answer, is told before anything is sent
    ada.ranked("nowhere.zip")
    ada.press("3 · Submit")
    ada.see(".goat-bad-box >> text=There is nothing at nowhere.zip")
    ada.ranked("uploads/large.bin")
    ada.press("1 · Check")
    ada.see(".goat-bad-box >> text=thing")


def test_a_slow_network_uploads_and_submits_and_a_kernel_may_die_in_between(
    venue: Venue, bob: Person, tmp_path: Path
) -> None:
    # Given answers of few bytes, and a network as in a train
    show(bob)
    file = tmp_path / "small answers.zip"
    file.write_bytes(venue.coarse_answers(3))
    print(f"{file.stat().st_size} bytes")
    bob.slow(latency_ms=400, bytes_per_s=50_000)
    try:
        # When the kernel is killed while the file is on its way
        bob.listen()
        bob.choose_file(file)
        bob.page.wait_for_function("() => document.querySelector('.goat-upload progress').value > 0.2")
        venue.kill_kernel(TEAM_B)
        # Then that is said, and the page answers
        bob.until_said("The kernel ended during the upload")
        said = "e => getComputedStyle(e, '::before').content"
        assert "run the cell again" in bob.page.locator(".goat-panel").evaluate(said)
        assert not any("small" in path.name for path in venue.uploads(TEAM_B))
        # And once the cell has run again, the same file arrives, with a bar that moves
        bob.page.get_by_role("button", name="Ok", exact=True).click()
        bob.until_idle()
        bob.run_cell(0)
        bob.page.wait_for_selector(".jupyter-widgets-disconnected", state="detached")
        bob.see(".goat-panel h3 >> text=Restore the photographs")
        bob.page.evaluate(
            "() => { window.goatBar = new Set(); const bar = document.querySelector('.goat-upload progress');"
            " new MutationObserver(() => window.goatBar.add(bar.value)).observe(bar, { attributes: true }) }"
        )
        began = time.monotonic()
        bob.choose_file(file)
        bob.see(".goat-said >> text=is here")
        seen = bob.page.evaluate("() => window.goatBar.size")
        took = time.monotonic() - began
        print(f"{file.stat().st_size / took / 1000:.0f} kB/s, the bar moved {seen} times in {took:.1f} s")
        assert seen > 4
        # And is submitted: the path is filled in, the verdict comes
        bob.page.get_by_role("button", name="Ranked").click()
        bob.press("3 · Submit")
        bob.see(".goat-good-box >> text=public score")
    finally:
        bob.slow(latency_ms=0, bytes_per_s=-1)


def test_a_login_that_was_taken_away_is_said_and_a_new_server_has_a_new_one(
    venue: Venue, ada: Person
) -> None:
    # Given an open notebook, whose token an organiser deletes (and nobody remembers its answer)
    show(ada)
    organiser = venue.organiser()
    user = f"/users/{TEAM_A.lower()}"
    tokens = organiser.api("GET", f"{user}/tokens").json()["api_tokens"]
    own = [token for token in tokens if "Server at" in token["note"]]
    assert own
    for token in own:
        assert organiser.api("DELETE", f"{user}/tokens/{token['id']}").status_code == 204
    venue.kill("api")
    # Then board and panel say what to do
    ada.see(f"{PROBLEM} >> text=restart your server")
    ada.see(".goat-panel .goat-bad-box >> text=restart your server")
    # And doing it helps
    ada.save()
    ada.page.goto(f"{venue.hub}/hub/home", wait_until="networkidle")  # before, its buttons do nothing
    ada.page.locator("#stop").click()
    ada.page.wait_for_selector("#stop", state="hidden")
    ada.page.locator("#start").click()
    ada.page.wait_for_function(READY, timeout=120_000)
    show(ada)
    healed(ada)


def test_clocks_that_are_off_by_a_day_change_no_countdown(venue: Venue, ada: Person, bob: Person) -> None:
    # Given a right clock here, a browser that is a day late there, whose kernel is a day early
    rival = venue.rival(0)
    venue.submit(rival, 0.3)
    show(ada)
    ada.until_board(lambda rows: rival in rows, "a rival on the board")
    bob.page.add_init_script(
        f"const Right = Date, off = {-DAY_S * 1000}; Date = class extends Right {{"
        " constructor(...all) { all.length ? super(...all) : super(Right.now() + off) }"
        " static now() { return Right.now() + off } }"
    )
    bob.open(f"import time\nright = time.time\ntime.time = lambda: right() + {DAY_S}", PANEL, BOARD)
    bob.run_all()
    bob.see(SUMMARY)
    assert abs(bob.page.evaluate("() => Date.now()") / 1000 + DAY_S - time.time()) < 3600
    # Then both see the same time left, and the same times on the board
    left = [person.see(".goat-facts b").inner_text() for person in (ada, bob)]
    assert left[0] == left[1]
    assert "d " in left[0]
    when = [
        person.page.locator(".goat-board .goat-body .goat-time").all_inner_texts() for person in (ada, bob)
    ]
    assert when[0] == when[1] != []
    # And a submission of such a machine counts like any other
    venue.put(TEAM_B, "answers.zip", venue.answers(0.12))
    bob.ranked("answers.zip")
    bob.press("3 · Submit")
    bob.see(".goat-good-box >> text=public score")
    # And the charts end now, by the service's clock
    for person in (ada, bob):
        person.page.locator(".goat-board").get_by_role("tab", name="Over time").click()
        person.see(".goat-board .goat-chart .main-svg")
        ends = person.page.locator(".goat-board .goat-chart").evaluate(
            "chart => Math.max(...chart.data.map(line => line.x.at(-1)))"
        )
        assert abs(ends / 1000 - time.time()) < 3600, person.team
