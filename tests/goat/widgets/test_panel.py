"""The panel, clicked without a kernel."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from goat.client import Client
from goat.errors import Problem, Rejection
from goat.identity import save_login
from goat.records import LimitLeft
from goat.transports.backoff import Backoff
from goat.widgets.about import Countdown, verdict_html
from goat.widgets.form import candidates
from goat.widgets.markdown import render
from goat.widgets.panel import Panel
from goat.widgets.upload import UploadWidget
from tests.goat.fake_service import NOW, FakeService, json_reply, problem
from tests.goat.widgets.conftest import StillLive

XSS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "**<b>**",
    "`</code><i>`",
    "[x](javascript:alert(1))",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The notebook's folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def limits(method: str, path: str) -> Any:
    found = [LimitLeft(limit=name, allowed=5, left=4) for name in ("per_day", "test_per_hour")]
    return json_reply(found) if path.endswith("/limits") else None


def quick() -> Client:
    return Client(backoff=Backoff(attempts=2, first_contact_attempts=2, base_s=0.001, cap_s=0.002))


@pytest.fixture
def panel(comms: Callable[..., Any], logged_in: FakeService, still: StillLive, here: Path) -> Panel:
    logged_in.faults.append(limits)
    return Panel(live=still, connect=quick)


def test_every_part_is_answered_on_the_subshell_that_asked(panel: Panel) -> None:
    # Given parts whose connection would send on to the subshell of an older request (ipykernel 7.4)
    parts = [panel, panel.send, panel.path, panel.upload, panel.own, *panel.children]
    # Then what a browser says runs where the browser says, also after a reload
    assert {part.comm._reply_subshell_for({"method": "custom"}, "asked") for part in parts} == {"asked"}


def answer(panel: Panel, path: Path | str) -> None:
    panel.path.set_state({"value": str(path)})


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def click(panel: Panel, button: Any) -> str:
    button.click()
    time.sleep(0.02)
    panel.wait(20)
    return str(panel.verdict.value)


def test_it_opens_with_the_challenge_its_deadline_and_limits(panel: Panel) -> None:
    assert "Toys" in panel.head.value
    assert re.search(r"2 h [45] min left \(until 01 May 2026, 14:05 UTC\)", panel.facts.value)
    assert "4 of 5 today" in panel.facts.value


def test_check_says_that_nothing_is_to_change(panel: Panel, answers: Path) -> None:
    answer(panel, answers)
    assert "Nothing to change" in click(panel, panel.check)
    assert panel.send.disabled is False


def test_check_lists_every_problem(panel: Panel, here: Path) -> None:
    (here / "wrong").mkdir()
    (here / "wrong" / "a.txt").write_text("not a number")
    answer(panel, "wrong")
    assert "to change" in click(panel, panel.check)
    assert "<li>" in panel.verdict.value


def test_submit_uploads_waits_and_shows_the_score(
    panel: Panel, answers: Path, logged_in: FakeService
) -> None:
    panel.mode.value = "ranked"
    answer(panel, answers)
    assert "public score 7.2500 points, rank 3 on the board" in click(panel, panel.send)
    assert len(logged_in.submissions) == 1
    assert panel.own.rows[0][4] == "QUEUED"  # what comes later is told by the stream
    assert "uploaded" in panel.steps.lines.value


def test_while_a_submission_waits_the_panel_can_be_used(
    panel: Panel, answers: Path, logged_in: FakeService, here: Path
) -> None:
    # Given a submission in a long queue
    logged_in.score_after = 10**6
    answer(panel, answers)
    panel.send.click()
    until(lambda: "2nd in line" in panel.steps.label.value)
    until(lambda: not panel.check.disabled)
    # When something else is checked meanwhile
    (here / "wrong").mkdir()
    answer(panel, "wrong")
    panel.check.click()
    until(lambda: "to change" in panel.verdict.value)
    assert "uploaded" not in panel.steps.lines.value
    # Then the score that comes does not push its verdict away, but is told and stands in the table
    logged_in.score_after = 1
    panel.wait(30)
    assert "to change" in panel.verdict.value
    assert panel.steps.now.layout.display == "none"
    assert "7.2500" in panel.herald.said["text"]


def test_a_verdict_is_said_once(panel: Panel, answers: Path) -> None:
    answer(panel, answers)
    assert "7.2500" in click(panel, panel.send)
    assert "7.2500" not in panel.steps.lines.value


def test_a_dry_run_gives_the_score_here(panel: Panel, answers: Path) -> None:
    answer(panel, answers)
    assert "dry run" in click(panel, panel.rehearse)


def test_the_data_is_fetched(panel: Panel) -> None:
    click(panel, panel.fetch)
    assert "goat.data(&#x27;task1&#x27;)" in panel.fetched.value


@pytest.mark.parametrize(
    ("given", "said"), [("", "Choose the folder or file"), ("nowhere", "There is nothing at nowhere")]
)
def test_a_missing_path_is_a_sentence(panel: Panel, given: str, said: str) -> None:
    answer(panel, given)
    assert said in click(panel, panel.send)


def test_a_service_that_is_away_is_a_sentence_and_nothing_is_lost(
    panel: Panel, answers: Path, logged_in: FakeService
) -> None:
    answer(panel, answers)
    logged_in.faults.append(lambda method, path: "drop")
    assert "goat-bad-box" in click(panel, panel.send)
    assert panel.send.disabled is False
    logged_in.faults.clear()
    assert "7.2500" in click(panel, panel.send)


def test_an_expired_token_says_what_to_do(panel: Panel, answers: Path, logged_in: FakeService) -> None:
    save_login(logged_in.url, "expired", "team_awesome")
    answer(panel, answers)
    assert "no longer valid: run `goat login`" in click(panel, panel.send)


def test_a_limit_is_a_sentence(panel: Panel, answers: Path, logged_in: FakeService) -> None:
    logged_in.faults.append(
        lambda method, path: (
            problem(429, "limit_reached", "3 of 3 today.", limit="per_day", retry_after=600)
            if method == "POST"
            else None
        )
    )
    answer(panel, answers)
    assert "3 of 3 today." in click(panel, panel.send)


def test_a_service_that_comes_later_fills_the_panel(
    comms: Callable[..., Any], logged_in: FakeService, still: StillLive, here: Path
) -> None:
    logged_in.faults.append(lambda method, path: problem(503, "busy", "Back soon."))
    panel = Panel(live=still, connect=quick)
    still._say("Nobody answers. Trying again …")
    assert "Trying again" in panel.problem.value
    logged_in.faults[:] = [limits]
    with quick() as client:
        panel._begin(client)
    still._say("")
    assert "Toys" in panel.head.value
    assert panel.problem.value == ""


def test_a_banned_team_is_told_so_and_its_stream_goes_on(
    comms: Callable[..., Any], logged_in: FakeService, still: StillLive, here: Path
) -> None:
    # Given a team that was banned: it may look at boards, and has no limits and no submissions any more
    said = "The team team_awesome is banned from this event. Talk to the organiser."
    logged_in.faults.append(
        lambda method, path: (
            problem(403, "forbidden", said) if path.endswith(("/limits", "/submissions")) else None
        )
    )
    # When it opens its panel, beginning is no error that would end the stream of its board
    panel = Panel(live=still, connect=quick)
    with quick() as client:
        panel._begin(client)
    still._say("")
    # Then it knows the task, and why it cannot submit
    assert "Toys" in panel.head.value
    assert said in panel.problem.value
    # And no more once it is let in again
    logged_in.faults[:] = [limits]
    with quick() as client:
        panel._begin(client)
    still._say("connecting …")
    still._say("")
    assert panel.problem.value == ""


def test_a_clock_that_is_wrong_by_a_day_changes_no_countdown(logged_in: FakeService) -> None:
    # Given a service whose clock says something else than this machine's
    about = logged_in.challenge
    # Then only the service's clock counts, and the monotonic one from there
    countdown = Countdown.of(about, monotonic=1000.0)
    assert countdown.sentence(1000.0).startswith("2 h 5 min left")
    assert countdown.sentence(1000.0 + 7490.0).startswith("10 s left")
    assert countdown.sentence(1000.0 + 7500.0).startswith("closed since 01 May 2026")
    assert abs(about.server_time - NOW) < timedelta(seconds=1)


@pytest.mark.parametrize("text", XSS)
def test_what_others_wrote_stays_text(text: str) -> None:
    assert "<img" not in render(text) + verdict_html(Rejection([Problem("x", text, text)]))
    assert "<script" not in render(text) + verdict_html(Rejection([Problem("x", text)]))
    assert "<i>" not in render(text)
    assert "href" not in render(text)


def test_the_picker_offers_folders_first(here: Path) -> None:
    for name in ("answers", ".hidden", "__pycache__"):
        (here / name).mkdir()
    for name in ("b.zip", "note.ipynb"):
        (here / name).touch()
    assert candidates(Path()) == ["answers", "b.zip"]


def test_an_upload_arrives_in_pieces(comms: Callable[..., Any], here: Path) -> None:
    # Given a file of three pieces, whose second one comes twice
    arrived: list[str] = []
    widget = UploadWidget(arrived.append)
    widget._handle_custom_msg({"start": "../../evil/../my answers.zip", "size": 5}, [])
    for at, piece in ((0, b"ab"), (2, b"cd"), (2, b"cd"), (4, b"e")):
        widget._handle_custom_msg({"at": at}, [piece])
    # Then it lies whole in the uploads folder, under a plain name
    assert arrived == [str(Path("uploads/my answers.zip"))]
    assert Path(arrived[0]).read_bytes() == b"abcde"
    assert list(Path("uploads").iterdir()) == [Path(arrived[0])]


def test_an_upload_that_is_too_large_or_lost_its_kernel_is_a_sentence(
    comms: Callable[..., Any], here: Path
) -> None:
    widget = UploadWidget(lambda path: None)
    widget._handle_custom_msg({"start": "a", "size": 10**12}, [])
    assert comms(widget).custom()[-1] == {"failed": "The file is too large."}
    widget._handle_custom_msg({"at": 5}, [b"x"])
    assert "choose the file again" in comms(widget).custom()[-1]["failed"]
    assert "file browser" in widget._esm  # where the browser steers what is over the limit


def test_without_widgets_there_is_text(panel: Panel) -> None:
    data = panel._repr_mimebundle_()
    assert "goat.submit(path, 'task1')" in data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data
