"""What the panel says of the team's limits, and when it asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from goat.client import Client
from goat.errors import ServiceUnreachable
from goat.records import LimitLeft, Submission
from goat.widgets.limits import Limits, limits_sentence
from goat.widgets.panel import Panel
from tests.goat.fake_service import NOW, FakeService, json_reply
from tests.goat.widgets.conftest import StillLive
from tests.goat.widgets.test_panel import quick, until

AT_ONCE = LimitLeft(limit="at_once", allowed=3, left=2)
USED_UP = LimitLeft(limit="per_hour", allowed=3, left=0, retry_after=341)
WAITING = Submission(
    id="s1",
    event="toys",
    challenge="task1",
    team_name="team_awesome",
    account="team_awesome",
    mode="ranked",
    state="QUEUED",
    filename="a.zip",
    size=1,
    sha256="0",
    submitted_at=NOW,
    queue_position=3,
)


class Told:
    """A client that knows the limits, and how often it was asked."""

    def __init__(self, *answer: LimitLeft) -> None:
        self.answer = list(answer)
        self.asked = 0
        self.away = False

    def limits(self, challenge: str, mode: str) -> list[LimitLeft]:
        self.asked += 1
        if self.away:
            raise ServiceUnreachable("away")
        return self.answer


def test_what_is_left_is_said_in_the_order_in_which_it_matters() -> None:
    per_day = LimitLeft(limit="per_day", allowed=100, left=98)
    unknown = LimitLeft(limit="x", allowed=1, left=0)
    assert (
        limits_sentence([AT_ONCE, unknown, per_day]) == "submissions left: 98 of 100 today · 2 of 3 at once"
    )
    test = LimitLeft(limit="test_per_hour", allowed=60, left=59)
    assert limits_sentence([AT_ONCE, test], "test") == "test runs left: 59 of 60 this hour · 2 of 3 at once"


def test_what_is_used_up_says_when_there_is_more() -> None:
    assert limits_sentence([USED_UP]) == "submissions left: 0 of 3 this hour (more in 5 min 41 s)"
    assert limits_sentence([USED_UP], age=300) == "submissions left: 0 of 3 this hour (more in 41 s)"
    full = [
        replace(AT_ONCE, left=0),
        LimitLeft(limit="rejections_per_hour", allowed=30, left=0, retry_after=1900),
        LimitLeft(limit="min_gap_s", allowed=60, left=0, retry_after=12),
    ]
    assert limits_sentence(full) == (
        "submissions left: 0 of 3 at once (more when one is scored) · "
        "0 of 30 rejected ones this hour (more in 31 min) · none right now (more in 12 s)"
    )


def test_they_are_asked_for_once_whatever_the_number_of_events() -> None:
    # Given limits that are known
    told: Any = Told(AT_ONCE)
    limits = Limits()
    assert limits.due("ranked", 0.0)
    limits.ask(told, "task1", "ranked", 0.0)
    assert not limits.due("ranked", 59.0)
    # When a submission moves up in the queue, nothing is to ask; when its state changes, there is
    limits.heard(WAITING)
    limits.ask(told, "task1", "ranked", 1.0)
    for place in (2, 1):
        limits.heard(replace(WAITING, queue_position=place))
    assert not limits.due("ranked", 2.0)
    for number in range(50):
        limits.heard(replace(WAITING, id=f"s{number}", state="EVALUATED"))
    assert limits.due("ranked", 3.0)
    limits.ask(told, "task1", "ranked", 3.0)
    assert not limits.due("ranked", 4.0)
    assert told.asked == 3
    # And the other mode's, which share a place in the queue, are asked for when somebody looks at them
    limits.ask(told, "task1", "test", 4.0)
    limits.heard(replace(WAITING, id="s99"))
    limits.ask(told, "task1", "ranked", 5.0)
    assert limits.due("test", 6.0)


def test_what_is_free_again_is_asked_for_and_an_outage_is_not_hammered() -> None:
    told: Any = Told(USED_UP)
    limits = Limits()
    limits.ask(told, "task1", "ranked", 0.0)
    assert not limits.due("ranked", 340.0)
    assert limits.due("ranked", 342.0)
    told.away = True
    with pytest.raises(ServiceUnreachable):
        limits.ask(told, "task1", "ranked", 342.0)
    assert not limits.due("ranked", 345.0)
    assert limits.due("ranked", 360.0)
    assert "0 of 3" in limits.sentence("ranked", 342.0)


def test_a_result_frees_its_place_in_the_panel_within_seconds(
    comms: Callable[..., Any], logged_in: FakeService, still: StillLive, tmp_path: Any, monkeypatch: Any
) -> None:
    # Given a panel while a submission waits
    monkeypatch.chdir(tmp_path)
    left = 2
    logged_in.faults.append(
        lambda method, path: (
            json_reply([LimitLeft(limit="at_once", allowed=3, left=left)])
            if path.endswith("/limits")
            else None
        )
    )
    panel = Panel(live=still, connect=quick)
    assert "2 of 3 at once" in panel.facts.value
    # When it is scored, which the stream tells
    left = 3
    panel._submission(replace(WAITING, state="EVALUATED", queue_position=None, score=1.0))
    # Then nobody has to wait for the minute in which everything is asked anew
    until(lambda: "3 of 3 at once" in panel.facts.value)


def test_a_test_run_shows_the_limits_of_test_runs(
    comms: Callable[..., Any], logged_in: FakeService, still: StillLive, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        Client,
        "limits",
        lambda self, challenge, mode: [
            LimitLeft(limit="test_per_hour", allowed=60, left=9)
            if mode == "test"
            else LimitLeft(limit="per_day", allowed=5, left=4)
        ],
    )
    panel = Panel(live=still, connect=quick)
    assert "test runs left: 9 of 60 this hour" in panel.facts.value
    panel.mode.value = "ranked"
    until(lambda: "submissions left: 4 of 5 today" in panel.facts.value)
