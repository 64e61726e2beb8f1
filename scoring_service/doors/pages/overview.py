"""What the organiser's first page shows, gathered from the services and the hub."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from goat.errors import Forbidden, HubSilent, NotFound
from goat.records import Board, Challenge, QueueStatus, Submission
from scoring_service.hub_link import HubLink, RunningServer
from scoring_service.services import Services
from scoring_service.teams.identity import Identity

SUBMISSIONS = 20
ROWS = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """A board, and the metrics that it has beside the score."""

    board: Board
    metrics: list[str]

    @classmethod
    def of(cls, board: Board) -> Shown:
        # Not every row has all: a team may have taken part in one of a combined board's challenges only.
        fullest = sorted(board.rows, key=lambda row: -len(row.metrics))
        return cls(board, list(dict.fromkeys(name for row in fullest for name in row.metrics)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Boards:
    """One challenge with its public and its private board."""

    challenge: Challenge
    public: Shown
    private: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    now: datetime
    event: str
    teams: int
    online: list[RunningServer] | None
    """None while the hub does not answer."""
    queue: QueueStatus
    submissions: list[Submission]
    boards: list[Boards]
    combined: tuple[Shown, Shown] | None
    """The public and the private one; None where the event has none."""


def gather(services: Services, link: HubLink, organiser: Identity) -> Overview:
    """Everything for one look at the page."""
    organiser.require_organiser()
    try:
        online: list[RunningServer] | None = link.servers()
    except HubSilent:
        online = None
    try:
        challenges, teams = services.events.challenges(None), len(services.teams.list())
    except NotFound:  # no event yet
        challenges, teams = [], 0
    found = []
    for challenge in challenges:
        name = f"{challenge.event}:{challenge.id}"
        try:
            public = services.leaderboard.board(name, organiser, "public")
            private = services.leaderboard.board(name, organiser, "private")
        except (Forbidden, NotFound):  # taken away while we looked
            continue
        found.append(Boards(challenge=challenge, public=Shown.of(public), private=Shown.of(private)))
    board = services.leaderboard.combined
    try:
        combined = Shown.of(board(organiser)), Shown.of(board(organiser, split="private"))
    except NotFound:
        combined = None
    return Overview(
        now=services.clock.now(),
        event=services.settings.default_event,
        teams=teams,
        online=online,
        queue=services.submissions.queue(),
        submissions=services.submissions.all(organiser, limit=SUBMISSIONS),
        boards=found,
        combined=combined,
    )
