"""The event stream: boards and one's own submissions, live."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from scoring_service.doors.http import describe
from scoring_service.doors.http.delta import parse_versions
from scoring_service.doors.http.guard import AnyoneRoute, Maybe, authorization_of, documented_bearer
from scoring_service.doors.http.listener import Listener
from scoring_service.doors.http.state import TheDoor
from scoring_service.doors.http.stream import EventStream, boards_of, greeting

router = APIRouter(tags=["boards"], route_class=AnyoneRoute, dependencies=[documented_bearer])


@router.get(
    "/stream",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events",
            "content": {"text/event-stream": {"example": describe.EVENTS}},
        },
        **describe.problems(401, 403, 404, 429),
    },
)
async def open_stream(
    request: Request,
    caller: Maybe,
    door: TheDoor,
    challenges: Annotated[str, Query(pattern=r"^[A-Za-z0-9:,-]{0,4000}$", examples=["task1,combined"])] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """Boards as snapshots and deltas (`board`), your own submissions (`submission`), a comment every 15 s.

    `challenges` says that what is said of some challenge has changed: ask for them again.

    Each `board` event's id carries versions. Come back with `Last-Event-ID` and you get what you
    missed, or a snapshot if that is shorter or too old.
    """
    versions = parse_versions(last_event_id)
    boards = boards_of(challenges)
    listener = Listener(
        boards=boards,
        identity=caller,
        authorization=authorization_of(request.scope),
        address=request.client.host if request.client else "",
        versions={board: versions[board] for board in boards if board in versions},
    )
    now = await asyncio.to_thread(
        door.services.clock.now
    )  # before joining: it may fail, a place must not leak
    first = await door.hub.join(listener)
    return EventStream(door.hub, listener, first, greeting(listener, now))
