"""What the door keeps while it is open: one of each, hung on the application by `app.create_app`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from goat.records import Board, Split, Submission
from scoring_service.doors.http.board_cache import BoardCache, CourseCache
from scoring_service.doors.http.guard import Authenticator
from scoring_service.doors.http.health import Health
from scoring_service.doors.http.hub import Hub
from scoring_service.doors.http.logins import LoginBrake
from scoring_service.doors.http.tokens import Tokens
from scoring_service.doors.http.uploads import UploadDesk
from scoring_service.doors.pages.visits import Visits
from scoring_service.hub_link import HubLink
from scoring_service.leaderboard.service import COMBINED
from scoring_service.services import Services
from scoring_service.submissions.feed import Feed
from scoring_service.teams.identity import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Everything that routes reach for."""

    services: Services
    tokens: Tokens
    authenticator: Authenticator
    boards: BoardCache
    courses: CourseCache
    hub: Hub
    uploads: UploadDesk
    logins: LoginBrake
    health: Health
    hub_link: HubLink | None = None
    """The JupyterHub beside us, if there is one."""
    visits: Visits | None = None
    """Who looks at the organiser's pages; with a hub only."""

    def changed(self) -> None:
        """Something changed: to be called in the door's event loop."""
        self.boards.forget()
        self.hub.nudge()


def load_board(services: Services, challenge: str, split: str, identity: Identity | None) -> Board:
    """A challenge's board, or the combined one (``combined``, or ``event:combined``)."""
    part: Split = "private" if split == "private" else "public"
    event, _, name = challenge.rpartition(":")
    if name == COMBINED:
        return services.leaderboard.combined(identity, event or None, part)
    return services.leaderboard.board(challenge, identity, part)


class Lookout:
    """Where the hub looks (`hub.Source`), made of the services."""

    def __init__(self, services: Services, authenticator: Authenticator) -> None:
        self._services = services
        self._authenticator = authenticator
        self._feed = Feed(services.db)

    def board(self, challenge: str, identity: Identity | None) -> Board:
        return load_board(self._services, challenge, "public", identity)

    def challenges(self) -> str:
        return self._services.events.signature()

    def submissions(self, teams: Iterable[str]) -> dict[str, list[Submission]]:
        return self._feed.poll(list(teams))

    def still(self, authorization: str) -> Identity:
        return self._authenticator.look_up(authorization)


async def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


async def _services(request: Request) -> Services:
    door: Door = request.app.state.door
    return door.services


TheDoor = Annotated[Door, Depends(_door)]
TheServices = Annotated[Services, Depends(_services)]
