"""Challenges: what there is, what it takes, its data."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse
from starlette.responses import Response

from goat.errors import Invalid, NotFound
from goat.records import Challenge, LimitLeft
from scoring_service.doors.http import describe
from scoring_service.doors.http.encoding import Json
from scoring_service.doors.http.guard import AccountRoute, AnyoneRoute, Known, documented_bearer
from scoring_service.doors.http.ranges import is_sound_range
from scoring_service.doors.http.schemas import ChallengeId, EventFilter, ModeQuery
from scoring_service.doors.http.state import TheServices

public = APIRouter(route_class=AnyoneRoute)
private = APIRouter(route_class=AccountRoute, dependencies=[documented_bearer])

DataName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,100}$", examples=["sample.zip"])]


@public.get(
    "/challenges",
    response_model=list[Challenge],
    responses=describe.reply([describe.CHALLENGE]) | describe.problems(),
)
def list_challenges(services: TheServices, event: EventFilter = None) -> Response:
    """All challenges, or those of one event."""
    return Json(services.events.challenges(event))


@public.get(
    "/challenges/{challenge}",
    response_model=Challenge,
    responses=describe.reply(describe.CHALLENGE) | describe.problems(404),
)
def get_challenge(challenge: ChallengeId, services: TheServices) -> Response:
    """One challenge: its settings, limits, data files and the service's time."""
    return Json(services.events.challenge(challenge))


@private.get(
    "/challenges/{challenge}/limits",
    response_model=list[LimitLeft],
    responses=describe.reply([describe.LIMIT]) | describe.problems(401, 403, 404),
)
def get_limits(
    challenge: ChallengeId, caller: Known, services: TheServices, mode: ModeQuery = "ranked"
) -> Response:
    """Every limit in force for your team's next submission, and what is left of it."""
    return Json(services.submissions.limits(caller, challenge, mode))


@private.get(
    "/challenges/{challenge}/data/{name}",
    response_class=FileResponse,
    responses={
        200: {"description": "The archive", "content": {"application/zip": {"example": "(bytes)"}}},
        206: {"description": "The part of it that Range asked for"},
        304: {"description": "You have it already (If-None-Match)"},
        **describe.problems(401, 404),
    },
)
def get_data(
    challenge: ChallengeId, name: DataName, request: Request, caller: Known, services: TheServices
) -> Response:
    """One data archive. Its ETag is its SHA-256; parts of it may be asked for with Range."""
    known = {entry.name: entry for entry in services.events.challenge(challenge).data}
    path = services.events.published_file(challenge, name, early=caller.is_organiser)
    if not path.is_file():
        raise NotFound(f"The file {name} is not on this server. Tell the organiser.")
    etag = f'"{known[name].sha256}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range")
    if asked is not None and not is_sound_range(asked, known[name].size):
        raise Invalid("The Range is not one that this file has.", field="range", size=known[name].size)
    return FileResponse(path, media_type="application/zip", filename=name, headers=headers)


router = APIRouter(tags=["challenges"])
router.include_router(public)
router.include_router(private)
