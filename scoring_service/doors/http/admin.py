"""The organiser's routes. Each one needs the organiser's role before its body is read."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from goat.errors import Invalid
from goat.records import Board, Challenge, Member, Submission, Team
from scoring_service.doors.http import describe
from scoring_service.doors.http.boards import BoardRequest, board_response
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import Known, OrganiserRoute, documented_bearer
from scoring_service.doors.http.schemas import (
    AccountName,
    Ban,
    Before,
    ChallengeFilter,
    ChallengeId,
    EventFilter,
    ManualScore,
    NewMember,
    NewTeam,
    PageSize,
    SettingsChange,
    StateFilter,
    SubmissionId,
    TeamName,
)
from scoring_service.doors.http.state import TheDoor, TheServices

router = APIRouter(
    prefix="/admin", tags=["organisers"], route_class=OrganiserRoute, dependencies=[documented_bearer]
)

_CSV = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": "name,password\nteam_a,secret-a\n"}
        },
    }
}


@router.get(
    "/teams",
    response_model=list[Team],
    responses=describe.reply([describe.TEAM]) | describe.problems(401, 403, 404),
)
def list_teams(services: TheServices, event: EventFilter = None) -> Response:
    """All teams of an event."""
    return Json(services.teams.list(event=event))


@router.post(
    "/teams",
    response_model=Team,
    status_code=201,
    responses=describe.reply(describe.TEAM, status=201) | describe.problems(401, 403, 404, 409),
)
def add_team(body: NewTeam, caller: Known, services: TheServices, event: EventFilter = None) -> Response:
    """A team with a login of the same name."""
    return Json(services.teams.add(body.name, body.password, event=event, actor=caller.name), 201)


@router.post(
    "/teams/csv",
    response_model=list[Team],
    status_code=201,
    responses=describe.reply([describe.TEAM], status=201) | describe.problems(401, 403, 404),
    openapi_extra=_CSV,
)
async def import_teams(
    request: Request, caller: Known, services: TheServices, event: EventFilter = None
) -> Response:
    """Many teams at once, from lines `name,password`; those that exist are left as they are."""
    body = await request.body()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The CSV must be UTF-8 text.", field="body") from None
    if "\x00" in text:
        raise Invalid("The CSV must be text.", field="body")

    def add() -> list[Team]:
        return services.teams.import_csv(text, event=event, actor=caller.name)

    return Json(await asyncio.to_thread(add), 201)


@router.put(
    "/teams/{team}/banned",
    status_code=204,
    response_class=Response,
    responses=describe.nothing("Done") | describe.problems(401, 403, 404),
)
def ban_team(team: TeamName, body: Ban, caller: Known, door: TheDoor, event: EventFilter = None) -> Response:
    """Bar a team from the event and its boards, or let it in again."""
    door.services.teams.ban(team, body.banned, event=event, actor=caller.name)
    door.authenticator.forget()
    return Response(status_code=204)


@router.delete(
    "/teams/{team}",
    status_code=204,
    response_class=Response,
    responses=describe.nothing("Deleted") | describe.problems(401, 403, 404, 409),
)
def delete_team(
    team: TeamName,
    caller: Known,
    door: TheDoor,
    event: EventFilter = None,
    force: Annotated[bool, Query(description="also delete its submissions")] = False,
) -> Response:
    """Delete a team and its login; with submissions only by `force`."""
    door.services.teams.delete(team, event=event, force=force, actor=caller.name)
    door.authenticator.forget()
    return Response(status_code=204)


@router.get(
    "/teams/{team}/members",
    response_model=list[Member],
    responses=describe.reply([describe.MEMBER]) | describe.problems(401, 403, 404),
)
def list_members(team: TeamName, services: TheServices, event: EventFilter = None) -> Response:
    """A team's own login and the people who have one of their own."""
    return Json(services.members.list(team, event=event))


@router.post(
    "/teams/{team}/members",
    response_model=Member,
    status_code=201,
    responses=describe.reply(describe.MEMBER | {"password": "k3Jx_9a-QpZ4"}, status=201)
    | describe.problems(401, 403, 404, 409),
)
def add_member(
    team: TeamName, body: NewMember, caller: Known, door: TheDoor, event: EventFilter = None
) -> Response:
    """A person with a login of its own in a team; a generated password is shown this once."""
    added = door.services.members.add(team, body.name, body.password, event=event, actor=caller.name)
    door.authenticator.forget()
    return Json(added, 201)


@router.delete(
    "/teams/{team}/members/{account}",
    status_code=204,
    response_class=Response,
    responses=describe.nothing("Removed") | describe.problems(401, 403, 404, 409),
)
def remove_member(
    team: TeamName, account: AccountName, caller: Known, door: TheDoor, event: EventFilter = None
) -> Response:
    """End a person's membership and logins at once; what it submitted stays the team's."""
    door.services.members.remove(team, account, event=event, actor=caller.name)
    door.authenticator.forget()
    return Response(status_code=204)


@router.get(
    "/submissions",
    response_model=list[Submission],
    responses=describe.reply([describe.SUBMISSION]) | describe.problems(401, 403, 404),
)
def list_submissions(
    caller: Known,
    services: TheServices,
    challenge: ChallengeFilter = None,
    state: StateFilter = None,
    limit: PageSize = 100,
    before: Before = None,
) -> Response:
    """Everybody's submissions, latest first."""
    found = services.submissions.all(caller, challenge=challenge, limit=limit, before=before, state=state)
    return Json(found)


@router.post(
    "/submissions/{submission}/rejudge",
    responses=describe.reply({"queued": 1}) | describe.problems(401, 403, 404),
)
def rejudge(submission: SubmissionId, caller: Known, services: TheServices) -> Response:
    """Score a submission again; its result stays until the new one replaces it."""
    return Json({"queued": services.submissions.rejudge(submission_id=submission, actor=caller.name)})


@router.get(
    "/settings",
    response_model=list[Challenge],
    responses=describe.reply([describe.CHALLENGE]) | describe.problems(401, 403),
)
def get_settings(services: TheServices, event: EventFilter = None) -> Response:
    """Every challenge with its freeze and reveal."""
    return Json(services.events.challenges(event))


@router.put(
    "/settings",
    response_model=Challenge,
    responses=describe.reply(describe.CHALLENGE | {"frozen": True}) | describe.problems(401, 403, 404),
)
def change_settings(body: SettingsChange, caller: Known, services: TheServices) -> Response:
    """Freeze or thaw a challenge's board, reveal or hide its private scores."""
    if body.freeze is not None and body.freeze_at is not None:
        raise Invalid("Give freeze or freeze_at, not both.", field="body.freeze_at")
    record = services.events.challenge(body.challenge)
    moment = _freeze_moment(body, services.clock.now())
    if moment is not None or body.freeze is False:
        record = services.events.freeze(body.challenge, moment, actor=caller.name)
    if body.reveal is not None:
        record = services.events.reveal(body.challenge, body.reveal, actor=caller.name)
    return Json(record)


def _freeze_moment(body: SettingsChange, now: datetime) -> datetime | None:
    return now if body.freeze else body.freeze_at


@router.get(
    "/leaderboard/private/{challenge}",
    response_model=Board,
    responses=describe.reply(describe.BOARD | {"split": "private"}) | describe.problems(401, 403, 404),
)
async def private_board(challenge: ChallengeId, caller: Known, door: TheDoor) -> Response:
    """The board of the private split, which decides the final rank."""
    return await board_response(door.boards, BoardRequest(challenge, "private"), caller, "")


@router.post(
    "/manual-scores",
    responses=describe.reply({"team_name": "team_awesome", "name": "talk", "value": 8.5})
    | describe.problems(401, 403, 404),
)
def set_manual_score(
    body: ManualScore, caller: Known, services: TheServices, event: EventFilter = None
) -> Response:
    """Enter or replace a team's number for the combined board."""
    services.leaderboard.set_manual_score(
        body.team_name, body.name, body.value, event=event, actor=caller.name
    )
    entered: dict[str, Any] = {"team_name": body.team_name, "name": body.name, "value": body.value}
    return Json(entered)
