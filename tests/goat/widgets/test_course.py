"""What a board's chart knows: the past from the service, and what happens from then on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from goat.client import Client
from goat.errors import NotFound
from goat.records import BoardHistory, BoardStep, Challenge
from goat.transports.sse import ServerEvent
from goat.widgets.board import BoardWidget
from goat.widgets.offers import offers, own_challenges
from goat.widgets.rows import TIME, Table
from tests.goat.fake_service import NOW, FakeService, json_reply
from tests.goat.widgets.conftest import StillLive, board


def history(*steps: tuple[str, int, float]) -> BoardHistory:
    made = [
        BoardStep(team_name=name, submitted_at=NOW + timedelta(seconds=at), score=score)
        for name, at, score in steps
    ]
    return BoardHistory(
        event="toys",
        challenge="task1",
        version=1,
        frozen=False,
        higher_is_better=True,
        unit="dB",
        best=made,
        steps=made,
    )


def table() -> Table:
    found = Table("task1", "Toys", figures=(TIME,))
    found.show(board(3))
    return found


def test_a_table_takes_the_past_over_and_goes_on_by_itself() -> None:
    # Given what the service knows of the past, before the first row that is on the board now
    shown = table()
    assert shown.tell_course(history(("t0", -60, 10.0), ("t0", 0, 40.3333)))
    # When t1, which is followed as well, takes the lead
    shown.lines["t1"] = [[1, 40.3]]
    shown.show(board(3, 2, t1=50.0))
    # Then both lines have it, once
    assert shown.best == [[-60, 10.0], [0, 40.3333], [72001, 50.0]]
    assert shown.lines["t1"] == [[1, 40.3], [72001, 50.0]]
    shown.show(replace(board(3, 2, t1=50.0), version=3))
    assert len(shown.best) == 3


def test_a_team_that_comes_to_the_top_while_one_looks_gets_a_line() -> None:
    # Given a board of ten teams, whose course says how the leaders came there
    shown = Table("task1", "Toys", figures=(TIME,))
    shown.show(board(10))
    shown.tell_course(history(("t0", 0, 40.3333)))
    # When one from below leads, and one from below does not
    shown.show(board(10, 2, t7=50.0, t8=39.0))
    # Then the first has a line from there on
    assert shown.lines["t7"] == [[72007, 50.0]]
    assert "t8" not in shown.lines


def test_the_same_past_twice_is_nothing_new() -> None:
    shown = table()
    assert shown.tell_course(history(("t0", 0, 40.3333)))
    assert not shown.tell_course(history(("t0", 0, 40.3333)))


def test_a_table_without_that_figure_keeps_no_course() -> None:
    shown = Table("combined", "Combined")
    shown.show(board(3))
    assert shown.best == []


def test_before_the_reveal_there_is_no_final_board_and_after_it_there_is(
    comms, client: Client, still: StillLive, service: FakeService
) -> None:
    # Given a board that is open before the reveal
    offered = [service.challenge]
    service.faults.append(lambda method, path: json_reply(offered) if path == "/v1/challenges" else None)
    widget = BoardWidget(live=still, client=client)
    assert [(one["title"], one["split"]) for one in widget.tables] == [("Toys", "public")]
    boards_asked = service.asked["GET /v1/challenges/task1/leaderboard"]
    assert boards_asked == 1, "nobody asks for a final board that may not be seen"
    # When the reveal is told
    offered[:] = [replace(service.challenge, revealed=True)]
    still._hear(client, ServerEvent("challenges", '{"changed":true}'))
    # Then the final board is there, first, with charts that make sense of it
    assert [(one["title"], one["split"]) for one in widget.tables] == [
        ("Final: Toys", "private"),
        ("Toys", "public"),
    ]
    assert widget.tables[0]["figures"] == ["distribution"]


def test_the_final_combined_board_is_offered_when_every_challenge_is_revealed(service: FakeService) -> None:
    one, two = (replace(service.challenge, id=name, revealed=True) for name in ("task1", "task2"))

    def offered(*challenges: Challenge) -> list[tuple[str, str, str, tuple[str, ...]]]:
        found = offers({item.id: item for item in challenges}, ("combined",))
        return [(offer.id, offer.board, offer.title, offer.figures) for offer in found]

    public = ("combined", "combined", "Combined", ("distribution",))
    assert offered(one, replace(two, revealed=False)) == [public]
    combined = offers({"task1": one}, ("combined",))[0]
    assert "adds to the score" in combined.note
    assert combined.parts == {"task1": one.title}
    assert offered(one, two) == [("combined final", "combined", "Final: Combined", ("distribution",)), public]


def test_a_board_that_is_taken_away_goes_and_the_others_stay(
    comms, client: Client, still: StillLive, service: FakeService
) -> None:
    # Given two challenges
    gone = replace(service.challenge, id="task2", title="Second")
    offered = [service.challenge, gone]

    def answer(method: str, path: str) -> object:
        if path == "/v1/challenges":
            return json_reply(offered)
        return json_reply(replace(service.board(), challenge="task2")) if "task2" in path else None

    service.faults.append(answer)  # type: ignore[arg-type]
    widget = BoardWidget(live=still, client=client)
    assert [one["id"] for one in widget.tables] == ["task1", "task2"]
    # When one is removed from the event, and another renamed
    offered[:] = [replace(service.challenge, title="Toys again")]
    widget._begin(client)
    # Then the board says so, and listens to what is left
    assert [one["title"] for one in widget.tables] == ["Toys again"]
    assert set(still._boards) == {"task1"}


def test_only_the_own_events_challenges_are_shown(service: FakeService, client: Client) -> None:
    # Given a service with another event, whose ids are the same
    other = replace(service.challenge, event="sandbox", title="Not ours")

    def answer(method: str, path: str) -> object:
        return json_reply([other, service.challenge]) if path == "/v1/challenges" else None

    service.faults.append(answer)  # type: ignore[arg-type]
    found = own_challenges(client)
    # Then a member of "toys", the default event, sees its own by their short names
    assert {name: item.title for name, item in found.items()} == {"task1": "Toys"}
    assert [offer.id for offer in offers(found, ())] == ["task1", "combined"]


def test_a_board_that_was_never_there_is_an_error_in_the_cell(
    comms, client: Client, still: StillLive
) -> None:
    with pytest.raises(NotFound, match="nope"):
        BoardWidget(("task1", "nope"), live=still, client=client)
    assert still._opened == [], "and stands in nobody's way"
