"""Boards as resources. `front` answers the plain addresses from the same cache before FastAPI does."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from goat.records import Board
from scoring_service.doors.http import describe
from scoring_service.doors.http.boards import BoardRequest, board_response
from scoring_service.doors.http.guard import AnyoneRoute, Maybe, documented_bearer
from scoring_service.doors.http.schemas import ChallengeId
from scoring_service.doors.http.state import TheDoor

router = APIRouter(tags=["boards"], route_class=AnyoneRoute, dependencies=[documented_bearer])

IfNoneMatch = Annotated[str, Header()]


@router.get(
    "/challenges/{challenge}/leaderboard",
    response_model=Board,
    responses=describe.reply(describe.BOARD) | describe.problems(401, 403, 404),
)
async def get_board(
    challenge: ChallengeId,
    caller: Maybe,
    door: TheDoor,
    split: Annotated[Literal["public", "private"], Query()] = "public",
    if_none_match: IfNoneMatch = "",
) -> Response:
    """A challenge's board. The private one is for organisers until the reveal. Has an ETag."""
    return await board_response(door.boards, BoardRequest(challenge, split), caller, if_none_match)


@router.get(
    "/combined/leaderboard",
    response_model=Board,
    responses=describe.reply(describe.BOARD | {"challenge": "combined", "unit": ""}) | describe.problems(404),
)
async def get_combined(caller: Maybe, door: TheDoor, if_none_match: IfNoneMatch = "") -> Response:
    """The weighted board over all challenges of the event. Has an ETag."""
    return await board_response(door.boards, BoardRequest("combined"), caller, if_none_match)
