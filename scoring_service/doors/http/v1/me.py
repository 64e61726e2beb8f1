"""One's own login."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from goat.records import Token
from scoring_service.doors.http import describe
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import AccountRoute, Known, documented_bearer
from scoring_service.doors.http.schemas import NewPassword
from scoring_service.doors.http.state import TheDoor

router = APIRouter(tags=["login"], route_class=AccountRoute, dependencies=[documented_bearer])


@router.post(
    "/auth/password",
    response_model=Token,
    responses=describe.reply(describe.TOKEN) | describe.problems(401, 429),
)
async def change_password(body: NewPassword, caller: Known, door: TheDoor, request: Request) -> Response:
    """Change your password. All older logins end; the reply is a fresh token."""
    teams = door.services.teams

    def change() -> Token:
        teams.change_password(caller, body.old, body.new)
        now = teams.authenticate(caller.name, body.new)
        return door.tokens.issue(now.account_id, now.token_version)

    address = request.client.host if request.client else ""
    token = await door.logins.check(caller.name, address, change)
    door.authenticator.forget()
    return Json(token)
