"""Boards as resources. `front` answers the plain addresses from the same cache before FastAPI does."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from goat.records import Board, BoardHistory
from scoring_service.doors.http import describe
from scoring_service.doors.http.board_cache import TOP
from scoring_service.doors.http.boards import BoardRequest, board_response, history_response
from scoring_service.doors.http.guard import AnyoneRoute, Maybe, documented_bearer
from scoring_service.doors.http.schemas import ChallengeId
from scoring_service.doors.http.state import TheDoor

router = APIRouter(tags=["boards"], route_class=AnyoneRoute, dependencies=[documented_bearer])

TOP_MAX = 30
IfNoneMatch = Annotated[str, Header()]
BoardSplit = Annotated[Literal["public", "private"], Query()]


@router.get(
    "/challenges/{challenge}/leaderboard",
    response_model=Board,
    responses=describe.reply(describe.BOARD) | describe.problems(401, 403, 404),
)
async def get_board(
    challenge: ChallengeId,
    caller: Maybe,
    door: TheDoor,
    split: BoardSplit = "public",
    if_none_match: IfNoneMatch = "",
) -> Response:
    """A challenge's board. The private one is for organisers until the reveal. Has an ETag."""
    return await board_response(door.boards, BoardRequest(challenge, split), caller, if_none_match)


@router.get(
    "/challenges/{challenge}/leaderboard/history",
    response_model=BoardHistory,
    responses=describe.reply(describe.BOARD_HISTORY) | describe.problems(401, 403, 404),
)
async def get_history(
    challenge: ChallengeId,
    caller: Maybe,
    door: TheDoor,
    top: Annotated[int, Query(ge=0, le=TOP_MAX)] = TOP,
    team_name: Annotated[str | None, Query(max_length=255)] = None,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """How a challenge's public board came to be: its best score over time, and the steps of the first
    ``top`` teams and of ``team_name``. Thinned to a few hundred steps, three seconds old at most.
    Has an ETag."""
    return await history_response(
        door.courses, challenge, caller, if_none_match, top=top, team_name=team_name
    )


@router.get(
    "/combined/leaderboard",
    response_model=Board,
    responses=describe.reply(describe.BOARD | {"challenge": "combined", "unit": ""})
    | describe.problems(401, 403, 404),
)
async def get_combined(
    caller: Maybe, door: TheDoor, split: BoardSplit = "public", if_none_match: IfNoneMatch = ""
) -> Response:
    """The weighted board over the event's challenges. The private one, of the final boards, is for
    organisers until each of them is revealed. Has an ETag."""
    return await board_response(door.boards, BoardRequest("combined", split), caller, if_none_match)
