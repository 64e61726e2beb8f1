"""A team's own submissions over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

import goat
from goat.client import Client
from goat.records import Submission
from tests.goat.fake_service import NOW, FakeService


@pytest.fixture
def many(logged_in: FakeService) -> FakeService:
    """450 scored submissions, more than two pages."""
    first = Submission(
        id="s0000",
        event="toys",
        challenge="task1",
        team_name="team_awesome",
        account="team_awesome",
        mode="ranked",
        state="EVALUATED",
        filename="answers.zip",
        size=3,
        sha256="0" * 64,
        submitted_at=NOW,
        score=1.0,
    )
    for index in range(450):
        item = replace(
            first, id=f"s{index:04}", submitted_at=NOW + timedelta(minutes=index), score=index % 7.0
        )
        logged_in.submissions[item.id] = item
    return logged_in


def test_the_whole_history_is_fetched_page_by_page(client: Client, many: FakeService) -> None:
    frame = goat.history(client=client).frame
    assert len(frame) == 450
    assert frame["submission_id"].is_unique
    assert frame["submitted_at"].is_monotonic_decreasing


def test_a_limit_bounds_what_is_fetched(client: Client, many: FakeService) -> None:
    assert len(goat.history(limit=7, client=client)) == 7
    assert many.asked["GET /v1/submissions"] == 1


def test_scores_of_several_challenges_are_in_no_figure_together(client: Client, many: FakeService) -> None:
    found = goat.history("task1", client=client)
    other = replace(found.submissions[0], challenge="task2")
    with pytest.raises(goat.Invalid, match=r"goat.history\('task1'\)"):
        _ = replace(found, submissions=[*found.submissions, other]).figure


def test_the_figure_shows_the_best_so_far(client: Client, many: FakeService) -> None:
    figure = goat.history("task1", client=client).figure
    best = next(trace for trace in figure.data if trace.name == "best ranked")
    assert list(best.y) == sorted(best.y)
    assert "points" in figure.layout.yaxis.title.text


def test_no_submissions_is_an_empty_frame_and_figure(client: Client) -> None:
    found = goat.history(client=client)
    assert found.frame.empty
    assert len(found.figure.data) == 0
    assert "0 submissions" in repr(found)
